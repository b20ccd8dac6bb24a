// stdin, stdout and stderr.

import { once } from 'node:events'
import { WorkFailed, isSystemError, lineOf, reasonOf } from './failure.js'

/** Ends the command silently if the reader of its output leaves early, as `head` does. */
export function surviveBrokenPipes(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    sayError(lineOf(new WorkFailed(`standard output: ${reasonOf(error)}`)))
    process.exit(1)
  })
  // If nobody reads the progress any more, the work goes on.
  process.stderr.on('error', () => {})
}

/** Writes to stdout, and waits if its reader is slower. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

export function sayError(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** The text of stdin, piece by piece, checked to be UTF-8 or repaired. */
export async function* textOfStdin(invalidUtf8: 'throw' | 'replace'): AsyncGenerator<string> {
  if (process.stdin.isTTY) sayError('tokenbed: reading from the terminal; end with Ctrl-D')
  yield* decode(process.stdin, 'standard input', invalidUtf8)
}

/** Decodes bytes as they come. The byte order mark stays, as everywhere in tokenbed. */
export async function* decode(
  source: AsyncIterable<Buffer>,
  name: string,
  invalidUtf8: 'throw' | 'replace',
): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: invalidUtf8 === 'throw', ignoreBOM: true })
  let done = 0
  /** The bytes of an incomplete character. */
  let begun: Buffer = Buffer.alloc(0)
  const next = (bytes?: Buffer): string => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true })
    } catch {
      const all = bytes === undefined ? begun : Buffer.concat([begun, bytes])
      const at = firstInvalid(all)
      const byte = all[at].toString(16).padStart(2, '0')
      throw new WorkFailed(
        `${name}: byte 0x${byte} is not UTF-8, which text must be (at byte ${done - begun.length + at})${UTF8_HINT}`,
      )
    }
  }
  try {
    for await (const bytes of source) {
      yield next(bytes)
      done += bytes.length
      begun = lastBegun(bytes.length < 3 ? Buffer.concat([begun, bytes]) : bytes)
    }
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw new WorkFailed(`${name}: ${reasonOf(error)}`, { cause: error })
  }
  yield next()
}

export const UTF8_HINT = ' (--invalid-utf8 replace reads it all the same)'

/**
 * Position of the first bytes that are not UTF-8, of which there must be some. It is found by bisection, because all
 * prefixes before it are valid.
 */
function firstInvalid(bytes: Buffer): number {
  const isGood = (length: number) => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length), { stream: true })
      return true
    } catch {
      return false
    }
  }
  let [good, bad] = [0, bytes.length + 1]
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1
    if (isGood(middle)) good = middle
    else bad = middle
  }
  // The character that ends there began earlier.
  return good - lastBegun(bytes.subarray(0, good)).length
}

/** The bytes of an incomplete character at the end of UTF-8 text. */
function lastBegun(bytes: Buffer): Buffer {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length]
    if ((byte & 0xc0) === 0x80) continue
    const whole = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return whole > length ? bytes.subarray(bytes.length - length) : Buffer.alloc(0)
  }
  return Buffer.alloc(0)
}
