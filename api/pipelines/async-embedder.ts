// What streams, shards and queues make vectors with.

import type { Tensor } from '../tensor/tensor.js'

/** What embeds texts: a TextEmbedder, or anything with its method. */
export interface AsyncEmbedder {
  /** Number of elements of a vector, before `dim` cuts it. */
  readonly dim: number
  /** Decodes the documents of a folder of ids; needed for that source alone. */
  readonly tokenizer?: unknown
  embedAsync(texts: readonly string[], options?: object): Promise<Tensor>
}
