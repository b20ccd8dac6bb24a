// The table of a layer: its rows, their layout, and the settings of lookups.

import { facts, isResultType, type IntArray, type ResultType } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { checkInit, type Init } from './init.js'
import {
  call,
  isHandle,
  native,
  type BagMode,
  type Lookup,
  type OnBadId,
  type Operand,
  type RowFormat,
} from '../native/native.js'
import { QuantizedTable } from './quantize.js'
import { checkGenerator, type Generator } from '../tensor/random.js'
import { orderOf, type Order, type TableFacts } from '../autograd/table-gradient.js'
import { sameShape, shown } from '../base/shape.js'
import { zeroTable } from '../tensor/allocate.js'
import { Tensor } from '../tensor/tensor.js'
import {
  checkBoolean,
  checkBytes,
  checkInteger,
  checkNumber,
  checkOptions,
  checkSize,
  checkWord,
  show,
} from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'

export interface EmbeddingOptions {
  /**
   * The row of padding: it is set to zeros after the table is drawn, and gets no gradient. Negative values count from
   * the end.
   */
  paddingIdx?: number
  /** Rows that are looked up are first rescaled, in place, to at most this norm. Only for float32 tables. */
  maxNorm?: number
  /** The p of the p-norm that `maxNorm` limits; default 2. */
  normType?: number
  /** Whether a row's gradient is divided by how often its id occurs in the batch; default false. */
  scaleGradByFreq?: boolean
  /**
   * Whether `weight.grad` is a SparseGrad, which holds only the rows that batches named. By default (false) it is a
   * dense tensor, built when it is read. Optimizers can read the rows of either.
   */
  sparse?: boolean
  /**
   * The type of the table, and of results unless told otherwise: float32 (the default), float16 or bfloat16. Over a
   * QuantizedTable it is the type of results.
   */
  dtype?: ResultType
  /** How the table is drawn; default `{ std: 1 }`. Only for a new table. */
  init?: Init
  /** The generator that draws the table; default: the one that `manualSeed` seeds. */
  generator?: Generator
  /** Whether the table learns; default true, and false in `fromPretrained`. */
  requiresGrad?: boolean
  /**
   * What happens with an id out of range: it is an error (`throw`, the default), or it gets the nearest row (`clamp`)
   * or the padding row (`padding`).
   */
  onBadId?: 'throw' | 'clamp' | 'padding'
}

export const TABLE_OPTIONS = [
  'paddingIdx',
  'maxNorm',
  'normType',
  'scaleGradByFreq',
  'sparse',
  'dtype',
  'init',
  'generator',
  'requiresGrad',
  'onBadId',
]

/** The most rows that 32-bit ids can name. */
const MAX_ROWS = 2 ** 32 - 1

/** The checked options that change lookups or gradients. */
interface Settings {
  readonly paddingIdx: number | undefined
  readonly maxNorm: number | undefined
  readonly normType: number
  readonly badIds: OnBadId
  readonly scaleGradByFreq: boolean
  readonly sparse: boolean
}

function checkSettings(options: Partial<EmbeddingOptions>, rows: number, where: string): Settings {
  const { paddingIdx, maxNorm, normType = 2, onBadId = 'throw', scaleGradByFreq = false, sparse = false } = options
  let padding: number | undefined
  if (paddingIdx !== undefined) {
    padding = checkInteger(paddingIdx, `${where}: paddingIdx`)
    if (padding < -rows || padding >= rows)
      throw new UsageError(
        `${where}: paddingIdx ${padding} is out of range for ${rows} rows; negative values count from the end`,
      )
    if (padding < 0) padding += rows
  }
  if (maxNorm !== undefined && checkNumber(maxNorm, `${where}: maxNorm`) < 0) {
    throw new UsageError(`${where}: maxNorm must not be negative, not ${maxNorm}`)
  }
  if (checkWord(onBadId, ['throw', 'clamp', 'padding'], `${where}: onBadId`) === 'padding' && padding === undefined) {
    throw new UsageError(`${where}: onBadId "padding" needs a paddingIdx`)
  }
  const badIds = onBadId === 'padding' ? padding! : onBadId
  checkBoolean(scaleGradByFreq, `${where}: scaleGradByFreq`)
  checkBoolean(sparse, `${where}: sparse`)
  return {
    paddingIdx: padding,
    maxNorm,
    normType: checkNumber(normType, `${where}: normType`, true),
    badIds,
    scaleGradByFreq,
    sparse,
  }
}

/** Draws a table, then sets its padding row to zeros. `torch.nn.Embedding.reset_parameters`. */
function draw(
  rows: number,
  dim: number,
  dtype: ResultType,
  options: Partial<EmbeddingOptions>,
  padding: number | undefined,
  where: string,
): Tensor {
  const bytes = rows * dim * facts('float32').bytes
  checkBytes(bytes, where, shown([rows, dim]))
  const generator = checkGenerator(options.generator, where)
  const requiresGrad = checkBoolean(options.requiresGrad ?? true, `${where}: requiresGrad`)
  const fill = checkInit(options.init, `${where}: init`)
  const drawn = zeroTable('float32', [rows, dim])
  fill(generator, drawn.operand())
  if (padding !== undefined) drawn.set(zeroed(Float32Array, dim), padding * dim)
  const weight = dtype === 'float32' ? drawn : rounded(drawn, dtype)
  weight.requiresGrad = requiresGrad
  return weight
}

/** Copies a drawn table into a 16-bit one and disposes the original. */
function rounded(drawn: Tensor, dtype: ResultType): Tensor {
  const weight = zeroTable(dtype, drawn.shape.slice())
  weight.set(drawn)
  drawn.dispose()
  return weight
}

/** Checks that a value is a tensor that can serve as a table. */
export function checkTable(weight: unknown, where: string): Tensor {
  if (!(weight instanceof Tensor))
    throw new UsageError(`${where}: a table must be a tensor or a QuantizedTable, not ${show(weight)}`)
  if (!isResultType(weight.dtype)) {
    throw new DTypeError(
      `${where}: a table must be float32, float16 or bfloat16, not ${weight.dtype}: write weight.to('float32')`,
    )
  }
  if (weight.shape.length !== 2)
    throw new ShapeError(`${where}: a table must have the shape [rows, dim], not ${shown(weight.shape)}`)
  if (weight.shape[1] === 0) throw new UsageError(`${where}: a table must have at least one column`)
  if (weight.shape[0] > MAX_ROWS)
    throw new UsageError(`${where}: a table must have at most ${MAX_ROWS} rows, not ${weight.shape[0]}`)
  return weight
}

function checkType(dtype: unknown, where: string): ResultType {
  if (isResultType(dtype)) return dtype
  throw new DTypeError(`${where}: dtype must be float32, float16 or bfloat16, not ${show(dtype)}`)
}

/** The rows of a layer with their settings. */
export class Table {
  #weight: Tensor
  /** The weight alone, as a list. Results need a gradient if it does. */
  #weights: readonly Tensor[]
  /** The native lookups over the present weight, one for each type of results. */
  #lookups: Partial<Record<ResultType, Lookup>> = {}
  /** Whether the lookups hold the weight themselves. They cannot hold V8's memory, which is passed with each call. */
  #isKept = false
  #mode: BagMode | undefined

  private constructor(
    readonly rows: number,
    readonly dim: number,
    /** The layout of the rows. */
    readonly format: RowFormat,
    /** The type of results, unless told otherwise. */
    readonly results: ResultType,
    readonly settings: Settings,
    weight: Tensor,
    where: string,
  ) {
    if (settings.maxNorm !== undefined && format !== 'float32') {
      throw new UsageError(`${where}: maxNorm rescales rows in place, which only float32 tables allow, not ${format}`)
    }
    this.#weight = weight
    this.#weights = [weight]
  }

  /** Draws a new table. */
  static drawn(rows: number, dim: number, options: Partial<EmbeddingOptions>, where: string): Table {
    checkSize(rows, `${where}: numEmbeddings`)
    checkSize(dim, `${where}: embeddingDim`, 1)
    if (rows > MAX_ROWS) throw new UsageError(`${where}: a table must have at most ${MAX_ROWS} rows, not ${rows}`)
    const settings = checkSettings(options, rows, where)
    const dtype = checkType(options.dtype ?? 'float32', where)
    const weight = draw(rows, dim, dtype, options, settings.paddingIdx, where)
    return new Table(rows, dim, dtype, dtype, settings, weight, where)
  }

  /** Makes a table over a tensor that has passed `checkTable`. */
  static over(tensor: Tensor, learns: boolean, options: Partial<EmbeddingOptions>, where: string): Table {
    const [rows, dim] = tensor.shape
    const dtype = tensor.dtype as ResultType
    if (options.dtype !== undefined && checkType(options.dtype, where) !== dtype) {
      throw new DTypeError(
        `${where}: the table is ${dtype}, not ${options.dtype}: write weight.to('${options.dtype}'), or give forward this dtype`,
      )
    }
    const settings = checkSettings(options, rows, where)
    const weight = tensor.detach()
    weight.requiresGrad = learns
    return new Table(rows, dim, dtype, dtype, settings, weight, where)
  }

  /** Makes a table over quantized rows. */
  static quantized(table: QuantizedTable, options: Partial<EmbeddingOptions>, where: string): Table {
    const [rows, dim] = table.shape
    const results = checkType(options.dtype ?? 'float32', where)
    const settings = checkSettings(options, rows, where)
    return new Table(rows, dim, table.kind, results, settings, table.toTensor(), where)
  }

  get weight(): Tensor {
    return this.#weight
  }

  /** The weight alone, as a list. */
  get weights(): readonly Tensor[] {
    return this.#weights
  }

  get badIds(): OnBadId {
    return this.settings.badIds
  }

  /** Sets how bags are pooled. The layer that looks up bags calls it once. */
  pool(mode: BagMode): void {
    this.#mode = mode
  }

  /** The native lookup that gives results of a type. */
  lookup(type: ResultType = this.results): Lookup {
    return this.#lookups[type] ?? this.#bind(type)
  }

  /** The rows to pass along with a lookup that does not hold them. */
  get crossing(): Operand | undefined {
    return this.#isKept ? undefined : this.#weight.rawOperand()
  }

  #bind(result: ResultType): Lookup {
    // The backward pass needs no rows, so the weight may be disposed by then.
    const operand = this.#weight.disposed ? null : this.#weight.rawOperand()
    const weight = operand !== null && isHandle(operand) ? operand : undefined
    const { format, rows, dim } = this
    const { badIds: onBadId, paddingIdx: padding } = this.settings
    const lookup = call(native.lookupNew({ weight, format, rows, dim, onBadId, padding, mode: this.#mode, result }))
    // Either all lookups hold the weight or none does: rows that moved to Rust's memory after the first lookup was made
    // are still passed with each call.
    this.#isKept = weight !== undefined && (this.#isKept || Object.keys(this.#lookups).length === 0)
    return (this.#lookups[result] = lookup)
  }

  get byFrequency(): boolean {
    return this.settings.scaleGradByFreq
  }

  /** What a gradient needs to know about the table. */
  facts(): TableFacts {
    return { shape: this.#weight.shape, dtype: this.#weight.dtype, sparse: this.settings.sparse }
  }

  /**
   * The order of a lookup's ids by row, for the backward pass. With `weighted` it includes `scale` and the factors by
   * which the table's options multiply gradients. @internal
   */
  order(ids: IntArray, weighted = true, scale = 1): Order {
    const { scaleGradByFreq } = this.settings
    return orderOf(ids.length, weighted && (scaleGradByFreq || scale !== 1), (block, coefficients) =>
      native.rowOrder(this.lookup(), ids, scaleGradByFreq, scale, block, coefficients),
    )
  }

  /** Replaces the weight by another of the same shape and type. */
  replace(weight: unknown, where: string): void {
    if (this.#weight.dtype === 'uint8')
      throw new UsageError(`${where}: the rows of a QuantizedTable cannot be replaced: make another layer`)
    const table = checkTable(weight, where)
    if (table.dtype !== this.#weight.dtype)
      throw new DTypeError(`${where}: the new table must be ${this.#weight.dtype}, as before, not ${table.dtype}`)
    if (!sameShape(table.shape, this.#weight.shape)) {
      throw new ShapeError(
        `${where}: the new table must have the shape ${shown(this.#weight.shape)}, as before, not ${shown(table.shape)}`,
      )
    }
    this.#weight = table
    this.#weights = [table]
    this.#lookups = {}
    this.#isKept = false
  }

  /**
   * Prepares the rows that ids name for a lookup: brings them up to date if an optimizer left them behind, and rescales
   * them for `maxNorm`. Returns whether that succeeded; then these rows may be read through the weight's `rawOperand`.
   */
  renormalized(ids: IntArray, out: Tensor | null, where: string): boolean {
    const { maxNorm, normType, badIds } = this.settings
    const { lag } = this.#weight
    if (lag !== null && !lag.catchUp(ids, badIds)) return false
    if (maxNorm === undefined) return true
    this.#weight.beginWrite(`${where} with maxNorm`)
    // The lookup would refuse this too, but only after the rows were rescaled.
    if (out?.overlaps(this.#weight))
      throw new UsageError(`${where}: out shares memory with the weight: give it memory of its own`)
    return native.embeddingRenormalize(this.lookup(), ids, maxNorm, normType, this.crossing)
  }
}

/**
 * Checks the arguments of a layer's `fromPretrained`, and returns its table. `more` names the layer's own options,
 * which are returned as they are.
 */
export function given<O extends EmbeddingOptions>(
  weight: Tensor | QuantizedTable,
  options: (O & { freeze?: boolean }) | undefined,
  more: readonly string[],
  where: string,
): { table: Table; rest: Partial<O> } {
  const quantized = weight instanceof QuantizedTable
  if (!quantized) checkTable(weight, where)
  const checked: Partial<EmbeddingOptions & { freeze?: boolean }> = checkOptions(
    options,
    [...TABLE_OPTIONS, ...more, 'freeze'],
    where,
  )
  const { freeze, ...rest } = checked
  const learns = checkBoolean(rest.requiresGrad ?? !(freeze ?? true), `${where}: requiresGrad`)
  if (freeze !== undefined && checkBoolean(freeze, `${where}: freeze`) === learns) {
    throw new UsageError(
      `${where}: freeze ${freeze} and requiresGrad ${learns} contradict each other: give one of them`,
    )
  }
  if (rest.generator !== undefined) checkGenerator(rest.generator, where)
  if (rest.init !== undefined)
    throw new UsageError(`${where}: init is only for new tables: leave it out, or write to the weight`)
  if (quantized && learns)
    throw new UsageError(`${where}: a QuantizedTable cannot require gradients: dequantize() it first`)
  const table = quantized ? Table.quantized(weight, rest, where) : Table.over(weight, learns, rest, where)
  return { table, rest: rest as Partial<O> }
}
