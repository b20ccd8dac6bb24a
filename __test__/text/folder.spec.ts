// Loaders and streams over folders of token ids. Their batches must equal those of the same ids in memory, to the bit
// and in order.

import test from 'ava'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  createDataLoader,
  FileError,
  FormatError,
  Generator,
  manualSeed,
  saveTokens,
  streamBatches,
  streamIds,
  Tokenizer,
  UsageError,
  type Batch,
  type LoaderOptions,
} from '../../index.js'
import { scenario } from '../support/child.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const IDS = Int32Array.from({ length: 3001 }, (_, i) => (i * i * 31 + i) % 50257)
const LISTS = [IDS.subarray(0, 1000), IDS.subarray(1000, 1001), IDS.subarray(1001)]
const corpus = () => join(mkdtempSync(join(base, 'x-')), 'corpus')

const written = new Map<string, string>()
test.before(async () => {
  for (const dtype of ['u16', 'u32'] as const) {
    const { path } = await saveTokens(corpus(), { ids: LISTS }, { dtype })
    written.set(dtype, path)
  }
})

const bits = ({ data }: Batch['inputs']) =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
const numbers = ({ inputs, targets }: Batch) =>
  [inputs.dtype, inputs.shape.join(), bits(inputs), bits(targets)].join(' ')
const all = (batches: Iterable<Batch>) => Array.from(batches, numbers)

const OPTIONS: LoaderOptions[] = [
  {},
  { maxLength: 8, stride: 3 },
  { maxLength: 8, stride: 8, batchSize: 7 },
  { maxLength: 5, stride: 11, dropLast: false, batchSize: 6 },
  { maxLength: 3000, stride: 1 },
  { maxLength: 1, stride: 1, batchSize: 1000, dropLast: false },
  { maxLength: 64, stride: 64, shuffle: false },
  { maxLength: 100, stride: 1, batchSize: 64, shuffle: false, dropLast: false },
  { maxLength: 2, stride: 3000, batchSize: 2, dropLast: false },
]

for (const dtype of ['u16', 'u32'] as const) {
  test(`loaders over a folder of ${dtype} give the batches of the ids in memory in every epoch`, (t) => {
    const folder = written.get(dtype)!
    for (const options of OPTIONS) {
      const seeded = () => ({ ...options, generator: new Generator(7) })
      const [there, here] = [createDataLoader({ folder }, seeded()), createDataLoader(IDS, seeded())]
      t.is(there.length, here.length)
      t.deepEqual(there.ids, Uint32Array.from(IDS))
      for (let epoch = 0; epoch < 2; epoch++) t.deepEqual(all(there), all(here), JSON.stringify(options))
      // The default generator makes the same draws.
      const drawn = (source: Parameters<typeof createDataLoader>[0]) => (
        manualSeed(3),
        all(createDataLoader(source, options))
      )
      t.deepEqual(drawn({ folder, verify: true }), drawn(IDS))
    }
  })

  test(`the state of a loader over a folder of ${dtype} can be resumed, also with the ids in memory`, (t) => {
    const folder = written.get(dtype)!
    for (const options of OPTIONS.filter((_, i) => i !== 4)) {
      const whole = createDataLoader(IDS, { ...options, generator: new Generator(9) })
      const expected = [...all(whole), ...all(whole)]
      const first = createDataLoader({ folder }, { ...options, generator: new Generator(9) })
      const iterator = first[Symbol.iterator]()
      const taken = Math.min(2, first.length)
      for (let i = 0; i < taken; i++) t.deepEqual(numbers(iterator.next().value as Batch), expected[i])
      const state = JSON.parse(JSON.stringify(first.state()))
      for (const source of [{ folder }, IDS]) {
        const second = createDataLoader(source, { ...options, generator: new Generator(1) }).load(state)
        t.deepEqual([...all(second), ...all(second)], expected.slice(taken))
      }
    }
  })

  test(`streams over a folder of ${dtype} give its ids and the batches of a loader in order`, async (t) => {
    const folder = written.get(dtype)!
    const ids: number[] = []
    for await (const chunk of streamIds({ folder })) ids.push(...chunk)
    t.deepEqual(ids, [...IDS])
    for (const options of OPTIONS.filter(({ shuffle }) => shuffle !== undefined).map(
      ({ shuffle: _, ...rest }) => rest,
    )) {
      const batches: unknown[] = []
      for await (const batch of streamBatches({ folder, verify: true }, options)) batches.push(numbers(batch))
      t.deepEqual(batches, all(createDataLoader(IDS, { ...options, shuffle: false })))
    }
  })
}

test('a long stream comes in chunks that belong to the caller', async (t) => {
  const ids = Uint32Array.from({ length: 600_000 }, (_, i) => i % 50257)
  const { path } = await saveTokens(corpus(), { ids })
  const chunks: Uint32Array[] = []
  for await (const chunk of streamIds({ folder: path })) chunks.push(chunk)
  t.true(chunks.length > 1)
  t.deepEqual(
    chunks.flatMap((chunk) => [...chunk]),
    [...ids],
  )
})

test('the tokenizer must be the one that encoded the folder', async (t) => {
  const folder = written.get('u16')!
  const [gpt2, other] = [Tokenizer.load('gpt2'), Tokenizer.load('cl100k_base')]
  t.is(createDataLoader({ folder }, { tokenizer: gpt2, maxLength: 8 }).ids.length, IDS.length)
  const expected = {
    instanceOf: UsageError,
    message: /was encoded by gpt2 of 50257 tokens, not by cl100k_base of 100277/,
  }
  t.throws(() => createDataLoader({ folder }, { tokenizer: other }), expected)
  const read = async (tokenizer: Tokenizer) => {
    let count = 0
    for await (const chunk of streamIds({ folder }, { tokenizer })) count += chunk.length
    return count
  }
  t.is(await read(gpt2), IDS.length)
  await t.throwsAsync(read(other), expected)
})

test('an unreadable folder is a typed error: at once for a loader, at the first read for a stream', async (t) => {
  const none = { folder: join(base, 'none') }
  t.throws(() => createDataLoader(none), { instanceOf: FileError, message: /there is no folder/ })
  t.throws(() => createDataLoader({ folder: written.get('u16')! }, { maxLength: 3001 }), { instanceOf: UsageError })
  const stream = streamIds(none)[Symbol.asyncIterator]()
  await t.throwsAsync(async () => stream.next(), { instanceOf: FileError })
  for (const [source, message] of [
    [{ folder: 5 }, /folder/],
    [{ folder: '' }, /folder/],
    [{ folder: 'x', verify: 1 }, /verify must be true or false/],
    [{ folder: 'x', ids: [1] }, /ids and folder/],
    [{ verify: true }, /"verify"/],
    [{ texts: ['a'], verify: true }, /"verify"/],
  ] as const) {
    t.throws(() => createDataLoader(source as never), { instanceOf: UsageError, message })
    t.throws(() => streamIds(source as never), { instanceOf: UsageError, message })
  }
})

test('verify reads every byte before anything is returned', async (t) => {
  const { path, files } = await saveTokens(corpus(), { ids: IDS })
  const at = join(path, files.ids.name)
  const bytes = readFileSync(at)
  bytes[4000] ^= 1
  writeFileSync(at, bytes)
  t.is(createDataLoader({ folder: path }, { maxLength: 8 }).ids.length, IDS.length)
  const expected = { instanceOf: FormatError, message: /its bytes differ/ }
  t.throws(() => createDataLoader({ folder: path, verify: true }, { maxLength: 8 }), expected)
  await t.throwsAsync(async () => streamIds({ folder: path, verify: true })[Symbol.asyncIterator]().next(), expected)
})

test('an id too large for a tensor is an error with its place', async (t) => {
  const { path, files } = await saveTokens(corpus(), { ids: IDS }, { dtype: 'u32' })
  const at = join(path, files.ids.name)
  const bytes = readFileSync(at)
  bytes.writeUInt32LE(2 ** 31, 400)
  writeFileSync(at, bytes)
  const error = t.throws(() => [...createDataLoader({ folder: path }, { maxLength: 3000, stride: 1, batchSize: 1 })], {
    instanceOf: FormatError,
    message: /2147483648 at position \d+ is not an id/,
  })
  t.is(error.offset, 400)
})

const whereFilesAreCut = process.platform === 'win32' ? test.skip : test
whereFilesAreCut('a folder whose ids are cut short while they are mapped is a FileError', async (t) => {
  t.deepEqual(await scenario<object>('lifetime/torn.js', 'tokens'), {
    loader: true,
    again: true,
    stream: true,
    trainer: true,
  })
})
