// Rotary positions: pairs of elements rotated by an angle that grows with the position.

import { record } from '../../autograd/tape.js'
import { Contents } from '../../base/contents.js'
import { isResultType, type IntArray, type ResultType } from '../../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../../base/errors.js'
import { copyOf, type Ids } from '../../tensor/ids.js'
import { call, native } from '../../native/native.js'
import { guardReceivers } from '../../base/receivers.js'
import { shown } from '../../base/shape.js'
import type { Elements } from '../../ops/elements.js'
import { Tensor } from '../../tensor/tensor.js'
import { MOST_DIM, checkNumber, checkOptions, checkSize, checkWord, show } from '../../base/validate.js'
import { made, target, written } from './made.js'
import { readScaling, type RotaryScaling } from './scaling.js'
import { spread } from './spread.js'

export interface RotaryOptions {
  /**
   * Number of elements of a head that are rotated, from the first on: headDim, or less (partial rotation). It is even.
   */
  dim: number
  /** The base whose powers give the frequencies; default 10000. */
  base?: number
  /** Which elements form a pair; default 'half': those that lie dim / 2 apart. 'interleaved': neighbours. */
  layout?: 'half' | 'interleaved'
  /** How frequencies are scaled for contexts longer than the model's. */
  scaling?: RotaryScaling
}

export interface RotaryForwardOptions {
  /** The first position of every sequence; default 0. */
  offset?: number
  /** A position for each token, or for each token of one sequence, instead of `offset`. */
  positions?: Ids
  /** A tensor to write the result to; `x` itself rotates in place. Then nothing is recorded for gradients. */
  out?: Tensor
}

export const LAYOUTS = ['half', 'interleaved'] as const
type Native = NonNullable<ReturnType<typeof native.rotaryNew>>

/** What the native side needs to know of a call besides the elements. */
interface Place {
  readonly heads: number
  readonly headDim: number
  readonly offset: number
  readonly length: number
  readonly at: IntArray | undefined
}

const CONTENTS = new Contents<RotaryEmbedding>('RotaryEmbedding', {
  instead: 'make another one from the same options',
})

/**
 * Rotary position embedding (Su et al. 2021, RoFormer) of queries and keys. Pair p of each head, (a, b), becomes
 * `(a cos t - b sin t, b cos t + a sin t)` with `t = position * base^(-2p / dim)`, so that `query . key` depends on the
 * distance alone. A pair consists of elements p and p + dim / 2 ('half': GPT-NeoX, Transformers' Llama) or 2p and 2p +
 * 1 ('interleaved': RoFormer, GPT-J, Meta's Llama).
 *
 * Angles are computed in float64 and rounded once: each cosine and sine is within `2^-25 + position * 2^-51` of the
 * exact one. At position 1e6 that is less than 3.1e-8, where float32 angles are off by up to 0.06. Cosines and sines
 * are cached between calls, up to 64 MB. For equal angles float32 results have PyTorch's bits; float16 and bfloat16 are
 * computed in float32 and rounded once. The backward is the inverse rotation.
 */
export class RotaryEmbedding {
  readonly dim: number
  readonly base: number
  readonly layout: 'half' | 'interleaved'
  readonly #native: Native
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /** @throws UsageError for an odd dim, an unknown layout or scaling, and a scaling that lacks a number. */
  constructor(options: RotaryOptions) {
    const where = 'RotaryEmbedding'
    const {
      dim,
      base = 10000,
      layout = 'half',
      scaling,
    } = checkOptions(options, ['dim', 'base', 'layout', 'scaling'], where)
    this.dim = checkSize(dim, `${where}: dim`, 2, MOST_DIM)
    if (this.dim % 2 !== 0)
      throw new UsageError(`${where}: elements are rotated in pairs: dim must be even, not ${dim}`)
    if (checkNumber(base, `${where}: base`) <= 1)
      throw new UsageError(`${where}: base must be more than 1, not ${base}`)
    this.base = base
    this.layout = checkWord(layout, LAYOUTS, `${where}: layout`)
    this.#native = call(native.rotaryNew(this.dim, base, this.layout, readScaling(scaling, this.dim, where)))
  }

  /**
   * Rotates `x` and returns the result in the same shape and type: (batch, length, heads, headDim); or (length, heads,
   * headDim) for one sequence, or for rows of different lengths end to end with `positions` that restart at each row
   * (`positionIds` of a Ragged). Positions count from `offset`, or are given one by one: as (batch, length), flat, or
   * as (length) for every sequence.
   *
   * @throws ShapeError for heads shorter than `dim` and positions that do not fit; UsageError for a negative position.
   */
  forward(x: Tensor, options?: RotaryForwardOptions): Tensor {
    const where = 'RotaryEmbedding.forward'
    const { out, ...rest } = checkOptions(options, ['offset', 'positions', 'out'], where)
    const place = this.#place(x, rest, where)
    const dtype = x.dtype as ResultType
    const result = target(out, x.shape, dtype, where)
    written(result, out, this.#rotate(out === x ? null : x, result, place, false))
    if (out !== undefined) return result
    return record(result, 'RotaryEmbeddingBackward', [x], () => {
      // Copy the positions, which the caller may change before backward.
      const kept = { ...place, at: place.at && copyOf(place.at) }
      return (grad) => [made(grad.shape, dtype, where, (out) => this.#rotate(grad, out, kept, true))]
    })
  }

  #rotate(x: Elements | null, out: Elements, { heads, headDim, offset, length, at }: Place, inverse: boolean): boolean {
    return native.rotaryForward(
      this.#native,
      out.dtype as ResultType,
      heads,
      headDim,
      inverse,
      offset,
      length,
      at,
      x?.operand(),
      out.operand(),
    )
  }

  #place(x: unknown, { offset, positions }: { offset?: number; positions?: Ids }, where: string): Place {
    if (!(x instanceof Tensor)) throw new UsageError(`${where}: x must be a tensor, not ${show(x)}`)
    if (!isResultType(x.dtype)) throw new DTypeError(`${where}: x must be float32, float16 or bfloat16, not ${x.dtype}`)
    const rank = x.shape.length
    if (rank !== 4 && rank !== 3) {
      throw new ShapeError(
        `${where}: x must have the shape (batch, length, heads, headDim) or (length, heads, headDim), not ${shown(x.shape)}`,
      )
    }
    const [length, heads, headDim] = x.shape.slice(-3)
    if (headDim < this.dim)
      throw new ShapeError(`${where}: heads must have at least dim = ${this.dim} elements, not ${headDim}`)
    if (positions !== undefined && offset !== undefined)
      throw new UsageError(`${where}: give either positions or offset, not both`)
    const from = offset === undefined ? 0 : checkSize(offset, `${where}: offset`)
    const tokens = x.shape.slice(0, -2)
    const at = positions === undefined ? undefined : spread(positions, tokens, 'positions', 'x', where)
    return { heads, headDim, offset: from, length, at }
  }

  static {
    guardReceivers(this, (value) => #native in value)
    CONTENTS.guard(this, (value) => #native in value)
  }
}
