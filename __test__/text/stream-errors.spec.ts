import test, { type ExecutionContext } from 'ava'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  AbortedError,
  FileError,
  FormatError,
  streamBatches,
  streamIds,
  type TokenbedError,
  Tokenizer,
  UsageError,
  type StreamOptions,
  type TextSource,
} from '../../index.js'
import { scenario } from '../support/child.js'
import { refuses } from '../support/errors.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()
const gpt2 = Tokenizer.load('gpt2')
const long = 'It was the best of times, it was the worst of times.\n'.repeat(50_000)

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** The number of ids before the error, and the error. */
async function fails(source: TextSource, options?: StreamOptions): Promise<{ ids: number; error: unknown }> {
  let ids = 0
  try {
    for await (const chunk of streamIds(source, options)) ids += chunk.length
  } catch (error) {
    return { ids, error }
  }
  throw new Error(`no error, but ${ids} ids`)
}

function says(
  t: ExecutionContext,
  error: unknown,
  kind: new (...args: never[]) => TokenbedError,
  ...parts: string[]
): void {
  t.true(error instanceof kind, String(error))
  for (const part of parts) t.true((error as Error).message.includes(part), `"${String(error)}" does not say "${part}"`)
}

const none = join(folder, 'none.txt')

for (const [name, stream] of [
  ['streamIds', streamIds],
  ['streamBatches', streamBatches],
] as const) {
  test(`${name}: unusable sources are rejected at once, and nothing is opened`, (t) => {
    const make = (source: unknown, options?: unknown) => () => stream(source as TextSource, options as StreamOptions)
    const use = (part: string, source: unknown, options?: unknown) =>
      refuses(t, make(source, options), 'USAGE', name, part)
    use('file 1', { files: [none, 5] })
    use('file 0', { files: [''] })
    use('file 0', { files: ['a\0b'] })
    use('file 1', { files: [none, , none] }) // eslint-disable-line no-sparse-arrays
    use('options must be an object', { files: [none] }, 5)
    use('no option "shuffle"', { files: [none] }, { shuffle: false })
    use('tokenizer must be', { files: [none] }, { tokenizer: 'gpt2' })
    use('allowedSpecial', { files: [none] }, { allowedSpecial: ['<|endoftext|>'] })
    use('disallowedSpecial', { files: [none] }, { disallowedSpecial: 'none' })
    use('invalidUtf8', { files: [none] }, { invalidUtf8: 'ignore' })
    use('signal must be an AbortSignal', { files: [none] }, { signal: { aborted: false } })
  })
}

test('sizes of windows are checked at once', (t) => {
  const use = (part: string, options: unknown) =>
    refuses(t, () => streamBatches({ files: [none] }, options as object), 'USAGE', 'streamBatches', part)
  for (const name of ['batchSize', 'maxLength', 'stride'])
    for (const value of [0, -1, 1.5, NaN, '4', null]) use(name, { [name]: value })
  use('dropLast', { dropLast: 1 })
})

test('an unreadable file is an error with its path when its turn comes', async (t) => {
  const path = file('good.txt', long)
  for (const bad of [none, join(folder, 'none.gz'), join(folder, 'none.zst')]) {
    const { ids, error } = await fails({ files: [path, bad, path] })
    t.is(ids, gpt2.encode(long).length, 'what comes before it came')
    says(t, error, FileError, bad, 'cannot open')
    t.is((error as FileError).path, bad)
    if (process.platform !== 'win32') t.is(((error as FileError).cause as NodeJS.ErrnoException).code, 'ENOENT')
  }
  mkdirSync(join(folder, 'folder'))
  says(t, (await fails({ files: [join(folder, 'folder')] })).error, FileError, join(folder, 'folder'))
})

test('an error that occurs before the next read is kept until then', async (t) => {
  let unhandled = 0
  const count = () => unhandled++
  process.on('unhandledRejection', count)
  await t.throwsAsync(
    async () => {
      for await (const ids of streamIds({ files: [file('few.txt', long), none] })) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        t.true(ids.length > 0)
      }
    },
    { instanceOf: FileError },
  )
  process.off('unhandledRejection', count)
  t.is(unhandled, 0)
})

test('the error about invalid UTF-8 has the position of the bytes', async (t) => {
  const { length } = Buffer.from(long)
  const bytes = Buffer.concat([Buffer.from(long), Buffer.from([0x61, 0xff, 0x62])])
  for (const [path, part] of [
    [file('bad.txt', bytes), 'byte 0xff is not UTF-8'],
    [file('bad.txt.gz', gzipSync(bytes)), 'of the decompressed text'],
  ]) {
    const { ids, error } = await fails({ files: [path] })
    t.true(ids > 0, 'the chunks before it came')
    says(t, error, FormatError, path, part, `at byte ${length + 1}`)
    const { path: named, offset, invalidUtf8 } = error as FormatError
    t.deepEqual([named, offset, invalidUtf8], [path, length + 1, true])
  }
  const binary = file('binary', Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) & 255)))
  says(t, (await fails({ files: [binary] })).error, FormatError, binary, 'not UTF-8')
  const { error } = await fails({ files: [file('utf16.txt', Buffer.from('\ufefftext', 'utf16le'))] })
  says(t, error, FormatError, 'UTF-16')
  // For another kind of file it would not help to replace the bytes.
  t.false((error as FormatError).invalidUtf8)
  says(t, (await fails({ files: [file('packed.txt', gzipSync('text'))] })).error, FormatError, '.gz')
})

test('damaged or truncated compressed data is an error', async (t) => {
  const whole = gzipSync(long, { level: 1 })
  const flipped = Buffer.from(whole)
  flipped[whole.length - 5] ^= 1
  for (const [name, bytes] of [
    ['short', whole.subarray(0, -9)],
    ['half', whole.subarray(0, whole.length / 2)],
    ['sum', flipped],
    ['text', Buffer.from('text')],
    ['empty', Buffer.alloc(0)],
  ] as const) {
    const path = file(`${name}.gz`, bytes)
    says(t, (await fails({ files: [path] })).error, FormatError, path, 'gzip data is damaged or ends too soon')
  }
  const path = file('text.zst', 'text')
  says(t, (await fails({ files: [path] })).error, FormatError, path, 'zstd data is damaged')
})

test('a special token that is not allowed is the same error as for the whole text, with the file', async (t) => {
  const text = `${long}🐋<|endoftext|>more`
  const path = file('special.txt', text)
  for (const source of [{ files: [path] }, { pieces: [long, '🐋<|endof', 'text|>more'] }]) {
    const { error } = await fails(source)
    says(t, error, UsageError, `"<|endoftext|>" at position ${long.length + 2}`)
    t.is((error as Error).message.includes(path), 'files' in source)
  }
})

test('a piece that is not a string is an error with its number, and the source is closed', async (t) => {
  for (const [bad, part] of [
    [5, '5'],
    [null, 'null'],
    [Buffer.from('x'), 'utf8'],
    [undefined, 'undefined'],
    [['x'], "[ 'x' ]"],
  ] as const) {
    let closed = false
    async function* source(): AsyncGenerator<string> {
      try {
        yield 'good'
        yield bad as never
      } finally {
        closed = true
      }
    }
    says(t, (await fails({ pieces: source() })).error, UsageError, 'piece 1', part)
    t.true(closed)
  }
})

test('an error of the source comes out unchanged', async (t) => {
  const own = new Error('of my own')
  async function* source(): AsyncGenerator<string> {
    yield 'good '
    throw own
  }
  t.is((await fails({ pieces: source() })).error, own)
  const broken = {
    [Symbol.iterator]: () => ({
      next: () => {
        throw own
      },
    }),
  }
  t.is((await fails({ pieces: broken as Iterable<string> })).error, own)
})

test('nothing follows an error or the end', async (t) => {
  const iterator = streamIds({ files: [none] })[Symbol.asyncIterator]()
  await t.throwsAsync(async () => iterator.next(), { instanceOf: FileError })
  t.true((await iterator.next()).done)
})

test('an aborted signal ends the stream before anything is opened', async (t) => {
  const reason = new Error('enough')
  const signal = AbortSignal.abort(reason)
  let begun = false
  function* source(): Generator<string> {
    begun = true
    yield 'x'
  }
  for (const it of [{ files: [none] }, { pieces: source() }]) {
    const { error } = await fails(it, { signal })
    says(t, error, AbortedError, 'aborted')
    t.is((error as AbortedError).code, 'ABORTED')
    t.is((error as AbortedError).cause, reason)
  }
  t.false(begun)
})

test('a signal ends the stream between chunks and while it waits, and leaves no listener', async (t) => {
  const path = file('abort.txt', long)
  for (const source of [{ files: [path, path] }, { pieces: late() }]) {
    const controller = new AbortController()
    let calls = 0
    controller.signal.onabort = () => calls++
    let chunks = 0
    const error = await t.throwsAsync(async () => {
      for await (const ids of streamIds(source, { signal: controller.signal })) {
        t.true(ids.length > 0)
        if (++chunks === 2) controller.abort()
      }
    })
    says(t, error, AbortedError)
    t.deepEqual([chunks, calls], [2, 1], 'the handler of the user is still there')
  }
  // Here the stream waits for a piece that never comes.
  const controller = new AbortController()
  async function* never(): AsyncGenerator<string> {
    yield 'a piece of some length'
    await new Promise(() => {})
  }
  setTimeout(() => controller.abort(), 20)
  says(t, (await fails({ pieces: never() }, { signal: controller.signal })).error, AbortedError)
  // Also between batches of one chunk.
  const other = new AbortController()
  const batches = streamBatches({ files: [path] }, { maxLength: 4, stride: 4, signal: other.signal })
  await t.throwsAsync(
    async () => {
      for await (const { inputs } of batches) {
        t.is(inputs.size, 16)
        other.abort()
      }
    },
    { instanceOf: AbortedError },
  )
})

async function* late(): AsyncGenerator<string> {
  for (let i = 0; i < 10; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    yield 'some words of text '
  }
}

test.serial('files are closed at the end and after break, errors, aborts and return', async (t) => {
  const { open } = await scenario<{ open: Record<string, number> }>('lifetime/stream.js', 'files')
  t.deepEqual(open, { ended: 0, left: 0, failed: 0, aborted: 0, returned: 0, dropped: 0 })
})

test.serial('listeners on a long-lived signal do not accumulate', async (t) => {
  const { listeners } = await scenario('lifetime/stream.js', 'listeners')
  t.is(listeners, 0)
})

test.serial('ending a worker while it streams does no harm', async (t) => {
  const { works } = await scenario('lifetime/stream.js', 'terminated')
  t.is(works, 3)
})
