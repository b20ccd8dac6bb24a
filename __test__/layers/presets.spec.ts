import test from 'ava'
import {
  attentionMask,
  Embedding,
  Generator,
  manualSeed,
  ones,
  positionIds,
  tensor,
  TokenPositionEmbedding,
  zeros,
  type Tensor,
} from '../../index.js'
import { digest, isGolden } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { elements, readGolden, type Golden } from '../support/golden.js'

type Name = 'gpt2' | 'bert' | 'roberta' | 't5' | 'llama' | 'gemma'
interface Case {
  name: Name
  seed: number
  options: { vocabSize: number; contextLength: number; dim: number }
  ids: number[][]
  call: { segments?: number[][]; positionOffset?: number; mask?: number[][] }
  out: Golden
  grads: Record<string, Golden>
}
const { layers } = readGolden<{ layers: Case[] }>('positions/positions.json')

/** PyTorch normalizes in float32; ours is within 2 units of the exact result. Weights are ones, biases are zeros. */
const LAYER_NORM = 6 * 2 ** -23

/**
 * Tolerance of gradients: float32 sums of at most 10 numbers below 3 on both sides, with or without a normalization.
 */
const GRADIENT = 2 ** -19

for (const { name, seed, options, ids, call, out, grads } of layers) {
  test(`equals Transformers: ${name}, ids ${JSON.stringify(ids)}, ${JSON.stringify(call)}`, async (t) => {
    manualSeed(seed)
    const layer = TokenPositionEmbedding.preset(name, options)
    const found = layer.forward(ids, call)
    if (layer.layerNorm === null) isGolden(t, found, out, 'the vectors')
    else {
      const wanted = elements(out) as Float32Array
      t.deepEqual(found.shape, out.s)
      ;(found.data as Float32Array).forEach((v, i) =>
        t.true(Math.abs(v - wanted[i]) <= LAYER_NORM * (1 + Math.abs(wanted[i]))),
      )
    }
    t.is(digest(await layer.forwardAsync(ids, call)), digest(found))
    found.backward(fromGradient(out.s))
    const state = layer.stateDict()
    t.deepEqual(Object.keys(state), Object.keys(grads))
    for (const [part, golden] of Object.entries(grads)) {
      const [ours, wanted] = [(state[part].grad as Tensor).data, elements(golden)] as Float32Array[]
      const bad = wanted.findIndex((v, i) => !(Math.abs(v - ours[i]) <= GRADIENT * (1 + Math.abs(v))))
      t.is(bad, -1, `${part}: ${ours[bad]} is not ${wanted[bad]} at ${bad}`)
    }
  })
}

/** The gradient of the result that the script uses. */
function fromGradient(shape: number[]): Tensor {
  const size = shape.reduce((a, b) => a * b)
  return tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(-1 + (3 * i) / (size - 1))),
    { shape },
  )
}

const SIZES = { vocabSize: 20, contextLength: 12, dim: 10 }

test('each preset has its parts and their initialisation', (t) => {
  const names = (name: Name) => Object.keys(TokenPositionEmbedding.preset(name, SIZES).stateDict())
  t.deepEqual(names('gpt2'), ['token.weight', 'position.weight'])
  const all = ['token.weight', 'position.weight', 'segment.weight', 'layerNorm.weight', 'layerNorm.bias']
  t.deepEqual(names('bert'), all)
  t.deepEqual(names('roberta'), all)
  for (const name of ['t5', 'llama', 'gemma'] as const) {
    const layer = TokenPositionEmbedding.preset(name, { vocabSize: 20, dim: 10 })
    t.is(layer.position, null)
    t.deepEqual(Object.keys(layer.stateDict()), ['token.weight'])
    t.deepEqual(layer.parameters(), [layer.token.weight])
  }
  const bert = TokenPositionEmbedding.preset('bert', SIZES)
  t.deepEqual([bert.segment!.numEmbeddings, bert.layerNorm!.eps], [2, 1e-12])
  t.deepEqual(bert.token.weight.narrow(0, 0, 1).toArray(), [Array(10).fill(0)])
  t.is(TokenPositionEmbedding.preset('bert', { ...SIZES, segments: 3, layerNorm: undefined }).segment!.numEmbeddings, 3)
  t.is(TokenPositionEmbedding.preset('bert', { ...SIZES, layerNorm: false }).layerNorm, null)
  t.is(TokenPositionEmbedding.preset('gemma', SIZES).scale, Math.fround(Math.sqrt(10)))
  t.is(TokenPositionEmbedding.preset('gemma', { ...SIZES, scale: 3 }).scale, 3)
  manualSeed(3)
  const table = new Embedding(20, 10)
  manualSeed(3)
  t.is(digest(TokenPositionEmbedding.preset('llama', { vocabSize: 20, dim: 10 }).token.weight), digest(table.weight))
  const roberta = TokenPositionEmbedding.preset('roberta', SIZES)
  t.deepEqual(roberta.position.weight.narrow(0, 1, 1).toArray(), [Array(10).fill(0)])
})

test("the table of a layer with only tokens may be replaced, and may lie in V8's memory", (t) => {
  const layer = TokenPositionEmbedding.preset('gemma', { vocabSize: 3, dim: 4 })
  const table = tensor([
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    [9, 10, 11, 12],
  ])
  layer.token.weight = table
  t.deepEqual(layer.forward([2, 0]).toArray(), [
    [18, 20, 22, 24],
    [2, 4, 6, 8],
  ])
  t.deepEqual(layer.forward([[1]], { out: zeros([1, 1, 4]) }).toArray(), [[[10, 12, 14, 16]]])
  t.deepEqual(layer.forward([]).shape, [0, 4])
})

test("RoBERTa's positions skip padding on either side", (t) => {
  const layer = TokenPositionEmbedding.preset('roberta', { ...SIZES, layerNorm: false, segments: undefined })
  const at = (ids: number[][], positions: number[][]) => digest(layer.forward(ids, { positions }))
  const ids = [
    [1, 1, 5, 6],
    [5, 6, 1, 1],
  ]
  t.is(
    digest(layer.forward(ids)),
    at(ids, [
      [1, 1, 2, 3],
      [2, 3, 1, 1],
    ]),
  )
  t.is(
    digest(layer.forward(ids, { positionOffset: 4 })),
    at(ids, [
      [1, 1, 6, 7],
      [6, 7, 1, 1],
    ]),
  )
  t.is(digest(layer.forward(BigInt64Array.of(1n, 5n, 6n))), at([[1, 5, 6]], [[1, 2, 3]]))
  t.is(digest(layer.forward(ids, { mask: attentionMask(ids, 1) })), digest(layer.forward(ids)))
  const long = Array.from({ length: 11 }, (_, i) => 2 + i)
  t.notThrows(() => layer.forward(long.slice(1)))
  refuses(t, () => layer.forward(long), 'TOKEN_INDEX', 'position 12 at [10]', '12 rows', 'interpolatePositions')
  refuses(
    t,
    () => TokenPositionEmbedding.preset('roberta', { ...SIZES, paddingIdx: 12 }),
    'USAGE',
    'paddingIdx 12',
    '12',
  )
  refuses(t, () => TokenPositionEmbedding.preset('roberta', { ...SIZES, paddingIdx: -1 }), 'USAGE', 'paddingIdx 19')
})

test('a mask makes positions count only tokens', (t) => {
  const layer = new TokenPositionEmbedding(SIZES)
  const ids = [
    [0, 0, 7, 8],
    [7, 8, 0, 0],
  ]
  const wanted = digest(
    layer.forward(ids, {
      positions: [
        [0, 0, 0, 1],
        [0, 1, 0, 0],
      ],
    }),
  )
  const mask = attentionMask(ids, 0)
  t.is(digest(layer.forward(ids, { mask })), wanted)
  t.is(
    digest(
      layer.forward(ids, {
        mask: [
          [0, 0, 1, 1],
          [1, 1, 0, 0],
        ],
      }),
    ),
    wanted,
  )
  t.is(digest(layer.forward(ids, { mask: mask.to('int32') })), wanted)
  t.is(
    digest(layer.forward(ids, { mask, positionOffset: 3 })),
    digest(
      layer.forward(ids, {
        positions: [
          [0, 0, 3, 4],
          [3, 4, 0, 0],
        ],
      }),
    ),
  )
  refuses(
    t,
    () => layer.forward(ids, { mask: [[1, 1, 1, 1]] }),
    'SHAPE',
    'mask must have the shape of the ids, [2, 4], not [1, 4]',
  )
  refuses(t, () => layer.forward(ids, { mask: [1, 1, 1, 1] }), 'SHAPE', 'mask', 'not [4]')
  refuses(t, () => layer.forward(ids, { mask, positions: [0, 1, 2, 3] }), 'USAGE', 'not both')
  refuses(t, () => layer.forward(ids, { mask: zeros([2, 4]) }), 'DTYPE', 'mask')
})

test('ragged rows give the results of each row alone', async (t) => {
  for (const name of ['gpt2', 'bert', 'roberta', 'llama'] as const) {
    const layer = TokenPositionEmbedding.preset(name, SIZES)
    const rows = [[2, 3, 4], [], [5], [6, 7, 8, 9]]
    const ragged = { values: rows.flat(), offsets: [0, 3, 3, 4, 8] }
    const wanted = rows.flatMap((row) => (row.length === 0 ? [] : layer.forward(row).toArray()))
    t.deepEqual(layer.forward(ragged).toArray(), wanted, name)
    t.deepEqual((await layer.forwardAsync(ragged)).toArray(), wanted, name)
    const out = zeros([8, 10])
    t.is(layer.forward(ragged, { out }), out)
  }
  const layer = new TokenPositionEmbedding({ ...SIZES, segments: 2 })
  const ragged = { values: Int32Array.of(1, 2, 3), offsets: Int32Array.of(0, 1, 3) }
  t.is(
    digest(layer.forward(ragged, { segments: [0, 1, 0] })),
    digest(layer.forward([1, 2, 3], { positions: [0, 0, 1], segments: [0, 1, 0] })),
  )
  t.is(digest(layer.forward(ragged, { positionOffset: 5 })), digest(layer.forward([1, 2, 3], { positions: [5, 5, 6] })))
  refuses(t, () => layer.forward({ ...ragged, offsets: [0, 2] }), 'SHAPE', '2', '3')
  refuses(t, () => layer.forward({ ...ragged, offsets: [0, 3, 2, 3] }), 'SHAPE', 'offset 2 is 2')
  refuses(t, () => layer.forward({ ...ragged, offsets: [1, 3] }), 'SHAPE', 'offset 0 is 1')
  refuses(t, () => layer.forward({ ...ragged, offsets: [] }), 'SHAPE', 'offsets')
  refuses(t, () => layer.forward(ragged, { mask: [1, 1, 1] }), 'USAGE', 'leave mask out')
  refuses(t, () => layer.forward(ragged, { shape: [3] }), 'USAGE', 'leave shape out')
  const long = { values: Array(20).fill(1), offsets: [0, 5, 18, 20] }
  refuses(t, () => layer.forward(long), 'TOKEN_INDEX', 'position 12', '12 rows')
})

test('gradients of ragged rows, and of positions that skip padding, equal those with explicit positions', (t) => {
  const grads = (layer: TokenPositionEmbedding<Embedding | null>, run: () => Tensor) => {
    for (const weight of layer.parameters()) weight.grad = null
    const result = run()
    result.backward(fromGradient(result.shape.slice()))
    return layer.parameters().map((weight) => digest(weight.grad as Tensor))
  }
  const [ids, ragged] = [[5, 6, 7, 5, 8], { values: [5, 6, 7, 5, 8], offsets: [0, 2, 2, 5] }]
  for (const name of ['gpt2', 'bert'] as const) {
    const layer = TokenPositionEmbedding.preset(name, SIZES)
    t.deepEqual(
      grads(layer, () => layer.forward(ragged)),
      grads(layer, () => layer.forward(ids, { positions: [0, 1, 0, 1, 2] })),
    )
    const mask = [0, 1, 1, 0, 1]
    t.deepEqual(
      grads(layer, () => layer.forward(ids, { mask })),
      grads(layer, () => layer.forward(ids, { positions: [0, 0, 1, 0, 2] })),
    )
  }
  const llama = TokenPositionEmbedding.preset('llama', { vocabSize: 20, dim: 10 })
  t.deepEqual(
    grads(llama, () => llama.forward(ragged)),
    grads(llama, () => llama.token.forward(ids)),
  )
  const roberta = TokenPositionEmbedding.preset('roberta', SIZES)
  roberta
    .forward([[1, 1, 5]])
    .sum()
    .backward()
  // Padding gets no gradient, neither its row nor its position.
  for (const table of [roberta.token, roberta.position])
    t.true(((table.weight.grad as Tensor).toArray()[1] as number[]).every((g) => g === 0))
})

test('dropout is optional, applies only in training and is seeded', (t) => {
  const make = () => TokenPositionEmbedding.preset('bert', { ...SIZES, dropout: 0.25, generator: new Generator(1) })
  const ids = Array.from({ length: 40 }, (_, i) => [i % 20, (7 * i) % 20, 3])
  const layer = make()
  const dropped = layer.forward(ids)
  const plain = layer.eval().forward(ids)
  const [values, before] = [dropped.data, plain.data] as Float32Array[]
  const share = values.filter((v) => v === 0).length / values.length
  t.true(share > 0.2 && share < 0.3, `${share}`)
  t.true(values.every((v, i) => v === 0 || Math.abs(v - before[i] / 0.75) <= 1e-6 * Math.abs(v)))
  t.is(digest(make().forward(ids)), digest(dropped))
  // Dropped elements get no gradient.
  dropped.backward(ones(dropped.shape.slice()))
  const bias = (layer.layerNorm!.bias.grad as Tensor).data as Float32Array
  const kept = Array.from({ length: 10 }, (_, d) => values.filter((v, i) => i % 10 === d && v !== 0).length / 0.75)
  t.true(bias.every((g, d) => Math.abs(g - kept[d]) < 1e-3))
  const names = ['gpt2', 'bert', 'roberta', 't5', 'llama', 'gemma'] as Name[]
  t.true(names.every((name) => TokenPositionEmbedding.preset(name, SIZES).dropout === 0))
})

test('rejects bad input', (t) => {
  const preset = (name: string, options: object) => () =>
    TokenPositionEmbedding.preset(name as 'gpt2', options as never)
  refuses(t, preset('gpt3', SIZES), 'USAGE', 'gpt3', 'gpt2, bert, roberta, t5, llama, gemma')
  refuses(t, preset('toString', SIZES), 'USAGE', 'toString')
  refuses(t, preset('gpt2', { vocabSize: 3, dim: 4 }), 'USAGE', 'contextLength')
  refuses(t, preset('gemma', { vocabSize: 3 }), 'USAGE', 'dim')
  refuses(t, preset('llama', { ...SIZES, positions: 3 }), 'USAGE', '"positions"')
  refuses(t, preset('llama', null as never), 'USAGE', 'object')
  const llama = TokenPositionEmbedding.preset('llama', SIZES)
  refuses(t, () => llama.forward([1, 2], { positions: [0, 1] }), 'USAGE', 'without a position table')
  refuses(t, () => llama.forward([1, 2], { mask: [0, 1] }), 'USAGE', 'without a position table')
  refuses(t, () => llama.forward(Array(13).fill(1)), 'SHAPE', '13 ids', '12 positions')
  t.notThrows(() => TokenPositionEmbedding.preset('llama', { vocabSize: 3, dim: 4 }).forward(Array(100).fill(1)))
})

test('attentionMask and positionIds accept ids, masks and ragged rows', (t) => {
  const ids = [
    [0, 0, 7, 8],
    [7, 8, 0, 9],
  ]
  const mask = attentionMask(ids, 0)
  t.is(mask.dtype, 'bool')
  t.deepEqual(mask.toArray(), [
    [false, false, true, true],
    [true, true, false, true],
  ])
  for (const same of [tensor(ids, { dtype: 'int64' }), tensor(ids, { dtype: 'int8' })] as Tensor[])
    t.deepEqual(attentionMask(same, 0).toArray(), mask.toArray())
  t.deepEqual(attentionMask([-1, 3], -1).toArray(), [false, true])
  t.deepEqual(attentionMask({ values: [5, 6, 7], offsets: [0, 2, 2, 3] }).toArray(), [
    [true, true],
    [false, false],
    [true, false],
  ])
  t.deepEqual(positionIds(mask).toArray(), [
    [0, 0, 0, 1],
    [0, 1, 0, 2],
  ])
  t.is(positionIds(mask).dtype, 'int32')
  t.deepEqual(positionIds(mask, { offset: 2, padding: 1 }).toArray(), [
    [1, 1, 2, 3],
    [2, 3, 1, 4],
  ])
  t.deepEqual(positionIds([1, 0, 1]).toArray(), [0, 0, 1])
  t.deepEqual(positionIds({ values: [5, 6, 7], offsets: [0, 2, 2, 3] }, { offset: 4 }).toArray(), [4, 5, 4])
  t.deepEqual(positionIds([]).toArray(), [])
  t.deepEqual(attentionMask([], 0).shape, [0])
  refuses(t, () => attentionMask(ids), 'USAGE', 'paddingIdx')
  refuses(t, () => attentionMask(ids, 0.5), 'USAGE', 'paddingIdx')
  refuses(t, () => attentionMask({ values: [1], offsets: [0, 1] }, 0), 'USAGE', 'Ragged')
  refuses(t, () => positionIds(5 as never), 'USAGE', 'mask')
  refuses(t, () => positionIds([[[1]]]), 'SHAPE', '[1, 1, 1]')
  refuses(t, () => positionIds(mask, { offset: -1 }), 'USAGE', 'offset')
  refuses(t, () => positionIds(mask, { offset: 2 ** 31 - 2 }), 'USAGE', 'int32')
  refuses(t, () => positionIds({ values: [[1]], offsets: [0, 1] }), 'SHAPE', 'values')
})
