// The input layer of a transformer: token (+ segment) + position (-> layer normalization), in one pass.

import { ASYNC_OPTIONS, lookUp, type AsyncOptions } from './async.js'
import type { Backward, Save } from './autograd.js'
import { facts } from './dtype.js'
import { Embedding, type ForwardOptions } from './embedding.js'
import { ShapeError, UsageError } from './errors.js'
import { readIds, type Ids, type IntArray, type ReadIds } from './ids.js'
import { loadInto, type Layer } from './layer.js'
import { inputWay, type ReadInputs } from './layer-grad.js'
import { call, native, type Handle, type InputLayer, type Operand } from './native.js'
import type { Generator } from './random.js'
import { resultFor, settled } from './result.js'
import { sameShape, shown } from './shape.js'
import { NativeStorage } from './storage.js'
import { Tensor } from './tensor.js'
import { checkNumber, checkOptions, checkSize, show } from './validate.js'

export interface TokenPositionOptions {
  /** Rows of the token table. */
  vocabSize: number
  /** Rows of the position table: the longest sequence. */
  contextLength: number
  /** Elements of a vector. */
  dim: number
  /** Rows of a table of segments (token types); default: no such table. */
  segments?: number
  /** Whether the sum is normalized, with a weight and a bias that are learned; `true` takes PyTorch's eps, 1e-5. */
  layerNorm?: boolean | { eps: number }
  /** What token vectors are multiplied by, in float32, before anything is added; default 1. */
  scale?: number
  /** The share of elements that training drops. There is no training yet: 0, the default, is all it can be. */
  dropout?: number
  /** A token row that is zeroed when it is drawn; negative counts from the end. */
  paddingIdx?: number
  /** What draws the tables; default: the one that `manualSeed` seeds. */
  generator?: Generator
  /** Whether `token.weight.grad` is a SparseGrad; default false. Positions and segments, which batches touch whole, have
   * dense gradients always. */
  sparse?: boolean
}

/** What goes with ids besides their shape. */
export interface PlaceOptions {
  /** The first position of every sequence; default 0. */
  positionOffset?: number
  /** A position for each id, or for each of a sequence; instead of `positionOffset`. */
  positions?: Ids
  /** A segment for each id, or for each of a sequence; default: all 0. */
  segments?: Ids
}

/** As `gradFn` shows the op. */
const NAME = 'TokenPositionEmbeddingBackward'
const OPTIONS = ['vocabSize', 'contextLength', 'dim', 'segments', 'layerNorm', 'scale', 'dropout', 'paddingIdx', 'generator', 'sparse']
const FORWARD_OPTIONS = ['out', 'shape', 'positionOffset', 'positions', 'segments']
const FORWARD_ASYNC_OPTIONS = [...ASYNC_OPTIONS, 'positionOffset', 'positions', 'segments']
/** Of torch.nn.LayerNorm. */
const DEFAULT_EPS = 1e-5

/** What is learned of a layer normalization: `y = (x - mean) / sqrt(variance + eps) * weight + bias`. */
export class LayerNormParameters {
  /** A factor for each column; ones at first. */
  readonly weight: Tensor
  /** A term for each column; zeros at first. */
  readonly bias: Tensor
  /** Added to the variance. */
  readonly eps: number

  /** @internal */
  constructor(dim: number, eps: number) {
    const { bytes } = facts('float32')
    const make = () => Tensor.over(NativeStorage.zeroed(dim * bytes), 'float32', [dim])
    this.weight = make().set(new Float32Array(dim).fill(1))
    this.bias = make()
    this.eps = eps
    this.weight.requiresGrad = this.bias.requiresGrad = true
  }
}

/** The native side's hold on the layer's parts, and which parts it was made of. */
interface Bound {
  readonly parts: readonly Tensor[]
  readonly native: InputLayer
  /** The parts that are V8's memory, which cross with each call. */
  readonly others: readonly Tensor[]
}

/**
 * Learned token vectors plus learned absolute positions, computed in one pass over memory: the input of GPT (Radford et
 * al. 2018), and with segments and a layer normalization that of BERT (Devlin et al. 2019).
 *
 * In this order, each operation rounded to float32, as Transformers computes its models' inputs:
 * `layerNorm((token(ids) * scale + segment(segments)) + position(0, 1, ...))`, without what was not asked for.
 *
 * Draws: the token table first, then the positions, then the segments, each from N(0, 1); the normalization starts as
 * ones and zeros.
 */
export class TokenPositionEmbedding implements Layer {
  /** The token table, (vocabSize, dim). */
  readonly token: Embedding
  /** The position table, (contextLength, dim). */
  readonly position: Embedding
  /** The segment table, (segments, dim), if there is one. */
  readonly segment: Embedding | null
  /** The normalization, if there is one. */
  readonly layerNorm: LayerNormParameters | null
  /** What token vectors are multiplied by: a float32. */
  readonly scale: number
  #bound: Bound | null = null

  /** @throws UsageError for sizes that are no sizes, and for an option that does not exist. */
  constructor(options: TokenPositionOptions) {
    const where = 'TokenPositionEmbedding'
    const { vocabSize, contextLength, dim, segments, layerNorm, scale = 1, dropout = 0, paddingIdx, generator, sparse } = checkOptions(options, OPTIONS, where)
    const vocabulary = checkSize(vocabSize, `${where}: vocabSize`)
    const context = checkSize(contextLength, `${where}: contextLength`)
    const columns = checkSize(dim, `${where}: dim`, 1)
    const kinds = segments === undefined ? 0 : checkSize(segments, `${where}: segments`, 1)
    const eps = checkEps(layerNorm, where)
    this.scale = Math.fround(checkNumber(scale, `${where}: scale`))
    if (!Number.isFinite(this.scale)) throw new UsageError(`${where}: scale ${scale} is more than a float32 holds`)
    if (checkNumber(dropout, `${where}: dropout`) !== 0) {
      throw new UsageError(`${where}: dropout ${dropout} belongs to training, which is not there yet: leave it out`)
    }
    this.token = new Embedding(vocabulary, columns, { paddingIdx, generator, sparse })
    this.position = new Embedding(context, columns, { generator })
    this.segment = kinds === 0 ? null : new Embedding(kinds, columns, { generator })
    this.layerNorm = eps === null ? null : new LayerNormParameters(columns, eps)
  }

  /**
   * ids (batch, length) or (length) -> (batch, length, dim) or (length, dim). Positions count from `positionOffset`
   * (default 0; for decoding with a cache), or are given one by one: in the shape of the ids, flat, or as (length) for
   * every sequence. So are segments, without which all is segment 0.
   *
   * @throws TokenIndexError for an id, a position or a segment without a row; ShapeError for a sequence longer than the
   * context; UsageError for segments where the layer has none.
   */
  forward(ids: Ids, options?: ForwardOptions & PlaceOptions): Tensor {
    const where = 'TokenPositionEmbedding.forward'
    const given = checkOptions(options, FORWARD_OPTIONS, where)
    const { read, offset, length, at, kinds } = this.#read(ids, given, where)
    const bound = this.#bind()
    const target = resultFor(given.out, read.shape, this.token.embeddingDim, where)
    const others = bound.others.length === 0 ? undefined : bound.others.map((part) => part.operand())
    const done = native.inputLayerForward(bound.native, read.array, target.operand(), offset, length, at, kinds, others)
    const way = (save: Save) => this.#way(bound, { read, offset, length, at, kinds }, ids, save)
    return settled(done, target, given.out, read.shape, bound.parts, NAME, way)
  }

  /** `forward` on another thread, with what `Embedding.forwardAsync` says of ids, tables, results and signals. */
  async forwardAsync(ids: Ids, options?: AsyncOptions & PlaceOptions): Promise<Tensor> {
    const where = 'TokenPositionEmbedding.forwardAsync'
    const { signal, ...rest } = checkOptions(options, FORWARD_ASYNC_OPTIONS, where)
    const { read, offset, length, at, kinds } = this.#read(ids, rest, where)
    return lookUp({
      where, signal, ids: read.shape, dim: this.token.embeddingDim, tables: this.parameters(),
      work: () => {
        // Parts that were V8's have moved.
        if (this.#bound !== null && this.#bound.others.length > 0) this.#bound = null
        return native.inputLayerWork(this.#bind().native, read.array, offset, length, at, kinds)
      },
      now: () => this.forward(ids, rest),
      name: NAME,
      way: (save) => this.#way(this.#bind(), { read, offset, length, at, kinds }, ids, save),
    })
  }

  #way(bound: Bound, inputs: ReadInputs, given: Ids, save: Save): Backward {
    const { token, position, segment, layerNorm, scale } = this
    const tables = [token.table, position.table, ...(segment === null ? [] : [segment.table])]
    const layer = { native: bound.native, tables, parts: bound.parts, others: bound.others, normalized: layerNorm !== null, scale }
    return inputWay(layer, inputs, given, save)
  }

  /** Ids, and what goes with each. */
  #read(ids: Ids, { shape, positionOffset, positions, segments }: { shape?: number[] } & PlaceOptions, where: string): ReadInputs {
    const read = readIds(ids, shape, where)
    const rank = read.shape.length
    if (rank !== 1 && rank !== 2) {
      throw new ShapeError(`${where}: ids are (batch, length) or (length), not ${shown(read.shape)}`)
    }
    if (positions !== undefined && positionOffset !== undefined) {
      throw new UsageError(`${where}: either positions or positionOffset, not both`)
    }
    const offset = positionOffset === undefined ? 0 : checkSize(positionOffset, `${where}: positionOffset`)
    // Of no ids there is no sequence, however long it says it is.
    const length = read.array.length === 0 ? 0 : read.shape[rank - 1]
    const at = positions === undefined ? undefined : spread(positions, read, 'positions', where)
    if (segments !== undefined && this.segment === null) {
      throw new UsageError(`${where}: segments, but the layer has none: make it with the option segments`)
    }
    const kinds = segments === undefined ? undefined : spread(segments, read, 'segments', where)
    const context = this.position.numEmbeddings
    if (at === undefined && offset + length > context) {
      throw new ShapeError(
        `${where}: ${length} ids from position ${offset} on reach past the ${context} positions of contextLength`,
      )
    }
    return { read, offset, length, at, kinds }
  }

  /** The native side's hold, made anew where a table was replaced. */
  #bind(): Bound {
    const bound = this.#bound
    if (bound !== null && this.#isCurrent(bound.parts)) return bound
    return (this.#bound = this.#bindNew(this.parameters()))
  }

  #isCurrent(parts: readonly Tensor[]): boolean {
    if (parts[0] !== this.token.weight || parts[1] !== this.position.weight) return false
    if (this.segment !== null && parts[2] !== this.segment.weight) return false
    // What is disposed is told when it is bound.
    for (let i = 0; i < parts.length; i++) if (parts[i].disposed) return false
    return true
  }

  #bindNew(parts: readonly Tensor[]): Bound {
    const operands = new Map(parts.map((part) => [part, part.operand()]))
    const handle = (part: Tensor | undefined) => {
      const operand = part === undefined ? null : operands.get(part)!
      return isHandle(operand) ? operand : null
    }
    const { token, position, segment, layerNorm } = this
    const made = native.inputLayerNew(
      handle(token.weight), handle(position.weight), handle(segment?.weight), handle(layerNorm?.weight), handle(layerNorm?.bias),
      token.numEmbeddings, position.numEmbeddings, segment?.numEmbeddings ?? 0, token.embeddingDim,
      token.table.badIds, this.scale, layerNorm?.eps ?? -1,
    )
    return { parts, native: call(made), others: parts.filter((part) => !isHandle(operands.get(part)!)) }
  }

  /** What is learned: the tables of tokens, positions and segments, then the normalization's weight and bias. */
  parameters(): Tensor[] {
    return Object.values(this.stateDict())
  }

  /**
   * The same as `token.weight`, `position.weight` and, where there are such, `segment.weight`, `layerNorm.weight` and
   * `layerNorm.bias`, sharing their memory.
   */
  stateDict(): Record<string, Tensor> {
    const state: Record<string, Tensor> = { 'token.weight': this.token.weight, 'position.weight': this.position.weight }
    if (this.segment !== null) state['segment.weight'] = this.segment.weight
    if (this.layerNorm !== null) {
      state['layerNorm.weight'] = this.layerNorm.weight
      state['layerNorm.bias'] = this.layerNorm.bias
    }
    return state
  }

  /** Copies all in. @throws UsageError for other names, ShapeError for other shapes; nothing is written then. */
  loadStateDict(state: Record<string, Tensor>): this {
    loadInto(this.stateDict(), state, 'TokenPositionEmbedding.loadStateDict')
    return this
  }
}

/** The eps of a normalization; null for none. */
function checkEps(layerNorm: unknown, where: string): number | null {
  if (layerNorm === undefined || layerNorm === false) return null
  if (layerNorm === true) return DEFAULT_EPS
  if (typeof layerNorm !== 'object' || layerNorm === null) {
    throw new UsageError(`${where}: layerNorm is true, false or { eps }, not ${show(layerNorm)}`)
  }
  const { eps } = checkOptions(layerNorm as { eps: number }, ['eps'], `${where}: layerNorm`)
  if (checkNumber(eps, `${where}: layerNorm.eps`) < 0) throw new UsageError(`${where}: layerNorm.eps must not be negative, not ${eps}`)
  return eps!
}

/** Whether it is Rust's memory, behind a handle. */
function isHandle(operand: Operand | null): operand is Handle {
  return operand !== null && !ArrayBuffer.isView(operand)
}

/** Explicit positions or segments, one for each id: those of one sequence are repeated along the batch. */
function spread(given: Ids, ids: ReadIds, what: string, where: string): IntArray {
  const { array, shape } = readIds(given, undefined, `${where}: ${what}`)
  if (sameShape(shape, ids.shape) || (shape.length === 1 && shape[0] === ids.array.length)) return array
  const [length] = ids.shape.slice(-1)
  if (shape.length !== 1 || shape[0] !== length) {
    throw new ShapeError(`${where}: ${what} are ${shown(shape)} where ids are ${shown(ids.shape)}`)
  }
  const each = new (array.constructor as new (length: number) => IntArray)(ids.array.length)
  for (let at = 0; at < each.length; at += length) (each as Int32Array).set(array as Int32Array, at)
  return each
}
