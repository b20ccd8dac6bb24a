// The public API of tokenbed.

// This import comes first, to report a package that is not complete before other imports fail.
import './api/native/whole.js'

export { DTypeError, FileError, FormatError, BinaryError, AbortedError, MemoryError } from './api/base/errors.js'
export { ShapeError, TokenbedError, TokenIndexError, UnknownTokenError, UsageError } from './api/base/errors.js'
export type { DType, IntArray, ResultType, TypedArray } from './api/base/dtype.js'
export type { Nested } from './api/tensor/values.js'
export type { Ids } from './api/tensor/ids.js'

export { Generator, manualSeed, rand, randn, randperm, type DrawOptions } from './api/tensor/random.js'

export { bernoulli, multinomial, normal, randint, type IntegerDrawOptions } from './api/tensor/draws.js'

export { Tensor } from './api/tensor/tensor.js'
export type { Found, ReduceOptions } from './api/tensor/operations.js'
export { einsum } from './api/tensor/einsum.js'
export type { SharedTable } from './api/tensor/sharing.js'
export {
  arange,
  concat,
  full,
  ones,
  stack,
  tensor,
  where,
  zeros,
  type FillOptions,
  type TensorOptions,
} from './api/tensor/create.js'
export type { ShapeArguments } from './api/tensor/shape-arguments.js'
export { crossEntropy, dropout, layerNorm, type CrossEntropyOptions } from './api/layers/functional.js'
export {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  cosineSimilarity,
  infoNCE,
  mseLoss,
  normalize,
  type BinaryLogitsOptions,
  type BinaryLossOptions,
  type InfoNCEOptions,
  type LossOptions,
} from './api/layers/losses.js'
export { Dropout, LayerNorm, Linear, type LayerNormOptions, type LinearOptions } from './api/layers/linear.js'
export { noGrad } from './api/autograd/no-grad.js'
export { SparseGrad } from './api/tensor/sparse-grad.js'
export { scope } from './api/memory/scope.js'

export type { Layer } from './api/layers/layer.js'
export type { AsyncOptions } from './api/layers/async.js'
export { Embedding, type ForwardOptions, type LookupOptions } from './api/layers/embedding.js'
export type { EmbeddingOptions } from './api/layers/table.js'
export type { Init } from './api/layers/init.js'
export { EmbeddingBag, type BagForwardOptions, type BagOptions } from './api/layers/bag.js'
export type { Bags, IdLists, MaskedIds } from './api/layers/read-bags.js'
export {
  EmbeddingBagCollection,
  type BagTable,
  type CollectionAsyncOptions,
  type CollectionOptions,
  type GivenBagTable,
  type KeyedBags,
} from './api/layers/collection.js'
export type { Ragged, RaggedIds } from './api/tensor/ragged.js'
export { quantize, QuantizedTable, type QuantizationError } from './api/layers/quantize.js'
export { TokenPositionEmbedding, type PlaceOptions } from './api/layers/token-position.js'
export type { LayerNormParameters } from './api/layers/layer-norm-parameters.js'
export type { TokenPositionOptions } from './api/layers/token-position-options.js'
export type { PositionedPreset, PresetOptions, TokenPreset } from './api/layers/presets.js'

export { interpolatePositions, sinusoidalPositions, type SinusoidOptions } from './api/layers/positions/absolute.js'
export { alibiBias, alibiSlopes } from './api/layers/positions/alibi.js'
export { attentionMask, positionIds, type PositionIdsOptions } from './api/layers/positions/padding.js'
export { RotaryEmbedding, type RotaryForwardOptions, type RotaryOptions } from './api/layers/positions/rotary.js'
export type { RotaryScaling } from './api/layers/positions/scaling.js'
export { convertRotaryWeights, type RotaryWeightsOptions } from './api/layers/positions/rotary-weights.js'
export { ShawRelativePositions, type ShawOptions } from './api/layers/positions/shaw.js'
export { T5RelativeBias, t5RelativeBuckets, type T5BucketOptions } from './api/layers/positions/t5.js'
export { TransformerXLPositions, type TransformerXLOptions } from './api/layers/positions/transformer-xl.js'

export { Optimizer } from './api/optim/optimizer.js'
export type { Param, ParameterGroup, ParamGroup, Rates } from './api/optim/group.js'
export type { OptimizerState, ParameterState } from './api/optim/state-dict.js'
export * from './api/optim/optimizers.js'
export { clipGradNorm, clipGradValue, type ClipNormOptions } from './api/optim/clip.js'
export type { TorchOptimizerState } from './api/optim/torch-state.js'
export {
  ChainedScheduler,
  CosineAnnealingWarmRestarts,
  ExponentialLR,
  LambdaLR,
  LRScheduler,
  MultiStepLR,
  OneCycleLR,
  PolynomialLR,
  ReduceLROnPlateau,
  StepLR,
  type OneCycleOptions,
  type PlateauOptions,
  type SchedulerState,
} from './api/optim/schedules.js'
export { LRSchedule, type ScheduleOptions, type ScheduleState } from './api/optim/schedule.js'

export { encodingForModel } from './api/text/encoding-for-model.js'
export { Tokenizer } from './api/text/tokenizer.js'
export { TokenDecoder } from './api/text/token-decoder.js'
export type {
  Abortable,
  DecodeOptions,
  EncodedPair,
  EncodeOptions,
  FromFileOptions,
  LocatedIds,
  PairOptions,
  PretokenizedOptions,
  SpecialOptions,
  TokenizerLimits,
} from './api/text/encode-options.js'
export type { DecodedBatch } from './api/text/decode-batch.js'
export type { EncodingName } from './api/text/models-encodings.js'
export type { EncodedBatch, PaddedBatch, PaddingOptions, Samples, TruncationOptions } from './api/text/padding.js'
export type { Texts } from './api/text/words.js'
export type { Batch, WindowOptions } from './api/text/batch.js'
export { createDataLoader, DataLoader, type LoaderOptions, type LoaderSource } from './api/text/loader.js'
export { streamBatches, streamIds, type StreamBatchesOptions, type StreamOptions } from './api/text/stream.js'
export type {
  BareIds,
  ExamplesSource,
  FilesSource,
  FolderSource,
  IdsSource,
  LabelledText,
  Many,
  NodeText,
  PiecesSource,
  TextSource,
  TextsSource,
  TokensSource,
} from './api/text/source.js'

export { RowStore, type RowStoreOptions, type RowStoreStats, type SaveRowsOptions } from './api/rows/store.js'
export { RowStoreError } from './api/rows/errors.js'
export type { FileRows } from './api/rows/file.js'
export type { RowsConnection, SavedTable, ServedRows } from './api/rows/place.js'
export type { RowReader } from './api/rows/reader.js'

export {
  saveTokens,
  type SaveTokensOptions,
  type TokensInput,
  type TokensProgress,
} from './api/pipelines/save-tokens.js'
export {
  records,
  type ByteSource,
  type RecordFormat,
  type Records,
  type RecordsOptions,
  type TextRecord,
} from './api/pipelines/records.js'
export type { AsyncEmbedder } from './api/pipelines/async-embedder.js'
export {
  embedStream,
  embedTransform,
  type EmbedStreamOptions,
  type EmbedTransform,
  type DocumentsOfFolder,
  type FilesOfRecords,
  type RecordSource,
  type StreamedVectors,
  type VectorBatch,
} from './api/pipelines/embed-stream.js'
export {
  embedShards,
  verifyShards,
  type EmbedShardsOptions,
  type ShardFile,
  type ShardsManifest,
  type ShardSource,
  type ShardsProgress,
} from './api/pipelines/shards.js'
export { modelDigest } from './api/pipelines/model-digest.js'
export type { Shard } from './api/pipelines/ranges.js'
export { shardFromEnvironment, type ShardFromEnvironmentOptions } from './api/pipelines/environment.js'
export type { BatchMeasured } from './api/pipelines/channel.js'
export {
  inspectTokens,
  openTokens,
  TokenFolder,
  type TokensDType,
  type TokensFile,
  type TokensInfo,
  type TokensPart,
} from './api/files/token-folder.js'

export { loadGGUF, type LoadedGGUF } from './api/files/gguf.js'
export { inspectSafetensors, loadSafetensors, saveSafetensors, type SafetensorsInfo } from './api/files/tensors.js'
export type { LoadedTensors, StoredTensor } from './api/files/loaded-tensors.js'
export { loadNpy, saveNpy } from './api/files/tensors.js'
export { loadNpz, saveNpz, type LoadNpzOptions } from './api/files/npz.js'
export { loadTorch } from './api/files/torch.js'
export { loadPretrained } from './api/pretrained/load.js'
export type { Pretrained, PretrainedNorm, PretrainedOptions } from './api/pretrained/pretrained.js'
export { Vectors, type VectorsOptions } from './api/vectors/vectors.js'
export type {
  Neighbour,
  NeighbourOptions,
  TokenOrVector,
  VectorLike,
  VectorQuery,
  WeightedToken,
} from './api/vectors/query.js'
export { topK, topKAsync, type TopK, type TopKOptions } from './api/search/top-k.js'
export type { Metric } from './api/search/rows.js'
export { dedupe, dedupeAsync, type DedupeOptions } from './api/search/dedupe.js'
export { cluster, clusterAsync, type ClusterOptions, type Clusters } from './api/search/cluster.js'
export { splitText, splitTextAsync, type SplitTextOptions, type TextChunk } from './api/search/split-text.js'
export type { EmbedsTexts } from './api/search/meaning.js'
export type { MeanVectorOptions } from './api/vectors/mean.js'
export type {
  AnalogiesEvaluation,
  AnalogySection,
  AnalogyWords,
  EvaluationOptions,
  WordPairsEvaluation,
  WordPairsOptions,
} from './api/vectors/evaluate.js'
export type { FilePath } from './api/base/validate.js'
export {
  resizeVocabulary,
  type ResizedOptimizer,
  type ResizedVocabulary,
  type VocabularyParts,
  type VocabularyTable,
} from './api/surgery/resize.js'
export type { VocabularyPlan } from './api/surgery/plan.js'
export type { NewToken, RowSource } from './api/surgery/rows.js'
export type { OptimizerLike, OptimizerStateLike, ParameterGroupLike } from './api/surgery/state.js'
export { tableHealth, type NormOutlier, type TableHealth, type TableHealthOptions } from './api/vectors/health.js'
export { principalComponents, principalComponentsAsync, type PrincipalComponents } from './api/vectors/pca.js'
export { FastText, loadFastText } from './api/vectors/fasttext.js'
export {
  loadWord2Vec,
  saveWord2Vec,
  type LoadWord2VecOptions,
  type SaveWord2VecOptions,
} from './api/vectors/word2vec.js'
export { loadGlove, type LoadGloveOptions } from './api/vectors/glove.js'
export { saveProjector } from './api/vectors/projector.js'
export { Trainer, type IterateOptions, type RunOptions } from './api/train/trainer.js'
export type { TrainProgress, TrainResult } from './api/train/result.js'
export type {
  ClassifyTrainerOptions,
  NextTokenTrainerOptions,
  Objective,
  PairTrainerOptions,
  TrainerOptions,
} from './api/train/objectives.js'
export type { EarlyStopping, HeldOutOptions } from './api/train/early-stopping.js'
export type { StartOptions } from './api/train/start.js'
export type { Corpus } from './api/train/corpus.js'
export {
  loadModel,
  loadModelAsync,
  saveModel,
  saveModelAsync,
  type ModelParts,
  type TrainedParts,
} from './api/models/folder.js'
export { TextEmbedder, type EmbedOptions } from './api/embed/embedder.js'
export type { FromVectorsOptions } from './api/embed/from-vectors.js'
export type { LoadOptions as TextEmbedderOptions } from './api/embed/folder.js'
export type { Semantics, TextEmbedderParts } from './api/embed/parts.js'
export { Model } from './api/models/model.js'
export type { ClassifyOptions, Prediction } from './api/vectors/prediction.js'
export type { ModelDescription, TrainingRecord, VocabularyDescription } from './api/models/description.js'
export type { Digests } from './api/models/parts.js'
export type { Json } from './api/base/json.js'
export { TensorWriter, type RowSpec, type TensorWriterOptions } from './api/files/writer.js'
export {
  capabilities,
  selfTest,
  getNumThreads,
  memoryUsage,
  setNumThreads,
  type Capabilities,
  type KernelTest,
} from './api/memory/process.js'
