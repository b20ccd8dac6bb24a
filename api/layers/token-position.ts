// The input layer of a transformer: token (+ segment) (+ position) (-> layer normalization), in one pass.

import { ASYNC_OPTIONS, lookUp, type AsyncOptions } from './async.js'
import type { Backward, Save } from '../autograd/tape.js'
import { Contents } from '../base/contents.js'
import { Embedding, type ForwardOptions } from './embedding.js'
import { isFloat } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { readIds, type Ids, type ReadIds } from '../tensor/ids.js'
import type { Keeping } from './kept-ids.js'
import { loadInto, type Layer } from './layer.js'
import { LayerNormParameters } from './layer-norm-parameters.js'
import { inputsOf, inputWay, type ReadInputs } from './backward.js'
import { call, check, isHandle, native, type InputLayer } from '../native/native.js'
import { dropout, layerNorm as normalized } from './functional.js'
import { raggedPositions, readMask, skipping } from './positions/padding.js'
import { spread } from './positions/spread.js'
import type { TokenPositionOptions } from './token-position-options.js'
import { checkEps, checkPadding, NO_IDS, partsOf, rowsOf } from './token-position-parts.js'
import {
  LEARNED,
  presetOf,
  type Placing,
  type PositionedPreset,
  type PresetOptions,
  type TokenPreset,
} from './presets.js'
import { checkGenerator, type Generator } from '../tensor/random.js'
import { guardReceivers, isInstance, stranger } from '../base/receivers.js'
import { resultFor, settled } from './result.js'
import { sameShape, shown, sizeOf } from '../base/shape.js'
import { raggedOf, type Ragged, type RaggedIds } from '../tensor/ragged.js'
import { scope } from '../memory/scope.js'
import { zeroed } from '../memory/arrays.js'
import { Tensor } from '../tensor/tensor.js'
import { checkBoolean, checkNumber, checkOptions, checkSize } from '../base/validate.js'

/** What can be given along with ids, besides their shape. */
export interface PlaceOptions {
  /** The first position of every sequence; default 0. */
  positionOffset?: number
  /** A position for each id, or one row of positions for every sequence; instead of `positionOffset`. */
  positions?: Ids
  /** A segment for each id, or one row of segments for every sequence; default: all 0. */
  segments?: Ids
  /**
   * Which ids are tokens (`attentionMask`), in the shape of the ids: positions count only those, and padding has
   * position 0.
   */
  mask?: Ids
}

/** The op's name as `gradFn` shows it. */
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

/** Tables that exist already. @internal */
export interface Parts {
  readonly token: Embedding
  readonly position: Embedding | null
  readonly segment: Embedding | null
  readonly layerNorm: LayerNormParameters | null
}

/** The native layer, and the parts it was made of. */
interface Bound {
  readonly parts: readonly Tensor[]
  readonly native: InputLayer
  /** The parts in V8's memory, which are passed with each call. */
  readonly others: readonly Tensor[]
}

/** Whether the constructor made the value; unlike `instanceof`, it asks nothing of subclasses, and takes less time. */
let isOwn: (value: unknown) => boolean

const CONTENTS = new Contents<TokenPositionEmbedding<any>>('TokenPositionEmbedding', {
  instead: 'use the tensors of stateDict(), with share() for other threads or saveSafetensors for files',
})

/**
 * Learned token vectors plus learned absolute positions, computed in one pass over memory. This is the input of GPT
 * (Radford et al. 2018), and with segments and a layer normalization the input of BERT (Devlin et al. 2019).
 *
 * The result is `layerNorm((token(ids) * scale + segment(segments)) + position(0, 1, ...))`, without the parts that the
 * options leave out. Operations run in this order and each is rounded to float32, as Transformers computes its models'
 * inputs.
 *
 * The token table is drawn first, then the positions, then the segments, each from N(0, 1) or as `init` says; the
 * normalization starts as ones and zeros. While the layer is `training`, dropout draws for each result; `eval()` turns
 * it off.
 *
 * `P` says whether the layer has positions: `TokenPositionEmbedding` has them, `TokenPositionEmbedding<null>` has only
 * tokens, as some presets do.
 */
export class TokenPositionEmbedding<P extends Embedding | null = Embedding> implements Layer {
  /** The token table, (vocabSize, dim). */
  readonly token: Embedding
  /** The position table, (contextLength, dim); null in a layer without positions. */
  readonly position: P
  /** The segment table, (segments, dim); null if there is none. */
  readonly segment: Embedding | null
  /** The normalization; null if there is none. */
  readonly layerNorm: LayerNormParameters | null
  /** The factor of token vectors, rounded to float32. */
  readonly scale: number
  /** The probability that an element of the result is dropped while the layer is `training`. */
  readonly dropout: number
  /** Whether the layer is in training mode, in which dropout applies. True at first, as in PyTorch's modules. */
  training = true
  readonly #generator: Generator
  readonly #placing: Placing
  /** The longest sequence that a layer without positions takes; null for no limit. */
  readonly #longest: number | null
  readonly #padding: number
  #bound: Bound | null = null
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /** @throws UsageError if a size is not a size, and for an option that does not exist. */
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
    if (!Number.isFinite(this.scale)) throw new UsageError(`${where}: scale ${scale} does not fit in a float32`)
    if (checkNumber(dropout, `${where}: dropout`) < 0 || dropout > 1) {
      throw new UsageError(`${where}: dropout must be a probability from 0 to 1, not ${dropout}`)
    }
    this.dropout = dropout
    this.#generator = checkGenerator(generator, where)
    this.token =
      parts?.token ?? new Embedding(vocabulary, columns, { paddingIdx, init: inits.token, generator, sparse })
    this.#padding = checkPadding(paddingIdx, vocabulary)
    // If padding has a position of its own, that row of the position table is padding too.
    if (skipsPadding && this.#padding >= context!) {
      throw new UsageError(
        `${where}: positions begin after paddingIdx ${this.#padding}: contextLength must be more than that, not ${context}`,
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
    this.layerNorm = parts ? parts.layerNorm : eps === null ? null : LayerNormParameters.made(columns, eps)
  }

  /**
   * The input layer of a well-known model, as Transformers computes it in float32, in one pass. Tables are drawn as by
   * `new`; load the model's weights into them. Sums run from left to right:
   *
   * | name | vectors | unless options say otherwise |
   * |---|---|---|
   * | `gpt2` | `token + position` | |
   * | `bert` | `layerNorm((token + segment) + position)` | 2 segments, eps 1e-12, paddingIdx 0 |
   * | `roberta` | the same; positions as below | 1 segment, eps 1e-5, paddingIdx 1 |
   * | `t5`, `llama` | `token` | |
   * | `gemma` | `token * sqrt(dim)`, the factor a float32 | paddingIdx 0 |
   *
   * RoBERTa's positions count only tokens: the first one has position paddingIdx + 1, on whichever side the padding is,
   * and padding has position paddingIdx. So `contextLength`, the rows of the position table (Transformers'
   * `max_position_embeddings`, 514), holds sequences of contextLength - paddingIdx - 1.
   *
   * Nothing is dropped unless `dropout` says so (GPT-2, BERT, RoBERTa and T5 were trained with 0.1), and then only in
   * training.
   *
   * In layers without positions (`t5`, `llama`, `gemma`) `position` is null. Their contextLength may be left out; if it
   * is given, longer sequences are refused. Gemma in bfloat16 rounds the factor to bfloat16 first: to get its values,
   * give the rounded factor as `scale`.
   *
   * @throws UsageError for an unknown name, and as `new` does.
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
   * ids (batch, length) or (length) give (batch, length, dim) or (length, dim); a Ragged gives (values, dim), with the
   * positions of each row counted by themselves. Positions count from `positionOffset` (default 0; use it for decoding
   * with a cache), or are given one by one: in the shape of the ids, flat, or as (length) for every sequence. Segments
   * are given in the same ways; by default all are 0. With a `mask` positions count only tokens, on whichever side the
   * padding is.
   *
   * A float32 tensor (batch, length, dim) or (length, dim) is vectors that come from elsewhere, such as those of a
   * picture: they stand in the place of `token(ids) * scale`, and the rest of the layer is applied to them, with the
   * bits that ids would give and gradients back to them. Transformers' `inputs_embeds`. Without ids there is no padding
   * to be seen: where positions skip it (RoBERTa), give `mask` or `positions`.
   *
   * @throws TokenIndexError for an id, a position or a segment out of range; ShapeError for a sequence longer than the
   * context; UsageError for segments if the layer has none.
   */
  forward(ids: Ids | Ragged | RaggedIds, options?: ForwardOptions & PlaceOptions): Tensor {
    if (!isOwn(this)) throw stranger(this, 'TokenPositionEmbedding', 'forward')
    const where = 'TokenPositionEmbedding.forward'
    const given = checkOptions(options, FORWARD_OPTIONS, where)
    if (Tensor.is(ids) && isFloat(ids.dtype)) return this.#ofVectors(ids, given, where)
    const { read, offset, length, at, kinds } = this.#read(ids, given, where)
    const bound = this.#bind()
    const target = resultFor(given.out, read.shape, this.token.table.dim, where)
    const others = bound.others.length === 0 ? undefined : bound.others.map((part) => part.rawOperand())
    const done = native.inputLayerForward(bound.native, read.array, target.operand(), offset, length, at, kinds, others)
    const way = (save: Save) => this.#way(bound, { read, offset, length, at, kinds }, ids, { save, pooled: true })
    const result = settled(done, target, given.out, read.shape, bound.parts, NAME, way)
    return this.training && this.dropout > 0 ? this.#dropped(result, given.out) : result
  }

  /** The layer over vectors in the place of its tokens' own. */
  #ofVectors(x: Tensor, { out, shape, ...place }: ForwardOptions & PlaceOptions, where: string): Tensor {
    if (shape !== undefined) throw new UsageError(`${where}: vectors have a shape of their own: leave shape out`)
    const dim = this.token.embeddingDim
    const rank = x.shape.length
    if (rank === 1) {
      throw new DTypeError(
        `${where}: ids must be integers, not ${x.dtype}: write ids.to('int32'); vectors in their place have the shape (length, ${dim}) or (batch, length, ${dim})`,
      )
    }
    if ((rank !== 2 && rank !== 3) || x.shape[rank - 1] !== dim) {
      throw new ShapeError(
        `${where}: vectors must have the shape (batch, length, ${dim}) or (length, ${dim}), not ${shown(x.shape)}; ids are integers`,
      )
    }
    if (x.dtype !== 'float32')
      throw new DTypeError(`${where}: vectors must be float32, not ${x.dtype}: write x.to('float32')`)
    const tokens = x.shape.slice(0, -1)
    const { at, kinds, offset, length } = this.#place({ array: NO_IDS, shape: tokens }, null, place, where)
    const target = out === undefined ? undefined : resultFor(out, tokens, dim, where)
    if (target?.overlaps(x))
      throw new UsageError(`${where}: out shares memory with the vectors: give it memory of its own`)
    const result = scope(() => {
      const { position, segment, layerNorm } = this
      let sum = x
      if (segment !== null) {
        const each = kinds ?? zeroed(Int32Array, sizeOf(tokens))
        sum = sum.add(rowsOf(segment, each, tokens, 'segment'))
      }
      if (position !== null) {
        const each = at ?? Int32Array.from({ length }, (_, i) => offset + i)
        sum = sum.add(rowsOf(position, each, at === undefined ? [length] : tokens, 'position'))
      }
      if (layerNorm !== null) sum = normalized(sum, layerNorm.weight, layerNorm.bias, layerNorm.eps)
      if (this.training && this.dropout > 0) sum = dropout(sum, this.dropout, { generator: this.#generator })
      return sum === x ? x.clone() : sum
    })
    if (target === undefined) return result
    target.set(result)
    target.forget()
    result.dispose()
    return target
  }

  /** Applies dropout to a result: in new memory, or in the caller's `out`. */
  #dropped(result: Tensor, out: Tensor | undefined): Tensor {
    const dropped = dropout(result, this.dropout, { generator: this.#generator })
    if (out === undefined) {
      // The backward pass does not need the result without dropout.
      result.dispose()
      return dropped
    }
    out.set(dropped)
    dropped.dispose()
    return out
  }

  /** Switches training mode on (`true`, the default) or off. `torch.nn.Module.train`. */
  train(mode = true): this {
    this.training = checkBoolean(mode, 'TokenPositionEmbedding.train')
    return this
  }

  /** Switches training mode off, so nothing is dropped. `torch.nn.Module.eval`. */
  eval(): this {
    return this.train(false)
  }

  /**
   * `forward` on another thread. `Embedding.forwardAsync` explains what happens with ids, tables, results and signals.
   *
   * @throws UsageError if the layer is training with dropout: the draws of each result would depend on which lookup
   * ends first.
   */
  async forwardAsync(ids: Ids | Ragged | RaggedIds, options?: AsyncOptions & PlaceOptions): Promise<Tensor> {
    const where = 'TokenPositionEmbedding.forwardAsync'
    const { signal, ...rest } = checkOptions(options, FORWARD_ASYNC_OPTIONS, where)
    if (this.training && this.dropout > 0) {
      throw new UsageError(
        `${where}: a layer that trains with dropout ${this.dropout} has no asynchronous lookup: call eval() first, or use forward`,
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
        // The parts that lay in V8's memory have moved, so the native layer is made again.
        if (this.#bound !== null && this.#bound.others.length > 0) this.#bound = null
        return native.inputLayerWork(this.#bind().native, inputsOf(inputs))
      },
      now: () => this.forward(ids, rest),
      name: NAME,
      way: (save) => this.#way(this.#bind(), inputs, ids, { save, pooled: false }),
    })
  }

  #way(bound: Bound, inputs: ReadInputs, ids: Ids | Ragged | RaggedIds, keeping: Keeping): Backward {
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
    return inputWay(layer, inputs, raggedOf(ids)?.values ?? (ids as Ids), keeping)
  }

  /** Reads ids, with their positions and segments. */
  #read(ids: Ids | Ragged | RaggedIds, options: { shape?: number[] } & PlaceOptions, where: string): ReadInputs {
    const { shape } = options
    const ragged = raggedOf(ids)
    if (ragged !== null && shape !== undefined)
      throw new UsageError(`${where}: a Ragged has its own shape: leave shape out`)
    const read = readIds(ragged === null ? (ids as Ids) : ragged.values, shape, where)
    const inputs = this.#place(read, ragged, options, where)
    this.#catchUp(read)
    return inputs
  }

  /** The positions and segments of tokens, which are ids or, without elements, vectors from elsewhere. */
  #place(
    read: ReadIds,
    ragged: Ragged | null,
    { positionOffset, positions, segments, mask }: PlaceOptions,
    where: string,
  ): ReadInputs {
    const rank = read.shape.length
    if (rank !== 1 && rank !== 2) {
      throw new ShapeError(`${where}: ids must have the shape (batch, length) or (length), not ${shown(read.shape)}`)
    }
    if (positions !== undefined && positionOffset !== undefined) {
      throw new UsageError(`${where}: give either positions or positionOffset, not both`)
    }
    const offset = positionOffset === undefined ? 0 : checkSize(positionOffset, `${where}: positionOffset`)
    // Without ids there is no sequence, whatever length the shape claims.
    const ofVectors = read.array === NO_IDS
    let length = (ofVectors ? sizeOf(read.shape) : read.array.length) === 0 ? 0 : read.shape[rank - 1]
    let at = positions === undefined ? undefined : spread(positions, read.shape, 'positions', 'ids', where)
    if ((at ?? mask) !== undefined && this.position === null) {
      throw new UsageError(
        `${where}: a layer without a position table takes neither positions nor a mask: its model uses positions in attention`,
      )
    }
    const { skipsPadding, first: begins } = this.#placing
    const first = skipsPadding ? this.#padding + 1 : begins
    if (ragged !== null) {
      if (mask !== undefined) throw new UsageError(`${where}: a Ragged has no padding: leave mask out`)
      const rows = raggedPositions(ragged, offset + first, where)
      length = rows.longest
      at ??= rows.positions
    } else if (mask !== undefined) {
      if (positions !== undefined)
        throw new UsageError(`${where}: give either positions or a mask, from which positions are counted, not both`)
      const tokens = readMask(mask, where)
      if (!sameShape(tokens.shape, read.shape))
        throw new ShapeError(
          `${where}: mask must have the shape of the ids, ${shown(read.shape)}, not ${shown(tokens.shape)}`,
        )
      at = skipping(tokens.array, undefined, read.shape, offset + first, Math.max(first - 1, 0), where)
    } else if (at === undefined && skipsPadding && !ofVectors) {
      at = skipping(read.array, this.#padding, read.shape, offset + first, this.#padding, where)
    }
    if (this.position === null) at = undefined
    if (segments !== undefined && this.segment === null) {
      throw new UsageError(`${where}: the layer has no segment table for segments: make it with the option segments`)
    }
    const kinds = segments === undefined ? undefined : spread(segments, read.shape, 'segments', 'ids', where)
    const context = this.position === null ? this.#longest : this.position.numEmbeddings
    const start = offset + (ofVectors ? first : begins)
    if (context !== null && at === undefined && start + length > context) {
      const longer =
        this.position === null
          ? ''
          : ': make a layer with a larger contextLength, and give it the result of interpolatePositions(position.weight, contextLength) as position.weight'
      throw new ShapeError(
        `${where}: ${length} ids from position ${start} on exceed the ${context} positions of contextLength${longer}`,
      )
    }
    return { read, offset: start, length, at, kinds }
  }

  /** Brings rows up to date that an optimizer left behind: the rows of the ids, and all positions and segments. */
  #catchUp({ array, shape }: ReadIds): void {
    const { token, position, segment } = this
    const { lag } = token.table.weight
    if (lag !== null) check(lag.catchUp(array, token.table.badIds), shape)
    position?.table.weight.lag?.settle()
    segment?.table.weight.lag?.settle()
  }

  /** The native layer, made again if a table was replaced. */
  #bind(): Bound {
    const bound = this.#bound
    if (bound !== null && this.#isCurrent(bound.parts)) return bound
    return (this.#bound = this.#bindNew(this.parameters()))
  }

  #isCurrent(parts: readonly Tensor[]): boolean {
    // Every lookup comes through here, so no array of the three tables is made.
    const { token, position, segment } = this
    let next = 0
    if (parts[next++] !== token.table.weight) return false
    if (position !== null && parts[next++] !== position.table.weight) return false
    if (segment !== null && parts[next++] !== segment.table.weight) return false
    // Binding again reports a disposed part as an error.
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

  /** A layer over tables that exist. @internal */
  static over(
    parts: Parts,
    placing: Placing,
    settings: { scale: number; paddingIdx?: number },
  ): TokenPositionEmbedding<Embedding | null> {
    const { numEmbeddings: vocabSize, embeddingDim: dim } = parts.token
    const contextLength = parts.position?.numEmbeddings as number
    return new TokenPositionEmbedding<Embedding | null>({ vocabSize, contextLength, dim, ...settings }, placing, parts)
  }

  /** The same layer over another token table; it shares all other parts. @internal */
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

  /** Whether positions skip padding and start behind the padding id. @internal */
  get skipsPadding(): boolean {
    return this.#placing.skipsPadding
  }

  /**
   * The learned tensors: the tables of tokens, positions and segments, then the normalization's weight and bias. Parts
   * that the layer lacks are left out.
   */
  parameters(): Tensor[] {
    return Object.values(this.stateDict())
  }

  /**
   * The parameters by name, sharing their memory: `token.weight` and, if the layer has them, `position.weight`,
   * `segment.weight`, `layerNorm.weight` and `layerNorm.bias`.
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

  /**
   * Copies all tensors in. @throws UsageError for other names, ShapeError for other shapes; nothing is written then.
   */
  loadStateDict(state: Record<string, Tensor>): this {
    loadInto(this.stateDict(), state, 'TokenPositionEmbedding.loadStateDict')
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
    return (
      typeof value === 'object' &&
      value !== null &&
      #generator in value &&
      isInstance(this, TokenPositionEmbedding, value)
    )
  }

  static {
    isOwn = (value) => typeof value === 'object' && value !== null && #generator in value
    guardReceivers(this, isOwn, ['forward'])
    CONTENTS.guard(this, (value) => #generator in value)
  }
}
