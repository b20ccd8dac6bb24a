// Shaw's relative positions: a learned vector for each clipped distance.

import { record } from '../../autograd/tape.js'
import { ShapeError, UsageError } from '../../base/errors.js'
import type { Init } from '../init.js'
import { check, native } from '../../native/native.js'
import type { Generator } from '../../tensor/random.js'
import { guardReceivers } from '../../base/receivers.js'
import { shown } from '../../base/shape.js'
import type { Tensor } from '../../tensor/tensor.js'
import { checkOptions, checkSize, checkWord } from '../../base/validate.js'
import { checkHeads, learned, Learned, made, replacement } from './made.js'

export interface ShawOptions {
  /** Larger distances count as this one. */
  maxDistance: number
  /** Number of elements of a head. */
  headDim: number
  /** Whether only queries are multiplied with the positions (the default), or keys as well. */
  kind?: 'relative_key' | 'relative_key_query'
  /** The generator that draws the table; default: the default generator, which `manualSeed` seeds. */
  generator?: Generator
  /** How the table is initialised; default `{ std: 1 }`. */
  init?: Init
}

const KINDS = ['relative_key', 'relative_key_query'] as const

/**
 * Shaw's relative positions: the part of the attention scores that comes from positions, to be added to `query . key`:
 *
 * `scores[b, h, i, j] = query[b, h, i] . w(i, j)`, and with the kind 'relative_key_query' `+ key[b, h, j] . w(i, j)`,
 * where `w(i, j) = weight[maxDistance + clip(offset + i - j, -maxDistance, maxDistance)]`.
 *
 * Shaw, Uszkoreit, Vaswani 2018; for keys Huang et al. 2020 (method 4). Row `maxDistance + d` of the table, (2
 * maxDistance + 1, headDim), belongs to the distance d = query - key, as in BERT: its `distance_embedding` with
 * `max_position_embeddings` P is the table with `maxDistance = P - 1`. Drawn from N(0, 1) as `torch.nn.Embedding`
 * draws.
 */
export class ShawRelativePositions extends Learned {
  readonly maxDistance: number
  readonly headDim: number
  readonly kind: 'relative_key' | 'relative_key_query'
  #weight: Tensor

  /** @throws UsageError for invalid sizes and an unknown kind. */
  constructor(options: ShawOptions) {
    super()
    const where = 'ShawRelativePositions'
    const {
      maxDistance,
      headDim,
      kind = 'relative_key',
      generator,
      init,
    } = checkOptions(options, ['maxDistance', 'headDim', 'kind', 'generator', 'init'], where)
    this.maxDistance = checkSize(maxDistance, `${where}: maxDistance`)
    this.headDim = checkSize(headDim, `${where}: headDim`, 1)
    this.kind = checkWord(kind, KINDS, `${where}: kind`)
    this.#weight = learned([2 * this.maxDistance + 1, this.headDim], { generator, init }, where)
  }

  /** The table, (2 maxDistance + 1, headDim). It may be replaced by another tensor of the same shape. */
  get weight(): Tensor {
    return this.#weight
  }

  set weight(weight: Tensor) {
    this.#weight = replacement(this.#weight, weight, 'ShawRelativePositions.weight')
  }

  /**
   * Scores (batch, heads, query, key) of float32 queries and keys (batch, heads, length, headDim). The kind
   * 'relative_key_query' needs keys. For 'relative_key' only their number matters; without them there are as many keys
   * as queries. The queries are the last of the keys.
   *
   * @throws ShapeError for queries and keys whose shapes do not fit together; UsageError for missing keys.
   */
  forward(query: Tensor, key?: Tensor): Tensor {
    const where = 'ShawRelativePositions.forward'
    checkHeads(query, 'query', where)
    if (key !== undefined) checkHeads(key, 'key', where)
    if (key === undefined && this.kind === 'relative_key_query') {
      throw new UsageError(`${where}: the kind relative_key_query needs keys as well: forward(query, key)`)
    }
    const [batch, heads, queries, dim] = query.shape
    const keys = key === undefined ? queries : key.shape[2]
    if (dim !== this.headDim)
      throw new ShapeError(`${where}: heads must have headDim = ${this.headDim} elements, not ${dim}`)
    if (
      key !== undefined &&
      (key.shape[0] !== batch || key.shape[1] !== heads || key.shape[3] !== dim || keys < queries)
    ) {
      throw new ShapeError(
        `${where}: keys ${shown(key.shape)} do not match queries ${shown(query.shape)}: the shapes must be equal, except that keys may be longer`,
      )
    }
    const sizes = { batch, heads, queries, keys, dim, offset: keys - queries }
    const weight = this.#weight
    const by = this.kind === 'relative_key_query' ? key : undefined
    const result = made([batch, heads, queries, keys], 'float32', where, (out) =>
      native.shawForward(
        sizes,
        { weight: weight.operand(), query: query.operand(), key: by?.operand() },
        out.operand(),
      ),
    )
    const inputs = by === undefined ? [weight, query] : [weight, query, by]
    return record(result, 'ShawRelativePositionsBackward', inputs, (save) => {
      const saved = inputs.map(save)
      return (grad) => {
        const [weight, query, key] = saved.map((get) => get()) as [Tensor, Tensor, Tensor?]
        const grads = [weight, query, key].map((x) => x && made(x.shape, 'float32', where, () => true))
        const [ofWeight, ofQuery, ofKey] = grads.map((x) => x?.operand())
        const given = { weight: weight.operand(), query: query.operand(), key: key?.operand() }
        check(native.shawBackward(sizes, given, grad.operand(), { weight: ofWeight!, query: ofQuery!, key: ofKey }))
        return grads.filter((x) => x !== undefined)
      }
    })
  }

  override stateDict(): Record<string, Tensor> {
    return { weight: this.#weight }
  }

  static {
    guardReceivers(this, (value) => #weight in value)
  }
}
