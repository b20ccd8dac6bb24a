// Bags of ids: the vectors of each bag become one vector.

import { lookUp } from './async.js'
import type { Backward } from '../autograd/tape.js'
import { Contents } from '../base/contents.js'
import { type ResultType } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import type { Ids } from '../tensor/ids.js'
import type { Keeping } from './kept-ids.js'
import { loadInto, type Layer } from './layer.js'
import { bagWay, operandOf } from './backward.js'
import { check, native } from '../native/native.js'
import type { QuantizedTable } from './quantize.js'
import { guardReceivers, isInstance, stranger } from '../base/receivers.js'
import { ofTokens, readBags, type Bags, type GivenBags } from './read-bags.js'
import { isNamed } from '../tensor/ragged.js'
import { resultFor, resultType, settled } from './result.js'
import { sameShape, shown } from '../base/shape.js'
import { given, Table, TABLE_OPTIONS, type EmbeddingOptions } from './table.js'
import { Tensor } from '../tensor/tensor.js'
import { checkBoolean, checkOptions, checkWord, isObject, show } from '../base/validate.js'

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

type BagAsyncOptions = Omit<BagForwardOptions, 'out'> & { signal?: AbortSignal }

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
   * say where each bag begins (and with `includeLastOffset` where the last one ends); or a list of lists of ids, which
   * may have different lengths. What a tokenizer's `encodeBatch` gives is read as it is: `{ ids, offsets }`, whose
   * offsets include the end as those of a Ragged do, or with `padding` `{ ids, mask }`, of which padding counts for
   * nothing. `torch.nn.functional.embedding_bag`.
   *
   * ```ts
   * bag.forward(tokenizer.encodeBatch(texts))
   * bag.forward([[1, 2], [3]], { dtype: 'float16' })
   * ```
   *
   * @throws TokenIndexError, which names the id and its position, for an id out of range, unless `onBadId` replaces it;
   * ShapeError, which names the offset and its value, for offsets that do not begin with 0, that decrease or reach past
   * the ids, and for weights of another shape than the ids; UsageError for weights if the mode is not 'sum'.
   */
  forward(bags: Ids | Bags, options?: BagForwardOptions): Tensor
  forward(ids: Ids | Bags, offsets?: Ids, options?: BagForwardOptions): Tensor
  forward(ids: Ids | Bags, second?: Ids | BagForwardOptions, third?: BagForwardOptions): Tensor {
    if (!((this as unknown) instanceof EmbeddingBag)) throw stranger(this, 'EmbeddingBag', 'forward')
    const where = 'EmbeddingBag.forward'
    const { given, options } = this.#given(ids, second, third, where)
    const { perSampleWeights, out, dtype } = checkOptions(options, FORWARD_OPTIONS, where)
    const bags = given.read
    const weights = perSampleWeights === undefined ? null : this.weightsOf(perSampleWeights, given, where)
    const table = this.#table
    const type = resultType(dtype, out, table.results, where)
    const result = resultFor(out, [bags.bags], table.dim, where, type)
    const operand = operandOf(bags, weights)
    const done =
      table.renormalized(bags.ids.array, result, where) &&
      native.bagForward(
        table.lookup(type),
        operand.ids,
        operand.offsets,
        operand.weights,
        result.operand(),
        table.crossing,
      )
    const follows = weights === null ? table.weights : [table.weight, weights]
    return settled(done, result, out, bags.ids.shape, follows, NAME, (save) =>
      this.#way(given, weights, { save, pooled: true }),
    )
  }

  /**
   * `forward` on another thread. `Embedding.forwardAsync` explains what happens with ids, tables, results and signals;
   * offsets and weights are copied at the call, as ids are.
   */
  forwardAsync(bags: Ids | Bags, options?: BagAsyncOptions): Promise<Tensor>
  forwardAsync(ids: Ids | Bags, offsets?: Ids, options?: BagAsyncOptions): Promise<Tensor>
  async forwardAsync(ids: Ids | Bags, second?: Ids | BagAsyncOptions, third?: BagAsyncOptions): Promise<Tensor> {
    const where = 'EmbeddingBag.forwardAsync'
    const { given, options } = this.#given(ids, second, third, where)
    const { signal, ...rest } = checkOptions(options, FORWARD_ASYNC_OPTIONS, where)
    const { perSampleWeights, dtype } = rest
    const bags = given.read
    const weights = perSampleWeights === undefined ? null : this.weightsOf(perSampleWeights, given, where)
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
        const operand = operandOf(bags, weights)
        return native.bagWork(table.lookup(type), weight, operand.ids, operand.offsets, operand.weights, operand.bags)
      },
      now: () => this.forward(ids, areOptions(second) ? undefined : (second as Ids | undefined), rest),
      name: NAME,
      way: (save) => this.#way(given, weights, { save, pooled: false }),
    })
  }

  #way(given: GivenBags, weights: Tensor | null, keeping: Keeping): Backward {
    const settings = { table: this.#table, bags: given.read, weights, mode: this.mode }
    return bagWay(settings, given.own, keeping)
  }

  /** The arguments of a call, with options as the second or as the third. */
  #given<O extends object>(
    ids: Ids | Bags,
    second: Ids | O | undefined,
    third: O | undefined,
    where: string,
  ): { given: GivenBags; options: O | undefined } {
    const isSecond = areOptions(second)
    if (isSecond && third !== undefined) throw new UsageError(`${where}: options were given twice`)
    const offsets = isSecond ? undefined : (second as Ids | undefined)
    const options = isSecond ? (second as O) : third
    return { given: readBags(ids, offsets, this.includeLastOffset, where), options }
  }

  /** Checks the factors of the ids that were given, and leaves out those of padding. @internal */
  weightsOf(weights: unknown, { read: { ids }, masked }: GivenBags, where: string): Tensor {
    const name = `${where}: perSampleWeights`
    if (!(weights instanceof Tensor)) throw new UsageError(`${name} must be a tensor, not ${show(weights)}`)
    if (this.mode !== 'sum')
      throw new UsageError(`${name} work only with mode 'sum', not with this layer's mode '${this.mode}'`)
    if (weights.dtype !== 'float32')
      throw new DTypeError(`${name} must be float32, not ${weights.dtype}: write weights.to('float32')`)
    const shape = masked?.shape ?? ids.shape
    if (!sameShape(weights.shape, shape))
      throw new ShapeError(`${name} must have the shape of the ids, ${shown(shape)}, not ${shown(weights.shape)}`)
    return masked === null ? weights : ofTokens(weights, masked.places, where)
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

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #table in value && isInstance(this, EmbeddingBag, value)
  }

  static {
    guardReceivers(this, (value) => #table in value, ['forward'])
    CONTENTS.guard(this, (value) => #table in value)
  }
}

/** Whether the second argument is the options of a call rather than offsets. */
function areOptions(second: unknown): second is BagForwardOptions {
  return isNamed(second)
}
