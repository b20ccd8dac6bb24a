// The public surface of tokenbed.

export { DTypeError, FileError, FormatError, BinaryError, AbortedError } from './api/errors.js'
export { ShapeError, TokenbedError, TokenIndexError, UsageError } from './api/errors.js'
export type { DType, TypedArray } from './api/dtype.js'
export type { Nested } from './api/values.js'
export type { Ids, IntArray } from './api/ids.js'

export { Generator, manualSeed, rand, randn, randperm, type DrawOptions } from './api/random.js'

export { Tensor } from './api/tensor.js'
export { arange, concat, full, ones, tensor, zeros, type TensorOptions } from './api/create.js'
export { noGrad } from './api/grad.js'
export { scope } from './api/scope.js'

export type { Layer } from './api/layer.js'
export { Embedding, type EmbeddingOptions, type ForwardOptions } from './api/embedding.js'
export { TokenPositionEmbedding, type TokenPositionOptions } from './api/token-position.js'

export { TokenDecoder, Tokenizer, type DecodeOptions, type EncodeOptions, type SpecialOptions } from './api/tokenizer.js'
export type { PaddedBatch, PaddingOptions, TruncationOptions } from './api/padding.js'
export type { Batch, WindowOptions } from './api/batch.js'
export { createDataLoader, DataLoader, type LoaderOptions } from './api/loader.js'
export { streamBatches, streamIds, type StreamBatchesOptions, type StreamOptions, type TextSource } from './api/stream.js'

export { loadSafetensors, saveSafetensors } from './api/files.js'
export { loadNpy, saveNpy } from './api/files.js'
export { TensorWriter, type RowSpec, type TensorWriterOptions } from './api/writer.js'
export { capabilities, memoryUsage, type Capabilities } from './api/process.js'
