// The lookup table: every token id becomes a vector.

import { facts } from './dtype.js'
import { DTypeError, ShapeError, UsageError } from './errors.js'
import { readIds, type Ids, type ReadIds } from './ids.js'
import { loadInto, type Layer } from './layer.js'
import { native } from './native.js'
import { checkGenerator, type Generator } from './random.js'
import { resultFor, settled } from './result.js'
import { sameShape, shown } from './shape.js'
import { NativeStorage } from './storage.js'
import { Tensor } from './tensor.js'
import { checkBoolean, checkBytes, checkInteger, checkNumber, checkOptions, checkSize, checkWord, show } from './validate.js'

export interface ForwardOptions {
  /** Where the result goes: a float32 tensor of its shape. Nothing is allocated then, and nothing is recorded. */
  out?: Tensor
  /** The shape of flat ids. */
  shape?: number[]
}

export interface EmbeddingOptions {
  /** A row that is zeroed when it is drawn and gets no gradient; negative counts from the end. */
  paddingIdx?: number
  /** Rows that are looked up are first rescaled, in place, to at most this norm. */
  maxNorm?: number
  /** The p of the norm of `maxNorm`; default 2. */
  normType?: number
  /** The type of the table: float32. */
  dtype?: 'float32'
  /** What draws the table; default: the one that `manualSeed` seeds. */
  generator?: Generator
  /** Whether the table learns; default true, of `fromPretrained` false. */
  requiresGrad?: boolean
  /** What is done about an id without a row: an error (`throw`, the default), the nearest row (`clamp`), or the padding
   * row (`padding`). */
  onBadId?: 'throw' | 'clamp' | 'padding'
}

const OPTIONS = ['paddingIdx', 'maxNorm', 'normType', 'dtype', 'generator', 'requiresGrad', 'onBadId']
const PRETRAINED_OPTIONS = [...OPTIONS, 'freeze']
const FORWARD_OPTIONS = ['out', 'shape']

/** Rows that 32-bit ids can name. */
const MAX_ROWS = 2 ** 32 - 1

/** What an Embedding does besides looking up. */
interface Settings {
  readonly paddingIdx: number | undefined
  readonly maxNorm: number | undefined
  readonly normType: number
  /** As the native side takes it: -1 throw, -2 clamp, else the row that stands in. */
  readonly badIds: number
}

function checkSettings(options: Partial<EmbeddingOptions>, rows: number, where: string): Settings {
  const { paddingIdx, maxNorm, normType = 2, onBadId = 'throw', dtype = 'float32' } = options
  if (dtype !== 'float32') throw new DTypeError(`${where}: tables are float32, not ${show(dtype)}`)
  let padding: number | undefined
  if (paddingIdx !== undefined) {
    padding = checkInteger(paddingIdx, `${where}: paddingIdx`)
    if (padding < -rows || padding >= rows) throw new UsageError(`${where}: paddingIdx ${padding} names none of ${rows} rows; negative ones count from the end`)
    if (padding < 0) padding += rows
  }
  if (maxNorm !== undefined && checkNumber(maxNorm, `${where}: maxNorm`) < 0) {
    throw new UsageError(`${where}: maxNorm must not be negative, not ${maxNorm}`)
  }
  if (checkWord(onBadId, ['throw', 'clamp', 'padding'], `${where}: onBadId`) === 'padding' && padding === undefined) {
    throw new UsageError(`${where}: onBadId "padding" needs a paddingIdx`)
  }
  const badIds = onBadId === 'throw' ? -1 : onBadId === 'clamp' ? -2 : padding!
  return { paddingIdx: padding, maxNorm, normType: checkNumber(normType, `${where}: normType`, true), badIds }
}

/** A drawn table, N(0, 1), its padding row zeroed after the draw. `torch.nn.Embedding.reset_parameters`. */
function drawTable(rows: number, dim: number, options: Partial<EmbeddingOptions>, padding: number | undefined, where: string): Tensor {
  const bytes = rows * dim * facts('float32').bytes
  checkBytes(bytes, where, shown([rows, dim]))
  const generator = checkGenerator(options.generator, where)
  const requiresGrad = checkBoolean(options.requiresGrad ?? true, `${where}: requiresGrad`)
  const weight = Tensor.over(NativeStorage.zeroed(bytes), 'float32', [rows, dim])
  generator.normal(weight.operand())
  if (padding !== undefined) weight.set(new Float32Array(dim), padding * dim)
  weight.requiresGrad = requiresGrad
  return weight
}

/** A tensor that can serve as a table. */
function checkTable(weight: unknown, where: string): Tensor {
  if (!(weight instanceof Tensor)) throw new UsageError(`${where}: a table is a tensor, not ${show(weight)}`)
  if (weight.dtype !== 'float32') throw new DTypeError(`${where}: tables are float32, not ${weight.dtype}: write weight.to('float32')`)
  if (weight.shape.length !== 2) throw new ShapeError(`${where}: a table has the shape [rows, dim], not ${shown(weight.shape)}`)
  if (weight.shape[1] === 0) throw new UsageError(`${where}: a table needs at least one column`)
  if (weight.shape[0] > MAX_ROWS) throw new UsageError(`${where}: a table has at most ${MAX_ROWS} rows, not ${weight.shape[0]}`)
  return weight
}

/** A table that exists already, for the constructor: no caller can make one by chance. */
class Given {
  constructor(readonly table: Tensor) {}
}

/**
 * A table of `numEmbeddings` vectors of `embeddingDim` float32, looked up by id. `torch.nn.Embedding`.
 *
 * The table is drawn from N(0, 1) as PyTorch draws it, lives in native memory (huge pages where large) until the last
 * tensor that shares it is gone, and `weight.data` shows it live.
 */
export class Embedding implements Layer {
  /** Rows of the table. */
  readonly numEmbeddings: number
  /** Elements of a row. */
  readonly embeddingDim: number
  readonly #settings: Settings
  #weight: Tensor
  /** The table alone: what results follow. */
  #weights: readonly Tensor[]

  /**
   * @throws UsageError for sizes that are no sizes, do not fit in memory, or a dim of 0 (0 rows may be), and for an
   * option that does not exist.
   */
  constructor(numEmbeddings: number, embeddingDim: number, options?: EmbeddingOptions)
  /** @internal */
  constructor(numEmbeddings: number, embeddingDim: number, options?: EmbeddingOptions, given?: Given)
  constructor(numEmbeddings: number, embeddingDim: number, options?: EmbeddingOptions, given?: Given) {
    const where = 'Embedding'
    this.numEmbeddings = checkSize(numEmbeddings, `${where}: numEmbeddings`)
    this.embeddingDim = checkSize(embeddingDim, `${where}: embeddingDim`, 1)
    if (numEmbeddings > MAX_ROWS) throw new UsageError(`${where}: a table has at most ${MAX_ROWS} rows, not ${numEmbeddings}`)
    const checked = checkOptions(options, OPTIONS, where)
    this.#settings = checkSettings(checked, numEmbeddings, where)
    const draw = () => drawTable(numEmbeddings, embeddingDim, checked, this.#settings.paddingIdx, where)
    this.#weight = given instanceof Given ? given.table : draw()
    this.#weights = [this.#weight]
  }

  /**
   * Over a table that exists, whose memory it shares: `freeze` (the default) makes a table that does not learn. The
   * padding row is not zeroed.
   */
  static fromPretrained(weight: Tensor, options?: EmbeddingOptions & { freeze?: boolean }): Embedding {
    const where = 'Embedding.fromPretrained'
    checkTable(weight, where)
    const { freeze, ...rest } = checkOptions(options, PRETRAINED_OPTIONS, where)
    const learns = checkBoolean(rest.requiresGrad ?? !(freeze ?? true), `${where}: requiresGrad`)
    if (freeze !== undefined && checkBoolean(freeze, `${where}: freeze`) === learns) {
      throw new UsageError(`${where}: freeze ${freeze} and requiresGrad ${learns} contradict each other: give one of them`)
    }
    if (rest.generator !== undefined) checkGenerator(rest.generator, where)
    const table = weight.detach()
    table.requiresGrad = learns
    const [rows, dim] = table.shape
    return new Embedding(rows, dim, rest, new Given(table))
  }

  /** The table, (numEmbeddings, embeddingDim). Another of the same shape may take its place (tied weights). */
  get weight(): Tensor {
    return this.#weight
  }

  set weight(weight: Tensor) {
    const table = checkTable(weight, 'Embedding.weight')
    if (!sameShape(table.shape, this.#weight.shape)) {
      throw new ShapeError(`Embedding.weight: ${shown(table.shape)} where ${shown(this.#weight.shape)} was`)
    }
    this.#weight = table
    this.#weights = [table]
  }

  /**
   * The vectors of ids: `ids` of any shape -> that shape with `embeddingDim` behind. `torch.nn.functional.embedding`.
   *
   * @throws TokenIndexError, which says which id where, for one that the table has no row for, unless `onBadId` mends it.
   */
  forward(ids: Ids, options?: ForwardOptions): Tensor {
    const where = 'Embedding.forward'
    const { out, shape } = checkOptions(options, FORWARD_OPTIONS, where)
    const read = readIds(ids, shape, where)
    const weight = this.#weight
    const [rows, dim] = weight.shape
    const { badIds } = this.#settings
    const result = resultFor(out, read.shape, dim, where)
    const into = result.operand()
    const done = this.#renormalized(read, result) && native.embeddingForward(weight.operand(), rows, dim, read.array, badIds, into)
    return settled(done, result, out, read.shape, this.#weights)
  }

  /** How ids without a row are treated, as the native side takes it. @internal */
  get badIds(): number {
    return this.#settings.badIds
  }

  /** Rescales the rows that are looked up, where they are to be; whether that went well. */
  #renormalized({ array }: ReadIds, out: Tensor): boolean {
    const { maxNorm, normType, badIds } = this.#settings
    if (maxNorm === undefined) return true
    // The lookup would refuse it too, but only when the rows are rescaled.
    if (out.overlaps(this.#weight)) throw new UsageError('Embedding.forward: out shares memory with the weight: give it its own')
    const [rows, dim] = this.#weight.shape
    return native.embeddingRenormalize(this.#weight.operand(), rows, dim, array, badIds, maxNorm, normType)
  }

  /** The table. */
  parameters(): Tensor[] {
    return [this.#weight]
  }

  /** The table as `weight`, sharing its memory. */
  stateDict(): Record<string, Tensor> {
    return { weight: this.#weight }
  }

  /** Copies `weight` in. @throws UsageError for other names, ShapeError for another shape; nothing is written then. */
  loadStateDict(state: Record<string, Tensor>): this {
    loadInto(this.stateDict(), state, 'Embedding.loadStateDict')
    return this
  }
}
