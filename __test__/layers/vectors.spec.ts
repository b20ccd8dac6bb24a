import test from 'ava'
import { randn, TokenPositionEmbedding, zeros, type Embedding, type Tensor } from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'

const SIZES = { vocabSize: 30, contextLength: 16, dim: 12 }
const IDS = [[3, 7, 29, 4, 5], [2, 2, 6, 9, 8]] // prettier-ignore

const LAYERS: Record<string, TokenPositionEmbedding<Embedding | null>> = {
  plain: new TokenPositionEmbedding(SIZES),
  bert: TokenPositionEmbedding.preset('bert', SIZES),
  roberta: TokenPositionEmbedding.preset('roberta', SIZES),
  llama: TokenPositionEmbedding.preset('llama', SIZES),
}
const given = (layer: TokenPositionEmbedding<Embedding | null>, ids: number[][] | number[] = IDS) =>
  layer.token.forward(ids).detach()

for (const [name, layer] of Object.entries(LAYERS)) {
  test(`${name}: vectors of the tokens give what their ids give`, (t) => {
    const x = given(layer)
    t.is(digest(layer.forward(x)), digest(layer.forward(IDS)))
    const out = zeros([2, 5, 12])
    t.is(layer.forward(x, { out }), out)
    t.is(digest(out), digest(layer.forward(IDS)))
    t.is(digest(layer.forward(given(layer, IDS[0]))), digest(layer.forward(IDS[0])))
    const options = {
      ...(layer.segment !== null && name === 'bert' && { segments: [0, 0, 1, 1, 1] }),
      ...(layer.position !== null && { positionOffset: 3 }),
    }
    t.is(digest(layer.forward(x, options)), digest(layer.forward(IDS, options)))
    if (layer.position === null) return
    for (const more of [
      { positions: [5, 4, 3, 2, 1] },
      {
        mask: [
          [0, 0, 1, 1, 1],
          [1, 1, 1, 1, 0],
        ],
      },
    ])
      // prettier-ignore
      t.is(digest(layer.forward(x, more)), digest(layer.forward(IDS, more)))
  })

  test(`${name}: gradients go back to the vectors and to the other tables`, (t) => {
    const [x, upstream] = [given(layer), randn([2, 5, 12])]
    x.requiresGrad = true
    const { position, layerNorm } = layer
    const others = [position?.weight, layerNorm?.weight, layerNorm?.bias].filter((part) => part !== undefined)
    const grads = () => others.map((part) => Float64Array.from((part.grad as Tensor).data as Float32Array))
    for (const part of layer.parameters()) part.grad = null
    layer.forward(IDS).backward(upstream)
    const wanted = grads()
    for (const part of layer.parameters()) part.grad = null
    layer.forward(x).backward(upstream)
    t.is(layer.token.weight.grad, null)
    grads().forEach((grad, i) => t.true(grad.every((v, k) => Math.abs(v - wanted[i][k]) < 1e-5)))
    if (layerNorm === null) t.is(digest(x.grad as Tensor), digest(upstream))
    else t.true((x.grad as Tensor).data.some((v) => v !== 0))
  })
}

test('a result is no view of the vectors', (t) => {
  const x = randn([3, 12])
  const result = LAYERS.llama.forward(x)
  t.false(result.overlaps(x))
  t.deepEqual(result.toArray(), x.toArray())
})

test('dropout applies while the layer trains', (t) => {
  const layer = new TokenPositionEmbedding({ ...SIZES, dropout: 0.5 })
  const x = given(layer)
  t.true(layer.forward(x).data.some((v) => v === 0))
  t.is(digest(layer.eval().forward(x)), digest(layer.forward(IDS)))
})

test('rejects vectors that do not fit', (t) => {
  const { plain, bert, llama } = LAYERS
  refuses(t, () => plain.forward(randn([5, 11])), 'SHAPE', '12', '[5, 11]', 'ids are integers')
  refuses(t, () => plain.forward(randn([12])), 'DTYPE', 'ids must be integers', '(length, 12)')
  refuses(t, () => plain.forward(randn([2, 5, 12]).to('float64')), 'DTYPE', 'float64', 'float32')
  refuses(t, () => plain.forward(randn([17, 12])), 'SHAPE', '17', '16')
  refuses(t, () => plain.forward(randn([3, 12]), { positions: [0, 16, 1] }), 'TOKEN_INDEX', 'position 16', '[1]')
  refuses(t, () => bert.forward(randn([3, 12]), { segments: [0, 2, 1] }), 'TOKEN_INDEX', 'segment 2')
  refuses(t, () => plain.forward(randn([3, 12]), { segments: [0, 0, 1] }), 'USAGE', 'segment')
  refuses(t, () => llama.forward(randn([3, 12]), { positions: [0, 0, 1] }), 'USAGE', 'position table')
  refuses(t, () => plain.forward(randn([3, 12]), { shape: [3] }), 'USAGE', 'shape')
  const x = randn([3, 12])
  refuses(t, () => plain.forward(x, { out: x }), 'USAGE', 'shares memory')
  refuses(t, () => plain.forward(x, { out: zeros([3, 11]) }), 'SHAPE', '[3, 11]')
  x.dispose()
  refuses(t, () => llama.forward(x), 'USAGE', 'disposed')
})
