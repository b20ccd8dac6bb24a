// Compiled, never run: what the types of texts, vectors and training allow and what they refuse.

import type {
  BareIds,
  Batch,
  ClassifyOptions,
  ClassifyTrainerOptions,
  Corpus,
  DataLoader,
  EncodeOptions,
  ExamplesSource,
  FilesSource,
  IdsSource,
  LabelledText,
  LoaderOptions,
  LoaderSource,
  LoadGloveOptions,
  LoadWord2VecOptions,
  Many,
  ModelDescription,
  ModelParts,
  Neighbour,
  NeighbourOptions,
  NewToken,
  NextTokenTrainerOptions,
  NodeText,
  Objective,
  PairTrainerOptions,
  PiecesSource,
  Prediction,
  RunOptions,
  SaveWord2VecOptions,
  SpecialOptions,
  StreamBatchesOptions,
  StreamOptions,
  TableHealth,
  TableHealthOptions,
  TextSource,
  TextsSource,
  TokensSource,
  TrainerOptions,
  TrainingRecord,
  TrainProgress,
  TrainResult,
  VectorQuery,
  VocabularyPlan,
  WindowOptions,
} from '../../index.js'
import * as tokenbed from '../../index.js'

const { Generator, Tokenizer } = tokenbed
declare const x: tokenbed.Tensor
declare const layer: tokenbed.Embedding
declare const tokenizer: tokenbed.Tokenizer

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
tokenizer.encodeBatch(['a'], { maxLength: 4, truncationSide: 'left' }) satisfies {
  ids: Uint32Array
  offsets: Uint32Array
}
const padded: tokenbed.PaddedBatch = tokenizer.encodeBatch(['a'], {
  padding: 'longest',
  paddingSide: 'left',
  paddingId: 0,
  maxLength: 4,
})
layer.forward(padded.ids) satisfies tokenbed.Tensor
padded satisfies { ids: tokenbed.Tensor; mask: tokenbed.Tensor; lengths: Uint32Array }
const further: tokenbed.EncodedBatch & tokenbed.Samples = tokenizer.encodeBatch([['a', 'b']], {
  pretokenized: true,
  maxLength: 4,
  overflow: true,
  stride: 1,
})
further.samples satisfies Uint32Array
tokenizer.encodeBatch(['a'], { padding: 'longest', padToMultipleOf: 8, maxLength: 4, overflow: true })
  .samples satisfies Uint32Array
// @ts-expect-error only with overflow
tokenizer.encodeBatch(['a']).samples
tokenizer.encode(['a', 'b'], { pretokenized: true }) satisfies Uint32Array
// @ts-expect-error words need to be told from texts
tokenizer.encode(['a', 'b'])
const pair: tokenbed.EncodedPair = tokenizer.encodePair('a', 'b', {
  maxLength: 8,
  truncation: 'onlySecond',
} satisfies tokenbed.PairOptions)
pair satisfies { typeIds: Uint32Array; sequenceIds: Int8Array; wordIds: Int32Array }
tokenizer.decodeBatch(padded) satisfies string[]
tokenizer.decodeBatch([[1, 2], new Uint32Array(1)])
tokenizer.id('a') satisfies number
tokenizer.vocabulary() satisfies ReadonlyMap<string, number>
tokenbed.encodingForModel('gpt-4o') satisfies tokenbed.Tokenizer
Tokenizer.load('o200k_harmony' satisfies tokenbed.EncodingName)
Tokenizer.fromFile(new URL('file:///x.tiktoken'), { pattern: 'gpt2', specialTokens: { '<|end|>': 9 } })
declare const bag: tokenbed.EmbeddingBag
bag.forward(tokenizer.encodeBatch(['a'])) satisfies tokenbed.Tensor
bag.forward(padded, { dtype: 'float16' })
bag.forward([[1], new Uint32Array(2)], { out: x })
bag.forwardAsync({ ids: [1], offsets: [0, 1] } satisfies tokenbed.RaggedIds) satisfies Promise<tokenbed.Tensor>
// @ts-expect-error no bags
bag.forward({ ids: [1] })
tokenizer.engine satisfies 'native' | 'tokenizers'
tokenizer.engineReason satisfies string | null
const located: tokenbed.LocatedIds = tokenizer.encodeOffsets('a', { addSpecialTokens: false })
located satisfies { ids: Uint32Array; starts: Uint32Array; ends: Uint32Array }
const { signal }: tokenbed.Abortable = { signal: new AbortController().signal }
tokenizer.encodeAsync('a', { ...special, ...(signal && { signal }) }) satisfies Promise<Uint32Array>
tokenizer.encodeBatchAsync(['a'] as readonly string[], { maxLength: 4 }) satisfies Promise<{
  ids: Uint32Array
  offsets: Uint32Array
}>
tokenizer.encodeBatchAsync(['a'], { padding: 'longest' }) satisfies Promise<tokenbed.PaddedBatch>
// @ts-expect-error one text
tokenizer.encodeAsync(['a'])
// @ts-expect-error places are of the whole text
tokenizer.encodeOffsets('a', { maxLength: 4 })
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
  tokenizer,
  batchSize: 1,
  maxLength: 2,
  stride: 1,
  shuffle: true,
  dropLast: true,
  generator: new Generator(),
  allowedSpecial: 'all',
  invalidUtf8: 'throw',
  maxRatio: 9,
}
tokenbed.createDataLoader({ texts: ['a'] }, { perText: true, paddingId: 0 })
tokenbed.createDataLoader('a', { weights: [1, 2], replacement: true, samples: 5 })
tokenbed.createDataLoader('a', { sampler: (generator, windows) => [windows - generator.getState().length] })
const loader: DataLoader = tokenbed.createDataLoader('text', loading)
tokenbed.createDataLoader([1, 2, 3])
tokenbed.createDataLoader(new BigInt64Array(5))
for (const { inputs, targets, mask } of loader) [inputs, targets, ...(mask ? [mask] : [])] satisfies tokenbed.Tensor[]
loader satisfies Iterable<Batch>
loader.length satisfies number
loader.windows satisfies number
loader.ids satisfies Uint32Array | Int32Array
loader.load(loader.state()) satisfies DataLoader
const streaming: StreamBatchesOptions = {
  tokenizer,
  batchSize: 1,
  maxLength: 2,
  stride: 1,
  dropLast: true,
  perText: false,
  shuffleBuffer: 100,
  generator: new Generator(),
  invalidUtf8: 'replace',
  signal: AbortSignal.timeout(1),
  ...special,
}
streaming satisfies StreamOptions satisfies WindowOptions
tokenbed.streamBatches({ files: ['a.txt', 'b.gz'] }, streaming) satisfies AsyncIterable<Batch>
declare const later: AsyncIterable<string>
const sources = [
  { files: ['a'] as readonly string[] },
  { texts: ['a'] },
  { texts: new Set(['a']) },
  { texts: later },
  { pieces: later },
  process.stdin.setEncoding('utf8'),
  { ids: [1, 2] },
  { ids: [[1], new Uint16Array(2)] },
  { ids: x },
  new Uint32Array(3),
  [1, 2],
  x,
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
void tokenbed
  .saveTokens('x', [{ files: ['a'] }, { pieces: later }, { ids: [[1], [2]] }], {
    dtype: 'u16',
    lines: true,
    separator: 'x',
  })
  .then(({ documents }) => documents satisfies number)
// @ts-expect-error texts or pieces of one
tokenbed.streamIds(later)
// @ts-expect-error a string is not iterated
tokenbed.streamIds({ texts: 'a' })
// @ts-expect-error words have no ids
tokenbed.streamIds({ tokens: [['a']] })
for (const source of [
  'a',
  { texts: ['a'] },
  { files: ['a'] },
  { ids: [1] },
  new Uint8Array(3),
] satisfies LoaderSource[])
  tokenbed.createDataLoader(source)
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
;[vectors.has('a'), vectors.id('a'), vectors.token(1), vectors.vector('a'), vectors.tokens()] satisfies [
  boolean,
  number,
  string,
  Float32Array,
  string[],
]
new tokenbed.Vectors(x, ['a'])
new tokenbed.Vectors(x, ['a'], { fixed: true } satisfies tokenbed.VectorsOptions)
vectors.mostSimilar({ positive: [['a', 0.5], 'b'], negative: [[x, -1]] }, { restrictTo: ['a'] })
vectors.mostSimilarBatch(['a', { positive: ['b'] }], { restrictTo: 100 }) satisfies Neighbour[][]
vectors.mostSimilarCosmul({ positive: ['a'], negative: ['b'] }) satisfies Neighbour[]
vectors.distances('a', ['b']) satisfies Float32Array
vectors.meanVector(['a', x], { weights: [1, 2], postNormalize: true }) satisfies Float32Array
;[vectors.distance('a', 'b'), vectors.nSimilarity(['a'], ['b'])] satisfies number[]
vectors.closerThan('a', 'b') satisfies string[]
vectors.evaluateWordPairs('pairs.tsv', { delimiter: ',' }).spearman satisfies number
vectors.evaluateAnalogies(new URL('file:///x')).sections[0].correct satisfies tokenbed.AnalogyWords[]
vectors.add(['b'], [[1, 2]], { replace: true }).remove(['a']) satisfies tokenbed.Vectors
new tokenbed.Vectors(tokenbed.quantize(x, 'int8'), tokenizer)
// @ts-expect-error tokens are text
vectors.mostSimilar(5)
// @ts-expect-error it is topN here
vectors.mostSimilar('a', { topn: 3 })
tokenbed.saveWord2Vec('x', vectors, { binary: true } satisfies SaveWord2VecOptions)
tokenbed.saveWord2Vec('x', ['a'], x)
tokenbed.saveWord2Vec('x', ['a b'], x, { escape: true })
tokenbed.saveWord2Vec('x', vectors, { header: false })
tokenbed.loadGlove('x', {
  limit: 5,
  invalidUtf8: 'throw',
  maxRatio: 20,
} satisfies LoadGloveOptions) satisfies tokenbed.Vectors
tokenbed.saveProjector('x', vectors)
tokenbed.loadWord2Vec('x', {
  limit: 5,
  binary: false,
  invalidUtf8: 'replace',
  escape: true,
} satisfies LoadWord2VecOptions) satisfies tokenbed.Vectors
const training: TrainingRecord = {
  hyperParameters: { window: 5 },
  corpus: [{ file: 'a', bytes: 1 }],
  loss: [[1, 2.5]],
  mine: { any: ['thing', null] },
}
const parts: ModelParts = {
  objective: 'cbow',
  tensors: { 'token.weight': x },
  vocabulary: ['a'],
  counts: [1],
  labels: ['b'],
  training,
}
tokenbed.saveModel('x', parts) satisfies void
tokenbed.saveModel('x', { objective: 'cbow', tensors: new Map([['token.weight', x]]), vocabulary: tokenizer })
// @ts-expect-error no words
tokenbed.saveModel('x', { objective: 'cbow', tensors: {} })
// @ts-expect-error JSON has no dates
tokenbed.saveModel('x', { ...parts, training: { when: new Date() } })
const model: tokenbed.Model = tokenbed.loadModel('x')
tokenbed.loadModelAsync('x', { verify: true, ...(signal && { signal }) }) satisfies Promise<tokenbed.Model>
tokenbed.saveModelAsync('x', parts, { ...(signal && { signal }) }) satisfies Promise<void>
model.saveAsync('x', { ...(signal && { signal }) }) satisfies Promise<void>
vectors.mostSimilarAsync('a', { topN: 3, ...(signal && { signal }) }) satisfies Promise<Neighbour[]>
vectors.mostSimilarBatchAsync(['a'], { restrictTo: 5 }) satisfies Promise<Neighbour[][]>
vectors.evaluateWordPairsAsync('x', { ...(signal && { signal }) }) satisfies Promise<tokenbed.WordPairsEvaluation>
vectors.evaluateAnalogiesAsync('x', { ...(signal && { signal }) }) satisfies Promise<tokenbed.AnalogiesEvaluation>
model.description satisfies ModelDescription
model.classify('a', { topN: 1 } satisfies ClassifyOptions) satisfies Prediction[]
model.classify(['a', 'b']) satisfies Prediction[][]
;[
  model.words,
  model.tokenizer,
  model.counts,
  model.weight,
  model.embedding({ freeze: false }),
  model.vectors,
] satisfies [
  readonly string[] | null,
  tokenbed.Tokenizer | null,
  Float64Array | null,
  tokenbed.Tensor,
  tokenbed.Embedding,
  tokenbed.Vectors,
]
const plan: VocabularyPlan = {
  keep: [1, 2],
  add: [{ word: 'b', count: 1, from: { pieces: [0] } }, { from: { normal: { std: 0.02 } } } satisfies NewToken],
  generator: new Generator(1),
}
const resized = tokenbed.resizeVocabulary(
  { tables: { layer, x }, words: ['a'], optimizer: new tokenbed.AdamW([x]) },
  plan,
)
resized.tables.layer satisfies tokenbed.Embedding
resized.tables.x satisfies tokenbed.Tensor
resized.words satisfies string[]
tokenbed.resizeVocabulary(
  { tables: { input: new tokenbed.TokenPositionEmbedding({ vocabSize: 3, contextLength: 2, dim: 4 }) } },
  { add: 1 },
).tables.input satisfies tokenbed.TokenPositionEmbedding
new tokenbed.AdamW(resized.groups).loadStateDict(resized.optimizerState)
// @ts-expect-error none were given
resized.counts
// @ts-expect-error no such source of rows
tokenbed.resizeVocabulary({ tables: { x } }, { add: [{ from: 'ones' }] })
tokenbed.tableHealth(x, { counts: [1], initial: x } satisfies TableHealthOptions) satisfies TableHealth
tokenbed.principalComponents(x, { count: 3 }).explained satisfies number[]
tokenbed.principalComponentsAsync(x, {
  count: 3,
  signal: new AbortController().signal,
}) satisfies Promise<tokenbed.PrincipalComponents>
declare const unknown: tokenbed.UnknownTokenError
unknown satisfies tokenbed.UsageError & { token: string; nearest: readonly string[] }
// Training.
const trainer: tokenbed.Trainer = new tokenbed.Trainer({ files: ['a.txt'] }, {
  objective: 'skip-gram',
  dim: 8,
  window: 2,
  alpha: 0.1,
  tokenizer,
} satisfies PairTrainerOptions)
new tokenbed.Trainer(new Uint32Array(3), {
  objective: 'next-token',
  vocabSize: 5,
  softmax: { samples: 3 },
  tied: true,
} satisfies NextTokenTrainerOptions)
for (const corpus of [
  { tokens: [['New York']] } satisfies TokensSource,
  { examples: new Set<LabelledText>() } satisfies ExamplesSource,
  ...sources,
] satisfies Corpus[]) {
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
new tokenbed.Trainer(
  [{ text: 'a', label: 'b' }] satisfies LabelledText[],
  { objective: 'classify', lr: 0.1 } satisfies ClassifyTrainerOptions,
)
const running: RunOptions = {
  onProgress: (progress: TrainProgress) => progress.loss satisfies number | null,
  steps: 1,
  checkpoint: { path: 'x', every: 1 },
}
trainer.run(running) satisfies Promise<TrainResult>
trainer.result().embedding satisfies tokenbed.Embedding
trainer.result().vocabulary satisfies string[] | tokenbed.Tokenizer | null
trainer.save('x') satisfies Promise<void>
trainer.progress satisfies TrainProgress | null
tokenbed.Trainer.resume('x', process.stdin.setEncoding('utf8') satisfies Corpus, {
  tokenizer,
}) satisfies Promise<tokenbed.Trainer>
// @ts-expect-error of another objective
new tokenbed.Trainer([], { objective: 'classify', window: 3 })
// @ts-expect-error an objective
new tokenbed.Trainer([], { dim: 3 })
trainer.objective satisfies Objective
new tokenbed.Trainer([], {} as TrainerOptions)
