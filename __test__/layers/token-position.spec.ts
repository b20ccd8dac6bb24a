import test from 'ava'
import { arange, Embedding, Generator, manualSeed, tensor, TokenPositionEmbedding, zeros } from '../../index.js'
import { digest, isGolden } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { readGolden, type Golden } from '../support/golden.js'

interface Case {
  seed: number
  vocabSize: number
  contextLength: number
  dim: number
  ids: number[]
  positionOffset: number
  out: Golden
}
const { tokenPosition } = readGolden<{ tokenPosition: Case[] }>('embedding/embedding.json')

for (const { seed, ids, positionOffset, out, ...options } of tokenPosition) {
  test(`equals PyTorch: ids ${JSON.stringify(ids)} from position ${positionOffset}`, (t) => {
    manualSeed(seed)
    const layer = new TokenPositionEmbedding(options)
    isGolden(t, layer.forward(ids, { positionOffset }), { ...out, t: 'float32' }, 'forward')
  })
}

test('draws the tokens first, then the positions, from one generator', (t) => {
  manualSeed(5)
  const [token, position] = [new Embedding(11, 6), new Embedding(4, 6)]
  const sizes = { vocabSize: 11, contextLength: 4, dim: 6 }
  for (const generator of [undefined, new Generator(5)]) {
    manualSeed(5)
    const layer = new TokenPositionEmbedding({ ...sizes, generator })
    t.is(digest(layer.token.weight), digest(token.weight))
    t.is(digest(layer.position.weight), digest(position.weight))
  }
})

for (const dim of [1, 3, 8, 16, 17, 64, 100]) {
  test(`dim ${dim}: equals the sum of both lookups to the bit`, (t) => {
    const layer = new TokenPositionEmbedding({ vocabSize: 50, contextLength: 9, dim })
    const ids = Array.from({ length: 5 }, (_, i) => Array.from({ length: 9 }, (_, j) => (i * 31 + j * 7) % 50))
    const expected = layer.token.forward(ids).add(layer.position.forward(arange(9)))
    t.deepEqual(layer.forward(ids).data, expected.data)
    t.deepEqual(layer.forward(ids[0]).data, expected.narrow(0, 0, 1).clone().data)
    const part = layer.forward(
      [
        [7, 8],
        [9, 0],
      ],
      { positionOffset: 7 },
    )
    const rows = layer.token
      .forward([
        [7, 8],
        [9, 0],
      ])
      .add(layer.position.forward([7, 8]))
    t.deepEqual(part.data, rows.data)
  })
}

const make = () => new TokenPositionEmbedding({ vocabSize: 10, contextLength: 5, dim: 3 })

test('positions may be given for one sequence or for every id', (t) => {
  const layer = make()
  const ids = [
    [1, 2, 3],
    [4, 5, 6],
  ]
  const sum = (positions: number[][]) => layer.token.forward(ids).add(layer.position.forward(positions)).data
  t.deepEqual(
    layer.forward(ids, { positions: [4, 0, 4] }).data,
    sum([
      [4, 0, 4],
      [4, 0, 4],
    ]),
  )
  t.deepEqual(
    layer.forward(ids, {
      positions: [
        [0, 1, 2],
        [2, 1, 0],
      ],
    }).data,
    sum([
      [0, 1, 2],
      [2, 1, 0],
    ]),
  )
  t.deepEqual(
    layer.forward(ids, { positions: BigInt64Array.of(4n, 0n, 4n) }).data,
    sum([
      [4, 0, 4],
      [4, 0, 4],
    ]),
  )
  t.deepEqual(
    layer.forward(ids, { positions: tensor([4, 0, 4], { dtype: 'uint8' }) }).data,
    sum([
      [4, 0, 4],
      [4, 0, 4],
    ]),
  )
  t.deepEqual(layer.forward(ids.flat(), { shape: [2, 3] }).data, layer.forward(ids).data)
})

test('rejects positions that do not fit', (t) => {
  const layer = make()
  const ids = [
    [1, 2, 3],
    [4, 5, 6],
  ]
  refuses(
    t,
    () => layer.forward(ids, { positions: [0, 1] }),
    'SHAPE',
    'positions of shape [2] do not match ids of shape [2, 3]',
  )
  refuses(t, () => layer.forward(ids, { positions: [[0, 1, 2]] }), 'SHAPE', '[1, 3]')
  refuses(
    t,
    () => layer.forward(ids, { positions: [0, 1, 5] }),
    'TOKEN_INDEX',
    'position 5 at [0, 2] is out of range',
    '5 rows (1 more)',
  )
  refuses(t, () => layer.forward(ids, { positions: [0, -1, 2] }), 'TOKEN_INDEX', 'position -1 at [0, 1]')
  refuses(t, () => layer.forward(ids, { positions: [0, 1.5, 2] }), 'USAGE', '1.5')
  refuses(t, () => layer.forward(ids, { positions: zeros([3]) }), 'DTYPE', 'positions')
  refuses(t, () => layer.forward(ids, { positions: [0, 1, 2], positionOffset: 0 }), 'USAGE', 'not both')
  refuses(t, () => layer.forward(ids, { positionOffset: -1 }), 'USAGE', '-1')
  refuses(t, () => layer.forward(ids, { positionOffset: 0.5 }), 'USAGE', '0.5')
})

test('a sequence longer than the context is an error with both lengths', (t) => {
  const layer = make()
  refuses(t, () => layer.forward([1, 2, 3, 4, 5, 6]), 'SHAPE', '6 ids', '5 positions')
  refuses(t, () => layer.forward([1, 2], { positionOffset: 4 }), 'SHAPE', 'from position 4', '5 positions')
  refuses(t, () => layer.forward([1], { positionOffset: 2 ** 53 - 1 }), 'SHAPE')
  t.deepEqual(layer.forward([1], { positionOffset: 4 }).shape, [1, 3])
})

test('ids may be one sequence or a batch', (t) => {
  const layer = make()
  refuses(t, () => layer.forward(tensor(1, { dtype: 'int32' })), 'SHAPE', '[]')
  refuses(t, () => layer.forward([[[1]]]), 'SHAPE', '[1, 1, 1]')
  t.deepEqual(layer.forward([]).shape, [0, 3])
  t.deepEqual(layer.forward([[], []]).shape, [2, 0, 3])
  t.deepEqual(layer.forward(new Int32Array(0), { shape: [0, 4] }).shape, [0, 4, 3])
  t.deepEqual(layer.forward([[], []], { positions: [] }).shape, [2, 0, 3])
  const error = refuses(
    t,
    () =>
      layer.forward([
        [1, 2],
        [3, 10],
      ]),
    'TOKEN_INDEX',
    'id 10 at [1, 1] is out of range for a table of 10 rows',
  )
  t.deepEqual(error.position, [1, 1])
})

test('requires a gradient if one of its tables does', (t) => {
  const layer = make()
  t.true(layer.forward([1]).requiresGrad)
  layer.token.weight.requiresGrad = false
  t.true(layer.forward([1]).requiresGrad)
  layer.position.weight.requiresGrad = false
  t.false(layer.forward([1]).requiresGrad)
})

test('paddingIdx zeroes only the row of the token table', (t) => {
  const layer = new TokenPositionEmbedding({ vocabSize: 4, contextLength: 4, dim: 2, paddingIdx: -1 })
  t.deepEqual(layer.token.weight.toArray()[3], [0, 0])
  t.notDeepEqual(layer.position.weight.toArray()[3], [0, 0])
})

test('checks options', (t) => {
  const good = { vocabSize: 4, contextLength: 4, dim: 2 }
  for (const name of ['vocabSize', 'contextLength', 'dim']) {
    for (const size of [-1, 1.5, undefined, '4', NaN]) {
      refuses(t, () => new TokenPositionEmbedding({ ...good, [name]: size }), 'USAGE', name)
    }
  }
  refuses(t, () => new TokenPositionEmbedding({ ...good, vocabsize: 1 } as never), 'USAGE', '"vocabsize"')
  refuses(t, () => new TokenPositionEmbedding({ ...good, generator: 1 } as never), 'USAGE', 'Generator')
  refuses(t, () => new TokenPositionEmbedding({ ...good, vocabSize: 1e12, dim: 1e6 }), 'USAGE')
  refuses(t, () => new TokenPositionEmbedding(undefined as never), 'USAGE', 'vocabSize')
  refuses(t, () => make().forward([1], { offset: 1 } as never), 'USAGE', '"offset"', 'positionOffset')
})

test('accepts empty ids, whatever length their shape has', (t) => {
  const layer = new TokenPositionEmbedding({ vocabSize: 5, contextLength: 2, dim: 3 })
  t.deepEqual(layer.forward(new Int32Array(0), { shape: [0, 9] }).shape, [0, 9, 3])
  t.deepEqual(layer.forward([]).shape, [0, 3])
  t.deepEqual(layer.forward([[], []]).shape, [2, 0, 3])
})
