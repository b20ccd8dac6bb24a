// Bags of ids: the vectors of each bag become one vector.

import { lookUp } from './async.js'
import type { Backward } from '../autograd/tape.js'
import { Contents } from '../base/contents.js'
import { type ResultType } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { readIds, type Ids, type ReadIds } from '../tensor/ids.js'
import type { Keeping } from './kept-ids.js'
import { loadInto, type Layer } from './layer.js'
import { bagWay, operandOf, type ReadBags } from './backward.js'
import { check, native } from '../native/native.js'
import type { QuantizedTable } from './quantize.js'
import { guardReceivers, isInstance, stranger } from '../base/receivers.js'
import { resultFor, resultType, settled } from './result.js'
import { sameShape, shown } from '../base/shape.js'
import { given, Table, TABLE_OPTIONS, type EmbeddingOptions } from './table.js'
import { Tensor } from '../tensor/tensor.js'
import { checkBoolean, checkOptions, checkWord, isObject, show } from '../base/validate.js'

/** Rows of different lengths, stored end to end. `offsets` has one more element than there are rows. */
export interface Ragged {
  /** The ids of all rows. */
  values: Ids
  /** Where each row begins, and where the last one ends; values go from 0 to the number of values. */
  offsets: Ids
}

export interface BagOptions extends EmbeddingOptions {
  /** How the vectors of a bag are combined; default 'mean'. */
  mode?: 'sum' | 'mean' | 'max'
  /** Whether `offsets` ends with the number of ids; default false. */
  includeLastOffset?: boolean
}

export interface BagForwardOptions {
  /** A factor for each id, in the shape of the ids, float32. Only for mode 'sum'. */
  perSampleWeights?: Tensor
  /** A tensor of the result's shape to write into. Nothing is allocated then, and no gradient is recorded. */
  out?: Tensor
  /**
   * The type of the result; default: the type of `out`, or else of the table. For a quantized table it is the type that
   * the layer was made with.
   */
  dtype?: ResultType
}

const MODES = ['sum', 'mean', 'max'] as const
const OWN_OPTIONS = ['mode', 'includeLastOffset']
const FORWARD_OPTIONS = ['perSampleWeights', 'out', 'dtype']
const FORWARD_ASYNC_OPTIONS = ['perSampleWeights', 'dtype', 'signal']

/** The op's name in PyTorch. */
const NAME = 'EmbeddingBagBackward'

const CONTENTS = new Contents<EmbeddingBag>('EmbeddingBag', {
  instead: 'use stateDict() for its table, weight.share() for other threads, saveSafetensors for files',
})

/**
 * A table of `numEmbeddings` vectors of `embeddingDim`. Each bag of ids gives the sum, the mean or the maximum of its
 * vectors, which are never stored one by one. `torch.nn.EmbeddingBag`.
 *
 * Sums run in the order of the ids in float32, so results have the same bits on every machine and with any number of
 * threads. An empty bag gives zeros. Ids equal to `paddingIdx` are skipped, and the mean does not count them.
 */
export class EmbeddingBag implements Layer {
  /** Number of rows of the table. */
  readonly numEmbeddings: number
  /** Number of elements of a row. */
  readonly embeddingDim: number
  /** How the vectors of a bag are combined. */
  readonly mode: 'sum' | 'mean' | 'max'
  /** Whether `offsets` ends with the number of ids. */
  readonly includeLastOffset: boolean
  readonly #table: Table
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /**
   * @throws UsageError if a size is not a size or the table does not fit in memory, and for an option that does not
   * exist.
   */
  constructor(numEmbeddings: number, embeddingDim: number, options?: BagOptions)
  /** @internal */
  constructor(numEmbeddings: number, embeddingDim: number, options?: BagOptions, table?: Table)
  constructor(numEmbeddings: number, embeddingDim: number, options?: BagOptions, table?: Table) {
    const where = 'EmbeddingBag'
    const checked = checkOptions(options, [...TABLE_OPTIONS, ...OWN_OPTIONS], where)
    this.mode = checkWord(checked.mode ?? 'mean', MODES, `${where}: mode`)
    this.#table =
      isObject(table) && table instanceof Table ? table : Table.drawn(numEmbeddings, embeddingDim, checked, where)
    if (this.mode === 'max' && this.#table.byFrequency) {
      throw new UsageError(
        `${where}: scaleGradByFreq works with mode 'sum' and 'mean', not with 'max', whose gradient goes to one occurrence only`,
      )
    }
    this.#table.pool(this.mode)
    this.includeLastOffset = checkBoolean(checked.includeLastOffset ?? false, `${where}: includeLastOffset`)
    this.numEmbeddings = this.#table.rows
    this.embeddingDim = this.#table.dim
  }

  /**
   * Makes a layer over an existing table and shares its memory. With `freeze` (the default) the table does not learn. A
   * tensor is float32, float16 or bfloat16, and results have its type unless told otherwise. For a QuantizedTable,
   * which cannot learn, `dtype` is the type of results, float32 by default.
   */
  static fromPretrained(weight: Tensor | QuantizedTable, options?: BagOptions & { freeze?: boolean }): EmbeddingBag {
    const { table, rest } = given<BagOptions>(weight, options, OWN_OPTIONS, 'EmbeddingBag.fromPretrained')
    const { mode, includeLastOffset } = rest
    return new EmbeddingBag(table.rows, table.dim, { mode, includeLastOffset }, table)
  }

  /**
   * The table, (numEmbeddings, embeddingDim). You can assign another tensor of the same shape and type (tied weights).
   * For a QuantizedTable of integers or blocks it is the bytes of the rows, as uint8.
   */
  get weight(): Tensor {
    return this.#table.weight
  }

  set weight(weight: Tensor) {
    this.#table.replace(weight, 'EmbeddingBag.weight')
  }

  /** The table's rows and the settings of lookups. @internal */
  get table(): Table {
    return this.#table
  }

  /**
   * Gives one vector for each bag, (bags, embeddingDim). Bags are the rows of 2-D ids; or 1-D ids with `offsets`, which
   * say where each bag begins (and with `includeLastOffset` where the last one ends); or a Ragged, whose offsets
   * include the end. `torch.nn.functional.embedding_bag`.
   *
   * @throws TokenIndexError, which names the id and its position, for an id out of range, unless `onBadId` replaces it;
   * ShapeError, which names the offset and its value, for offsets that do not begin with 0, that decrease or reach past
   * the ids, and for weights of another shape than the ids; UsageError for weights if the mode is not 'sum'.
   */
  forward(ids: Ids | Ragged, offsets?: Ids, options?: BagForwardOptions): Tensor {
    if (!((this as unknown) instanceof EmbeddingBag)) throw stranger(this, 'EmbeddingBag', 'forward')
    const where = 'EmbeddingBag.forward'
    const { perSampleWeights, out, dtype } = checkOptions(options, FORWARD_OPTIONS, where)
    const bags = this.#read(ids, offsets, where)
    const weights = perSampleWeights === undefined ? null : this.#weights(perSampleWeights, bags.ids, where)
    const table = this.#table
    const type = resultType(dtype, out, table.results, where)
    const result = resultFor(out, [bags.bags], table.dim, where, type)
    const given = operandOf(bags, weights)
    const done =
      table.renormalized(bags.ids.array, result, where) &&
      native.bagForward(table.lookup(type), given.ids, given.offsets, given.weights, result.operand(), table.crossing)
    const follows = weights === null ? table.weights : [table.weight, weights]
    return settled(done, result, out, bags.ids.shape, follows, NAME, (save) =>
      this.#way(ids, offsets, bags, weights, { save, pooled: true }),
    )
  }

  /**
   * `forward` on another thread. `Embedding.forwardAsync` explains what happens with ids, tables, results and signals;
   * offsets and weights are copied at the call, as ids are.
   */
  async forwardAsync(
    ids: Ids | Ragged,
    offsets?: Ids,
    options?: Omit<BagForwardOptions, 'out'> & { signal?: AbortSignal },
  ): Promise<Tensor> {
    const where = 'EmbeddingBag.forwardAsync'
    const { signal, ...rest } = checkOptions(options, FORWARD_ASYNC_OPTIONS, where)
    const { perSampleWeights, dtype } = rest
    const bags = this.#read(ids, offsets, where)
    const weights = perSampleWeights === undefined ? null : this.#weights(perSampleWeights, bags.ids, where)
    const table = this.#table
    const type = resultType(dtype, undefined, table.results, where)
    return lookUp({
      where,
      signal,
      ids: bags.ids.shape,
      rows: [bags.bags],
      dim: table.dim,
      dtype: type,
      tables: table.weights,
      follows: weights === null ? table.weights : [table.weight, weights],
      prepare: () => check(table.renormalized(bags.ids.array, null, where), bags.ids.shape),
      work: (weight) => {
        const given = operandOf(bags, weights)
        return native.bagWork(table.lookup(type), weight, given.ids, given.offsets, given.weights, given.bags)
      },
      now: () => this.forward(ids, offsets, rest),
      name: NAME,
      way: (save) => this.#way(ids, offsets, bags, weights, { save, pooled: false }),
    })
  }

  #way(
    given: Ids | Ragged,
    offsets: Ids | undefined,
    bags: ReadBags,
    weights: Tensor | null,
    keeping: Keeping,
  ): Backward {
    const settings = { table: this.#table, bags, weights, mode: this.mode }
    return bagWay(settings, isRagged(given) ? {} : { ids: given, offsets }, keeping)
  }

  #read(ids: Ids | Ragged, offsets: Ids | undefined, where: string): ReadBags {
    if (isRagged(ids)) {
      if (offsets !== undefined) throw new UsageError(`${where}: a Ragged has its own offsets: leave offsets out`)
      return divided(readIds(ids.values, undefined, where), ids.offsets, true, where)
    }
    const read = readIds(ids, undefined, where)
    const rank = read.shape.length
    if (rank === 1) {
      if (offsets === undefined)
        throw new UsageError(`${where}: 1-D ids need offsets, the index at which each bag begins: [0] for one bag`)
      return divided(read, offsets, this.includeLastOffset, where)
    }
    if (rank !== 2)
      throw new ShapeError(
        `${where}: ids must have the shape (bags, length), or be 1-D with offsets, not ${shown(read.shape)}`,
      )
    if (offsets !== undefined) throw new UsageError(`${where}: the rows of 2-D ids are the bags: leave offsets out`)
    return { ids: read, offsets: null, withEnd: false, bags: read.shape[0], length: read.shape[1] }
  }

  #weights(weights: unknown, ids: ReadIds, where: string): Tensor {
    const name = `${where}: perSampleWeights`
    if (!(weights instanceof Tensor)) throw new UsageError(`${name} must be a tensor, not ${show(weights)}`)
    if (this.mode !== 'sum')
      throw new UsageError(`${name} work only with mode 'sum', not with this layer's mode '${this.mode}'`)
    if (weights.dtype !== 'float32')
      throw new DTypeError(`${name} must be float32, not ${weights.dtype}: write weights.to('float32')`)
    if (!sameShape(weights.shape, ids.shape))
      throw new ShapeError(`${name} must have the shape of the ids, ${shown(ids.shape)}, not ${shown(weights.shape)}`)
    return weights
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
    loadInto(this.stateDict(), state, 'EmbeddingBag.loadStateDict')
    return this
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #table in value && isInstance(this, EmbeddingBag, value)
  }

  static {
    guardReceivers(this, (value) => #table in value, ['forward'])
    CONTENTS.guard(this, (value) => #table in value)
  }
}

/** Whether the value is a Ragged rather than ids. */
export function isRagged(ids: Ids | Ragged): ids is Ragged {
  const plain = isObject(ids) && !(ids instanceof Tensor) && !ArrayBuffer.isView(ids)
  return plain && 'values' in ids && 'offsets' in ids
}

/** 1-D ids with offsets. The native side checks the values of the offsets. */
function divided(ids: ReadIds, offsets: Ids, withEnd: boolean, where: string): ReadBags {
  const name = `${where}: offsets`
  const read = readIds(offsets, undefined, name)
  if (ids.shape.length !== 1) throw new ShapeError(`${where}: ids with offsets must be 1-D, not ${shown(ids.shape)}`)
  if (read.shape.length !== 1) throw new ShapeError(`${name} must be 1-D, not ${shown(read.shape)}`)
  const count = read.shape[0]
  if (withEnd && count === 0)
    throw new ShapeError(`${name} must have one more element than there are bags, so at least the element 0`)
  return { ids, offsets: read, withEnd, bags: withEnd ? count - 1 : count, length: 0 }
}
