// The options of the input layer, which its presets fill in.

import type { Init } from './init.js'
import type { Generator } from '../tensor/random.js'

export interface TokenPositionOptions {
  /** Rows of the token table. */
  vocabSize: number
  /** Rows of the position table: the longest sequence. */
  contextLength: number
  /** Elements of a vector. */
  dim: number
  /** Rows of a table of segments (token types); default: no such table. */
  segments?: number
  /** Whether the sum is normalized, with a weight and a bias that are learned; `true` takes PyTorch's eps, 1e-5. */
  layerNorm?: boolean | { eps: number }
  /** What token vectors are multiplied by, in float32, before anything is added; default 1. */
  scale?: number
  /** The probability with which an element of the result is dropped while the layer is `training`, as `dropout` does it,
   * drawn from the layer's generator; default 0. */
  dropout?: number
  /** A token row that is zeroed when it is drawn; negative counts from the end. */
  paddingIdx?: number
  /** How the tables are drawn, all alike or each by its name; default `{ std: 1 }`. GPT-2's are `{ token: { std: 0.02 },
   * position: { std: 0.01 } }`. */
  init?: Init | { token?: Init; position?: Init; segment?: Init }
  /** What draws the tables; default: the one that `manualSeed` seeds. */
  generator?: Generator
  /** Whether `token.weight.grad` is a SparseGrad; default false. Positions and segments, which batches touch whole, have
   * dense gradients always. */
  sparse?: boolean
}
