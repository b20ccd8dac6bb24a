import test from 'ava'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  AbortedError,
  getNumThreads,
  quantize,
  setNumThreads,
  tensor,
  TextEmbedder,
  Tokenizer,
  type Tensor,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { root } from '../support/golden.js'

const golden = (name: string) => join(root, 'testdata/golden/embed', name)
const load = (name: string) => TextEmbedder.load(golden(name))
const texts: string[] = JSON.parse(readFileSync(golden('texts.json'), 'utf8'))
const many = Array.from({ length: 20 }, () => texts).flat()
const floats = (one: Tensor) => Array.from(one.data as Float32Array)

for (const name of ['m2v-f32', 'm2v-weights', 'm2v-small', 'llama', 'st-new'])
  test.serial(`the same bits in any batch and on any number of threads: ${name}`, async (t) => {
    const embedder = load(name)
    const before = getNumThreads()
    const all = embedder.embed(many, { dtype: 'float32' })
    try {
      for (const threads of [1, 2, 5]) {
        setNumThreads(threads)
        t.is(digest(embedder.embed(many, { dtype: 'float32' })), digest(all))
        t.is(digest(await embedder.embedAsync(many, { dtype: 'float32' })), digest(all))
      }
    } finally {
      setNumThreads(before)
    }
    const rows = all.toArray() as number[][]
    for (const i of [0, 3, 9, 11, 40, 77]) t.deepEqual(floats(embedder.embed(texts[i], { dtype: 'float32' })), rows[i])
    const half = embedder.embed(texts.slice(100, 207), { dtype: 'float32' }).toArray()
    t.deepEqual(half, rows.slice(100, 207))
  })

test('texts without tokens that count have vectors of zeros', (t) => {
  for (const name of ['m2v-f32', 'm2v-f16', 'm2v-i8', 'm2v-weights', 'm2v-quantized', 'st-old', 'llama'])
    for (const dtype of ['float32', 'float16', 'int8', 'binary'] as const) {
      const vectors = load(name).embed(['', 'the'], { dtype, normalize: true })
      t.true(Array.from(vectors.narrow(0, 0, 1).data as Uint8Array).every((x) => x === 0))
      t.true(Array.from(vectors.narrow(0, 1, 1).data as Uint8Array).some((x) => x !== 0))
    }
  t.deepEqual(new Set(floats(load('m2v-f32').embed('ꙮ ꙮ'))), new Set([0]))
  t.deepEqual(load('m2v-f32').embed([]).shape, [0, 16])
})

test('a vector is cut, then normalized, then written in its type', (t) => {
  const embedder = load('m2v-weights')
  const text = 'the whale was as white as snow'
  const raw = floats(embedder.embed(text, { normalize: false }))
  const cut = raw.slice(0, 8)
  const norm = Math.hypot(...cut)
  const unit = floats(embedder.embed(text, { dim: 8, normalize: true }))
  unit.forEach((x, i) => t.true(Math.abs(x - cut[i] / norm) < 1e-6))
  const int8 = embedder.embed(text, { dim: 8, normalize: true, dtype: 'int8' })
  t.is(int8.dtype, 'int8')
  t.deepEqual(
    Array.from(int8.data as Int8Array),
    unit.map((x) => Math.sign(x) * Math.round(Math.abs(127 * x))),
  )
  const binary = embedder.embed([text], { dtype: 'binary' })
  t.deepEqual([binary.dtype, binary.shape], ['uint8', [1, 2]])
  const bits = Array.from(binary.data as Uint8Array).map((byte) => byte.toString(2).padStart(8, '0'))
  t.is(bits.join(''), raw.map((x) => (x > 0 ? '1' : '0')).join(''))
  const half = embedder.embed(text, { dtype: 'float16' })
  t.deepEqual(half.data, tensor(raw).to('float16').data)
})

test('out takes the vectors, and says their type', async (t) => {
  const embedder = load('m2v-f32')
  const wanted = embedder.embed(texts)
  const out = tensor(new Float32Array(texts.length * 16), { shape: [texts.length, 16] })
  t.is(embedder.embed(texts, { out }), out)
  t.is(digest(out), digest(wanted))
  const later = tensor(new Float32Array(texts.length * 16), { shape: [texts.length, 16] })
  t.is(await embedder.embedAsync(texts, { out: later }), later)
  t.is(digest(later), digest(wanted))
  const bits = tensor(new Uint8Array(2), { dtype: 'uint8' })
  t.is(embedder.embed('the whale', { out: bits }), bits)
  t.deepEqual(bits.data, embedder.embed('the whale', { dtype: 'binary' }).data)
  refuses(t, () => embedder.embed(texts, { out: bits }), 'SHAPE', 'out must have the shape of the result')
  refuses(t, () => embedder.embed('the', { out, dtype: 'int8' }), 'DTYPE', 'out must be int8')
})

test('what is asked for in one turn is answered together, and a bad text hurts nobody else', async (t) => {
  const embedder = load('m2v-f32')
  const vectors = await Promise.all(texts.map((text) => embedder.embedSoon(text)))
  const rows = embedder.embed(texts).toArray() as number[][]
  vectors.forEach((vector, i) => t.deepEqual(Array.from(vector), rows[i]))
  t.true((await load('m2v-f16').embedSoon('the')) instanceof Float32Array)
  const [bad, good] = await Promise.allSettled([embedder.embedSoon(5 as never), embedder.embedSoon('the')])
  t.is(bad.status, 'rejected')
  t.is(good.status, 'fulfilled')
})

test.serial('a call of embedSoon is published on a diagnostics channel', async (t) => {
  const embedder = load('m2v-f32')
  const heard: { batch: number; texts: number; tokens: number; bytes: number; seconds: number }[] = []
  const listen = (message: unknown) => heard.push(message as (typeof heard)[0])
  subscribe('tokenbed:batch', listen)
  await Promise.all([embedder.embedSoon('the whale'), embedder.embedSoon('')])
  await embedder.embedSoon('a')
  unsubscribe('tokenbed:batch', listen)
  t.deepEqual(
    heard.map(({ batch, texts, tokens, bytes }) => ({ batch, texts, tokens, bytes })),
    [
      { batch: 0, texts: 2, tokens: 4, bytes: 8 * embedder.dim },
      { batch: 1, texts: 1, tokens: 1, bytes: 4 * embedder.dim },
    ],
  )
  t.true(heard.every(({ seconds }) => seconds > 0 && seconds < 60))
})

test('a signal ends it', async (t) => {
  const embedder = load('m2v-f32')
  const long = Array.from({ length: 200 }, () => many).flat()
  const before = AbortSignal.abort(new Error('no'))
  await t.throwsAsync(embedder.embedAsync(long, { signal: before }), { instanceOf: AbortedError })
  const controller = new AbortController()
  const running = embedder.embedAsync(long, { signal: controller.signal })
  setTimeout(() => controller.abort(), 5)
  await t.throwsAsync(running, { instanceOf: AbortedError })
})

test('tables of every layout give the vectors of their values', (t) => {
  const plain = load('m2v-f32')
  const { tokenizer } = plain
  const table = plain.table as Tensor
  const of = (one: Tensor | ReturnType<typeof quantize>) => new TextEmbedder({ tokenizer, table: one }).embed(texts)
  const near = (one: Tensor, two: Tensor, off: number) => {
    const b = floats(two)
    t.true(floats(one).every((x, i) => Math.abs(x - b[i]) <= off))
  }
  for (const kind of ['float16', 'bfloat16', 'int8', 'int4'] as const) {
    const small = quantize(table, kind)
    near(of(small), of(small.dequantize()), 1e-4)
    near(
      new TextEmbedder({ tokenizer, table: small }).embed(texts, { dim: 5 }),
      new TextEmbedder({ tokenizer, table: small.dequantize() }).embed(texts, { dim: 5 }),
      1e-4,
    )
  }
  near(of(table.to('float64')), of(table), 0)
  near(of(table.to('bfloat16')), of(table.to('bfloat16').to('float32')), 0)
})

test('a table that learns goes on learning, wherever it lies', (t) => {
  const tokenizer = Tokenizer.fromFile(golden('m2v-words/tokenizer.json'))
  const table = tensor(new Float32Array(tokenizer.vocabSize * 2), { shape: [tokenizer.vocabSize, 2] })
  const embedder = new TextEmbedder({ tokenizer, table })
  t.deepEqual(floats(embedder.embed('the whale')), [0, 0])
  ;(table.data as Float32Array).fill(3)
  t.deepEqual(floats(embedder.embed('the whale')), [3, 3])
})

test('what cannot be embedded is refused', async (t) => {
  const embedder = load('m2v-f32')
  refuses(t, () => embedder.embed(5 as never), 'USAGE', 'expected a text or an array of texts, not 5')
  refuses(t, () => embedder.embed(['a', null] as never), 'USAGE', 'text 1 must be a string')
  refuses(t, () => embedder.embed('a', { dim: 17 }), 'USAGE', 'dim', 'at most 16')
  refuses(t, () => embedder.embed('a', { dim: 0 }), 'USAGE', 'dim')
  refuses(t, () => embedder.embed('a', { dim: 12, dtype: 'binary' }), 'USAGE', 'multiple of 8')
  refuses(t, () => embedder.embed('a', { dtype: 'int4' as never }), 'USAGE', 'dtype')
  refuses(t, () => embedder.embed('a', { size: 3 } as never), 'USAGE', 'no option "size"')
  await t.throwsAsync(embedder.embedAsync(['a', 1] as never), { message: /text 1/ })
  const { tokenizer } = embedder
  const table = embedder.table as Tensor
  const make = (more: object) => () => new TextEmbedder({ tokenizer, table, ...more })
  refuses(t, make({ tokenizer: 'gpt2' }), 'USAGE', 'tokenizer must be a Tokenizer')
  refuses(t, make({ table: table.narrow(0, 0, 9) }), 'SHAPE', 'but the table has 9 rows')
  refuses(t, make({ table: tensor([1, 2]) }), 'SHAPE', '[rows, dim]')
  refuses(t, make({ table: tensor([[1, 2]], { dtype: 'int32' }) }), 'DTYPE')
  refuses(t, make({ weights: tensor([1, 2]) }), 'SHAPE', 'weights has 2 elements')
  refuses(t, make({ weights: [1] }), 'USAGE', 'weights must be a tensor')
  refuses(t, make({ mapping: tensor([0, 1], { dtype: 'int32' }) }), 'SHAPE', 'mapping has 2 elements')
  const far = tensor(new Int32Array(tokenizer.vocabSize).fill(tokenizer.vocabSize), { dtype: 'int32' })
  refuses(t, make({ mapping: far }), 'TOKEN_INDEX', `${tokenizer.vocabSize}`)
  refuses(t, make({ mapping: tensor([0.5]) }), 'DTYPE', 'int32 or int64')
  refuses(t, make({ semantics: 'bert' }), 'USAGE', 'semantics')
  refuses(t, make({ maxLength: -1 }), 'USAGE', 'maxLength')
})
