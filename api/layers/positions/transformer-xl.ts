// Transformer-XL's attention scores, from content and relative positions.

import { record } from '../../autograd/tape.js'
import { ShapeError, UsageError } from '../../base/errors.js'
import type { Init } from '../init.js'
import { check, native } from '../../native/native.js'
import type { Generator } from '../../tensor/random.js'
import { guardReceivers } from '../../base/receivers.js'
import { untrack } from '../../memory/scope.js'
import { sameShape, shown } from '../../base/shape.js'
import type { Elements } from '../../ops/elements.js'
import type { Tensor } from '../../tensor/tensor.js'
import { checkOptions, checkSize } from '../../base/validate.js'
import { checkHeads, learned, Learned, made, replacement } from './made.js'

export interface TransformerXLOptions {
  heads: number
  /** Number of elements of a head. */
  headDim: number
  /** Number of elements of a position's sinusoid: the model's dim. */
  dim: number
  /** Larger distances count as this one; default: no limit. */
  clampLength?: number
  /** The generator that draws u, v and the weight; default: the default generator, which `manualSeed` seeds. */
  generator?: Generator
  /** How u, v and the weight are initialised; default `{ std: 0.02 }`. */
  init?: Init
}

/** The standard deviation that the papers' models use. */
const STD = 0.02
const MAX_WAVELENGTH = 10000

/**
 * Transformer-XL's complete attention scores, not yet scaled (Dai et al. 2019, section 3.3):
 *
 * `scores[b, h, i, j] = (query[b, h, i] + u[h]) . key[b, h, j] + (query[b, h, i] + v[h]) . r(memory + i - j)[h]`
 *
 * where `r(d) = weight sinusoid(d)`, sinusoids are those of `sinusoidalPositions(..., { layout: 'half' })`, and
 * `memory` is the number of keys minus the number of queries. The relative shift is included: a row of scores is a
 * window of the products with all distances. Keys after their query have negative distances, as in XLNet;
 * Transformer-XL masks them. Attention divides the scores by sqrt(headDim).
 *
 * `weight`, (heads * headDim, dim), corresponds to Transformer-XL's `r_net` and to XLNet's `r` transposed; `u` and `v`,
 * both (heads, headDim), to `r_w_bias` and `r_r_bias`. They are drawn in the order u, v, weight, each from N(0, 0.02^2)
 * or as `init` says.
 */
export class TransformerXLPositions extends Learned {
  readonly heads: number
  readonly headDim: number
  readonly dim: number
  readonly clampLength: number | null
  #u: Tensor
  #v: Tensor
  #weight: Tensor
  /** Sinusoids of the distances of the last call. */
  #kept: { queries: number; keys: number; sinusoids: Tensor } | null = null

  /** @throws UsageError for invalid sizes, and for an odd dim. */
  constructor(options: TransformerXLOptions) {
    super()
    const where = 'TransformerXLPositions'
    const { heads, headDim, dim, clampLength, generator, init } = checkOptions(
      options,
      ['heads', 'headDim', 'dim', 'clampLength', 'generator', 'init'],
      where,
    )
    this.heads = checkSize(heads, `${where}: heads`, 1)
    this.headDim = checkSize(headDim, `${where}: headDim`, 1)
    this.dim = checkSize(dim, `${where}: dim`, 2)
    if (this.dim % 2 !== 0)
      throw new UsageError(`${where}: sines and cosines come in pairs: dim must be even, not ${dim}`)
    this.clampLength = clampLength === undefined ? null : checkSize(clampLength, `${where}: clampLength`, 1)
    this.#u = learned([this.heads, this.headDim], { generator, init }, where, STD)
    this.#v = learned([this.heads, this.headDim], { generator, init }, where, STD)
    this.#weight = learned([this.heads * this.headDim, this.dim], { generator, init }, where, STD)
  }

  /** The vector added to queries before they are multiplied with keys, (heads, headDim). */
  get u(): Tensor {
    return this.#u
  }

  set u(u: Tensor) {
    this.#u = replacement(this.#u, u, 'TransformerXLPositions.u')
  }

  /** The vector added to queries before they are multiplied with positions, (heads, headDim). */
  get v(): Tensor {
    return this.#v
  }

  set v(v: Tensor) {
    this.#v = replacement(this.#v, v, 'TransformerXLPositions.v')
  }

  /** The projection of sinusoids to keys, (heads * headDim, dim). */
  get weight(): Tensor {
    return this.#weight
  }

  set weight(weight: Tensor) {
    this.#weight = replacement(this.#weight, weight, 'TransformerXLPositions.weight')
  }

  /**
   * Scores (batch, heads, query, key) of float32 queries and keys (batch, heads, length, headDim). There may be more
   * keys than queries: the first ones are the memory.
   *
   * @throws ShapeError for queries and keys whose shapes do not fit together.
   */
  forward(query: Tensor, key: Tensor): Tensor {
    const where = 'TransformerXLPositions.forward'
    checkHeads(query, 'query', where)
    checkHeads(key, 'key', where)
    const [batch, heads, queries, headDim] = query.shape
    const keys = key.shape[2]
    if (heads !== this.heads || headDim !== this.headDim) {
      throw new ShapeError(
        `${where}: queries must have the shape [batch, ${this.heads}, length, ${this.headDim}], not ${shown(query.shape)}`,
      )
    }
    if (!sameShape(key.shape, [batch, heads, keys, headDim]) || keys < queries) {
      throw new ShapeError(
        `${where}: keys ${shown(key.shape)} do not match queries ${shown(query.shape)}: the shapes must be equal, except that keys may be longer`,
      )
    }
    const sizes = { batch, heads, queries, keys, dim: headDim, offset: keys - queries }
    const inputs = [query, key, this.#u, this.#v, this.#weight]
    const operands = ([query, key, u, v, weight]: readonly Elements[]) => ({
      query: query.operand(),
      key: key.operand(),
      u: u.operand(),
      v: v.operand(),
      weight: weight.operand(),
    })
    const given = (tensors: readonly Elements[]) => ({
      ...operands(tensors),
      sinusoids: this.#sinusoids(queries, keys, where).operand(),
    })
    const result = made([batch, heads, queries, keys], 'float32', where, (out) =>
      native.transformerXlForward(sizes, given(inputs), out.operand()),
    )
    return record(result, 'TransformerXLPositionsBackward', inputs, (save) => {
      const saved = inputs.map(save)
      return (grad) => {
        const tensors = saved.map((get) => get())
        const grads = tensors.map((x) => made(x.shape, 'float32', where, () => true))
        check(native.transformerXlBackward(sizes, given(tensors), grad.operand(), operands(grads)))
        return grads
      }
    })
  }

  /** Sinusoids of all distances in descending order, one for each diagonal of the scores. */
  #sinusoids(queries: number, keys: number, where: string): Tensor {
    const kept = this.#kept
    if (kept !== null && kept.queries === queries && kept.keys === keys) return kept.sinusoids
    const sinusoids = made([Math.max(0, queries + keys - 1), this.dim], 'float32', where, (out) =>
      native.sinusoidsForward(
        {
          first: keys - 1,
          step: -1,
          clamp: this.clampLength ?? undefined,
          dim: this.dim,
          wavelength: MAX_WAVELENGTH,
          layout: 'half',
        },
        out.operand(),
      ),
    )
    untrack(sinusoids)
    kept?.sinusoids.dispose()
    this.#kept = { queries, keys, sinusoids }
    return sinusoids
  }

  override stateDict(): Record<string, Tensor> {
    return { u: this.#u, v: this.#v, weight: this.#weight }
  }

  static {
    guardReceivers(this, (value) => #u in value)
  }
}
