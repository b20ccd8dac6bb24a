// Compiled, never run: what the types allow and what they refuse. A line that should not compile and does is an error too.
/* eslint-disable @typescript-eslint/no-unused-vars */

import type { ClassifyOptions, ClassifyTrainerOptions, Corpus, LabelledText, NextTokenTrainerOptions, Objective, PairTrainerOptions, Prediction, RunOptions, TrainerOptions, TrainProgress, TrainResult } from '../../index.js'
import type { BareIds, ExamplesSource, FilesSource, IdsSource, LoaderSource, Many, NodeText, PiecesSource, TextSource, TextsSource, TokensSource } from '../../index.js'
import type {
  AsyncOptions, BagForwardOptions, BagOptions, Batch, Capabilities, CrossEntropyOptions, DataLoader, DrawOptions, DType,
  EmbeddingOptions, EncodeOptions, FillOptions, ForwardOptions, Ids, IntArray, KernelTest, Layer, LayerNormParameters,
  LoaderOptions, LoadWord2VecOptions, ModelDescription, ModelParts, Neighbour, NeighbourOptions, Nested, NewToken, PlaceOptions,
  QuantizationError, Ragged, ResultType, RowSpec, SaveWord2VecOptions, SharedTable, SpecialOptions, StreamBatchesOptions,
  StreamOptions, TableHealth, TableHealthOptions, TensorOptions, TensorWriterOptions, TokenPositionOptions,
  TrainingRecord, TypedArray, VectorQuery, VocabularyPlan, WindowOptions,
} from '../../index.js'
import * as tokenbed from '../../index.js'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function holds<T extends true>(): T

const { tensor, Tensor, Embedding, Generator, Tokenizer, TokenPositionEmbedding, scope, noGrad } = tokenbed
declare const x: tokenbed.Tensor
declare const layer: tokenbed.Embedding
declare const tokenizer: tokenbed.Tokenizer

// Names and literals.
holds<Same<DType, 'float32' | 'float64' | 'float16' | 'bfloat16' | 'int8' | 'uint8' | 'int32' | 'int64' | 'bool'>>()
holds<Same<IntArray, Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | BigUint64Array>>()
holds<Same<TypedArray, Float32Array | Float64Array | Uint16Array | Int8Array | Uint8Array | Int32Array | BigInt64Array>>()
holds<Same<Nested, number | Nested[]>>()
holds<Same<Ids, tokenbed.Tensor | IntArray | Nested[]>>()
holds<Same<Capabilities['source'], 'package' | 'build' | 'environment'>>()
holds<Same<tokenbed.BinaryError['reason'], 'missing' | 'version' | 'unsupported' | 'disabled' | 'glibc' | 'refused' | 'bundled'>>()
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
tensor([[1, 2], [3, 4]], options)
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
x.relu().gelu().tanh().sigmoid().softmax(0).logSoftmax(-1) satisfies tokenbed.Tensor
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
  paddingIdx: -1, maxNorm: 1, normType: 2, generator: new Generator(), requiresGrad: false, onBadId: 'clamp', dtype: 'float32',
  scaleGradByFreq: true, sparse: true,
}
const embedding = new Embedding(5, 3, settings)
embedding satisfies Layer
embedding.numEmbeddings satisfies number
embedding.embeddingDim satisfies number
embedding.weight = x
Embedding.fromPretrained(x, { ...settings, freeze: false }).forward([[1]], { out: x, shape: [1] } satisfies ForwardOptions)
for (const ids of [[1, [2]], x, Int32Array.of(1), BigUint64Array.of(1n), new Uint16Array(2)] satisfies Ids[]) layer.forward(ids)
layer.forwardAsync([1], { shape: [1], signal: new AbortController().signal } satisfies AsyncOptions) satisfies Promise<tokenbed.Tensor>
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
holds<Same<tokenbed.QuantizedTable['kind'], 'float16' | 'bfloat16' | 'int8' | 'int4'>>()
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
tokenbed.quantize(x, 'int2')
// @ts-expect-error made by quantize
new QuantizedTable()
// @ts-expect-error results are floats
layer.forward([1], { dtype: 'int8' })
const sizes: TokenPositionOptions = { vocabSize: 5, contextLength: 3, dim: 2, paddingIdx: 0, generator: new Generator() }
const input = new TokenPositionEmbedding(sizes)
input satisfies Layer
input.token.weight satisfies tokenbed.Tensor
input.position satisfies tokenbed.Embedding
input.forward([[1]], { out: x, shape: [1, 1], positionOffset: 1 })
input.forward([[1]], { positions: [0] })
new tokenbed.EmbeddingBag(3, 2).forwardAsync([1], [0], { signal: new AbortController().signal, dtype: 'float16' }) satisfies Promise<tokenbed.Tensor>
input.forwardAsync([[1]], { positionOffset: 1, signal: AbortSignal.timeout(1) }) satisfies Promise<tokenbed.Tensor>
const bert = new TokenPositionEmbedding({ ...sizes, segments: 2, layerNorm: { eps: 1e-12 }, scale: 2, dropout: 0 } satisfies TokenPositionOptions)
bert.forward([[1]], { segments: [[0]] })
bert.forwardAsync([[1]], { segments: [[0]] }) satisfies Promise<tokenbed.Tensor>
bert.segment satisfies tokenbed.Embedding | null
bert.layerNorm satisfies LayerNormParameters | null
bert.layerNorm?.weight satisfies tokenbed.Tensor | undefined
new TokenPositionEmbedding({ ...sizes, layerNorm: true, sparse: true, dropout: 0.1 }).train().eval() satisfies tokenbed.TokenPositionEmbedding
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

// Text.
const encoding: EncodeOptions = { addSpecialTokens: false }
const special: SpecialOptions = { allowedSpecial: new Set(['a']), disallowedSpecial: 'all' }
Tokenizer.load('gpt2').encode('a', { ...encoding, ...special }) satisfies Uint32Array
tokenizer.encodeBatch(['a'] as readonly string[]) satisfies { ids: Uint32Array; offsets: Uint32Array }
tokenizer.count('a', special) satisfies number
tokenizer.decode([1]) satisfies string
tokenizer.decode(new Uint32Array(1)) satisfies string
tokenizer.decode({ length: 0 }) satisfies string
tokenizer.token(5) satisfies string
tokenizer.tokenBytes(5) satisfies Uint8Array
Tokenizer.fromFile('tokenizer.json') satisfies tokenbed.Tokenizer
tokenizer.specialTokens satisfies ReadonlyMap<string, number>
tokenizer.paddingId satisfies number | undefined
tokenizer.encode('a', { addSpecialTokens: false }) satisfies Uint32Array
tokenizer.encodeBatch(['a'], { maxLength: 4, truncationSide: 'left' }) satisfies { ids: Uint32Array; offsets: Uint32Array }
const padded: tokenbed.PaddedBatch = tokenizer.encodeBatch(['a'], { padding: 'longest', paddingSide: 'left', paddingId: 0, maxLength: 4 })
layer.forward(padded.ids) satisfies tokenbed.Tensor
padded satisfies { ids: tokenbed.Tensor; mask: tokenbed.Tensor; lengths: Uint32Array }
tokenizer.decode([1], { skipSpecialTokens: true }) satisfies string
const decoder: tokenbed.TokenDecoder = tokenizer.decoder({ skipSpecialTokens: true })
;(decoder.write([1]) + decoder.end()) satisfies string
// @ts-expect-error two ways
tokenizer.encodeBatch(['a'], { padding: 'shortest' })
// @ts-expect-error without padding there are no sides to fill
tokenizer.encodeBatch(['a'], { paddingSide: 'left' })
// @ts-expect-error unknown
Tokenizer.load('gpt5')
// @ts-expect-error made by load
new Tokenizer()
const loading: LoaderOptions = {
  tokenizer, batchSize: 1, maxLength: 2, stride: 1, shuffle: true, dropLast: true, generator: new Generator(), allowedSpecial: 'all', invalidUtf8: 'throw', maxRatio: 9,
}
const loader: DataLoader = tokenbed.createDataLoader('text', loading)
tokenbed.createDataLoader([1, 2, 3])
tokenbed.createDataLoader(new BigInt64Array(5))
for (const { inputs, targets } of loader) [inputs, targets] satisfies tokenbed.Tensor[]
loader satisfies Iterable<Batch>
loader.length satisfies number
loader.ids satisfies Uint32Array | Int32Array
loader.load(loader.state()) satisfies DataLoader
const streaming: StreamBatchesOptions = {
  tokenizer, batchSize: 1, maxLength: 2, stride: 1, dropLast: true, invalidUtf8: 'replace', signal: AbortSignal.timeout(1), ...special,
}
streaming satisfies StreamOptions satisfies WindowOptions
tokenbed.streamBatches({ files: ['a.txt', 'b.gz'] }, streaming) satisfies AsyncIterable<Batch>
declare const later: AsyncIterable<string>
const sources = [
  { files: ['a'] as readonly string[] }, { texts: ['a'] }, { texts: new Set(['a']) }, { texts: later }, { pieces: later }, process.stdin.setEncoding('utf8'),
  { ids: [1, 2] }, { ids: [[1], new Uint16Array(2)] }, { ids: x }, new Uint32Array(3), [1, 2], x,
] satisfies TextSource[]
for (const source of sources) tokenbed.streamIds(source) satisfies AsyncIterable<Uint32Array>
sources[0] satisfies FilesSource | TextsSource | PiecesSource | IdsSource | NodeText | BareIds
new Set(['a']) satisfies Many<string>
// @ts-expect-error no source
tokenbed.streamIds(5)
// @ts-expect-error texts or paths
tokenbed.streamIds(['a'])
// @ts-expect-error a text or a path
tokenbed.streamIds('a')
// @ts-expect-error texts or pieces of one
tokenbed.streamIds(later)
// @ts-expect-error a string is not iterated
tokenbed.streamIds({ texts: 'a' })
// @ts-expect-error words have no ids
tokenbed.streamIds({ tokens: [['a']] })
for (const source of ['a', { texts: ['a'] }, { files: ['a'] }, { ids: [1] }, new Uint8Array(3)] satisfies LoaderSource[]) tokenbed.createDataLoader(source)
// @ts-expect-error texts or paths
tokenbed.createDataLoader(['a'])
// @ts-expect-error nothing is waited for
tokenbed.createDataLoader({ texts: later })
// @ts-expect-error windows are of batches
tokenbed.streamIds({ files: [] }, { stride: 1 })
// @ts-expect-error in order
tokenbed.streamBatches({ files: [] }, { shuffle: true })

// Vectors, models, vocabularies.
declare const vectors: tokenbed.Vectors
vectors.mostSimilar('a', { topN: 3 } satisfies NeighbourOptions) satisfies Neighbour[]
vectors.mostSimilar({ positive: ['a', new Float32Array(2)], negative: [[1, 2], x] } satisfies VectorQuery)
vectors.analogy('a', 'b', x)[0] satisfies { token: string; id: number; similarity: number }
vectors.similarities('a') satisfies Float32Array
vectors.similarity('a', [1, 2]) satisfies number
vectors.doesntMatch(['a', 'b'] as const) satisfies string
vectors.rank('a', 'b') satisfies number
vectors.words satisfies readonly string[] | null
;[vectors.has('a'), vectors.id('a'), vectors.token(1), vectors.vector('a'), vectors.tokens()] satisfies [boolean, number, string, Float32Array, string[]]
new tokenbed.Vectors(x, ['a'])
new tokenbed.Vectors(tokenbed.quantize(x, 'int8'), tokenizer)
// @ts-expect-error tokens are text
vectors.mostSimilar(5)
// @ts-expect-error it is topN here
vectors.mostSimilar('a', { topn: 3 })
tokenbed.saveWord2Vec('x', vectors, { binary: true } satisfies SaveWord2VecOptions)
tokenbed.saveWord2Vec('x', ['a'], x)
tokenbed.saveWord2Vec('x', ['a b'], x, { escape: true })
tokenbed.loadWord2Vec('x', { limit: 5, binary: false, invalidUtf8: 'replace', escape: true } satisfies LoadWord2VecOptions) satisfies tokenbed.Vectors
const training: TrainingRecord = { hyperParameters: { window: 5 }, corpus: [{ file: 'a', bytes: 1 }], loss: [[1, 2.5]], mine: { any: ['thing', null] } }
const parts: ModelParts = { objective: 'cbow', tensors: { 'token.weight': x }, vocabulary: ['a'], counts: [1], labels: ['b'], training }
tokenbed.saveModel('x', parts) satisfies void
tokenbed.saveModel('x', { objective: 'cbow', tensors: new Map([['token.weight', x]]), vocabulary: tokenizer })
// @ts-expect-error no words
tokenbed.saveModel('x', { objective: 'cbow', tensors: {} })
// @ts-expect-error JSON has no dates
tokenbed.saveModel('x', { ...parts, training: { when: new Date() } })
const model: tokenbed.Model = tokenbed.loadModel('x')
model.description satisfies ModelDescription
model.classify('a', { topN: 1 } satisfies ClassifyOptions) satisfies Prediction[]
model.classify(['a', 'b']) satisfies Prediction[][]
;[model.words, model.tokenizer, model.counts, model.weight, model.embedding({ freeze: false }), model.vectors] satisfies [readonly string[] | null, tokenbed.Tokenizer | null, Float64Array | null, tokenbed.Tensor, tokenbed.Embedding, tokenbed.Vectors]
const plan: VocabularyPlan = { keep: [1, 2], add: [{ word: 'b', count: 1, from: { pieces: [0] } }, { from: { normal: { std: 0.02 } } } satisfies NewToken], generator: new Generator(1) }
const resized = tokenbed.resizeVocabulary({ tables: { layer, x }, words: ['a'], optimizer: new tokenbed.AdamW([x]) }, plan)
resized.tables.layer satisfies tokenbed.Embedding
resized.tables.x satisfies tokenbed.Tensor
resized.words satisfies string[]
tokenbed.resizeVocabulary({ tables: { input: new tokenbed.TokenPositionEmbedding({ vocabSize: 3, contextLength: 2, dim: 4 }) } }, { add: 1 }).tables.input satisfies tokenbed.TokenPositionEmbedding
new tokenbed.AdamW(resized.groups).loadStateDict(resized.optimizerState)
// @ts-expect-error none were given
resized.counts
// @ts-expect-error no such source of rows
tokenbed.resizeVocabulary({ tables: { x } }, { add: [{ from: 'ones' }] })
tokenbed.tableHealth(x, { counts: [1], initial: x } satisfies TableHealthOptions) satisfies TableHealth
tokenbed.principalComponents(x, { count: 3 }).explained satisfies number[]
tokenbed.principalComponentsAsync(x, { count: 3, signal: new AbortController().signal }) satisfies Promise<tokenbed.PrincipalComponents>
declare const unknown: tokenbed.UnknownTokenError
unknown satisfies tokenbed.UsageError & { token: string; nearest: readonly string[] }
// Training.
const trainer: tokenbed.Trainer = new tokenbed.Trainer({ files: ['a.txt'] }, { objective: 'skip-gram', dim: 8, window: 2, alpha: 0.1, tokenizer } satisfies PairTrainerOptions)
new tokenbed.Trainer(new Uint32Array(3), { objective: 'next-token', vocabSize: 5, softmax: { samples: 3 }, tied: true } satisfies NextTokenTrainerOptions)
for (const corpus of [{ tokens: [['New York']] } satisfies TokensSource, { examples: new Set<LabelledText>() } satisfies ExamplesSource, ...sources] satisfies Corpus[]) {
  new tokenbed.Trainer(corpus, {} as TrainerOptions)
}
// @ts-expect-error texts or paths
new tokenbed.Trainer(['a'], {} as TrainerOptions)
// @ts-expect-error a text or a path
new tokenbed.Trainer('a.txt', {} as TrainerOptions)
// @ts-expect-error texts or pieces of one
new tokenbed.Trainer(new Set(['a']), {} as TrainerOptions)
// @ts-expect-error a sentence is not a string
new tokenbed.Trainer({ tokens: ['a b'] }, {} as TrainerOptions)
new tokenbed.Trainer([{ text: 'a', label: 'b' }] satisfies LabelledText[], { objective: 'classify', lr: 0.1 } satisfies ClassifyTrainerOptions)
const running: RunOptions = { onProgress: (progress: TrainProgress) => progress.loss satisfies number | null, steps: 1, checkpoint: { path: 'x', every: 1 } }
trainer.run(running) satisfies Promise<TrainResult>
trainer.result().embedding satisfies tokenbed.Embedding
trainer.result().vocabulary satisfies string[] | tokenbed.Tokenizer | null
trainer.save('x') satisfies Promise<void>
trainer.progress satisfies TrainProgress | null
tokenbed.Trainer.resume('x', process.stdin.setEncoding('utf8') satisfies Corpus, { tokenizer }) satisfies Promise<tokenbed.Trainer>
// @ts-expect-error of another objective
new tokenbed.Trainer([], { objective: 'classify', window: 3 })
// @ts-expect-error an objective
new tokenbed.Trainer([], { dim: 3 })
trainer.objective satisfies Objective
new tokenbed.Trainer([], {} as TrainerOptions)

// Files and the process.
tokenbed.loadSafetensors('x') satisfies Map<string, tokenbed.Tensor>
tokenbed.loadSafetensors('x').metadata satisfies Readonly<Record<string, string>>
tokenbed.loadSafetensors('x').skipped.get('a')?.stored satisfies string | undefined
tokenbed.inspectSafetensors('x').tensors[0].dtype satisfies DType | null
void tokenbed.saveTokens('x', [{ files: ['a'] }, { pieces: later }, { ids: [[1], [2]] }], { dtype: 'u16', lines: true, separator: 'x' }).then(({ documents }) => documents satisfies number)
tokenbed.createDataLoader({ folder: 'x', verify: true })
tokenbed.openTokens('x', { verify: true }).document(0) satisfies Uint32Array
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
  version: string; isa: 'avx512' | 'avx2' | 'neon' | 'scalar'; detected: string[]; threads: number; liveData: boolean; binary: string
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
const schedule = new tokenbed.LRSchedule(optimizers[0], { type: 'cosine', warmupSteps: 1, totalSteps: 9, minLr: 0 } satisfies tokenbed.ScheduleOptions)
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
TokenPositionEmbedding.preset('bert' as tokenbed.PositionedPreset | tokenbed.TokenPreset, sizes).position satisfies tokenbed.Embedding | null
gpt2.forward([[1, 2]], { mask: tokenbed.attentionMask([[1, 2]], 0), positionOffset: 1 })
// @ts-expect-error no such model
TokenPositionEmbedding.preset('gpt3', sizes)
// @ts-expect-error positions need a context
TokenPositionEmbedding.preset('gpt2', { vocabSize: 5, dim: 2 })
tokenbed.sinusoidalPositions(4, 2, { layout: 'half', maxWavelength: 10, offset: 1, out: x } satisfies tokenbed.SinusoidOptions) satisfies tokenbed.Tensor
tokenbed.interpolatePositions(x, 8, { alignCorners: true }) satisfies tokenbed.Tensor
tokenbed.alibiSlopes(8) satisfies Float32Array
tokenbed.alibiBias(8, 2, 3, { symmetric: true, offset: 1, out: x }) satisfies tokenbed.Tensor
const buckets: tokenbed.T5BucketOptions = { bidirectional: true, numBuckets: 32, maxDistance: 128 }
tokenbed.t5RelativeBuckets(2, 3, { ...buckets, offset: 1 }) satisfies tokenbed.Tensor
new T5RelativeBias({ heads: 2, ...buckets }).forward(2, 3, { offset: 1, out: x }) satisfies tokenbed.Tensor
new ShawRelativePositions({ maxDistance: 2, headDim: 4, kind: 'relative_key' } satisfies tokenbed.ShawOptions).forward(x).backward(x)
new TransformerXLPositions({ heads: 2, headDim: 4, dim: 8, clampLength: 9 } satisfies tokenbed.TransformerXLOptions).forward(x, x)
const scalings: tokenbed.RotaryScaling[] = [
  { type: 'linear', factor: 2 }, { type: 'dynamic', factor: 2, originalContext: 8 },
  { type: 'yarn', factor: 2, originalContext: 8, betaFast: 32, betaSlow: 1, attentionFactor: 1, truncate: true },
  { type: 'llama3', factor: 2, originalContext: 8, lowFreqFactor: 1, highFreqFactor: 4 },
]
const rope = new RotaryEmbedding({ dim: 4, base: 5e5, layout: 'interleaved', scaling: scalings[0] } satisfies tokenbed.RotaryOptions)
rope.forward(x, { offset: 1, out: x } satisfies tokenbed.RotaryForwardOptions) satisfies tokenbed.Tensor
rope.forward(x, { positions: tokenbed.positionIds(ragged, { offset: 1, padding: 0 } satisfies tokenbed.PositionIdsOptions) })
tokenbed.convertRotaryWeights(x, { heads: 2, from: 'half', to: 'interleaved', dim: 4 } satisfies tokenbed.RotaryWeightsOptions) satisfies tokenbed.Tensor
for (const learned of [new T5RelativeBias({ heads: 2, ...buckets }), new ShawRelativePositions({ maxDistance: 2, headDim: 4 })]) {
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
for (const kind of [tokenbed.ShapeError, tokenbed.DTypeError, tokenbed.UsageError, tokenbed.BinaryError, tokenbed.AbortedError]) {
  kind.prototype satisfies tokenbed.TokenbedError
}
