// Models of fastText as text embedders.

import test from 'ava'
import { copyFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  AbortedError,
  getNumThreads,
  loadFastText,
  setNumThreads,
  splitText,
  TextEmbedder,
  type Tensor,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = join(root, 'testdata/golden/fasttext')
const at = (name: string) => join(folder, name)
const said =
  readGolden<Record<string, { supervised: boolean; sentences: [string, number[]][] }>>('fasttext/values.json')
const floats = (one: Tensor) => Array.from(one.data as Float32Array)

for (const [name, { supervised, sentences }] of Object.entries(said))
  test(`vectors are those of sentences: ${name}`, async (t) => {
    const embedder = TextEmbedder.load(at(name))
    const model = loadFastText(at(name))
    t.is(embedder.semantics, 'fasttext')
    t.is(embedder.dim, model.dim)
    t.false(embedder.normalize)
    t.is(embedder.maxLength, null)
    const texts = sentences.map(([text]) => text)
    const vectors = embedder.embed(texts)
    for (const [i, [text, wanted]] of sentences.entries()) {
      const found = floats(vectors.narrow(0, i, 1))
      t.deepEqual(found, Array.from(model.sentenceVector(text)))
      t.true(found.every((x, d) => Math.abs(x - wanted[d]) <= 1e-6 * Math.max(1, Math.abs(wanted[d]))))
      // eslint-disable-next-line no-await-in-loop -- each is a call of its own
      t.deepEqual(Array.from(await embedder.embedSoon(text)), found)
      t.deepEqual(floats(embedder.embed(text.replaceAll(' ', '\n'))), floats(embedder.embed(text)))
    }
    t.deepEqual((await embedder.embedAsync(texts)).data, vectors.data)
    const empty = floats(embedder.embed(''))
    t.is(
      empty.some((x) => x !== 0),
      supervised,
      'the end of a line is a word of those that classify',
    )
    t.true(floats(embedder.embed('', { normalize: true })).every((x) => !Number.isNaN(x)))
  })

test('vectors are cut, normalized and written in their type', (t) => {
  const embedder = TextEmbedder.load(at('cbow-softmax.bin'))
  const text = said['cbow-softmax.bin'].sentences[3][0]
  const raw = floats(embedder.embed(text)).slice(0, 4)
  const length = Math.hypot(...raw)
  const unit = raw.map((x) => x / length)
  const found = floats(embedder.embed(text, { dim: 4, normalize: true }))
  t.true(found.every((x, i) => Math.abs(x - unit[i]) < 1e-6))
  const bytes = embedder.embed([text, ''], { dim: 4, normalize: true, dtype: 'int8' })
  t.is(bytes.dtype, 'int8')
  t.deepEqual(bytes.toArray(), [unit.map((x) => Math.round(127 * x)), [0, 0, 0, 0]])
  t.is(embedder.embed(text, { dtype: 'float16' }).dtype, 'float16')
  const wide = TextEmbedder.load(at('skipgram-ns.bin'))
  refuses(t, () => wide.embed(text, { dtype: 'binary' }), 'USAGE', 'multiple of 8')
  refuses(t, () => wide.embed(text, { dim: 6 }), 'USAGE', 'dim')
  const out = embedder.embed([text, text])
  t.is(embedder.embed(['', text], { out }), out)
  t.deepEqual(floats(out.narrow(0, 1, 1)).slice(0, 4), raw)
})

test.serial('the same bits in any batch and on any number of threads', async (t) => {
  const embedder = TextEmbedder.load(at('sup-ns.bin'))
  const texts = Array.from({ length: 3000 }, (_, i) => `${said['sup-ns.bin'].sentences[i % 11][0]} ${i}`)
  const all = embedder.embed(texts)
  const before = getNumThreads()
  try {
    for (const threads of [1, 2, 5]) {
      setNumThreads(threads)
      t.is(digest(embedder.embed(texts)), digest(all))
      // eslint-disable-next-line no-await-in-loop -- the number of threads is the process's
      t.is(digest(await embedder.embedAsync(texts)), digest(all))
    }
  } finally {
    setNumThreads(before)
  }
  t.deepEqual(floats(embedder.embed(texts.slice(70, 80))), floats(all.narrow(0, 70, 10)))
})

test('the event loop goes on, and a signal ends it', async (t) => {
  const embedder = TextEmbedder.load(at('sup-ns.bin'))
  const texts = Array.from({ length: 200 }, () => 'abc def gha '.repeat(20_000))
  const control = new AbortController()
  let turns = 0
  const timer = setInterval(() => {
    if (++turns === 5) control.abort()
  }, 1)
  await t.throwsAsync(embedder.embedAsync(texts, { signal: control.signal }), { instanceOf: AbortedError })
  clearInterval(timer)
  t.true(turns >= 5)
})

test('a folder with one model loads, and one with several does not', (t) => {
  const one = temporaryFolder()
  copyFileSync(at('sup-hs-norm.ftz'), join(one, 'model.ftz'))
  t.is(TextEmbedder.load(one).semantics, 'fasttext')
  t.true(readdirSync(folder).length > 2)
  refuses(t, () => TextEmbedder.load(folder), 'FORMAT', 'several models of fastText', 'cbow-hs.bin')
})

test("the semantics 'mean' take the words alone, and can be saved", (t) => {
  const path = at('skipgram-ns.bin')
  const model = loadFastText(path)
  const [first, second] = model.words.slice(1)
  const embedder = TextEmbedder.load(path, { semantics: 'mean' })
  const wanted = [first, second].map((word) => model.vector(word))
  const close = (found: number[]) => found.every((x, d) => Math.abs(x - (wanted[0][d] + wanted[1][d]) / 2) < 1e-6)
  t.true(close(floats(embedder.embed(`${first} nobody-knows-it ${second}`))))
  const saved = join(temporaryFolder(), 'saved')
  embedder.save(saved)
  t.true(close(floats(TextEmbedder.load(saved).embed(`${first} ${second}`))))
})

test('its tokenizer and table are those of the words', (t) => {
  const embedder = TextEmbedder.load(at('skipgram-ns.bin'))
  const model = loadFastText(at('skipgram-ns.bin'))
  t.is(embedder.tokenizer, embedder.tokenizer)
  t.deepEqual(embedder.table.shape, [model.words.length, model.dim])
  const text = model.words.slice(1, 9).join(' ')
  t.is(embedder.tokenizer.count(text), 8)
  const chunks = splitText(text, { maxTokens: 3, embedder, by: 'token' })
  t.is(chunks.map((chunk) => chunk.text).join(''), text)
})

test('says what is wrong', (t) => {
  const path = at('skipgram-ns.bin')
  refuses(t, () => TextEmbedder.load(path, { semantics: 'model2vec' }), 'USAGE', 'a model of fastText', "'mean'")
  refuses(t, () => TextEmbedder.load(path, { tokenizer: 'tokenizer.json' }), 'USAGE', 'takes no tokenizer')
  refuses(t, () => TextEmbedder.load(path).save(temporaryFolder()), 'USAGE', 'sub-words')
  const model2vec = join(root, 'testdata/golden/embed/m2v-f32')
  refuses(t, () => TextEmbedder.load(model2vec, { semantics: 'fasttext' }), 'USAGE', 'no model of fastText')
  const torch = join(root, 'testdata/golden/embed/st-bin/0_StaticEmbedding/pytorch_model.bin')
  refuses(t, () => TextEmbedder.load(torch), 'FORMAT')
  refuses(t, () => TextEmbedder.load(path).embed(5 as never), 'USAGE', 'expected a text')
})
