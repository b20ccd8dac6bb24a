// Rows that are made when they are asked for, where there is no table of them.

import type { Tensor } from '../tensor/tensor.js'

/** The vectors of the words of a model that makes them from parts. @internal */
export abstract class MadeRows {
  /** Number of rows. */
  abstract readonly size: number
  /** Number of elements of a row. */
  abstract readonly dim: number
  /** All rows as a new table, (size, dim) float32. */
  abstract table(): Tensor
  /** A copy of a row. */
  abstract row(id: number): Float32Array
  /** The vector of a text that names no row; null if nothing is known of it. */
  abstract vectorOf(text: string): Float32Array | null
  /** The rows most similar to a vector, without those named: as `nearestRows` over the table. */
  abstract nearest(
    direction: Float32Array,
    topN: number,
    without: Uint32Array,
  ): { ids: number[]; similarities: number[] }
  /** The similarity of a vector to every row. */
  abstract similarities(direction: Float32Array): Float32Array
}
