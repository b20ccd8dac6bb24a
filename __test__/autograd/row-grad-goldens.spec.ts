import test, { type ExecutionContext } from 'ava'
import {
  Embedding,
  EmbeddingBag,
  manualSeed,
  randn,
  type SparseGrad,
  TokenPositionEmbedding,
  type Tensor,
} from '../../index.js'
import { isGolden } from '../support/compare.js'
import { elements, readGolden, type Golden } from '../support/golden.js'

type Grad = { dense: Golden } | { ids: number[]; rows: Golden }
interface EmbeddingCase {
  seed: number
  dim: number
  ids: number[][]
  paddingIdx: number | null
  scaleGradByFreq: boolean
  sparse: boolean
  calls: number
  dtype: 'float32' | 'float16' | 'bfloat16'
  grad: Grad
}
interface BagCase {
  seed: number
  dim: number
  mode: 'sum' | 'mean' | 'max'
  ids: number[] | number[][]
  offsets: number[] | null
  includeLastOffset: boolean
  paddingIdx: number | null
  weighted: boolean
  sparse: boolean
  scaleGradByFreq: boolean
  grad: Grad
  weightsGrad: Golden | null
}
interface LayerCase {
  seed: number
  dim: number
  ids: number[][]
  segments: number[][] | null
  norm: boolean
  scale: number | null
  positions: number[][] | null
  offset: number
  paddingIdx: number | null
  grads: Record<string, Golden>
}
const goldens = readGolden<{ embeddings: EmbeddingCase[]; bags: BagCase[]; layers: LayerCase[] }>(
  'gradient/gradient.json',
)

const ROWS = 7
/** Maximum number of occurrences of an id in a batch. */
const TERMS = 12
/**
 * The most that a sum of this many terms of at most this magnitude may differ (testkit's `reduction_f32`). PyTorch sums
 * bags in the order of an unstable sort, rounds twice where we round once, and sums LayerNorm in another order.
 */
const reduction = (magnitude: number, terms = TERMS) => 2 ** -23 * terms * terms * magnitude

const padding = (paddingIdx: number | null) => (paddingIdx === null ? {} : { paddingIdx })
const largest = (x: Tensor) => Math.max(0, ...(x.data as Float32Array).map(Math.abs))

function within(t: ExecutionContext, ours: Tensor, golden: Golden, most: number, name: string): void {
  t.deepEqual(ours.shape, golden.s, name)
  const wanted = elements(golden) as Float32Array
  const bad = (ours.data as Float32Array).findIndex((x, i) => !(Math.abs(x - wanted[i]) <= most))
  t.is(bad, -1, `${name}: element ${bad} is ${ours.data[bad]}, and ${wanted[bad]} in PyTorch, further than ${most}`)
}

/** Compares with a dense or a sparse gradient, to the bit or within a tolerance. */
function compare(
  t: ExecutionContext,
  ours: Tensor | SparseGrad | null,
  golden: Grad,
  most: number,
  name: string,
): void {
  const [found, wanted] = 'dense' in golden ? [ours as Tensor, golden.dense] : [(ours as SparseGrad).rows, golden.rows]
  if (!('dense' in golden)) t.deepEqual((ours as SparseGrad).ids.toArray(), golden.ids, name)
  if (most === 0) isGolden(t, found, wanted, name)
  else within(t, found, wanted, most, name)
}

for (const [i, golden] of goldens.embeddings.entries()) {
  const { seed, dim, ids, paddingIdx, scaleGradByFreq, sparse, calls, dtype, grad } = golden
  const name = `${dtype} x ${dim}, ${sparse ? 'sparse' : 'dense'}, padding ${paddingIdx}, ${calls} calls`
  test(`an embedding's gradient equals PyTorch's, ${i}: ${name}${scaleGradByFreq ? ' by frequency' : ''}`, (t) => {
    manualSeed(seed)
    const layer = new Embedding(ROWS, dim, { ...padding(paddingIdx), scaleGradByFreq, sparse, dtype })
    for (let call = 0; call < calls; call++) {
      const out = layer.forward(ids)
      out.backward(randn(out.shape.slice()).to(dtype))
    }
    // These three sums of sums are added in PyTorch's order, which is also ours.
    compare(t, layer.weight.grad, grad, sparse && calls > 1 ? reduction(4) : 0, name)
  })
}

for (const [i, golden] of goldens.bags.entries()) {
  const {
    seed,
    dim,
    mode,
    ids,
    offsets,
    includeLastOffset,
    paddingIdx,
    weighted,
    sparse,
    scaleGradByFreq,
    grad,
    weightsGrad,
  } = golden
  const name = `${mode} x ${dim}${offsets ? ' by offsets' : ''}, padding ${paddingIdx}${weighted ? ', weighted' : ''}`
  test(`a bag's gradient equals PyTorch's, ${i}: ${name}${sparse ? ', sparse' : ''}${scaleGradByFreq ? ' by frequency' : ''}`, (t) => {
    manualSeed(seed)
    const layer = new EmbeddingBag(ROWS, dim, {
      mode,
      includeLastOffset,
      ...padding(paddingIdx),
      sparse,
      scaleGradByFreq,
    })
    const shape = offsets ? [ids.length] : [ids.length, (ids[0] as number[]).length]
    const perSampleWeights = weighted ? randn(shape, { requiresGrad: true }) : undefined
    const out = layer.forward(ids, offsets ?? undefined, { perSampleWeights })
    const given = randn(out.shape.slice())
    out.backward(given)
    const magnitude = largest(given) * (weighted ? largest(perSampleWeights!) : 1)
    compare(t, layer.weight.grad, grad, mode === 'max' ? 0 : reduction(magnitude), name)
    if (weighted) {
      within(
        t,
        perSampleWeights!.grad as Tensor,
        weightsGrad!,
        reduction(largest(given) * largest(layer.weight), dim),
        `${name}: weights`,
      )
    }
  })
}

for (const [i, golden] of goldens.layers.entries()) {
  const { seed, dim, ids, segments, norm, scale, positions, offset, paddingIdx, grads } = golden
  const name = `x ${dim}${segments ? ', segments' : ''}${norm ? ', LayerNorm' : ''}${scale ? `, scale ${scale}` : ''}${positions ? ', positions' : ''}`
  test(`an input layer's gradients equal PyTorch's, ${i}: ${name}`, (t) => {
    manualSeed(seed)
    const layer = new TokenPositionEmbedding({
      vocabSize: ROWS,
      contextLength: 9,
      dim,
      layerNorm: norm,
      ...padding(paddingIdx),
      ...(segments && { segments: 2 }),
      ...(scale !== null && { scale }),
    })
    if (norm) {
      layer.layerNorm!.weight.set(randn([dim]))
      layer.layerNorm!.bias.set(randn([dim]))
    }
    const out = layer.forward(ids, {
      ...(segments && { segments }),
      ...(positions ? { positions } : { positionOffset: offset }),
    })
    const given = randn(out.shape.slice())
    out.backward(given)
    for (const [part, tensor] of Object.entries(layer.stateDict())) {
      const grad = tensor.grad as Tensor
      // PyTorch starts the sums of positions and segments with other terms, because it sums over broadcast dimensions
      // first.
      const exact = !norm && scale === null && part === 'token.weight'
      const magnitude = largest(given) * (scale ?? 1) * (norm ? 8 : 1)
      if (exact) isGolden(t, grad, grads[part], `${name}: ${part}`)
      else within(t, grad, grads[part], reduction(magnitude), `${name}: ${part}`)
    }
  })
}
