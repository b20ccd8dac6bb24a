// The trainer over a folder of token ids, which gives the same bits as the same ids in memory.

import test from 'ava'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  FormatError,
  saveTokens,
  TokenIndexError,
  Tokenizer,
  Trainer,
  UsageError,
  type TokensInfo,
  type TrainerOptions,
  type TrainResult,
} from '../../index.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const corpus = () => join(mkdtempSync(join(base, 'x-')), 'corpus')
const LISTS = [0, 1, 2].map((k) => Int32Array.from({ length: 500 }, (_, i) => (i * i * 7 + k * i) % 53))

const NEXT: TrainerOptions = {
  objective: 'next-token',
  dim: 8,
  contextLength: 16,
  batchSize: 4,
  softmax: { samples: 16 },
}
const OPTIONS: TrainerOptions[] = [
  NEXT,
  { ...NEXT, stride: 5, epochs: 2, tied: true },
  { ...NEXT, minCount: 3 },
  { ...NEXT, minCount: 0 },
  { objective: 'skip-gram', dim: 8, epochs: 1, minCount: 1 },
  { objective: 'cbow', dim: 8, epochs: 1, minCount: 5 },
]
const bits = ({ tensors, counts }: TrainResult) => [
  ...Object.values(tensors).map(({ data }) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
  ),
  ...counts,
]

let there: TokensInfo
test.before(async () => {
  there = await saveTokens(corpus(), { ids: LISTS })
})

test('every objective learns the same from a folder as from its ids', async (t) => {
  const folder = there.path
  for (const options of OPTIONS) {
    const expected = await new Trainer({ ids: LISTS }, { ...options, vocabSize: 50257 }).run()
    t.deepEqual(bits(await new Trainer({ folder }, options).run()), bits(expected), JSON.stringify(options))
  }
  const tokenizer = Tokenizer.load('gpt2')
  const { vocabulary, embedding } = await new Trainer({ folder, verify: true }, { ...NEXT, tokenizer }).run({
    steps: 2,
  })
  t.is(vocabulary, tokenizer)
  t.is(embedding.weight.shape[0], 50257)
})

test('a checkpoint can be resumed with a folder and with the same ids in memory', async (t) => {
  const folder = there.path
  const whole = bits(await new Trainer({ folder }, NEXT).run())
  const path = join(mkdtempSync(join(base, 'x-')), 'run.safetensors')
  const first = new Trainer({ folder }, NEXT)
  await first.run({ steps: 7 })
  await first.save(path)
  t.deepEqual(bits(await (await Trainer.resume(path, { folder })).run()), whole)
  const { path: other } = await saveTokens(corpus(), { ids: LISTS.map((list) => list.map((id) => id + 1)) })
  await t.throwsAsync(Trainer.resume(path, { folder: other }), { instanceOf: UsageError })
})

test('a folder that does not fit the options is an error that says what to do', async (t) => {
  const folder = there.path
  const run = (options: TrainerOptions) => new Trainer({ folder }, options).run()
  await t.throwsAsync(run({ ...NEXT, vocabSize: 100 }), {
    instanceOf: UsageError,
    message: /vocabSize 100 is less than the 50257 tokens of .*: give at least that, or leave it out/,
  })
  await t.throwsAsync(run({ ...NEXT, tokenizer: Tokenizer.load('r50k_base') }), {
    instanceOf: UsageError,
    message: /was encoded by gpt2/,
  })
  t.throws(() => new Trainer({ folder }, { objective: 'classify' }), {
    instanceOf: UsageError,
    message: /token ids have no classes/,
  })
  await t.throwsAsync(run({ ...NEXT, contextLength: 5000 }), { instanceOf: UsageError, message: /has no window/ })
  t.is((await run({ ...NEXT, vocabSize: 60000 })).embedding.weight.shape[0], 60000)
})

test('an id beyond the vocabulary and changed bytes are typed errors', async (t) => {
  const { path, files } = await saveTokens(corpus(), { ids: LISTS })
  const at = join(path, files.ids.name)
  const bytes = readFileSync(at)
  bytes.writeUInt16LE(60000, 20)
  writeFileSync(at, bytes)
  const error = await t.throwsAsync(new Trainer({ folder: path }, NEXT).run(), {
    instanceOf: TokenIndexError,
    message: /60000/,
  })
  t.is(error.value, 60000)
  await t.throwsAsync(new Trainer({ folder: path, verify: true }, NEXT).run(), { instanceOf: FormatError })
})
