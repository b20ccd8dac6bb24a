// The lookup: every token id becomes a vector.

import { ASYNC_OPTIONS, lookUp, type AsyncOptions } from './async.js'
import { Contents } from '../base/contents.js'
import { type ResultType } from '../base/dtype.js'
import { readIds, type Ids } from '../tensor/ids.js'
import { loadInto, type Layer } from './layer.js'
import { lookupWay } from './backward.js'
import { check, native } from '../native/native.js'
import type { QuantizedTable } from './quantize.js'
import { guardReceivers, isInstance, stranger } from '../base/receivers.js'
import { resultFor, resultType, settled } from './result.js'
import { given, Table, TABLE_OPTIONS, type EmbeddingOptions } from './table.js'
import type { Tensor } from '../tensor/tensor.js'
import { checkOptions, isObject } from '../base/validate.js'

export interface ForwardOptions {
  /** Where the result goes: a tensor of its shape. Nothing is allocated then, and nothing is recorded. */
  out?: Tensor
  /** The shape of flat ids. */
  shape?: number[]
}
/** Of an Embedding. */
export interface LookupOptions extends ForwardOptions {
  /** The type of the result; default: that of `out`, else the table's, of a quantized one as its layer says. */
  dtype?: ResultType
}

/** As PyTorch names the op. */
const NAME = 'EmbeddingBackward'
const FORWARD_ASYNC_OPTIONS = [...ASYNC_OPTIONS, 'dtype']
const FORWARD_OPTIONS = ['out', 'shape', 'dtype']

const CONTENTS = new Contents<Embedding>('Embedding', {
  instead: 'stateDict() has its table, weight.share() lends it to other threads, saveSafetensors writes it',
})

/**
 * A table of `numEmbeddings` vectors of `embeddingDim`, looked up by id. `torch.nn.Embedding`.
 *
 * The table is drawn from N(0, 1) as PyTorch draws it, or as `init` says, lives in native memory (huge pages where
 * large) until the last tensor that shares it is gone, and `weight.data` shows it live. A float16 or bfloat16 one is
 * drawn in float32 and rounded.
 */
export class Embedding implements Layer {
  /** Rows of the table. */
  readonly numEmbeddings: number
  /** Elements of a row. */
  readonly embeddingDim: number
  readonly #table: Table
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /**
   * @throws UsageError for sizes that are no sizes, do not fit in memory, or a dim of 0 (0 rows may be), and for an
   * option that does not exist.
   */
  constructor(numEmbeddings: number, embeddingDim: number, options?: EmbeddingOptions)
  /** @internal */
  constructor(numEmbeddings: number, embeddingDim: number, options?: EmbeddingOptions, table?: Table)
  constructor(numEmbeddings: number, embeddingDim: number, options?: EmbeddingOptions, table?: Table) {
    const where = 'Embedding'
    this.#table =
      isObject(table) && table instanceof Table
        ? table
        : Table.drawn(numEmbeddings, embeddingDim, checkOptions(options, TABLE_OPTIONS, where), where)
    this.numEmbeddings = this.#table.rows
    this.embeddingDim = this.#table.dim
  }

  /**
   * Over a table that exists, whose memory it shares: `freeze` (the default) makes a table that does not learn. The
   * padding row is not zeroed. A tensor is float32, float16 or bfloat16, and results are of its type unless told
   * otherwise. Of a QuantizedTable `dtype` says the type of results, float32 by default; it cannot learn.
   */
  static fromPretrained(weight: Tensor | QuantizedTable, options?: EmbeddingOptions & { freeze?: boolean }): Embedding {
    const where = 'Embedding.fromPretrained'
    const { table } = given(weight, options, [], where)
    return new Embedding(table.rows, table.dim, undefined, table)
  }

  /**
   * The table, (numEmbeddings, embeddingDim). Another of the same shape and type may take its place (tied weights). Of
   * a QuantizedTable of small integers: the bytes of its rows, as uint8.
   */
  get weight(): Tensor {
    return this.#table.weight
  }

  set weight(weight: Tensor) {
    this.#table.replace(weight, 'Embedding.weight')
  }

  /**
   * The vectors of ids: `ids` of any shape -> that shape with `embeddingDim` behind. `torch.nn.functional.embedding`.
   *
   * @throws TokenIndexError, which says which id where, for one that the table has no row for, unless `onBadId` mends it.
   */
  forward(ids: Ids, options?: LookupOptions): Tensor {
    const table = Embedding.#tableOf(this)
    const where = 'Embedding.forward'
    const { out, shape, dtype } = checkOptions(options, FORWARD_OPTIONS, where)
    const read = readIds(ids, shape, where)
    const type = resultType(dtype, out, table.results, where)
    const result = resultFor(out, read.shape, table.dim, where, type)
    const into = result.operand()
    const done =
      table.renormalized(read.array, result, where) &&
      native.embeddingForward(table.lookup(type), read.array, into, table.crossing)
    return settled(done, result, out, read.shape, table.weights, NAME, (save) =>
      lookupWay(table, ids, read.array, { save, pooled: true }),
    )
  }

  /** Its rows, and what is done to them. @internal */
  get table(): Table {
    return this.#table
  }

  /**
   * `forward` on another thread, so that this one goes on: the same values, the same errors, as a rejection. The ids
   * are copied at the call; the table is read while the lookup is under way, so that changing it then (`set`,
   * `loadStateDict`, `maxNorm`, `out`) is a UsageError, and writing to its `data` gives unspecified values. `dispose`
   * of the table does no harm: its memory goes when the lookup has ended. The result belongs to no `scope`.
   *
   * Handing over costs some tens of microseconds: worth it from about 1000 ids of 768 elements on. Calls wait in
   * libuv's queue, at four threads as Node has it; each keeps its ids while it waits, and memory for its result from
   * its start on.
   *
   * With `maxNorm` rows are rescaled at the call, on this thread. A table in V8's memory (made by `tensor`, `zeros`
   * ...) moves to native memory at the first call; if its `data` was looked at, it stays and the lookup is done at the
   * call.
   *
   * @throws AbortedError when `signal` says so: before, in the queue, or within a fraction of a millisecond under way.
   */
  async forwardAsync(ids: Ids, options?: AsyncOptions & { dtype?: ResultType }): Promise<Tensor> {
    const where = 'Embedding.forwardAsync'
    const { shape, signal, dtype } = checkOptions(options, FORWARD_ASYNC_OPTIONS, where)
    const read = readIds(ids, shape, where)
    const table = this.#table
    const type = resultType(dtype, undefined, table.results, where)
    return lookUp({
      where,
      signal,
      ids: read.shape,
      dim: table.dim,
      dtype: type,
      tables: table.weights,
      prepare: () => check(table.renormalized(read.array, null, where), read.shape),
      work: (weight) => native.embeddingWork(table.lookup(type), weight, read.array),
      now: () => this.forward(ids, { shape, dtype }),
      name: NAME,
      way: (save) => lookupWay(table, ids, read.array, { save, pooled: false }),
    })
  }

  /** The table. */
  parameters(): Tensor[] {
    return [this.#table.weight]
  }

  /** The table as `weight`, sharing its memory. */
  stateDict(): Record<string, Tensor> {
    return { weight: this.#table.weight }
  }

  /** Copies `weight` in. @throws UsageError for other names, ShapeError for another shape; nothing is written then. */
  loadStateDict(state: Record<string, Tensor>): this {
    loadInto(this.stateDict(), state, 'Embedding.loadStateDict')
    return this
  }

  /** The table of a receiver. To try costs nothing, where to ask `#table in it` first takes 10 ns. */
  static #tableOf(it: Embedding): Table {
    try {
      return it.#table
    } catch {
      throw stranger(it, 'Embedding', 'forward')
    }
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #table in value && isInstance(this, Embedding, value)
  }

  static {
    guardReceivers(this, (value) => #table in value, ['forward', 'table'])
    CONTENTS.guard(this, (value) => #table in value)
  }
}
