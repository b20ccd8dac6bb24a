// The forms in which bags are given: what tokenizers give, and lists.

import test from 'ava'
import {
  attentionMask,
  createDataLoader,
  EmbeddingBag,
  Generator,
  ones,
  positionIds,
  tensor,
  Tokenizer,
  type Tensor,
  TokenPositionEmbedding,
  zeros,
} from '../../index.js'
import { refuses } from '../support/errors.js'

const tokenizer = Tokenizer.load('gpt2')
const texts = ['Call me Ishmael.', '', 'Some years ago', 'never mind how long precisely']
const bag = new EmbeddingBag(50257, 5, { mode: 'sum', generator: new Generator(1) })
const { ids, offsets } = tokenizer.encodeBatch(texts)
const wanted = bag.forward(ids, offsets.slice(0, -1)).toArray() as number[][]

test('what a tokenizer gives is read as bags', (t) => {
  t.deepEqual(bag.forward(tokenizer.encodeBatch(texts)).toArray(), wanted)
  t.deepEqual(bag.forward(texts.map((text) => tokenizer.encode(text))).toArray(), wanted)
  t.deepEqual(bag.forward(texts.map((text) => [...tokenizer.encode(text)])).toArray(), wanted)
  t.deepEqual(bag.forward({ values: ids, offsets }).toArray(), wanted)
  for (const paddingSide of ['left', 'right'] as const) {
    const padded = tokenizer.encodeBatch(texts, { padding: 'longest', paddingSide })
    t.deepEqual(bag.forward(padded).toArray(), wanted)
    t.deepEqual(bag.forward({ ids: padded.ids, mask: padded.mask.to('int32') }).toArray(), wanted)
  }
})

test('lists of different kinds and lengths are bags', (t) => {
  const small = new EmbeddingBag(4, 2, { mode: 'sum' })
  small.weight.set([1, 10, 2, 20, 3, 30, 4, 40])
  const sums = [
    [5, 50],
    [0, 0],
    [4, 40],
  ]
  t.deepEqual(small.forward([[1, 2], [], [3]]).toArray(), sums)
  t.deepEqual(small.forward([Int32Array.of(1, 2), [], tensor([3], { dtype: 'int32' })]).toArray(), sums)
  t.deepEqual(small.forward([BigInt64Array.of(1n, 2n), new Uint8Array(0), [3]]).toArray(), sums)
  t.deepEqual(small.forward([Uint32Array.of(3)]).toArray(), [[4, 40]])
  t.deepEqual(
    small
      .forward([
        [0, 1],
        [2, 3],
      ])
      .toArray(),
    [
      [3, 30],
      [7, 70],
    ],
  )
  refuses(t, () => small.forward([[1], [4, 2]]), 'TOKEN_INDEX', 'id 4')
  refuses(t, () => small.forward([Uint32Array.of(2 ** 32 - 1)]), 'TOKEN_INDEX', '4294967295')
  refuses(t, () => small.forward([[1], [[2], [3]]] as never), 'SHAPE')
  refuses(t, () => small.forward([[1, 2], ['x']] as never), 'USAGE', "'x'")
  refuses(t, () => small.forward([[1], 2] as never), 'SHAPE')
})

test('options may stand where offsets are not needed', (t) => {
  const out = zeros([4, 5])
  t.is(bag.forward(tokenizer.encodeBatch(texts), { out }), out)
  t.deepEqual(out.toArray(), wanted)
  t.is(bag.forward([[1], [2, 3]], { dtype: 'float16' }).dtype, 'float16')
  t.is(bag.forward([[1, 2]], undefined, { dtype: 'float16' }).dtype, 'float16')
  refuses(t, () => bag.forward([[1]], {} as never, {}), 'USAGE', 'twice')
  refuses(t, () => bag.forward([[1]], { dtyp: 1 } as never), 'USAGE', '"dtyp"')
  refuses(t, () => bag.forward(tokenizer.encodeBatch(texts), [0]), 'USAGE', 'leave offsets out')
  refuses(t, () => bag.forward([[1], [2, 3]], [0]), 'USAGE', 'leave offsets out')
  refuses(t, () => bag.forward({ id: [1] } as never), 'USAGE', '{ ids, mask }')
  refuses(t, () => bag.forward({ ids: [[1, 2]], mask: [[1]] }), 'SHAPE', '[1, 2]', '[1, 1]')
})

test('gradients and weights go with every form', (t) => {
  const grads = [
    () => bag.forward(ids, offsets.slice(0, -1)),
    () => bag.forward(tokenizer.encodeBatch(texts)),
    () => bag.forward(texts.map((text) => tokenizer.encode(text))),
    () => bag.forward(tokenizer.encodeBatch(texts, { padding: 'longest' })),
  ].map((run) => {
    bag.weight.grad = null
    run().sum().backward()
    return (bag.weight.grad as unknown as Tensor).toArray() as unknown
  })
  for (const grad of grads.slice(1)) t.deepEqual(grad, grads[0])
  const padded = tokenizer.encodeBatch(texts, { padding: 'longest' })
  const perSampleWeights = ones([...padded.ids.shape])
  t.deepEqual(bag.forward(padded, { perSampleWeights }).toArray(), wanted)
  const learned = ones([...padded.ids.shape])
  learned.requiresGrad = true
  refuses(t, () => bag.forward(padded, { perSampleWeights: learned }), 'USAGE', 'gradient')
})

test('the asynchronous form takes the same', async (t) => {
  t.deepEqual((await bag.forwardAsync(tokenizer.encodeBatch(texts))).toArray(), wanted)
  t.deepEqual((await bag.forwardAsync(tokenizer.encodeBatch(texts), { dtype: 'float32' })).toArray(), wanted)
  t.deepEqual((await bag.forwardAsync(tokenizer.encodeBatch(texts, { padding: 'longest' }))).toArray(), wanted)
})

test('other readers of ragged rows read ids with offsets, too', (t) => {
  const rows = tokenizer.encodeBatch(['a b c', 'd'])
  const ragged = { values: rows.ids, offsets: rows.offsets }
  t.deepEqual(attentionMask(rows).toArray(), attentionMask(ragged).toArray())
  t.deepEqual(positionIds(rows).toArray(), positionIds(ragged).toArray())
  const layer = new TokenPositionEmbedding({ vocabSize: 50257, dim: 3, contextLength: 8 })
  t.deepEqual(layer.forward(rows).toArray(), layer.forward(ragged).toArray())
})

test('loaders read ragged ids as texts of their own', (t) => {
  const rows = tokenizer.encodeBatch(['a b c d e', 'f g h i'])
  const lists = [rows.ids.subarray(0, 5), rows.ids.subarray(5)]
  const options = { maxLength: 2, stride: 2, batchSize: 1, shuffle: false }
  const batches = (source: Parameters<typeof createDataLoader>[0]) =>
    Array.from(createDataLoader(source, options), ({ inputs, targets }) => [inputs.toArray(), targets.toArray()])
  t.deepEqual(batches(rows), batches({ ids: lists }))
  refuses(t, () => createDataLoader({ ids: rows.ids, offsets: [0, 4] }, options), 'SHAPE', 'offsets[1]')
})
