// Rotary positions: pairs of elements rotated by an angle that grows with the position.

import { record } from '../../autograd/tape.js'
import { Contents } from '../../base/contents.js'
import { isResultType, type IntArray, type ResultType } from '../../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../../base/errors.js'
import { copyOf, readIds, type Ids } from '../../tensor/ids.js'
import { call, native } from '../../native/native.js'
import { disposed, guardReceivers } from '../../base/receivers.js'
import { sameShape, shown } from '../../base/shape.js'
import type { Elements } from '../../ops/elements.js'
import { Tensor } from '../../tensor/tensor.js'
import {
  MOST_DIM,
  checkBoolean,
  checkNumber,
  checkOptions,
  checkSize,
  checkWord,
  eachOf,
  isArray,
  show,
} from '../../base/validate.js'
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
  /**
   * How many pairs turn by each axis of a position, such as time, height and width (M-RoPE, Wang et al. 2024, Qwen2-VL:
   * `mrope_section`). The sum is dim / 2. `forward` then takes positions with the axes in front.
   */
  mropeSection?: readonly number[]
  /**
   * Whether axes take turns along the pairs (Qwen3-VL: `mrope_interleaved`). Each axis has its number of pairs, and
   * those left over turn by the first. Default false: the pairs of an axis are neighbours.
   */
  mropeInterleaved?: boolean
}

export interface RotaryForwardOptions {
  /** The first position of every sequence; default 0. */
  offset?: number
  /**
   * A position for each token, or for each token of one sequence, instead of `offset`. With `mropeSection`, positions
   * may have the axes in front of the tokens' shape, (axes, batch, length), or (axes, length) if x is one sequence;
   * without axes, a token has the same position on all of them.
   */
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
  readonly #axes: number
  readonly #native: Native
  #isGone = false
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /**
   * @throws UsageError for an odd dim, an unknown layout or scaling, a scaling that lacks a number, and sections that do
   * not add up to dim / 2.
   */
  constructor(options: RotaryOptions) {
    const where = 'RotaryEmbedding'
    const {
      dim,
      base = 10000,
      layout = 'half',
      scaling,
      mropeSection,
      mropeInterleaved,
    } = checkOptions(options, ['dim', 'base', 'layout', 'scaling', 'mropeSection', 'mropeInterleaved'], where)
    this.dim = checkSize(dim, `${where}: dim`, 2, MOST_DIM)
    if (this.dim % 2 !== 0)
      throw new UsageError(`${where}: elements are rotated in pairs: dim must be even, not ${dim}`)
    if (checkNumber(base, `${where}: base`) <= 1)
      throw new UsageError(`${where}: base must be more than 1, not ${base}`)
    this.base = base
    this.layout = checkWord(layout, LAYOUTS, `${where}: layout`)
    const sections = readSections(mropeSection, mropeInterleaved, this.dim, where)
    this.#axes = sections?.sections.length ?? 1
    const scale = readScaling(scaling, this.dim, where)
    this.#native = call(native.rotaryNew(this.dim, base, this.layout, scale, sections))
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
    // A gradient may come back later.
    if (this.#isGone) throw disposed('RotaryEmbedding', 'backward')
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
    const at = positions === undefined ? undefined : this.#spread(positions, tokens, where)
    return { heads, headDim, offset: from, length, at }
  }

  /** The positions of all tokens, one after the other for each axis that they have. */
  #spread(positions: Ids, tokens: readonly number[], where: string): IntArray {
    const axes = this.#axes
    if (axes === 1) return spread(positions, tokens, 'positions', 'x', where)
    const { array, shape } = readIds(positions, undefined, `${where}: positions`)
    const whole = [axes, ...tokens]
    if (sameShape(shape, whole)) return array
    if (shape.length <= tokens.length) return spread(positions, tokens, 'positions', 'x', where)
    throw new ShapeError(`${where}: positions of ${axes} axes must have the shape ${shown(whole)}, not ${shown(shape)}`)
  }

  /** Frees the angles now. Every later use, gradients of earlier results included, is a UsageError. */
  dispose(): void {
    if (this.#isGone) return
    this.#isGone = true
    native.externalRelease(this.#native)
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  static {
    guardReceivers(
      this,
      (value) => #native in value,
      [],
      (value) => (value as RotaryEmbedding).#isGone,
    )
    CONTENTS.guard(this, (value) => #native in value)
  }
}

/** Checks the sections of pairs by axis. */
function readSections(
  sections: unknown,
  interleaved: unknown,
  dim: number,
  where: string,
): { sections: number[]; interleaved: boolean } | undefined {
  if (sections === undefined) {
    if (interleaved !== undefined)
      throw new UsageError(`${where}: mropeInterleaved says how mropeSection is laid out: give mropeSection, too`)
    return undefined
  }
  if (!isArray(sections) || sections.length === 0 || sections.length > dim / 2) {
    throw new UsageError(
      `${where}: mropeSection must be an array with the number of pairs of each axis, not ${show(sections)}`,
    )
  }
  const sizes = eachOf(sections, (size, axis) => checkSize(size, `${where}: mropeSection[${axis}]`, 0, dim / 2))
  const sum = sizes.reduce((sum, size) => sum + size, 0)
  if (sum !== dim / 2) {
    throw new UsageError(
      `${where}: mropeSection must add up to the ${dim / 2} pairs of dim ${dim}, not to ${sum}, as ${show(sections)} does`,
    )
  }
  return {
    sections: sizes,
    interleaved: interleaved === undefined ? false : checkBoolean(interleaved, `${where}: mropeInterleaved`),
  }
}
