// Rotary positions: pairs of elements turned by an angle that grows with the position.

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
  /** Elements of a head that are rotated, from the first on: all of headDim, or fewer (partial rotation). Even. */
  dim: number
  /** What frequencies are powers of; default 10000. */
  base?: number
  /** Which elements make a pair; default 'half': those that lie dim / 2 apart. 'interleaved': neighbours. */
  layout?: 'half' | 'interleaved'
  /** How frequencies are changed for contexts longer than the model's own. */
  scaling?: RotaryScaling
}

export interface RotaryForwardOptions {
  /** The first position of every sequence; default 0. */
  offset?: number
  /** A position for each token, or for each of a sequence; instead of `offset`. */
  positions?: Ids
  /** Where the result goes; `x` itself to rotate in place. Nothing is recorded then. */
  out?: Tensor
}

export const LAYOUTS = ['half', 'interleaved'] as const
type Native = NonNullable<ReturnType<typeof native.rotaryNew>>

/** What of a call the native side needs besides elements. */
interface Place {
  readonly heads: number
  readonly headDim: number
  readonly offset: number
  readonly length: number
  readonly at: IntArray | undefined
}

const CONTENTS = new Contents<RotaryEmbedding>('RotaryEmbedding', {
  instead: 'it follows from its options: make one of the same',
})

/**
 * Rotary position embedding (Su et al. 2021, RoFormer), of queries and keys: pair p of each head, (a, b), becomes
 * `(a cos t - b sin t, b cos t + a sin t)` with `t = position * base^(-2p / dim)`, so that `query . key` depends on the
 * distance alone. Pairs are elements p and p + dim / 2 ('half': GPT-NeoX, Llama as Transformers has it) or 2p and 2p +
 * 1 ('interleaved': RoFormer, GPT-J, Llama as Meta has it).
 *
 * Angles are computed in float64 and rounded once: each cosine and sine is within `2^-25 + position * 2^-51` of the
 * exact one, at position 1e6 less than 3.1e-8, where float32 angles are off by up to 0.06. They are kept from call to
 * call, up to 64 MB. With equal angles results have PyTorch's bits in float32; float16 and bfloat16 are computed in
 * float32 and rounded once. The way back is the inverse rotation.
 */
export class RotaryEmbedding {
  readonly dim: number
  readonly base: number
  readonly layout: 'half' | 'interleaved'
  readonly #native: Native
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /** @throws UsageError for an odd dim, a layout or scaling that does not exist, and a scaling without its numbers. */
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
   * `x` rotated, in its shape and type: (batch, length, heads, headDim), or (length, heads, headDim) for one sequence,
   * or for rows of different length end to end with `positions` that say where each begins (`positionIds` of a Ragged).
   * Positions count from `offset`, or are given one by one: (batch, length), flat, or (length) for every sequence.
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
      // Whose positions the caller may change meanwhile.
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
    if (!isResultType(x.dtype)) throw new DTypeError(`${where}: x is float32, float16 or bfloat16, not ${x.dtype}`)
    const rank = x.shape.length
    if (rank !== 4 && rank !== 3) {
      throw new ShapeError(
        `${where}: x is (batch, length, heads, headDim) or (length, heads, headDim), not ${shown(x.shape)}`,
      )
    }
    const [length, heads, headDim] = x.shape.slice(-3)
    if (headDim < this.dim)
      throw new ShapeError(`${where}: heads of ${headDim} elements, of which ${this.dim} are to be rotated`)
    if (positions !== undefined && offset !== undefined)
      throw new UsageError(`${where}: either positions or offset, not both`)
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
