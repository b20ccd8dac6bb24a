// stdin, stdout and stderr.

import { once } from 'node:events'
import { WorkFailed, isSystemError, lineOf, reasonOf } from './failure.js'

/** A reader that leaves early, as `head` does, ends the command without complaint. */
export function surviveBrokenPipes(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    sayError(lineOf(new WorkFailed(`standard output: ${reasonOf(error)}`)))
    process.exit(1)
  })
  // Nobody listens to progress any more: the work goes on.
  process.stderr.on('error', () => {})
}

/** Writes to stdout, and waits while its reader is slower. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

export function sayError(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** The text of stdin, piece by piece, checked to be UTF-8 or mended. */
export async function* textOfStdin(invalidUtf8: 'throw' | 'replace'): AsyncGenerator<string> {
  if (process.stdin.isTTY) sayError('tokenbed: reading from the terminal; end with Ctrl-D')
  yield* decode(process.stdin, 'standard input', invalidUtf8)
}

/** The text of bytes as they come. The byte order mark stays, as everywhere in tokenbed. */
export async function* decode(source: AsyncIterable<Buffer>, name: string, invalidUtf8: 'throw' | 'replace'): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: invalidUtf8 === 'throw', ignoreBOM: true })
  let done = 0
  /** Bytes of a character that is not complete yet. */
  let begun: Buffer = Buffer.alloc(0)
  const next = (bytes?: Buffer): string => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true })
    } catch {
      const all = bytes === undefined ? begun : Buffer.concat([begun, bytes])
      const at = firstInvalid(all)
      const byte = all[at].toString(16).padStart(2, '0')
      throw new WorkFailed(`${name}: byte 0x${byte} is no UTF-8, which text must be (at byte ${done - begun.length + at})${UTF8_HINT}`)
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

/** Where the first bytes begin that are no UTF-8, of which there are some: by halves, as what is before them is good. */
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
  // The character that ends there was begun before.
  return good - lastBegun(bytes.subarray(0, good)).length
}

/** The last bytes, of UTF-8, that are a part of a character. */
function lastBegun(bytes: Buffer): Buffer {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length]
    if ((byte & 0xc0) === 0x80) continue
    const whole = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return whole > length ? bytes.subarray(bytes.length - length) : Buffer.alloc(0)
  }
  return Buffer.alloc(0)
}
