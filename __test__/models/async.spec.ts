// Models and searches off the thread: the same results as at the call, and the event loop goes on.

import test from 'ava'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  AbortedError,
  EmbeddingBag,
  Embedding,
  FormatError,
  Generator,
  LayerNorm,
  Linear,
  loadFastText,
  loadModel,
  loadModelAsync,
  memoryUsage,
  randn,
  saveModel,
  saveModelAsync,
  ShawRelativePositions,
  T5RelativeBias,
  Tokenizer,
  TokenPositionEmbedding,
  Trainer,
  TransformerXLPositions,
  UnknownTokenError,
  UsageError,
  Vectors,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const fresh = () => join(mkdtempSync(join(base, 'x-')), 'model')
const drawn = (rows: number, dim: number) => randn([rows, dim], { generator: new Generator(3) })
const wordsOf = (count: number) => Array.from({ length: count }, (_, i) => `w${i}`)
const golden = (...parts: string[]) => join(root, 'testdata/golden', ...parts)

/** The files of a folder with their bytes. */
const bytesOf = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(join(folder, name)).toString('base64')]),
  )

test('saveModelAsync writes the bytes of saveModel, and loadModelAsync reads them', async (t) => {
  const tokenizer = Tokenizer.fromFile(golden('hf/wordpiece.json'))
  const words = wordsOf(10_000)
  const all = [
    { vocabulary: words, counts: words.map((_, i) => i), tensors: { 'token.weight': drawn(10_000, 8) } },
    { vocabulary: tokenizer, tensors: { 'token.weight': drawn(tokenizer.vocabSize, 4) } },
    { vocabulary: Tokenizer.load('gpt2'), tensors: { 'token.weight': drawn(50257, 2) } },
  ]
  for (const parts of all) {
    const [one, other] = [fresh(), fresh()]
    const model = { objective: 'mine', training: { epochs: 2 }, ...parts }
    saveModel(one, model)
    await saveModelAsync(other, model)
    t.deepEqual(bytesOf(other), bytesOf(one))
    const [now, later] = [loadModel(one), await loadModelAsync(other, { verify: true })]
    t.deepEqual([later.words, later.counts, later.description], [now.words, now.counts, now.description])
    t.deepEqual(later.weight.data, now.weight.data)
    const text = 'a whale'
    t.deepEqual(later.tokenizer?.encode(text), now.tokenizer?.encode(text))
    const third = fresh()
    await later.saveAsync(third)
    t.deepEqual(bytesOf(third), bytesOf(one))
  }
})

test('both tell what is wrong, and a save that is aborted leaves the one before', async (t) => {
  const folder = fresh()
  const parts = { objective: 'mine', tensors: { 'token.weight': drawn(3, 2) }, vocabulary: ['a', 'b', 'c'] }
  await saveModelAsync(folder, parts)
  const before = bytesOf(folder)
  await t.throwsAsync(saveModelAsync(folder, { ...parts, vocabulary: ['a', 'b', 'b'] }), { instanceOf: UsageError })
  await t.throwsAsync(saveModelAsync(folder, { ...parts, vocabulary: ['a'] }), { code: 'SHAPE' })
  const controller = new AbortController()
  const saving = saveModelAsync(folder, { ...parts, objective: 'other' }, { signal: controller.signal })
  controller.abort()
  await t.throwsAsync(saving, { instanceOf: AbortedError })
  t.deepEqual(bytesOf(folder), before)
  await t.throwsAsync(loadModelAsync(folder, { signal: controller.signal }), { instanceOf: AbortedError })
  await t.throwsAsync(loadModelAsync(fresh()), { code: 'FILE' })
  const path = join(folder, 'model.safetensors')
  const bytes = readFileSync(path)
  bytes[bytes.length - 1] ^= 1
  writeFileSync(path, bytes)
  await t.throwsAsync(loadModelAsync(folder, { verify: true }), { instanceOf: FormatError, message: /digest/ })
  await t.throwsAsync(saveModelAsync(folder, parts, { signal: 5 as never }), { instanceOf: UsageError })
})

test('saves at the same time are one after the other, and none waits for itself', async (t) => {
  const folder = fresh()
  const save = (objective: string) =>
    saveModelAsync(folder, { objective, tensors: { 'token.weight': drawn(3, 2) }, vocabulary: ['a', 'b', 'c'] })
  await Promise.all(['one', 'two', 'three'].map(save))
  t.true(['one', 'two', 'three'].includes(loadModel(folder, { verify: true }).objective))
  t.is(readdirSync(folder).length, 3)
  const big = { objective: 'big', tensors: { 'token.weight': drawn(200_000, 32) }, vocabulary: wordsOf(200_000) }
  const saving = saveModelAsync(folder, big)
  let refused = 0
  let turns = 0
  const timer = setInterval(() => {
    turns++
    try {
      saveModel(folder, { ...big, objective: 'small', tensors: { 'token.weight': drawn(1, 2) }, vocabulary: ['a'] })
    } catch (error) {
      if (error instanceof UsageError) refused++
    }
  }, 5)
  await saving
  clearInterval(timer)
  t.true(turns > 3, `the event loop turned ${turns} times`)
  t.true(refused > 0)
  const loading = loadModelAsync(folder, { verify: true })
  let during = 0
  const other = setInterval(() => during++, 5)
  await loading
  clearInterval(other)
  t.true(during > 2, `the event loop turned ${during} times`)
})

test('mostSimilarAsync and evaluateAnalogiesAsync give what the others give', async (t) => {
  const vectors = new Vectors(drawn(3000, 24), wordsOf(3000))
  const queries = ['w5', { positive: ['w1', 'w2'], negative: ['w3'] }, new Float32Array(24).fill(1)]
  for (const options of [{}, { topN: 3 }, { topN: 5000 }, { restrictTo: 100 }, { restrictTo: ['w7', 'w8', 'w9'] }]) {
    for (const query of queries)
      t.deepEqual(await vectors.mostSimilarAsync(query, options), vectors.mostSimilar(query, options))
    t.deepEqual(await vectors.mostSimilarBatchAsync(queries, options), vectors.mostSimilarBatch(queries, options))
  }
  const many = wordsOf(200)
  t.deepEqual(await vectors.mostSimilarBatchAsync(many), vectors.mostSimilarBatch(many))
  t.deepEqual(await vectors.mostSimilarBatchAsync([]), [])
  await t.throwsAsync(vectors.mostSimilarAsync('none'), { instanceOf: UnknownTokenError })
  await t.throwsAsync(vectors.mostSimilarAsync('w5', { signal: AbortSignal.abort() }), { instanceOf: AbortedError })
  const file = join(base, 'analogies.txt')
  const lines = Array.from({ length: 300 }, (_, i) => `w${i} w${i + 1} w${i + 2} w${i + 3}`)
  writeFileSync(file, `: first\n${lines.join('\n')}\n`)
  const wanted = vectors.evaluateAnalogies(file, { restrictTo: 250, dummy4unknown: true })
  t.deepEqual(await vectors.evaluateAnalogiesAsync(file, { restrictTo: 250, dummy4unknown: true }), wanted)
  await t.throwsAsync(vectors.evaluateAnalogiesAsync(file, { signal: AbortSignal.abort() }), {
    instanceOf: AbortedError,
  })
  const pairs = join(base, 'pairs.txt')
  writeFileSync(pairs, Array.from({ length: 3000 }, (_, i) => `w${i % 2500}\tw${(i * 7) % 3100}\t${i % 10}\n`).join(''))
  t.deepEqual(
    await vectors.evaluateWordPairsAsync(pairs, { dummy4unknown: true }),
    vectors.evaluateWordPairs(pairs, { dummy4unknown: true }),
  )
  await t.throwsAsync(vectors.evaluateWordPairsAsync(pairs, { signal: AbortSignal.abort() }), {
    instanceOf: AbortedError,
  })
  await t.throwsAsync(vectors.evaluateWordPairsAsync(file), { code: 'FORMAT' })
  const fast = loadFastText(golden('fasttext/skipgram-ns.bin')).vectors
  const [word] = fast.tokens()
  t.deepEqual(await fast.mostSimilarAsync(word), fast.mostSimilar(word))
})

test('layers and trainers free what they own', async (t) => {
  const before = memoryUsage().tables
  const layers = [
    new Embedding(1000, 64),
    new EmbeddingBag(1000, 64),
    new TokenPositionEmbedding({ vocabSize: 1000, contextLength: 8, dim: 64 }),
    new ShawRelativePositions({ maxDistance: 4, headDim: 8 }),
    new T5RelativeBias({ heads: 2, bidirectional: true }),
    new TransformerXLPositions({ heads: 2, headDim: 4, dim: 8 }),
    new Linear(8, 8),
    new LayerNorm(8),
  ]
  for (const layer of layers) {
    const [first] = layer.parameters()
    layer[Symbol.dispose]()
    layer.dispose()
    t.true(first.disposed)
  }
  t.is(memoryUsage().tables, before)
  const shared = randn([4, 3])
  const frozen = Embedding.fromPretrained(shared)
  frozen.dispose()
  t.false(shared.disposed)
  refuses(t, () => frozen.forward([1]), 'USAGE', 'disposed')

  const trainer = new Trainer({ texts: ['a b a b '.repeat(50)] }, { objective: 'skip-gram', dim: 4, minCount: 1 })
  const { tensors } = await trainer.run({ steps: 1 })
  const running = trainer.run()
  trainer[Symbol.dispose]()
  await t.throwsAsync(running, { code: 'USAGE', message: /disposed/ })
  trainer.dispose()
  t.false(tensors['token.weight'].disposed)
  refuses(t, () => trainer.result(), 'USAGE', 'disposed')
  refuses(t, () => trainer.progress, 'USAGE', 'disposed')
  await t.throwsAsync(trainer.run(), { code: 'USAGE', message: /disposed/ })
  await t.throwsAsync(trainer.save(fresh()), { code: 'USAGE', message: /disposed/ })
})
