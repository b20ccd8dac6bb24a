// Compiled, never run: what the types allow and what they refuse. A line that should not compile and does is an error
// too.

import type {
  AsyncOptions,
  BagForwardOptions,
  BagOptions,
  Capabilities,
  CrossEntropyOptions,
  DrawOptions,
  DType,
  EmbeddingOptions,
  FillOptions,
  ForwardOptions,
  Ids,
  IntArray,
  KernelTest,
  Layer,
  LayerNormParameters,
  Nested,
  PlaceOptions,
  QuantizationError,
  Ragged,
  ResultType,
  RowSpec,
  SharedTable,
  TensorOptions,
  TensorWriterOptions,
  TokenPositionOptions,
  TypedArray,
} from '../../index.js'
import * as tokenbed from '../../index.js'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function holds<T extends true>(): T

const { tensor, Tensor, Embedding, Generator, TokenPositionEmbedding, scope, noGrad } = tokenbed
declare const x: tokenbed.Tensor
declare const layer: tokenbed.Embedding

// Names and literals.
holds<Same<DType, 'float32' | 'float64' | 'float16' | 'bfloat16' | 'int8' | 'uint8' | 'int32' | 'int64' | 'bool'>>()
holds<
  Same<
    IntArray,
    Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | BigUint64Array
  >
>()
holds<
  Same<TypedArray, Float32Array | Float64Array | Uint16Array | Int8Array | Uint8Array | Int32Array | BigInt64Array>
>()
holds<Same<Nested, number | Nested[]>>()
holds<Same<Ids, tokenbed.Tensor | IntArray | Nested[]>>()
holds<Same<Capabilities['source'], 'package' | 'build' | 'environment'>>()
holds<
  Same<
    tokenbed.BinaryError['reason'],
    'missing' | 'version' | 'unsupported' | 'disabled' | 'glibc' | 'refused' | 'bundled'
  >
>()
holds<Same<ReturnType<typeof tokenbed.selfTest>, KernelTest[]>>()
tokenbed.zeros([2], { dtype: 'int8', requiresGrad: false } satisfies FillOptions)
holds<Same<keyof PlaceOptions, 'positionOffset' | 'positions' | 'segments' | 'mask'>>()
holds<Same<Capabilities['isa'], 'avx512' | 'avx2' | 'neon' | 'scalar'>>()

// Draws.
holds<Same<ReturnType<typeof tokenbed.manualSeed>, void>>()
tokenbed.manualSeed(1n)
new Generator()
new Generator(5).manualSeed(6n).setState(new Generator().getState())
const draws: DrawOptions = { generator: new Generator(1), requiresGrad: true }
tokenbed.rand([2, 3], draws).size satisfies number
tokenbed.randn([2]).dtype satisfies DType
tokenbed.randperm(5, { generator: draws.generator })
// @ts-expect-error a seed is a number
new Generator('1')
// @ts-expect-error a permutation does not learn
tokenbed.randperm(5, { requiresGrad: true })

// Tensors.
const options: TensorOptions = { dtype: 'int8', shape: [2], requiresGrad: false }
tensor(
  [
    [1, 2],
    [3, 4],
  ],
  options,
)
tensor(5)
tensor(new Float32Array(2))
tokenbed.zeros([2], { dtype: 'bool' })
tokenbed.ones([2])
tokenbed.full([2], 3, { requiresGrad: true })
tokenbed.arange(3, { dtype: 'int64' })
tokenbed.arange(1, 3, 0.5, { dtype: 'float32' })
tokenbed.concat([x, x], 1)
const losses: CrossEntropyOptions = { ignoreIndex: -1, reduction: 'none' }
holds<Same<ReturnType<typeof tokenbed.crossEntropy>, tokenbed.Tensor>>()
tokenbed.crossEntropy(x, [1, 2], losses)
tokenbed.crossEntropy(x, Int32Array.of(1))
tokenbed.layerNorm(tokenbed.layerNorm(x), x, x, 1e-6).shape
tokenbed.dropout(x, 0.5, { generator: draws.generator }).dtype satisfies DType
// @ts-expect-error no such reduction
tokenbed.crossEntropy(x, [1], { reduction: 'max' })
// @ts-expect-error a probability is needed
tokenbed.dropout(x)
// @ts-expect-error no such type
tensor([1], { dtype: 'float8' })
// @ts-expect-error no such option
tensor([1], { type: 'int8' })
// @ts-expect-error the shape is given already
tokenbed.zeros([2], { shape: [2] })
// @ts-expect-error no text
tensor('1')
// @ts-expect-error made by functions
new Tensor()
x.shape satisfies readonly number[]
x.data satisfies TypedArray
x.set([1], 2).set(x).set(new Float32Array(1)) satisfies tokenbed.Tensor
x.item() satisfies number
x.reshape(2, -1).narrow(0, 1, 2).transpose(0, 1).to('int32').clone().detach() satisfies tokenbed.Tensor
x.add(x).sub(1).mul(x).div(2).matmul(x).sum().sum(0).mean().mean(1) satisfies tokenbed.Tensor
x.exp().log().log1p().abs().neg().pow(2).clamp(0, 1).maximum(x).minimum(0) satisfies tokenbed.Tensor
x.topk(2, 1, { largest: false }).indices satisfies tokenbed.Tensor
x.max() satisfies tokenbed.Tensor
x.max(0, { keepdim: true }).values satisfies tokenbed.Tensor
x.sum([0, 1], { keepdim: true }).where(x.gt(0), 1) satisfies tokenbed.Tensor
x.relu().gelu().tanh().sigmoid().sqrt().softmax(0).logSoftmax(-1) satisfies tokenbed.Tensor
x.requiresGrad = true
x[Symbol.dispose]() satisfies void
tokenbed.Tensor.fromShared(x.share() satisfies SharedTable) satisfies tokenbed.Tensor
x.unshare() satisfies void
// @ts-expect-error a tensor cannot be posted, its handle can
tokenbed.Tensor.fromShared(x)
// @ts-expect-error frozen
x.shape[0] = 1
// @ts-expect-error read only
x.dtype = 'int8'
// @ts-expect-error softmax is along a dimension
x.softmax()
// @ts-expect-error a product is of tensors
x.matmul(2)
scope(() => ({ a: x })).a satisfies tokenbed.Tensor
noGrad(() => 5) satisfies number

// Layers.
const settings: EmbeddingOptions = {
  paddingIdx: -1,
  maxNorm: 1,
  normType: 2,
  generator: new Generator(),
  requiresGrad: false,
  onBadId: 'clamp',
  dtype: 'float32',
  scaleGradByFreq: true,
  sparse: true,
}
const embedding = new Embedding(5, 3, settings)
embedding satisfies Layer
embedding.numEmbeddings satisfies number
embedding.embeddingDim satisfies number
embedding.weight = x
Embedding.fromPretrained(x, { ...settings, freeze: false }).forward([[1]], {
  out: x,
  shape: [1],
} satisfies ForwardOptions)
for (const ids of [[1, [2]], x, Int32Array.of(1), BigUint64Array.of(1n), new Uint16Array(2)] satisfies Ids[])
  layer.forward(ids)
layer.forwardAsync([1], {
  shape: [1],
  signal: new AbortController().signal,
} satisfies AsyncOptions) satisfies Promise<tokenbed.Tensor>
// @ts-expect-error a result off the thread is new memory
layer.forwardAsync([1], { out: x })
layer.parameters() satisfies tokenbed.Tensor[]
layer.loadStateDict(layer.stateDict() satisfies Record<string, tokenbed.Tensor>) satisfies tokenbed.Embedding
// @ts-expect-error three ways
new Embedding(5, 3, { onBadId: 'ignore' })
// @ts-expect-error two sizes
new Embedding(5)
// @ts-expect-error floats are no ids
layer.forward(new Float32Array(2))
// @ts-expect-error text is no id
layer.forward(['1'])
layer.forward([1], { dtype: 'bfloat16' })
const { EmbeddingBag, QuantizedTable } = tokenbed
const bagging: BagOptions = { ...settings, mode: 'max', includeLastOffset: true }
const bag = new EmbeddingBag(5, 3, bagging)
bag satisfies Layer
bag.mode satisfies 'sum' | 'mean' | 'max'
const ragged: Ragged = { values: [1, 2], offsets: Int32Array.of(0, 2) }
bag.forward(ragged) satisfies tokenbed.Tensor
bag.forward([1], [0], { perSampleWeights: x, out: x, dtype: 'float16' } satisfies BagForwardOptions)
bag.forward([[1]], undefined, { out: x })
EmbeddingBag.fromPretrained(x, { ...bagging, freeze: false })
const packed = tokenbed.quantize(x, 'int4')
type Blocks = 'q8_0' | 'q4_0' | 'q4_1' | 'q5_0' | 'q5_1' | 'q2_k' | 'q3_k' | 'q4_k' | 'q5_k' | 'q6_k'
holds<Same<tokenbed.QuantizedTable['kind'], 'float16' | 'bfloat16' | 'int8' | 'int4' | 'int2' | 'float8' | Blocks>>()
holds<Same<Parameters<typeof tokenbed.quantize>[1], 'float16' | 'bfloat16' | 'int8' | 'int4' | 'int2' | 'float8'>>()
const opened = tokenbed.loadGGUF('') satisfies tokenbed.LoadedGGUF
opened.metadata satisfies ReadonlyMap<string, tokenbed.Json>
opened.tensors satisfies ReadonlyMap<string, tokenbed.Tensor | tokenbed.QuantizedTable>
const fastText = tokenbed.loadFastText('') satisfies tokenbed.FastText
fastText.dim satisfies number
fastText.words satisfies readonly string[]
fastText.labels satisfies readonly string[] | null
fastText.vector('') satisfies Float32Array
fastText.sentenceVector('') satisfies Float32Array
fastText.classify('', { topN: 1 }) satisfies tokenbed.Prediction[]
fastText.classify(['']) satisfies tokenbed.Prediction[][]
fastText.vectors satisfies tokenbed.Vectors
tokenbed.Tokenizer.fromGGUF('', { limits: {} }) satisfies tokenbed.Tokenizer
packed.shape satisfies readonly number[]
packed.bytes satisfies Uint8Array
packed.error(x) satisfies QuantizationError satisfies { max: number; mean: number; rms: number; worstRow: number }
packed.dequantize() satisfies tokenbed.Tensor
Embedding.fromPretrained(QuantizedTable.fromBytes('int8', [2, 3], packed.bytes), { dtype: 'float16' }).forward([1])
EmbeddingBag.fromPretrained(packed, { mode: 'sum' }).forward([[1]])
QuantizedTable.fromBytes('int8', [2, 3], packed.toTensor())[Symbol.dispose]() satisfies void
holds<Same<ResultType, 'float32' | 'float16' | 'bfloat16'>>()
// @ts-expect-error three ways
new EmbeddingBag(5, 3, { mode: 'median' })
// @ts-expect-error no such kind
tokenbed.quantize(x, 'int3')
// @ts-expect-error made by quantize
new QuantizedTable()
// @ts-expect-error results are floats
layer.forward([1], { dtype: 'int8' })
const sizes: TokenPositionOptions = {
  vocabSize: 5,
  contextLength: 3,
  dim: 2,
  paddingIdx: 0,
  generator: new Generator(),
}
const input = new TokenPositionEmbedding(sizes)
input satisfies Layer
input.token.weight satisfies tokenbed.Tensor
input.position satisfies tokenbed.Embedding
input.forward([[1]], { out: x, shape: [1, 1], positionOffset: 1 })
input.forward([[1]], { positions: [0] })
new tokenbed.EmbeddingBag(3, 2).forwardAsync([1], [0], {
  signal: new AbortController().signal,
  dtype: 'float16',
}) satisfies Promise<tokenbed.Tensor>
input.forwardAsync([[1]], { positionOffset: 1, signal: AbortSignal.timeout(1) }) satisfies Promise<tokenbed.Tensor>
const bert = new TokenPositionEmbedding({
  ...sizes,
  segments: 2,
  layerNorm: { eps: 1e-12 },
  scale: 2,
  dropout: 0,
} satisfies TokenPositionOptions)
bert.forward([[1]], { segments: [[0]] })
bert.forwardAsync([[1]], { segments: [[0]] }) satisfies Promise<tokenbed.Tensor>
bert.segment satisfies tokenbed.Embedding | null
bert.layerNorm satisfies LayerNormParameters | null
bert.layerNorm?.weight satisfies tokenbed.Tensor | undefined
new TokenPositionEmbedding({ ...sizes, layerNorm: true, sparse: true, dropout: 0.1 })
  .train()
  .eval() satisfies tokenbed.TokenPositionEmbedding
bert.training satisfies boolean
bert.dropout satisfies number
const rowGrad = layer.weight.grad
if (rowGrad instanceof tokenbed.SparseGrad) {
  rowGrad.ids satisfies tokenbed.Tensor
  rowGrad.rows satisfies tokenbed.Tensor
  rowGrad.shape satisfies readonly number[]
  rowGrad.dtype satisfies tokenbed.DType
  rowGrad.toDense() satisfies tokenbed.Tensor
  rowGrad.dispose()
}
// @ts-expect-error made by backward
new tokenbed.SparseGrad()
// @ts-expect-error an eps is a number
new TokenPositionEmbedding({ ...sizes, layerNorm: { eps: '1' } })
// @ts-expect-error dim is missing
new TokenPositionEmbedding({ vocabSize: 5, contextLength: 3 })

// Files and the process.
tokenbed.loadSafetensors('x') satisfies Map<string, tokenbed.Tensor>
tokenbed.loadSafetensors('x').metadata satisfies Readonly<Record<string, string>>
tokenbed.loadSafetensors('x').skipped.get('a')?.stored satisfies string | undefined
tokenbed.inspectSafetensors('x').tensors[0].dtype satisfies DType | null
tokenbed.createDataLoader({ folder: 'x', verify: true })
tokenbed.openTokens('x', { verify: true }).document(0) satisfies Uint32Array

void (async () => {
  const store = await tokenbed.RowStore.open({ connection: ['redis://a'], table: 't' }, { cacheBytes: 1, maxAgeMs: 1 })
  const found = await store.lookup([[1], [2]], { signal: AbortSignal.abort() })
  found satisfies tokenbed.Tensor
  await store.set([1], x)
  store.invalidate([1]) satisfies void
  store.stats.hits satisfies number
  const saved = await tokenbed.RowStore.save(x, { connection: 'redis://a', table: 't' }, { force: true })
  saved satisfies tokenbed.SavedTable
  // @ts-expect-error made by open
  new tokenbed.RowStore()
  // @ts-expect-error a place, not a path
  await tokenbed.RowStore.open('table.npy')
})
tokenbed.inspectTokens('x').dtype satisfies 'u16' | 'u32'
// @ts-expect-error: ids have two widths
void tokenbed.saveTokens('x', { texts: ['a'] }, { dtype: 'int32' })
// @ts-expect-error: a text or a path
void tokenbed.saveTokens('x', 'a.txt')
tokenbed.saveSafetensors('x', { a: x }, { metadata: { b: 'c' } })
tokenbed.saveSafetensors('x', new Map([['a', x]]))
// @ts-expect-error metadata are text
tokenbed.saveSafetensors('x', {}, { metadata: { b: 1 } })
tokenbed.saveNpy('x', x) satisfies void
tokenbed.loadNpy('x') satisfies tokenbed.Tensor
tokenbed.saveNpz('x', { x }) satisfies void
tokenbed.loadNpz('x', { map: true, maxRatio: 500 }) satisfies Map<string, tokenbed.Tensor>
tokenbed.loadTorch('x', { map: false }) satisfies Map<string, tokenbed.Tensor>
const embedder = tokenbed.TextEmbedder.load('x', { semantics: 'model2vec@0.9', tokenizer: 'y' })
embedder.semantics satisfies tokenbed.Semantics | 'fasttext'
embedder.embed(['a'], {
  dim: 8,
  normalize: true,
  dtype: 'binary',
  out: x,
} satisfies tokenbed.EmbedOptions) satisfies tokenbed.Tensor
embedder.embedAsync('a', { signal: AbortSignal.abort() }) satisfies Promise<tokenbed.Tensor>
embedder.embedSoon('a') satisfies Promise<Float32Array>
embedder.save('x') satisfies void
// @ts-expect-error there is no such type
embedder.embed('a', { dtype: 'int4' })
const model: tokenbed.Pretrained = tokenbed.loadPretrained('x', { dtype: 'float32' })
model.token satisfies tokenbed.Tensor | tokenbed.QuantizedTable
model.position satisfies tokenbed.Tensor | null
model.layerNorm satisfies tokenbed.PretrainedNorm | null
model.tokenizer satisfies tokenbed.Tokenizer | null
model.config satisfies tokenbed.Json
model.notRun satisfies readonly string[]
model.layer({ freeze: false }).forward([[1]]) satisfies tokenbed.Tensor
// @ts-expect-error there is no such option
model.layer({ frozen: true })
const rows: RowSpec = { dtype: 'int8', shape: [] }
const writer = new tokenbed.TensorWriter('x.npy', { x: rows }, { metadata: {} } satisfies TensorWriterOptions)
writer.write('x', x).write('x', new Int8Array(2)).close() satisfies void
writer.abort() satisfies void
writer[Symbol.dispose]() satisfies void
writer.path satisfies string
// @ts-expect-error rows have a type
new tokenbed.TensorWriter('x.npy', { x: { shape: [] } })
// @ts-expect-error no plain arrays
writer.write('x', [1])
tokenbed.memoryUsage() satisfies { tables: number; pool: number; mapped: number; total: number }
tokenbed.setNumThreads(tokenbed.getNumThreads() satisfies number) satisfies void
// @ts-expect-error a number
tokenbed.setNumThreads('2')
tokenbed.capabilities() satisfies {
  version: string
  isa: 'avx512' | 'avx2' | 'neon' | 'scalar'
  detected: string[]
  threads: number
  liveData: boolean
  binary: string
}

// Optimizers.
const params = layer.parameters()
const optimizers: tokenbed.Optimizer[] = [
  new tokenbed.SGD(params, { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
  new tokenbed.Adam([{ params, lr: 0.1, weightDecay: 0 }]),
  new tokenbed.AdamW(params, { betas: [0.9, 0.999], eps: 1e-8 }),
  new tokenbed.SparseAdam(params, { lr: 0.1 }),
  new tokenbed.Adagrad(params, { initialAccumulatorValue: 1 }),
  new tokenbed.RowWiseAdagrad(params),
]
for (const optimizer of optimizers) {
  optimizer.step() satisfies void
  optimizer.zeroGrad() satisfies void
  optimizer.flush() satisfies void
  optimizer.lr = optimizer.lr satisfies number
  optimizer.loadStateDict(optimizer.stateDict() satisfies tokenbed.OptimizerState) satisfies tokenbed.Optimizer
  optimizer.groups[0].params satisfies readonly tokenbed.Tensor[]
  optimizer.groups[0].set({ lr: 1 })
  optimizer[Symbol.dispose]()
}
new tokenbed.AdamW(params).groups[0].options satisfies Readonly<tokenbed.AdamOptions>
const schedule = new tokenbed.LRSchedule(optimizers[0], {
  type: 'cosine',
  warmupSteps: 1,
  totalSteps: 9,
  minLr: 0,
} satisfies tokenbed.ScheduleOptions)
schedule.step() satisfies void
schedule.at(3) satisfies number
schedule.loadStateDict(schedule.stateDict() satisfies tokenbed.ScheduleState).lr satisfies number
tokenbed.clipGradNorm(params, 1) satisfies number
tokenbed.clipGradValue(params, 1) satisfies void
// @ts-expect-error a rate is a must
new tokenbed.SGD(params, {})
// @ts-expect-error no decay of rows alone
new tokenbed.SparseAdam(params, { weightDecay: 0.1 })
// @ts-expect-error abstract
new tokenbed.Optimizer(params)
// @ts-expect-error no such schedule
new tokenbed.LRSchedule(optimizers[0], { type: 'step' })

// Positions.
const { RotaryEmbedding, ShawRelativePositions, T5RelativeBias, TransformerXLPositions } = tokenbed
const gpt2 = TokenPositionEmbedding.preset('gpt2', sizes)
gpt2 satisfies tokenbed.TokenPositionEmbedding
gpt2.position satisfies tokenbed.Embedding
const llama = TokenPositionEmbedding.preset('llama', { vocabSize: 5, dim: 2 } satisfies tokenbed.PresetOptions<'llama'>)
llama.position satisfies null
TokenPositionEmbedding.preset('gemma', sizes).forward(ragged) satisfies tokenbed.Tensor
TokenPositionEmbedding.preset('bert' as tokenbed.PositionedPreset | tokenbed.TokenPreset, sizes)
  .position satisfies tokenbed.Embedding | null
gpt2.forward([[1, 2]], { mask: tokenbed.attentionMask([[1, 2]], 0), positionOffset: 1 })
// @ts-expect-error no such model
TokenPositionEmbedding.preset('gpt3', sizes)
// @ts-expect-error positions need a context
TokenPositionEmbedding.preset('gpt2', { vocabSize: 5, dim: 2 })
tokenbed.sinusoidalPositions(4, 2, {
  layout: 'half',
  maxWavelength: 10,
  offset: 1,
  out: x,
} satisfies tokenbed.SinusoidOptions) satisfies tokenbed.Tensor
tokenbed.interpolatePositions(x, 8, { alignCorners: true }) satisfies tokenbed.Tensor
tokenbed.alibiSlopes(8) satisfies Float32Array
tokenbed.alibiBias(8, 2, 3, { symmetric: true, offset: 1, out: x }) satisfies tokenbed.Tensor
const buckets: tokenbed.T5BucketOptions = { bidirectional: true, numBuckets: 32, maxDistance: 128 }
tokenbed.t5RelativeBuckets(2, 3, { ...buckets, offset: 1 }) satisfies tokenbed.Tensor
new T5RelativeBias({ heads: 2, ...buckets }).forward(2, 3, { offset: 1, out: x }) satisfies tokenbed.Tensor
new ShawRelativePositions({ maxDistance: 2, headDim: 4, kind: 'relative_key' } satisfies tokenbed.ShawOptions)
  .forward(x)
  .backward(x)
new TransformerXLPositions({
  heads: 2,
  headDim: 4,
  dim: 8,
  clampLength: 9,
} satisfies tokenbed.TransformerXLOptions).forward(x, x)
const scalings: tokenbed.RotaryScaling[] = [
  { type: 'linear', factor: 2 },
  { type: 'dynamic', factor: 2, originalContext: 8 },
  { type: 'yarn', factor: 2, originalContext: 8, betaFast: 32, betaSlow: 1, attentionFactor: 1, truncate: true },
  { type: 'llama3', factor: 2, originalContext: 8, lowFreqFactor: 1, highFreqFactor: 4 },
]
const rope = new RotaryEmbedding({
  dim: 4,
  base: 5e5,
  layout: 'interleaved',
  scaling: scalings[0],
} satisfies tokenbed.RotaryOptions)
rope.forward(x, { offset: 1, out: x } satisfies tokenbed.RotaryForwardOptions) satisfies tokenbed.Tensor
rope.forward(x, {
  positions: tokenbed.positionIds(ragged, { offset: 1, padding: 0 } satisfies tokenbed.PositionIdsOptions),
})
tokenbed.convertRotaryWeights(x, {
  heads: 2,
  from: 'half',
  to: 'interleaved',
  dim: 4,
} satisfies tokenbed.RotaryWeightsOptions) satisfies tokenbed.Tensor
for (const learned of [
  new T5RelativeBias({ heads: 2, ...buckets }),
  new ShawRelativePositions({ maxDistance: 2, headDim: 4 }),
]) {
  learned satisfies Layer
  learned.weight = x
}
// @ts-expect-error a scaling needs its factor
new RotaryEmbedding({ dim: 4, scaling: { type: 'linear' } })
// @ts-expect-error no such layout
new RotaryEmbedding({ dim: 4, layout: 'neox' })
// @ts-expect-error keys are a must
new TransformerXLPositions({ heads: 2, headDim: 4, dim: 8 }).forward(x)
// @ts-expect-error one way or both
new T5RelativeBias({ heads: 2 })

// Errors.
declare const indexError: tokenbed.TokenIndexError
indexError satisfies tokenbed.TokenbedError satisfies Error
indexError satisfies { code: string; position: number[]; value: number; size: number; count: number }
declare const formatError: tokenbed.FormatError
formatError satisfies tokenbed.TokenbedError & { path: string; offset: number }
declare const fileError: tokenbed.FileError
fileError satisfies tokenbed.TokenbedError & { path: string }
for (const kind of [
  tokenbed.ShapeError,
  tokenbed.DTypeError,
  tokenbed.UsageError,
  tokenbed.BinaryError,
  tokenbed.AbortedError,
]) {
  kind.prototype satisfies tokenbed.TokenbedError
}
