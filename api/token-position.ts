// Token + position: the input layer of GPT, in one pass.

import { ASYNC_OPTIONS, lookUp, type AsyncOptions } from './async.js'
import { Embedding, intoResult, type ForwardOptions } from './embedding.js'
import { ShapeError, UsageError } from './errors.js'
import { readIds, type Ids, type IntArray, type ReadIds } from './ids.js'
import { loadInto, type Layer } from './layer.js'
import { native } from './native.js'
import type { Generator } from './random.js'
import { sameShape, shown } from './shape.js'
import type { Tensor } from './tensor.js'
import { checkOptions, checkSize } from './validate.js'

export interface TokenPositionOptions {
  /** Rows of the token table. */
  vocabSize: number
  /** Rows of the position table: the longest sequence. */
  contextLength: number
  /** Elements of a vector. */
  dim: number
  /** A token row that is zeroed when it is drawn; negative counts from the end. */
  paddingIdx?: number
  /** What draws the tables; default: the one that `manualSeed` seeds. */
  generator?: Generator
}

/** Where ids stand: one of the two. */
interface PositionOptions {
  /** The first position of every sequence; default 0. */
  positionOffset?: number
  /** One for each id, or one for each of a sequence. */
  positions?: Ids
}

const OPTIONS = ['vocabSize', 'contextLength', 'dim', 'paddingIdx', 'generator']
const FORWARD_OPTIONS = ['out', 'shape', 'positionOffset', 'positions']

/**
 * Learned token vectors plus learned absolute positions, as in GPT (Radford et al. 2018): `token(ids) + position(0, 1,
 * ...)`, computed in one pass over memory. Draws: the token table first, then the positions.
 */
export class TokenPositionEmbedding implements Layer {
  /** The token table, (vocabSize, dim). */
  readonly token: Embedding
  /** The position table, (contextLength, dim). */
  readonly position: Embedding

  /** @throws UsageError for sizes that are no sizes, and for an option that does not exist. */
  constructor(options: TokenPositionOptions) {
    const where = 'TokenPositionEmbedding'
    const { vocabSize, contextLength, dim, paddingIdx, generator } = checkOptions(options, OPTIONS, where)
    const vocabulary = checkSize(vocabSize, `${where}: vocabSize`)
    const context = checkSize(contextLength, `${where}: contextLength`)
    const columns = checkSize(dim, `${where}: dim`, 1)
    this.token = new Embedding(vocabulary, columns, { paddingIdx, generator })
    this.position = new Embedding(context, columns, { generator })
  }

  /**
   * ids (batch, length) or (length) -> (batch, length, dim) or (length, dim). Positions count from `positionOffset`
   * (default 0; for decoding with a cache), or are given one by one, as (length) or in the shape of the ids.
   *
   * @throws TokenIndexError for an id or a position without a row; ShapeError for a sequence longer than the context.
   */
  forward(ids: Ids, options?: ForwardOptions & PositionOptions): Tensor {
    const where = 'TokenPositionEmbedding.forward'
    const { out, ...rest } = checkOptions(options, FORWARD_OPTIONS, where)
    const { read, tables, explicit, offset, length } = this.#read(ids, rest, where)
    const [token, position] = tables
    const [vocabulary, dim] = token.shape
    const run = (out: Tensor) =>
      native.tokenPositionForward(
        token.operand(), vocabulary, position.operand(), position.shape[0], dim,
        read.array, this.token.badIds, explicit, offset, length, out.operand(),
      )
    return intoResult(out, read.shape, dim, tables, where, run)
  }

  /** `forward` on another thread, with what `Embedding.forwardAsync` says of ids, tables, results and signals. */
  async forwardAsync(ids: Ids, options?: AsyncOptions & PositionOptions): Promise<Tensor> {
    const where = 'TokenPositionEmbedding.forwardAsync'
    const { signal, ...rest } = checkOptions(options, [...ASYNC_OPTIONS, 'positionOffset', 'positions'], where)
    const { read, tables, explicit, offset, length } = this.#read(ids, rest, where)
    const [[vocabulary, dim], [context]] = tables.map(({ shape }) => shape)
    return lookUp({
      where, signal, ids: read.shape, dim, tables,
      work: (token, position) =>
        native.tokenPositionWork(token, vocabulary, position, context, dim, read.array, this.token.badIds, explicit, offset, length),
      now: () => this.forward(ids, rest),
    })
  }

  /** Ids and where they stand. */
  #read(ids: Ids, { shape, positionOffset, positions }: { shape?: number[] } & PositionOptions, where: string) {
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
    const explicit = positions === undefined ? null : spread(readIds(positions, undefined, `${where}: positions`), read, where)
    const tables = [this.token.weight, this.position.weight] as const
    const context = tables[1].shape[0]
    if (explicit === null && offset + length > context) {
      throw new ShapeError(
        `${where}: ${length} ids from position ${offset} on reach past the ${context} positions of contextLength`,
      )
    }
    return { read, tables, explicit, offset, length }
  }

  /** The tables: tokens, then positions. */
  parameters(): Tensor[] {
    return [this.token.weight, this.position.weight]
  }

  /** The tables as `token.weight` and `position.weight`, sharing their memory. */
  stateDict(): Record<string, Tensor> {
    return { 'token.weight': this.token.weight, 'position.weight': this.position.weight }
  }

  /** Copies both tables in. @throws UsageError for other names, ShapeError for other shapes; nothing is written then. */
  loadStateDict(state: Record<string, Tensor>): this {
    loadInto(this.stateDict(), state, 'TokenPositionEmbedding.loadStateDict')
    return this
  }
}

/** Explicit positions, one for each id: those of one sequence are repeated along the batch. */
function spread(positions: ReadIds, ids: ReadIds, where: string): IntArray {
  if (sameShape(positions.shape, ids.shape)) return positions.array
  const [length] = ids.shape.slice(-1)
  if (positions.shape.length !== 1 || positions.shape[0] !== length) {
    throw new ShapeError(`${where}: positions are ${shown(positions.shape)} where ids are ${shown(ids.shape)}`)
  }
  const each = new (positions.array.constructor as new (length: number) => IntArray)(ids.array.length)
  for (let at = 0; at < each.length; at += length) (each as Int32Array).set(positions.array as Int32Array, at)
  return each
}
