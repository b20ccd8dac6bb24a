// The input layer of a transformer: token (+ segment) (+ position) (-> layer normalization), in one pass.

import { ASYNC_OPTIONS, lookUp, type AsyncOptions } from './async.js'
import type { Backward, Save } from '../autograd/tape.js'
import { isRagged, type Ragged } from './bag.js'
import { Contents } from '../base/contents.js'
import { Embedding, type ForwardOptions } from './embedding.js'
import { ShapeError, UsageError } from '../base/errors.js'
import { readIds, type Ids, type ReadIds } from '../tensor/ids.js'
import { checkInit, type Init } from './init.js'
import type { Keeping } from './kept-ids.js'
import { loadInto, type Layer } from './layer.js'
import { inputsOf, inputWay, type ReadInputs } from './backward.js'
import { call, check, isHandle, native, type InputLayer } from '../native/native.js'
import { dropout } from './functional.js'
import { raggedPositions, readMask, skipping } from './positions/padding.js'
import { spread } from './positions/spread.js'
import type { TokenPositionOptions } from './token-position-options.js'
import {
  LEARNED,
  presetOf,
  type Placing,
  type PositionedPreset,
  type PresetOptions,
  type TokenPreset,
} from './presets.js'
import { checkGenerator, type Generator } from '../tensor/random.js'
import { guardReceivers, isInstance } from '../base/receivers.js'
import { resultFor, settled } from './result.js'
import { sameShape, shown } from '../base/shape.js'
import { zeroTable } from '../tensor/allocate.js'
import { type Tensor } from '../tensor/tensor.js'
import { checkBoolean, checkNumber, checkOptions, checkSize, isObject, show } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'

/** What goes with ids besides their shape. */
export interface PlaceOptions {
  /** The first position of every sequence; default 0. */
  positionOffset?: number
  /** A position for each id, or for each of a sequence; instead of `positionOffset`. */
  positions?: Ids
  /** A segment for each id, or for each of a sequence; default: all 0. */
  segments?: Ids
  /** Which ids are tokens (`attentionMask`), in their shape: positions count those alone, padding has position 0. */
  mask?: Ids
}

/** As `gradFn` shows the op. */
const NAME = 'TokenPositionEmbeddingBackward'
const OPTIONS = [
  'vocabSize',
  'contextLength',
  'dim',
  'segments',
  'layerNorm',
  'scale',
  'dropout',
  'paddingIdx',
  'init',
  'generator',
  'sparse',
]
const PLACE_OPTIONS = ['positionOffset', 'positions', 'segments', 'mask']
const FORWARD_OPTIONS = ['out', 'shape', ...PLACE_OPTIONS]
const FORWARD_ASYNC_OPTIONS = [...ASYNC_OPTIONS, ...PLACE_OPTIONS]
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
    const make = () => zeroTable('float32', [dim])
    this.weight = make().set(zeroed(Float32Array, dim).fill(1))
    this.bias = make()
    this.eps = eps
    this.weight.requiresGrad = this.bias.requiresGrad = true
  }
}

/** Tables that are there already. */
interface Parts {
  readonly token: Embedding
  readonly position: Embedding | null
  readonly segment: Embedding | null
  readonly layerNorm: LayerNormParameters | null
}

/** The native side's hold on the layer's parts, and which parts it was made of. */
interface Bound {
  readonly parts: readonly Tensor[]
  readonly native: InputLayer
  /** The parts that are V8's memory, which cross with each call. */
  readonly others: readonly Tensor[]
}

const CONTENTS = new Contents<TokenPositionEmbedding<any>>('TokenPositionEmbedding', {
  instead: 'stateDict() has its tensors, which share() lends to other threads and saveSafetensors writes',
})

/**
 * Learned token vectors plus learned absolute positions, computed in one pass over memory: the input of GPT (Radford et
 * al. 2018), and with segments and a layer normalization that of BERT (Devlin et al. 2019).
 *
 * In this order, each operation rounded to float32, as Transformers computes its models' inputs:
 * `layerNorm((token(ids) * scale + segment(segments)) + position(0, 1, ...))`, without what was not asked for.
 *
 * Draws: the token table first, then the positions, then the segments, each from N(0, 1) or as `init` says; the
 * normalization starts as ones and zeros. Dropout draws with each result, while the layer is `training`; `eval()` ends
 * that.
 *
 * `P` says whether there are positions: `TokenPositionEmbedding` is a layer that has them,
 * `TokenPositionEmbedding<null>` one of tokens alone, as some presets are.
 */
export class TokenPositionEmbedding<P extends Embedding | null = Embedding> implements Layer {
  /** The token table, (vocabSize, dim). */
  readonly token: Embedding
  /** The position table, (contextLength, dim); null in a layer of tokens alone. */
  readonly position: P
  /** The segment table, (segments, dim), if there is one. */
  readonly segment: Embedding | null
  /** The normalization, if there is one. */
  readonly layerNorm: LayerNormParameters | null
  /** What token vectors are multiplied by: a float32. */
  readonly scale: number
  /** The probability with which an element of the result is dropped while the layer is `training`. */
  readonly dropout: number
  /** Whether results are those of training: with dropout. True at first, as PyTorch's modules are. */
  training = true
  readonly #generator: Generator
  readonly #placing: Placing
  /** The longest sequence of a layer without positions, where it was told one. */
  readonly #longest: number | null
  readonly #padding: number
  #bound: Bound | null = null
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /** @throws UsageError for sizes that are no sizes, and for an option that does not exist. */
  constructor(options: TokenPositionOptions)
  /** @internal */
  constructor(options: TokenPositionOptions, placing?: Placing, parts?: Parts)
  constructor(options: TokenPositionOptions, placing: Placing = LEARNED, parts?: Parts) {
    const where = 'TokenPositionEmbedding'
    const {
      vocabSize,
      contextLength,
      dim,
      segments,
      layerNorm,
      scale = 1,
      dropout = 0,
      paddingIdx,
      init,
      generator,
      sparse,
    } = checkOptions(options, OPTIONS, where)
    const vocabulary = checkSize(vocabSize, `${where}: vocabSize`)
    const { learned, skipsPadding } = placing
    const context = !learned && contextLength === undefined ? null : checkSize(contextLength, `${where}: contextLength`)
    const columns = checkSize(dim, `${where}: dim`, 1)
    const kinds = segments === undefined ? 0 : checkSize(segments, `${where}: segments`, 1)
    const eps = checkEps(layerNorm, where)
    const inits = partsOf(init, { token: true, position: learned, segment: kinds > 0 }, `${where}: init`)
    this.scale = Math.fround(checkNumber(scale, `${where}: scale`))
    if (!Number.isFinite(this.scale)) throw new UsageError(`${where}: scale ${scale} is more than a float32 holds`)
    if (checkNumber(dropout, `${where}: dropout`) < 0 || dropout > 1) {
      throw new UsageError(`${where}: dropout must be a probability from 0 to 1, not ${dropout}`)
    }
    this.dropout = dropout
    this.#generator = checkGenerator(generator, where)
    this.token =
      parts?.token ?? new Embedding(vocabulary, columns, { paddingIdx, init: inits.token, generator, sparse })
    this.#padding = checkPadding(paddingIdx, vocabulary)
    // Where padding has a position of its own, that row is padding too.
    if (skipsPadding && this.#padding >= context!) {
      throw new UsageError(
        `${where}: positions begin behind paddingIdx ${this.#padding}, which a contextLength of ${context} leaves no room for`,
      )
    }
    this.position = (
      parts
        ? parts.position
        : learned
          ? new Embedding(context!, columns, {
              init: inits.position,
              generator,
              paddingIdx: skipsPadding ? this.#padding : undefined,
            })
          : null
    ) as P
    this.#placing = placing
    this.#longest = context
    this.segment = parts
      ? parts.segment
      : kinds === 0
        ? null
        : new Embedding(kinds, columns, { init: inits.segment, generator })
    this.layerNorm = parts ? parts.layerNorm : eps === null ? null : new LayerNormParameters(columns, eps)
  }

  /**
   * The input layer of a well-known model, as Transformers computes it in float32, in one pass. Tables are drawn as by
   * `new`; load the model's own into them. Sums run from left to right:
   *
   * | name | vectors | unless options say otherwise |
   * |---|---|---|
   * | `gpt2` | `token + position` | |
   * | `bert` | `layerNorm((token + segment) + position)` | 2 segments, eps 1e-12, paddingIdx 0 |
   * | `roberta` | the same; positions as below | 1 segment, eps 1e-5, paddingIdx 1 |
   * | `t5`, `llama` | `token` | |
   * | `gemma` | `token * sqrt(dim)`, the factor a float32 | paddingIdx 0 |
   *
   * RoBERTa's positions count tokens alone: the first that is not padding has position paddingIdx + 1, on whichever
   * side the padding is, and padding has position paddingIdx. So `contextLength`, the rows of the position table
   * (Transformers' `max_position_embeddings`, 514), holds sequences of contextLength - paddingIdx - 1.
   *
   * Nothing is dropped unless `dropout` says so (GPT-2, BERT, RoBERTa and T5 were trained with 0.1), and then in
   * training alone.
   *
   * Layers of tokens alone (`t5`, `llama`, `gemma`) have `position` null; their contextLength may be left out, and if
   * it is given, longer sequences are refused. Gemma in bfloat16 rounds the factor to bfloat16 first: give that as
   * `scale` for the same.
   *
   * @throws UsageError for a name that is none, and as `new`.
   */
  static preset(name: PositionedPreset, options: PresetOptions<PositionedPreset>): TokenPositionEmbedding
  static preset(name: TokenPreset, options: PresetOptions<TokenPreset>): TokenPositionEmbedding<null>
  static preset(
    name: PositionedPreset | TokenPreset,
    options: TokenPositionOptions,
  ): TokenPositionEmbedding<Embedding | null>
  static preset(name: string, options: object): TokenPositionEmbedding<Embedding | null> {
    const { options: all, placing } = presetOf(name, options, `TokenPositionEmbedding.preset`)
    return new TokenPositionEmbedding<Embedding | null>(all, placing)
  }

  /**
   * ids (batch, length) or (length) -> (batch, length, dim) or (length, dim); a Ragged of rows end to end -> (values,
   * dim), positions counted in each row by itself. Positions count from `positionOffset`
   * (default 0; for decoding with a cache), or are given one by one: in the shape of the ids, flat, or as (length) for
   * every sequence. So are segments, without which all is segment 0. With a `mask` positions count tokens alone, on
   * whichever side padding is.
   *
   * @throws TokenIndexError for an id, a position or a segment without a row; ShapeError for a sequence longer than the
   * context; UsageError for segments where the layer has none.
   */
  forward(ids: Ids | Ragged, options?: ForwardOptions & PlaceOptions): Tensor {
    const where = 'TokenPositionEmbedding.forward'
    const given = checkOptions(options, FORWARD_OPTIONS, where)
    const { read, offset, length, at, kinds } = this.#read(ids, given, where)
    const bound = this.#bind()
    const target = resultFor(given.out, read.shape, this.token.embeddingDim, where)
    const others = bound.others.length === 0 ? undefined : bound.others.map((part) => part.rawOperand())
    const done = native.inputLayerForward(bound.native, read.array, target.operand(), offset, length, at, kinds, others)
    const way = (save: Save) => this.#way(bound, { read, offset, length, at, kinds }, ids, { save, pooled: true })
    const result = settled(done, target, given.out, read.shape, bound.parts, NAME, way)
    return this.training && this.dropout > 0 ? this.#dropped(result, given.out) : result
  }

  /** What training makes of a result: in new memory, or in the caller's. */
  #dropped(result: Tensor, out: Tensor | undefined): Tensor {
    const dropped = dropout(result, this.dropout, { generator: this.#generator })
    if (out === undefined) {
      // The way back needs it not.
      result.dispose()
      return dropped
    }
    out.set(dropped)
    dropped.dispose()
    return out
  }

  /** Results of training from now on (`true`, the default), or of use. `torch.nn.Module.train`. */
  train(mode = true): this {
    this.training = checkBoolean(mode, 'TokenPositionEmbedding.train')
    return this
  }

  /** Results of use from now on: nothing is dropped. `torch.nn.Module.eval`. */
  eval(): this {
    return this.train(false)
  }

  /**
   * `forward` on another thread, with what `Embedding.forwardAsync` says of ids, tables, results and signals.
   *
   * @throws UsageError where training drops elements: which draws are whose would depend on which lookup ends first.
   */
  async forwardAsync(ids: Ids | Ragged, options?: AsyncOptions & PlaceOptions): Promise<Tensor> {
    const where = 'TokenPositionEmbedding.forwardAsync'
    const { signal, ...rest } = checkOptions(options, FORWARD_ASYNC_OPTIONS, where)
    if (this.training && this.dropout > 0) {
      throw new UsageError(
        `${where}: with dropout ${this.dropout} in training results are forward's alone: call eval() first, or forward`,
      )
    }
    const inputs = this.#read(ids, rest, where)
    return lookUp({
      where,
      signal,
      ids: inputs.read.shape,
      dim: this.token.embeddingDim,
      tables: this.parameters(),
      work: () => {
        // Parts that were V8's have moved.
        if (this.#bound !== null && this.#bound.others.length > 0) this.#bound = null
        return native.inputLayerWork(this.#bind().native, inputsOf(inputs))
      },
      now: () => this.forward(ids, rest),
      name: NAME,
      way: (save) => this.#way(this.#bind(), inputs, ids, { save, pooled: false }),
    })
  }

  #way(bound: Bound, inputs: ReadInputs, ids: Ids | Ragged, keeping: Keeping): Backward {
    const { token, position, segment, layerNorm, scale } = this
    const tables = [token.table, position?.table ?? null, segment?.table ?? null] as const
    const layer = {
      native: bound.native,
      tables,
      parts: bound.parts,
      others: bound.others,
      normalized: layerNorm !== null,
      scale,
    }
    return inputWay(layer, inputs, isRagged(ids) ? ids.values : ids, keeping)
  }

  /** Ids, and what goes with each. */
  #read(
    ids: Ids | Ragged,
    { shape, positionOffset, positions, segments, mask }: { shape?: number[] } & PlaceOptions,
    where: string,
  ): ReadInputs {
    const ragged = isRagged(ids) ? ids : null
    if (ragged !== null && shape !== undefined) throw new UsageError(`${where}: a Ragged has a shape: give no other`)
    const read = readIds(ragged === null ? (ids as Ids) : ragged.values, shape, where)
    const rank = read.shape.length
    if (rank !== 1 && rank !== 2) {
      throw new ShapeError(`${where}: ids are (batch, length) or (length), not ${shown(read.shape)}`)
    }
    if (positions !== undefined && positionOffset !== undefined) {
      throw new UsageError(`${where}: either positions or positionOffset, not both`)
    }
    const offset = positionOffset === undefined ? 0 : checkSize(positionOffset, `${where}: positionOffset`)
    // Of no ids there is no sequence, however long it says it is.
    let length = read.array.length === 0 ? 0 : read.shape[rank - 1]
    let at = positions === undefined ? undefined : spread(positions, read.shape, 'positions', 'ids', where)
    if ((at ?? mask) !== undefined && this.position === null) {
      throw new UsageError(
        `${where}: positions or a mask, but the layer is of tokens alone: its model places them in attention`,
      )
    }
    const { skipsPadding } = this.#placing
    const first = skipsPadding ? this.#padding + 1 : 0
    if (ragged !== null) {
      if (mask !== undefined) throw new UsageError(`${where}: a Ragged has no padding: give no mask`)
      const rows = raggedPositions(ragged, offset + first, where)
      length = rows.longest
      at ??= rows.positions
    } else if (mask !== undefined) {
      if (positions !== undefined)
        throw new UsageError(`${where}: either positions or a mask, from which they are counted, not both`)
      const tokens = readMask(mask, where)
      if (!sameShape(tokens.shape, read.shape))
        throw new ShapeError(`${where}: mask is ${shown(tokens.shape)} where ids are ${shown(read.shape)}`)
      at = skipping(tokens.array, undefined, read.shape, offset + first, skipsPadding ? this.#padding : 0, where)
    } else if (at === undefined && skipsPadding) {
      at = skipping(read.array, this.#padding, read.shape, offset + first, this.#padding, where)
    }
    if (this.position === null) at = undefined
    if (segments !== undefined && this.segment === null) {
      throw new UsageError(`${where}: segments, but the layer has none: make it with the option segments`)
    }
    const kinds = segments === undefined ? undefined : spread(segments, read.shape, 'segments', 'ids', where)
    const context = this.position === null ? this.#longest : this.position.numEmbeddings
    if (context !== null && at === undefined && offset + length > context) {
      const longer =
        this.position === null
          ? ''
          : '. A layer with a larger contextLength takes them, with the position.weight that interpolatePositions(position.weight, contextLength) makes'
      throw new ShapeError(
        `${where}: ${length} ids from position ${offset} on reach past the ${context} positions of contextLength${longer}`,
      )
    }
    this.#catchUp(read)
    return { read, offset, length, at, kinds }
  }

  /** Brings rows that an optimizer left behind up to date: those of the ids, and all positions and segments. */
  #catchUp({ array, shape }: ReadIds): void {
    const { token, position, segment } = this
    const { lag } = token.weight
    if (lag !== null) check(lag.catchUp(array, token.table.badIds), shape)
    position?.weight.lag?.settle()
    segment?.weight.lag?.settle()
  }

  /** The native side's hold, made anew where a table was replaced. */
  #bind(): Bound {
    const bound = this.#bound
    if (bound !== null && this.#isCurrent(bound.parts)) return bound
    return (this.#bound = this.#bindNew(this.parameters()))
  }

  #isCurrent(parts: readonly Tensor[]): boolean {
    let next = 0
    for (const table of [this.token, this.position, this.segment])
      if (table !== null && parts[next++] !== table.weight) return false
    // What is disposed is told when it is bound.
    for (let i = 0; i < parts.length; i++) if (parts[i].disposed) return false
    return true
  }

  #bindNew(parts: readonly Tensor[]): Bound {
    const operands = new Map(parts.map((part) => [part, part.rawOperand()]))
    const handle = (part: Tensor | undefined) => {
      const operand = part === undefined ? undefined : operands.get(part)!
      return operand !== undefined && isHandle(operand) ? operand : undefined
    }
    const { token, position, segment, layerNorm } = this
    const made = native.inputLayerNew({
      token: handle(token.weight),
      position: handle(position?.weight),
      segment: handle(segment?.weight),
      weight: handle(layerNorm?.weight),
      bias: handle(layerNorm?.bias),
      vocabulary: token.numEmbeddings,
      context: position?.numEmbeddings,
      segments: segment?.numEmbeddings,
      dim: token.embeddingDim,
      onBadId: token.table.badIds,
      scale: this.scale,
      eps: layerNorm?.eps,
    })
    return { parts, native: call(made), others: parts.filter((part) => !isHandle(operands.get(part)!)) }
  }

  /** The layer over another table of tokens; what else it has is the very same. @internal */
  withTokens(token: Embedding): TokenPositionEmbedding<P> {
    const { position, segment, layerNorm, scale, dropout } = this
    const { paddingIdx } = token.table.settings
    const contextLength = position?.numEmbeddings ?? this.#longest ?? undefined
    const options = {
      vocabSize: token.numEmbeddings,
      contextLength: contextLength!,
      dim: token.embeddingDim,
      scale,
      dropout,
      paddingIdx,
      generator: this.#generator,
    }
    return new TokenPositionEmbedding<P>(options, this.#placing, { token, position, segment, layerNorm }).train(
      this.training,
    )
  }

  /** Whether positions are counted from behind the padding id. @internal */
  get skipsPadding(): boolean {
    return this.#placing.skipsPadding
  }

  /**
   * What is learned: the tables of tokens, positions (where there are such) and segments, then the normalization's
   * weight and bias.
   */
  parameters(): Tensor[] {
    return Object.values(this.stateDict())
  }

  /**
   * The same as `token.weight` and, where there are such, `position.weight`, `segment.weight`, `layerNorm.weight` and
   * `layerNorm.bias`, sharing their memory.
   */
  stateDict(): Record<string, Tensor> {
    const state: Record<string, Tensor> = { 'token.weight': this.token.weight }
    if (this.position !== null) state['position.weight'] = this.position.weight
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

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return (
      typeof value === 'object' &&
      value !== null &&
      #generator in value &&
      isInstance(this, TokenPositionEmbedding, value)
    )
  }

  static {
    guardReceivers(this, (value) => #generator in value)
    CONTENTS.guard(this, (value) => #generator in value)
  }
}

const PARTS = ['token', 'position', 'segment'] as const

/** How each table is drawn; all is checked before the first is made. */
function partsOf(
  init: unknown,
  there: Record<(typeof PARTS)[number], boolean>,
  where: string,
): Partial<Record<(typeof PARTS)[number], Init>> {
  const byName = isObject(init) && PARTS.some((name) => name in init)
  const parts = byName
    ? { ...checkOptions(init as Partial<Record<(typeof PARTS)[number], Init>>, PARTS, where) }
    : Object.fromEntries(PARTS.map((name) => [name, init as Init]))
  for (const name of PARTS) {
    if (parts[name] === undefined) continue
    checkInit(parts[name], byName ? `${where}.${name}` : where)
    if (byName && !there[name]) throw new UsageError(`${where}.${name}: the layer has no such table`)
  }
  return parts
}

/** The eps of a normalization; null for none. */
function checkEps(layerNorm: unknown, where: string): number | null {
  if (layerNorm === undefined || layerNorm === false) return null
  if (layerNorm === true) return DEFAULT_EPS
  if (!isObject(layerNorm)) {
    throw new UsageError(`${where}: layerNorm is true, false or { eps }, not ${show(layerNorm)}`)
  }
  const { eps } = checkOptions(layerNorm as { eps: number }, ['eps'], `${where}: layerNorm`)
  if (checkNumber(eps, `${where}: layerNorm.eps`) < 0)
    throw new UsageError(`${where}: layerNorm.eps must not be negative, not ${eps}`)
  return eps!
}

/** The padding row, counted from the front; -1 for none. What is no row, the table refuses. */
function checkPadding(paddingIdx: number | undefined, rows: number): number {
  if (paddingIdx === undefined) return -1
  return paddingIdx < 0 ? paddingIdx + rows : paddingIdx
}
