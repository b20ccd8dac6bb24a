import test, { type ExecutionContext } from 'ava'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createDataLoader,
  loadFastText,
  loadPretrained,
  openTokens,
  randn,
  RotaryEmbedding,
  saveTokens,
  TextEmbedder,
  Tokenizer,
  Vectors,
  type UsageError,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { root } from '../support/golden.js'

const file = (path: string) => join(root, 'testdata/golden', path)

/** Every method and accessor of an object throws, but `dispose`. */
function isGone(t: ExecutionContext, it: object, kind: string): void {
  const { dispose } = it as { dispose(): void }
  t.notThrows(() => dispose.call(it), 'once more')
  t.notThrows(() => String(it))
  for (const [key, { value, get }] of Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(it)))) {
    if (['constructor', 'dispose', 'toString', 'toJSON', 'valueOf', 'length'].includes(key)) continue
    const member = (get ?? value) as (this: object) => unknown
    if (typeof member !== 'function') continue
    const result = (() => {
      try {
        return member.call(it)
      } catch (error) {
        return error
      }
    })()
    if (result instanceof Promise) {
      result.catch(() => {})
      continue
    }
    const error = result as UsageError
    t.is(error?.code, 'USAGE', `${key}: ${String(error)}`)
    t.true(error.message.includes(`disposed ${kind}`), error.message)
  }
}

test('RotaryEmbedding', async (t) => {
  const rope = new RotaryEmbedding({ dim: 4 })
  const x = randn([1, 2, 1, 4], { requiresGrad: true })
  const y = rope.forward(x)
  rope[Symbol.dispose]()
  isGone(t, rope, 'RotaryEmbedding')
  refuses(t, () => y.backward(y.detach()), 'USAGE', 'disposed RotaryEmbedding')
})

test('Tokenizer', async (t) => {
  const tokenizer = Tokenizer.fromFile(file('hf/wordpiece.json'))
  const ids = tokenizer.encode('a text')
  const late = tokenizer.encodeAsync('a text')
  tokenizer.dispose()
  isGone(t, tokenizer, 'Tokenizer')
  t.deepEqual(await late, ids, 'a call under way ends')
  await t.throwsAsync(tokenizer.encodeAsync('a'), { code: 'USAGE', message: /disposed Tokenizer/ })
  const again = Tokenizer.fromFile(file('hf/wordpiece.json'))
  const options = {
    get allowedSpecial(): 'all' {
      again.dispose()
      return 'all'
    },
  }
  refuses(t, () => again.encode('a text', options), 'USAGE', 'disposed')
})

test('an encoding is read again', (t) => {
  const gpt2 = Tokenizer.load('gpt2')
  const ids = gpt2.encode('Hello')
  const options = { tokenizer: gpt2, maxLength: 4, stride: 4, batchSize: 2 }
  const loader = createDataLoader({ texts: ['Hello, world. '.repeat(20)] }, options)
  gpt2.dispose()
  refuses(t, () => gpt2.encode('Hello'), 'USAGE', 'disposed Tokenizer')
  t.not(Tokenizer.load('gpt2'), gpt2)
  t.deepEqual(Tokenizer.load('gpt2').encode('Hello'), ids)
  t.true([...loader].length > 0)
})

test('FastText and its vectors', async (t) => {
  const model = loadFastText(file('fasttext/skipgram-ns.bin'))
  const { vectors } = model
  const [word] = model.words
  const embedder = TextEmbedder.load(file('fasttext/skipgram-ns.bin'))
  t.notThrows(() => vectors.mostSimilar(word))
  model.dispose()
  isGone(t, model, 'FastText')
  isGone(t, vectors, 'Vectors')
  t.is(embedder.embed(word).shape[0], embedder.dim)
})

test('Vectors', async (t) => {
  const weight = randn([3, 4])
  const vectors = new Vectors(weight, ['a', 'b', 'c'])
  const table = vectors.weight
  const late = vectors.mostSimilarAsync('a')
  vectors.dispose()
  isGone(t, vectors, 'Vectors')
  t.true(table.disposed)
  t.false(weight.disposed)
  t.notThrows(() => weight.sum(), 'memory that others share stays')
  await late.then(
    () => t.pass(),
    (error: UsageError) => t.is(error.code, 'USAGE'),
  )
  await t.throwsAsync(vectors.mostSimilarAsync('a'), { code: 'USAGE', message: /disposed Vectors/ })
})

test('TextEmbedder', async (t) => {
  const embedder = TextEmbedder.load(file('embed/m2v-f32'))
  const { tokenizer } = embedder
  const late = embedder.embedAsync(['a text', 'another'])
  embedder.dispose()
  isGone(t, embedder, 'TextEmbedder')
  await late.then(
    () => t.pass(),
    (error: UsageError) => t.is(error.code, 'USAGE'),
  )
  await t.throwsAsync(embedder.embedAsync('a'), { code: 'USAGE', message: /disposed TextEmbedder/ })
  await t.throwsAsync(embedder.embedSoon('a'), { code: 'USAGE' })
  t.notThrows(() => tokenizer.encode('a'))
})

test('Pretrained', (t) => {
  for (const path of ['pretrained/gpt2', 'gguf/model-gpt2.gguf']) {
    const model = loadPretrained(file(path))
    const { token, position, tensors } = model
    const [name] = tensors.keys()
    model[Symbol.dispose]()
    isGone(t, model, 'Pretrained')
    if ('disposed' in token) t.true(token.disposed)
    t.true(position!.disposed)
    refuses(t, () => [...tensors.values()], 'USAGE', 'disposed Pretrained')
    refuses(t, () => tensors.get(name), 'USAGE', 'disposed Pretrained')
  }
})

test('TokenFolder', async (t) => {
  const folder = join(mkdtempSync(join(tmpdir(), 'tokenbed-disposing-')), 'ids')
  await saveTokens(folder, { texts: ['some words', 'and more'] }, { tokenizer: Tokenizer.load('cl100k_base') })
  const ids = openTokens(folder)
  t.true(ids.read().length > 0)
  ids.dispose()
  isGone(t, ids, 'TokenFolder')
})
