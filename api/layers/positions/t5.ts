// T5's relative positions: a learned bias for each bucket of distances and each head.

import { record } from '../../autograd/tape.js'
import type { Init } from '../init.js'
import { check, native, type BucketsOperand } from '../../native/native.js'
import type { Generator } from '../../tensor/random.js'
import { guardReceivers } from '../../base/receivers.js'
import type { Tensor } from '../../tensor/tensor.js'
import { checkBoolean, checkOptions, checkSize } from '../../base/validate.js'
import { learned, Learned, made, replacement, target, written } from './made.js'

export interface T5BucketOptions {
  /** Whether keys after a query have separate buckets (in an encoder), or all share one (in a causal decoder). */
  bidirectional: boolean
  /** default 32 */ numBuckets?: number
  /** Distances of at least this share the last bucket; default 128. */
  maxDistance?: number
}

const BUCKET_OPTIONS = ['bidirectional', 'numBuckets', 'maxDistance']

function checkBuckets(
  { bidirectional, numBuckets = 32, maxDistance = 128 }: Partial<T5BucketOptions>,
  where: string,
): BucketsOperand {
  checkBoolean(bidirectional, `${where}: bidirectional`)
  checkSize(numBuckets, `${where}: numBuckets`, 2)
  checkSize(maxDistance, `${where}: maxDistance`, 1)
  const buckets = { bidirectional: bidirectional!, count: numBuckets, maxDistance }
  check(native.t5Check(buckets))
  return buckets
}

/**
 * The bucket of each query and key, (query, key) int32. Let `d = key - query`, n the number of buckets for one
 * direction (half of `numBuckets` if bidirectional; then d > 0 has the upper half) and `e = n / 2`. A distance |d|
 * below e has its own bucket; from there on the bucket is `e + floor(log(|d| / e) / log(maxDistance / e) * (n - e))`,
 * at most n - 1. In the causal case d > 0 counts as 0. Computed in float32, operation by operation as in Transformers.
 * Raffel et al. 2020 (T5).
 *
 * @throws UsageError for too few buckets, or a `maxDistance` that leaves nothing beyond the exact ones.
 */
export function t5RelativeBuckets(
  queryLength: number,
  keyLength: number,
  options: T5BucketOptions & { offset?: number },
): Tensor {
  const where = 't5RelativeBuckets'
  const { offset = 0, ...rest } = checkOptions(options, [...BUCKET_OPTIONS, 'offset'], where)
  const buckets = checkBuckets(rest, where)
  checkSize(queryLength, `${where}: queryLength`)
  checkSize(keyLength, `${where}: keyLength`)
  checkSize(offset, `${where}: offset`)
  return made([queryLength, keyLength], 'int32', where, (out) =>
    native.t5Buckets(buckets, { queries: queryLength, keys: keyLength, offset }, out.operand()),
  )
}

/**
 * T5's relative position bias: a learned number for each bucket and head, added to attention scores (which T5 does not
 * scale). `bias[h, i, j] = weight[bucket(j - (offset + i)), h]`. Raffel et al. 2020.
 *
 * The table, (numBuckets, heads), corresponds to T5's `relative_attention_bias.weight`. It is drawn from N(0, 1), as
 * `torch.nn.Embedding` draws, or initialised by `init`.
 */
export class T5RelativeBias extends Learned {
  /** Number of attention heads. */
  readonly heads: number
  readonly #buckets: BucketsOperand
  #weight: Tensor

  /** @throws UsageError for invalid sizes, and for buckets as `t5RelativeBuckets`. */
  constructor(
    options: T5BucketOptions & {
      heads: number
      generator?: Generator
      /** How the table is initialised; default `{ std: 1 }`. */ init?: Init
    },
  ) {
    super()
    const where = 'T5RelativeBias'
    const { heads, generator, init, ...rest } = checkOptions(
      options,
      ['heads', 'generator', 'init', ...BUCKET_OPTIONS],
      where,
    )
    this.heads = checkSize(heads, `${where}: heads`, 1)
    this.#buckets = checkBuckets(rest, where)
    this.#weight = learned([this.#buckets.count, this.heads], { generator, init }, where)
  }

  /** The table, (numBuckets, heads). It may be replaced by another tensor of the same shape. */
  get weight(): Tensor {
    return this.#weight
  }

  set weight(weight: Tensor) {
    this.#weight = replacement(this.#weight, weight, 'T5RelativeBias.weight')
  }

  /**
   * The bias, (heads, query, key). Query i is at position `offset + i` (default 0) of the keys: in decoding with cached
   * keys, `forward(1, keys, { offset: keys - 1 })` is the last row of the whole bias.
   */
  forward(
    queryLength: number,
    keyLength: number,
    options?: { offset?: number; /** Where the result goes. */ out?: Tensor },
  ): Tensor {
    const where = 'T5RelativeBias.forward'
    const { offset = 0, out } = checkOptions(options, ['offset', 'out'], where)
    checkSize(queryLength, `${where}: queryLength`)
    checkSize(keyLength, `${where}: keyLength`)
    checkSize(offset, `${where}: offset`)
    const { heads } = this
    const [weight, buckets] = [this.#weight, this.#buckets]
    const span = { queries: queryLength, keys: keyLength, offset }
    const result = target(out, [heads, queryLength, keyLength], 'float32', where)
    written(result, out, native.t5BiasForward(buckets, span, weight.operand(), heads, result.operand()))
    if (out !== undefined) return result
    return record(result, 'T5RelativeBiasBackward', [weight], () => (grad) => [
      made([buckets.count, heads], 'float32', where, (of) =>
        native.t5BiasBackward(buckets, span, grad.operand(), heads, of.operand()),
      ),
    ])
  }

  override stateDict(): Record<string, Tensor> {
    return { weight: this.#weight }
  }

  static {
    guardReceivers(this, (value) => #buckets in value)
  }
}
