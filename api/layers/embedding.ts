// The lookup layer: every token id becomes a vector.

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
  /** A tensor of the result's shape to write into. Nothing is allocated then, and no gradient is recorded. */
  out?: Tensor
  /** The shape of ids that are given as a flat array. */
  shape?: number[]
}
/** Options of `Embedding.forward`. */
export interface LookupOptions extends ForwardOptions {
  /**
   * The type of the result; default: the type of `out`, or else of the table. For a quantized table it is the type that
   * the layer was made with.
   */
  dtype?: ResultType
}

/** The op's name in PyTorch. */
const NAME = 'EmbeddingBackward'
const FORWARD_ASYNC_OPTIONS = [...ASYNC_OPTIONS, 'dtype']
const FORWARD_OPTIONS = ['out', 'shape', 'dtype']

const CONTENTS = new Contents<Embedding>('Embedding', {
  instead: 'use stateDict() for its table, weight.share() for other threads, saveSafetensors for files',
})

/**
 * A table of `numEmbeddings` vectors of `embeddingDim`, looked up by id. `torch.nn.Embedding`.
 *
 * The table is drawn from N(0, 1) as PyTorch draws it, or as `init` says. It lives in native memory (huge pages if it
 * is large) until the last tensor that shares it is gone, and `weight.data` is a live view of it. A float16 or bfloat16
 * table is drawn in float32 and rounded.
 */
export class Embedding implements Layer {
  /** Number of rows of the table. */
  readonly numEmbeddings: number
  /** Number of elements of a row. */
  readonly embeddingDim: number
  readonly #table: Table
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /**
   * @throws UsageError if a size is not a size or the table does not fit in memory, if the dim is 0 (0 rows are
   * allowed), and for an option that does not exist.
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
   * Makes a layer over an existing table and shares its memory. With `freeze` (the default) the table does not learn.
   * The padding row is not set to zeros. A tensor is float32, float16 or bfloat16, and results have its type unless
   * told otherwise. For a QuantizedTable, which cannot learn, `dtype` is the type of results, float32 by default.
   */
  static fromPretrained(weight: Tensor | QuantizedTable, options?: EmbeddingOptions & { freeze?: boolean }): Embedding {
    const where = 'Embedding.fromPretrained'
    const { table } = given(weight, options, [], where)
    return new Embedding(table.rows, table.dim, undefined, table)
  }

  /**
   * The table, (numEmbeddings, embeddingDim). You can assign another tensor of the same shape and type (tied weights).
   * For a QuantizedTable of integers or blocks it is the bytes of the rows, as uint8.
   */
  get weight(): Tensor {
    return this.#table.weight
  }

  set weight(weight: Tensor) {
    this.#table.replace(weight, 'Embedding.weight')
  }

  /**
   * Looks up the vectors of ids: `ids` of any shape give a result of that shape with `embeddingDim` appended.
   * `torch.nn.functional.embedding`.
   *
   * @throws TokenIndexError, which names the id and its position, for an id out of range, unless `onBadId` replaces it.
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

  /** The table's rows and the settings of lookups. @internal */
  get table(): Table {
    return this.#table
  }

  /**
   * `forward` on another thread, so that this one goes on: the values are the same, and errors come as rejections. The
   * ids are copied at the call. The table is read while the lookup runs: changing it meanwhile (`set`, `loadStateDict`,
   * `maxNorm`, `out`) is a UsageError, and writing to its `data` gives unspecified values. Disposing the table is safe:
   * its memory is freed when the lookup has ended. The result belongs to no `scope`.
   *
   * Handing over costs some tens of microseconds, which pays off from about 1000 ids of 768 elements. Calls wait in
   * libuv's queue, which Node gives four threads. Each call keeps its ids while it waits, and has memory for its result
   * once it starts.
   *
   * With `maxNorm` rows are rescaled at the call, on this thread. A table in V8's memory (made by `tensor`, `zeros`
   * ...) moves to native memory at the first call. If its `data` was read before, it cannot move, and the lookup runs
   * at the call.
   *
   * @throws AbortedError if `signal` aborts: before the call, in the queue, or within a fraction of a millisecond while
   * the lookup runs.
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

  /** The table, which is the only parameter. */
  parameters(): Tensor[] {
    return [this.#table.weight]
  }

  /** The table under the name `weight`, sharing its memory. */
  stateDict(): Record<string, Tensor> {
    return { weight: this.#table.weight }
  }

  /**
   * Copies `weight` into the table. @throws UsageError for other names, ShapeError for another shape; nothing is
   * written then.
   */
  loadStateDict(state: Record<string, Tensor>): this {
    loadInto(this.stateDict(), state, 'Embedding.loadStateDict')
    return this
  }

  /**
   * Frees the parameters now, where no other tensor shares their memory. The layer, and whatever else holds the very
   * same tensors, is of no more use.
   */
  dispose(): void {
    for (const parameter of Object.values(this.stateDict())) parameter.dispose()
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** The table of a receiver. The `try` is free, while asking `#table in it` first takes 10 ns. */
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
