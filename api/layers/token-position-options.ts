// The options of the input layer. A preset fills in some of them.

import type { Init } from './init.js'
import type { Generator } from '../tensor/random.js'

export interface TokenPositionOptions {
  /** Number of rows of the token table. */
  vocabSize: number
  /** Number of rows of the position table, which is the length of the longest sequence. */
  contextLength: number
  /** Number of elements of a vector. */
  dim: number
  /** Number of rows of the segment table (token types); by default there is no segment table. */
  segments?: number
  /**
   * Whether the sum goes through a layer normalization with a learned weight and bias; `true` takes PyTorch's eps,
   * 1e-5.
   */
  layerNorm?: boolean | { eps: number }
  /** Token vectors are multiplied by this factor, in float32, before anything is added; default 1. */
  scale?: number
  /**
   * The probability that an element of the result is dropped, as by `dropout`, while the layer is `training`. The
   * layer's generator draws which ones; default 0.
   */
  dropout?: number
  /** The token row of padding, which is set to zeros after the table is drawn; negative values count from the end. */
  paddingIdx?: number
  /**
   * How the tables are drawn: one way for all, or one for each table by its name; default `{ std: 1 }`. GPT-2 uses `{
   * token: { std: 0.02 }, position: { std: 0.01 } }`.
   */
  init?: Init | { token?: Init; position?: Init; segment?: Init }
  /** The generator that draws the tables; default: the one that `manualSeed` seeds. */
  generator?: Generator
  /**
   * Whether `token.weight.grad` is a SparseGrad; default false. The gradients of positions and segments are always
   * dense, because a batch touches nearly every row of them.
   */
  sparse?: boolean
}
