// How tables are initialised. random.spec.ts compares the numbers of `{ std, mean }` and `{ uniform }` with PyTorch's.

import test from 'ava'
import {
  Embedding,
  EmbeddingBag,
  Generator,
  randn,
  ShawRelativePositions,
  T5RelativeBias,
  tensor,
  TokenPositionEmbedding,
  TransformerXLPositions,
  zeros,
  type Init,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'

const generator = () => new Generator(123)
const [ROWS, DIM] = [400, 50]

/** Mean, standard deviation, minimum and maximum. */
function facts(data: ArrayLike<number>): { mean: number; std: number; least: number; most: number } {
  const all = Array.from(data)
  const mean = all.reduce((sum, x) => sum + x, 0) / all.length
  const std = Math.sqrt(all.reduce((sum, x) => sum + (x - mean) ** 2, 0) / all.length)
  return { mean, std, least: Math.min(...all), most: Math.max(...all) }
}

const near = (a: number, b: number, most: number) => Math.abs(a - b) < most

for (const [name, make] of [
  ['Embedding', (init?: Init) => new Embedding(ROWS, DIM, { init, generator: generator() }).weight],
  ['EmbeddingBag', (init?: Init) => new EmbeddingBag(ROWS, DIM, { init, generator: generator() }).weight],
  [
    'TokenPositionEmbedding',
    (init?: Init) =>
      new TokenPositionEmbedding({ vocabSize: ROWS, contextLength: 7, dim: DIM, init, generator: generator() }).token
        .weight,
  ],
  [
    'ShawRelativePositions',
    (init?: Init) =>
      new ShawRelativePositions({ maxDistance: ROWS, headDim: DIM, init, generator: generator() }).weight,
  ],
  [
    'T5RelativeBias',
    (init?: Init) =>
      new T5RelativeBias({
        bidirectional: true,
        numBuckets: ROWS,
        maxDistance: 1000,
        heads: DIM,
        init,
        generator: generator(),
      }).weight,
  ],
] as const) {
  test(`${name} is initialised as asked`, (t) => {
    t.is(digest(make()), digest(make({ std: 1 })))
    const moved = facts(make({ std: 0.02, mean: 3 }).data as Float32Array)
    t.true(near(moved.mean, 3, 1e-3) && near(moved.std, 0.02, 1e-3))
    const bound = facts(make({ uniform: 0.5 }).data as Float32Array)
    t.true(
      bound.least >= -0.5 &&
        bound.least < -0.49 &&
        bound.most < 0.5 &&
        bound.most > 0.49 &&
        near(bound.std, 0.5 / Math.sqrt(3), 1e-2),
    )
    const range = facts(make({ uniform: [1, 2] }).data as Float32Array)
    t.true(range.least >= 1 && range.most < 2 && near(range.mean, 1.5, 1e-2))
    t.true((make('zeros').data as Float32Array).every((x) => x === 0))
    t.true((make({ std: 0, mean: 2 }).data as Float32Array).every((x) => x === 2))
    t.true(make('zeros').requiresGrad)
  })
}

test('any standard deviation takes the same amount from the generator, and zeros take none', (t) => {
  const after = (init?: Init) => {
    const own = generator()
    new Embedding(ROWS, DIM, { init, generator: own })
    return digest(own.getState())
  }
  t.is(after({ std: 0.02 }), after())
  t.is(after('zeros'), digest(generator().getState()))
  const shifted = new Embedding(ROWS, DIM, { init: { std: 0.25 }, generator: generator() })
  // Scaling by a power of two is exact.
  t.is(digest(shifted.weight), digest(randn([ROWS, DIM], { generator: generator() }).mul(0.25)))
})

test('the tables of a layer are drawn in order, each with its own initialisation', (t) => {
  const sizes = { vocabSize: 20, contextLength: 9, dim: 8, segments: 2 }
  const one = new TokenPositionEmbedding({
    ...sizes,
    init: { token: { std: 0.02 }, position: { std: 0.01, mean: 1 }, segment: 'zeros' },
    generator: generator(),
  })
  const own = generator()
  t.is(digest(one.token.weight), digest(new Embedding(20, 8, { init: { std: 0.02 }, generator: own }).weight))
  t.is(
    digest(one.position.weight),
    digest(new Embedding(9, 8, { init: { std: 0.01, mean: 1 }, generator: own }).weight),
  )
  t.is(digest(one.segment!.weight), digest(zeros([2, 8])))
  const rest = new TokenPositionEmbedding({ ...sizes, init: { position: 'zeros' }, generator: generator() })
  t.is(
    digest(rest.token.weight),
    digest(new Embedding(20, 8, { generator: generator() }).weight),
    'what is not named is as ever',
  )
  t.is(digest(rest.position.weight), digest(zeros([9, 8])))
  const all = new TokenPositionEmbedding({ ...sizes, init: { uniform: 0.1 }, layerNorm: true, generator: generator() })
  for (const part of [all.token, all.position, all.segment!])
    t.true((part.weight.data as Float32Array).every((x) => x !== 0 && Math.abs(x) <= 0.1))
  t.true((all.layerNorm!.weight.data as Float32Array).every((x) => x === 1))
  const bert = TokenPositionEmbedding.preset('bert', { vocabSize: 30, contextLength: 8, dim: 8, init: { std: 0.02 } })
  t.true(
    facts(bert.token.weight.data as Float32Array).most < 0.12 &&
      bert.token.weight
        .narrow(0, 0, 1)
        .toArray()
        .flat()
        .every((x: unknown) => x === 0),
  )
})

test('padding rows are zero, and 16-bit tables are rounded float32 draws', (t) => {
  const layer = new Embedding(6, 4, { init: { std: 0.02, mean: 1 }, paddingIdx: -2 })
  t.deepEqual(layer.weight.toArray()[4], [0, 0, 0, 0])
  t.true(layer.weight.toArray()[5].every((x: number) => x > 0.8))
  for (const dtype of ['float16', 'bfloat16'] as const) {
    const half = new Embedding(ROWS, DIM, { init: { uniform: 0.3 }, dtype, generator: generator() })
    t.is(
      digest(half.weight),
      digest(new Embedding(ROWS, DIM, { init: { uniform: 0.3 }, generator: generator() }).weight.to(dtype)),
    )
  }
  const xl = new TransformerXLPositions({ heads: 2, headDim: 4, dim: 8, init: 'zeros' })
  for (const part of [xl.u, xl.v, xl.weight]) t.true((part.data as Float32Array).every((x) => x === 0))
})

const BAD: [init: unknown, ...parts: string[]][] = [
  ['normal', "'zeros'", 'normal'],
  ['ones', 'ones'],
  [0.02, '0.02', '{ std }'],
  [[0.02], '{ std }'],
  [{}, '{ std }', '{ uniform }'],
  [null, 'null'],
  [{ std: 0.1, uniform: 0.1 }, '{ std }'],
  [{ sd: 0.1 }, '"sd"', 'std, mean, uniform'],
  [{ mean: 1 }, '{ std }'],
  [{ std: -1 }, 'std', 'negative', '-1'],
  [{ std: '0.1' }, 'std', "'0.1'"],
  [{ std: NaN }, 'NaN'],
  [{ std: 1e300 }, 'float32'],
  [{ std: 1, mean: Infinity }, 'mean', 'Infinity'],
  [{ uniform: -1 }, 'uniform', '-1'],
  [{ uniform: [2, 1] }, '[2, 1]'],
  [{ uniform: [1] }, '[low, high]'],
  [{ uniform: [1, 2, 3] }, '[low, high]'],
  [{ uniform: [-3e38, 3e38] }, 'float32'],
  [{ uniform: ['a', 1] }, "'a'"],
  [{ uniform: 1, mean: 2 }, 'mean'],
]

test('wrong use is rejected before anything is drawn', (t) => {
  const own = generator()
  const state = digest(own.getState())
  for (const [init, ...parts] of BAD) {
    refuses(t, () => new Embedding(3, 2, { init: init as never, generator: own }), 'USAGE', 'Embedding: init', ...parts)
    refuses(
      t,
      () => new TokenPositionEmbedding({ vocabSize: 3, contextLength: 2, dim: 2, init: init as never, generator: own }),
      'USAGE',
      'TokenPositionEmbedding: init',
      ...parts,
    )
    refuses(
      t,
      () =>
        new TokenPositionEmbedding({
          vocabSize: 3,
          contextLength: 2,
          dim: 2,
          init: { position: init as never },
          generator: own,
        }),
      'USAGE',
      'init.position',
      ...parts,
    )
    refuses(
      t,
      () => new T5RelativeBias({ bidirectional: true, heads: 2, init: init as never, generator: own }),
      'USAGE',
      'T5RelativeBias: init',
      ...parts,
    )
  }
  refuses(
    t,
    () =>
      new TokenPositionEmbedding({
        vocabSize: 3,
        contextLength: 2,
        dim: 2,
        init: { segment: 'zeros' },
        generator: own,
      }),
    'USAGE',
    'init.segment',
    'no such table',
  )
  refuses(
    t,
    () => TokenPositionEmbedding.preset('llama', { vocabSize: 3, dim: 2, init: { position: 'zeros' }, generator: own }),
    'USAGE',
    'init.position',
    'no such table',
  )
  refuses(
    t,
    () =>
      new TokenPositionEmbedding({
        vocabSize: 3,
        contextLength: 2,
        dim: 2,
        init: { token: 'zeros', head: 'zeros' } as never,
        generator: own,
      }),
    'USAGE',
    '"head"',
  )
  refuses(t, () => Embedding.fromPretrained(tensor([[1, 2]]), { init: 'zeros' }), 'USAGE', 'init', 'leave it out')
  refuses(t, () => EmbeddingBag.fromPretrained(tensor([[1, 2]]), { init: { std: 1 } }), 'USAGE', 'init')
  t.is(digest(own.getState()), state)
})
