// The public surface of tokenbed.

export { DTypeError, FileError, FormatError, BinaryError, AbortedError } from './api/errors.js'
export { ShapeError, TokenbedError, TokenIndexError, UsageError } from './api/errors.js'
export type { DType, TypedArray } from './api/dtype.js'
export type { Nested } from './api/values.js'
export type { Ids, IntArray } from './api/ids.js'

export { Generator, manualSeed, rand, randn, randperm, type DrawOptions } from './api/random.js'

export { Tensor } from './api/tensor.js'
export type { SharedTable } from './api/sharing.js'
export { arange, concat, full, ones, tensor, zeros, type FillOptions, type TensorOptions } from './api/create.js'
export { crossEntropy, dropout, layerNorm, type CrossEntropyOptions } from './api/network.js'
export { noGrad } from './api/grad.js'
export { SparseGrad } from './api/row-grad.js'
export { scope } from './api/scope.js'

export type { Layer } from './api/layer.js'
export type { AsyncOptions } from './api/async.js'
export { Embedding, type ForwardOptions, type LookupOptions } from './api/embedding.js'
export type { EmbeddingOptions } from './api/table.js'
export type { ResultType } from './api/result.js'
export { EmbeddingBag, type BagForwardOptions, type BagOptions, type Ragged } from './api/bag.js'
export { quantize, QuantizedTable, type QuantizationError } from './api/quantize.js'
export { TokenPositionEmbedding, type LayerNormParameters, type PlaceOptions, type TokenPositionOptions } from './api/token-position.js'

export { TokenDecoder, Tokenizer, type DecodeOptions, type EncodeOptions, type SpecialOptions } from './api/tokenizer.js'
export type { PaddedBatch, PaddingOptions, TruncationOptions } from './api/padding.js'
export type { Batch, WindowOptions } from './api/batch.js'
export { createDataLoader, DataLoader, type LoaderOptions } from './api/loader.js'
export { streamBatches, streamIds, type StreamBatchesOptions, type StreamOptions, type TextSource } from './api/stream.js'

export { loadSafetensors, saveSafetensors } from './api/files.js'
export { loadNpy, saveNpy } from './api/files.js'
export { TensorWriter, type RowSpec, type TensorWriterOptions } from './api/writer.js'
export { capabilities, selfTest, getNumThreads, memoryUsage, setNumThreads, type Capabilities, type KernelTest } from './api/process.js'
