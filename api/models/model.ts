// A model that was loaded from a folder.

import type { ClassifyOptions, Prediction } from '../vectors/prediction.js'
import { classify } from './classifier.js'
import { Contents } from '../base/contents.js'
import { Embedding } from '../layers/embedding.js'
import { UsageError } from '../base/errors.js'
import type { ModelDescription } from './description.js'
import { TokenizerNames, WordNames, type Names } from '../vectors/names.js'
import { guardReceivers } from '../base/receivers.js'
import type { EmbeddingOptions } from '../layers/table.js'
import type { Tensor } from '../tensor/tensor.js'
import type { Tokenizer } from '../text/tokenizer.js'
import { isObject, type FilePath } from '../base/validate.js'
import { Vectors } from '../vectors/vectors.js'

/** What `saveModel` takes of a model. */
type Parts = Pick<Model, 'objective' | 'tensors' | 'labels'> & {
  vocabulary: readonly string[] | Tokenizer
  counts?: Float64Array
  training: ModelDescription['training']
}

/** `saveModel` and `saveModelAsync`, as they stand in a file that imports this one. */
interface Save {
  readonly save: (folder: FilePath, parts: Parts) => void
  readonly saveAsync: (folder: FilePath, parts: Parts, options?: { signal?: AbortSignal }) => Promise<void>
}

const CONTENTS = new Contents<Model>('Model', {
  instead: 'load its folder again with loadModel, or use its vectors and weight',
})

/**
 * A model from a folder: its tensors, the names of their rows, and the record of its training. `loadModel` makes one.
 */
export class Model {
  readonly #names: Names
  readonly #save: Save
  #vectors: Vectors | null = null
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /** @internal */
  constructor(
    /** The absolute path of the folder. */
    readonly folder: string,
    /** The contents of model.json. */
    readonly description: ModelDescription,
    names: Names,
    /** All tensors by name, mapped. */
    readonly tensors: ReadonlyMap<string, Tensor>,
    /** How often each token was seen in training; null if that is not known. */
    readonly counts: Float64Array | null,
    save: Save,
  ) {
    if (!isObject(names) || !(names instanceof WordNames || names instanceof TokenizerNames))
      throw new UsageError('a Model comes from loadModel(folder), not from new')
    this.#names = names
    this.#save = save
  }

  /** The training objective. */
  get objective(): string {
    return this.description.objective
  }

  /** The words, in the order of their rows; null if the model has a tokenizer. */
  get words(): readonly string[] | null {
    return this.#names instanceof WordNames ? this.#names.words : null
  }

  /** The tokenizer; null if the model has words. */
  get tokenizer(): Tokenizer | null {
    return this.#names instanceof TokenizerNames ? this.#names.tokenizer : null
  }

  /** The names of a classifier's classes; null if it is not a classifier. */
  get labels(): readonly string[] | null {
    return this.description.labels ?? null
  }

  /** The vectors of tokens, (tokens, dim): the tensor `token.weight`. */
  get weight(): Tensor {
    return this.tensors.get('token.weight')!
  }

  /** A layer over the vectors of tokens, sharing their memory; frozen unless `freeze` is false. */
  embedding(options?: EmbeddingOptions & { freeze?: boolean }): Embedding {
    return Embedding.fromPretrained(this.weight, options)
  }

  /**
   * Classifies a text, or each of several; the most probable classes come first. As in training, everything in a text
   * counts as plain text, including `__label__` and special tokens. Tokens without a vector are ignored; if there are
   * no others, all classes are equally probable.
   *
   * @throws UsageError if the model is not a classifier.
   */
  classify(text: string, options?: ClassifyOptions): Prediction[]
  classify(texts: readonly string[], options?: ClassifyOptions): Prediction[][]
  classify(texts: string | readonly string[], options?: ClassifyOptions): Prediction[] | Prediction[][] {
    const { folder, objective, labels, tensors, tokenizer } = this
    const names = this.#names
    const idOf = (word: string) => (names.has(word) ? names.idOf(word, 'Model.classify') : null)
    const list = typeof texts === 'string' ? [texts] : texts
    const found = classify({ folder, objective, labels, tensors, tokenizer, idOf }, list, options, 'Model.classify')
    return typeof texts === 'string' ? found[0] : found
  }

  /**
   * Saves the model to a folder by `saveModel`, with what was written to its tensors since it was loaded.
   *
   * @throws As `saveModel`.
   */
  save(folder: FilePath): void {
    this.#save.save(folder, this.#parts())
  }

  /** Saves the model off the thread by `saveModelAsync`. @throws As `saveModelAsync`. */
  async saveAsync(folder: FilePath, options?: { signal?: AbortSignal }): Promise<void> {
    return this.#save.saveAsync(folder, this.#parts(), options)
  }

  #parts(): Parts {
    const { objective, tensors, counts, labels } = this
    return {
      objective,
      tensors: new Map([...tensors].filter(([name]) => name !== 'token.counts')),
      vocabulary: this.words ?? this.tokenizer!,
      ...(counts && { counts }),
      labels,
      training: this.description.training,
    }
  }

  /** Frees its tensors now; layers over them are of no more use. */
  dispose(): void {
    for (const tensor of this.tensors.values()) tensor.dispose()
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** The vectors of tokens, to query for neighbours and the like. */
  get vectors(): Vectors {
    return (this.#vectors ??= new Vectors(this.weight, this.#names))
  }

  static {
    guardReceivers(this, (value) => #names in value)
    CONTENTS.guard(this, (value) => #names in value)
  }
}
