// Transformer-XL's attention scores: content and relative position.

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
  /** Elements of a head. */
  headDim: number
  /** Elements of the sinusoids that positions are made of: the model's dim. */
  dim: number
  /** Distances beyond count as this one; default: none does. */
  clampLength?: number
  /** What draws u, v and the weight; default: the one that `manualSeed` seeds. */
  generator?: Generator
  /** How u, v and the weight are drawn; default `{ std: 0.02 }`. */
  init?: Init
}

/** As the models of the papers are drawn. */
const STD = 0.02
const MAX_WAVELENGTH = 10000

/**
 * Transformer-XL's attention scores, whole and not yet scaled (Dai et al. 2019, section 3.3):
 *
 * `scores[b, h, i, j] = (query[b, h, i] + u[h]) . key[b, h, j] + (query[b, h, i] + v[h]) . r(memory + i - j)[h]`
 *
 * where `r(d) = weight sinusoid(d)`, sinusoids as in `sinusoidalPositions(..., { layout: 'half' })`, and `memory` is by
 * how much the keys are longer than the queries. The relative shift is done: a row of scores is a window of the
 * products with all distances. Keys after their query have negative distances, as in XLNet; Transformer-XL masks them
 * out. Attention divides by sqrt(headDim).
 *
 * `weight` is (heads * headDim, dim), that of Transformer-XL's `r_net`; XLNet's `r` is it transposed; `u` is
 * `r_w_bias`, `v` is `r_r_bias`, (heads, headDim) both. Draws: u, v, weight, each from N(0, 0.02^2) or as `init` says.
 */
export class TransformerXLPositions extends Learned {
  readonly heads: number
  readonly headDim: number
  readonly dim: number
  readonly clampLength: number | null
  #u: Tensor
  #v: Tensor
  #weight: Tensor
  /** Sinusoids of the last call's distances. */
  #kept: { queries: number; keys: number; sinusoids: Tensor } | null = null

  /** @throws UsageError for sizes that are no sizes, and for an odd dim. */
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

  /** Added to queries that meet keys, (heads, headDim). */
  get u(): Tensor {
    return this.#u
  }

  set u(u: Tensor) {
    this.#u = replacement(this.#u, u, 'TransformerXLPositions.u')
  }

  /** Added to queries that meet positions, (heads, headDim). */
  get v(): Tensor {
    return this.#v
  }

  set v(v: Tensor) {
    this.#v = replacement(this.#v, v, 'TransformerXLPositions.v')
  }

  /** What makes keys of sinusoids, (heads * headDim, dim). */
  get weight(): Tensor {
    return this.#weight
  }

  set weight(weight: Tensor) {
    this.#weight = replacement(this.#weight, weight, 'TransformerXLPositions.weight')
  }

  /**
   * Scores (batch, heads, query, key) of float32 queries and keys (batch, heads, length, headDim): keys may be longer,
   * by the memory, of which they begin with.
   *
   * @throws ShapeError for queries and keys that do not go together.
   */
  forward(query: Tensor, key: Tensor): Tensor {
    const where = 'TransformerXLPositions.forward'
    checkHeads(query, 'query', where)
    checkHeads(key, 'key', where)
    const [batch, heads, queries, headDim] = query.shape
    const keys = key.shape[2]
    if (heads !== this.heads || headDim !== this.headDim) {
      throw new ShapeError(
        `${where}: queries are ${shown(query.shape)} where [batch, ${this.heads}, length, ${this.headDim}] is needed`,
      )
    }
    if (!sameShape(key.shape, [batch, heads, keys, headDim]) || keys < queries) {
      throw new ShapeError(
        `${where}: keys ${shown(key.shape)} do not go with queries ${shown(query.shape)}: the same but for the length, which is at least theirs`,
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

  /** Sinusoids of the distances from the largest down, one for each diagonal of the scores. */
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
