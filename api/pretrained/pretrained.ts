// Somebody's model: its token table and what stands beside it, each loaded when it is first read.

import { Embedding } from '../layers/embedding.js'
import { LayerNormParameters } from '../layers/layer-norm-parameters.js'
import { LEARNED, NONE, SKIPPING } from '../layers/presets.js'
import type { QuantizedTable } from '../layers/quantize.js'
import { TokenPositionEmbedding } from '../layers/token-position.js'
import { Contents } from '../base/contents.js'
import type { DType } from '../base/dtype.js'
import { guardReceivers } from '../base/receivers.js'
import { scopeless } from '../memory/scope.js'
import { zeroTable } from '../tensor/allocate.js'
import { tensor } from '../tensor/create.js'
import { Tensor } from '../tensor/tensor.js'
import type { Tokenizer } from '../text/tokenizer.js'
import { checkBoolean, checkOptions } from '../base/validate.js'
import type { Json } from '../base/json.js'

export interface PretrainedOptions {
  /**
   * The element type of `token`, `position`, `segment`, `layerNorm` and `head`. By default it is the one that they are
   * stored in; others are converted, which takes memory of their own.
   */
  dtype?: DType
}

/** The layer normalization of a model's input layer. */
export interface PretrainedNorm {
  /** (dim). */
  readonly weight: Tensor
  /** (dim); zeros if the model has none. */
  readonly bias: Tensor
  /** The number added to the variance. */
  readonly eps: number
}

/**
 * A model that somebody trained, read no further than needed: opening reads a config and a header, and each of the
 * properties is made when it is first read. `loadPretrained` opens one.
 */
export interface Pretrained {
  /**
   * What kind of model it is, as `model_type` of its config says it: `gpt2`, `bert`, `llama`; empty if nothing does.
   */
  readonly family: string
  /** The token table, (vocabulary, dim), in the type that it is stored in; mapped where the file's bytes allow. */
  readonly token: Tensor | QuantizedTable
  /** The table of learned positions as it is stored, with the rows that no position has; null if there is none. */
  readonly position: Tensor | null
  /** The table of segments (token types); null if there is none. */
  readonly segment: Tensor | null
  /** The normalization of the input layer; null if there is none. */
  readonly layerNorm: PretrainedNorm | null
  /** The output head, (vocabulary, dim): the token table itself where `tied`; null if the files have none. */
  readonly head: Tensor | QuantizedTable | null
  /** Whether the output head is the token table. */
  readonly tied: boolean
  /** What token vectors are multiplied by, rounded as the model rounds it; 1 for nothing. */
  readonly scale: number
  /** The model's tokenizer; null if the files have none that can be read. */
  readonly tokenizer: Tokenizer | null
  /** Every tensor by its name in the files, each loaded when it is asked for, mapped if its file is. */
  readonly tensors: ReadonlyMap<string, Tensor | QuantizedTable>
  /** The model's config. */
  readonly config: Json
  /**
   * What the model does between ids and its first block that `layer()` does not run, a sentence for each; empty where
   * `layer()` is the whole.
   */
  readonly notRun: readonly string[]
  /**
   * The model's own input layer, over the tables of this object: an Embedding where it is a lookup alone, else a
   * TokenPositionEmbedding, which computes in float32 and copies tables of another type to it. Its results are the
   * numbers that reach the model's first block, except for what `notRun` names. Of an encoder with a decoder it is the
   * encoder's.
   *
   * With `freeze` (the default) the tables do not learn; otherwise all do, in place, where they are not copies: mapped
   * tables are copied page by page as they change, and their files stay as they are.
   *
   * @throws DTypeError for a table of integers.
   */
  layer(options?: { freeze?: boolean }): Embedding | TokenPositionEmbedding<Embedding | null>
  /**
   * Frees the tensors that were loaded now, where no other tensor shares their memory. Every later use is a UsageError;
   * layers over the tensors are of no more use. The tokenizer stays.
   */
  dispose(): void
  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void
}

/**
 * What a reader of a format says of a model. Everything that takes time is a function, which is called at most once.
 */
export interface Description {
  readonly family: string
  readonly config: Json
  readonly tensors: ReadonlyMap<string, Tensor | QuantizedTable>
  /** Frees the tensors that were loaded, and lets no more be loaded. */
  readonly dispose: () => void
  /** The names of tensors. */
  readonly token: string
  readonly position: string | null
  readonly segment: string | null
  readonly layerNorm: { readonly weight: string; readonly bias: string | null; readonly eps: number } | null
  readonly head: string | null
  readonly tied: boolean
  readonly scale: number
  /** The row of the first position. */
  readonly first: number
  /** Whether positions skip padding and start behind the padding id. */
  readonly skipsPadding: boolean
  /** The row of padding, which gets no gradient. */
  readonly padding: number | undefined
  readonly notRun: readonly string[]
  readonly tokenizer: () => Tokenizer | null
}

type Made = { [Name in 'token' | 'position' | 'segment' | 'head']?: Tensor | QuantizedTable | null }

const CONTENTS = new Contents<PretrainedModel>('Pretrained', {
  instead: 'its tensors can be shared, and loadPretrained opens the same files again',
})

/** @internal */
export class PretrainedModel implements Pretrained {
  readonly family: string
  readonly config: Json
  readonly tensors: ReadonlyMap<string, Tensor | QuantizedTable>
  readonly tied: boolean
  readonly scale: number
  readonly notRun: readonly string[]
  readonly #is: Description
  readonly #dtype: DType | undefined
  readonly #made: Made = {}
  #layerNorm: PretrainedNorm | null | undefined
  #tokenizer: Tokenizer | null | undefined
  #isGone = false
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  constructor(description: Description, dtype: DType | undefined) {
    this.#is = description
    this.#dtype = dtype
    this.family = description.family
    this.config = description.config
    this.tensors = description.tensors
    this.tied = description.tied
    this.scale = description.scale
    this.notRun = Object.freeze([...description.notRun])
  }

  get token(): Tensor | QuantizedTable {
    return this.#table('token')!
  }

  get position(): Tensor | null {
    return this.#table('position') as Tensor | null
  }

  get segment(): Tensor | null {
    return this.#table('segment') as Tensor | null
  }

  get head(): Tensor | QuantizedTable | null {
    return this.tied ? this.token : this.#table('head')
  }

  get layerNorm(): PretrainedNorm | null {
    const { layerNorm } = this.#is
    if (layerNorm === null) return null
    const made = this.#layerNorm
    if (made !== undefined && made !== null && !made.weight.disposed && !made.bias.disposed) return made
    const { weight: name, bias, eps } = layerNorm
    const weight = this.#load(name) as Tensor
    const none = () => scopeless(() => zeroTable(weight.dtype, weight.shape))
    return (this.#layerNorm = { weight, bias: bias === null ? none() : (this.#load(bias) as Tensor), eps })
  }

  get tokenizer(): Tokenizer | null {
    return (this.#tokenizer ??= this.#is.tokenizer())
  }

  /** A table, which is kept until somebody disposes it. */
  #table(part: keyof Made): Tensor | QuantizedTable | null {
    const name = this.#is[part]
    if (name === null) return null
    const made = this.#made[part]
    if (made !== undefined && made !== null && !(made instanceof Tensor && made.disposed)) return made
    const found = this.#load(name)
    // Positions and segments are tensors; where they are blocks, they are few.
    const isPlain = part === 'token' || part === 'head' || found instanceof Tensor
    return (this.#made[part] = isPlain ? found : scopeless(() => converted(found, 'float32')))
  }

  /** A tensor in the wanted type. */
  #load(name: string): Tensor | QuantizedTable {
    const stored = this.tensors.get(name)!
    const dtype = this.#dtype
    if (dtype === undefined || (stored instanceof Tensor && stored.dtype === dtype)) return stored
    return scopeless(() => converted(stored, dtype))
  }

  layer(options?: { freeze?: boolean }): Embedding | TokenPositionEmbedding<Embedding | null> {
    const where = 'Pretrained.layer'
    const { freeze = true } = checkOptions(options, ['freeze'], where)
    checkBoolean(freeze, `${where}: freeze`)
    const { padding, first, skipsPadding } = this.#is
    const { token, segment, layerNorm, scale } = this
    // A table of another width is added behind a projection, which `notRun` names.
    const position = this.position?.shape[1] === token.shape[1] ? this.position : null
    if (position === null && segment === null && layerNorm === null && scale === 1) {
      // Layers look up rows of 16 bits and quantized ones as they are, but those do not learn.
      const isTable = token instanceof Tensor ? token.dtype !== 'float64' : freeze
      return Embedding.fromPretrained(isTable ? token : converted(token, 'float32'), { freeze, paddingIdx: padding })
    }
    const table = (of: Tensor | QuantizedTable, paddingIdx?: number) =>
      Embedding.fromPretrained(converted(of, 'float32'), { freeze, paddingIdx })
    const parameter = (of: Tensor) => {
      const made = of.dtype === 'float32' ? of.detach() : of.detach().to('float32')
      made.requiresGrad = !freeze
      return made
    }
    const parts = {
      token: table(token, padding),
      position: position && table(position, skipsPadding ? padding : undefined),
      segment: segment && table(segment),
      layerNorm:
        layerNorm && new LayerNormParameters(parameter(layerNorm.weight), parameter(layerNorm.bias), layerNorm.eps),
    }
    const placing = position === null ? NONE : skipsPadding ? SKIPPING : { ...LEARNED, first }
    return TokenPositionEmbedding.over(parts, placing, { scale, paddingIdx: padding })
  }

  dispose(): void {
    if (this.#isGone) return
    this.#isGone = true
    const norm = this.#layerNorm
    for (const made of [...Object.values(this.#made), norm?.weight, norm?.bias])
      if (made instanceof Tensor) made.dispose()
    this.#is.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  static {
    guardReceivers(
      this,
      (value) => #is in value,
      [],
      (value) => (value as PretrainedModel).#isGone,
    )
    CONTENTS.guard(this, (value) => #is in value)
  }
}

/** A table as a tensor of a type. */
function converted(table: Tensor | QuantizedTable, dtype: DType): Tensor {
  if (table instanceof Tensor) return table.dtype === dtype ? table : table.detach().to(dtype)
  const rows = table.dequantize()
  if (rows.dtype === dtype) return rows
  const made = rows.to(dtype)
  rows.dispose()
  return made
}

/** A factor as a number of a float type, which is how models round it. @internal */
export function roundedTo(dtype: DType, value: number): number {
  const exact = tensor([value])
  const rounded = exact.to(dtype)
  const [result] = rounded.to('float32').toArray() as number[]
  return result
}
