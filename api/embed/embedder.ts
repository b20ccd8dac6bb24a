// Texts to vectors.

import { resolve } from 'node:path'
import { Contents } from '../base/contents.js'
import type { DType } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { guardReceivers, isInstance, stranger } from '../base/receivers.js'
import { checkSignal, lookUp } from '../layers/async.js'
import type { QuantizedTable } from '../layers/quantize.js'
import { resultFor } from '../layers/result.js'
import { notAwaitedAtExit } from '../native/leaving.js'
import { call, check, native } from '../native/native.js'
import type { Tensor } from '../tensor/tensor.js'
import { heldTexts } from '../text/encode-async.js'
import type { Abortable } from '../text/encode-options.js'
import { batchOf, embedsHeld, stringsOf, type HeldRun } from '../text/held-records.js'
import type { Tokenizer } from '../text/tokenizer.js'
import {
  checkBoolean,
  checkOptions,
  checkPath,
  checkSize,
  checkText,
  checkWord,
  isArray,
  isObject,
  show,
} from '../base/validate.js'
import type { Vectors } from '../vectors/vectors.js'
import { openFolder, type LoadOptions } from './folder.js'
import { partsOfVectors, type FromVectorsOptions } from './from-vectors.js'
import { makeOf, type Made } from './made.js'
import type { Semantics, TextEmbedderParts } from './parts.js'
import { Soon } from './soon.js'

/** How vectors are written. */
export interface EmbedOptions {
  /** The number of elements: the first ones of the mean, before it is normalized; default all. */
  dim?: number
  /** Whether vectors get length 1; default: what the embedder was made with. A vector of zeros stays one. */
  normalize?: boolean
  /**
   * The type of the elements: `float32`; `float16`; `int8`, which is 127 times the element, rounded to the nearest
   * integer and at most 127 in size; or `binary`, a bit for each element that is above zero, eight of them in a byte of
   * uint8, the most significant first. Default: that of `out`, else `float16` for a float16 table with the semantics of
   * model2vec, as there, else `float32`.
   */
  dtype?: 'float32' | 'float16' | 'int8' | 'binary'
  /** A tensor of the result's shape and type to write into. Nothing is allocated then. */
  out?: Tensor
}

type Element = NonNullable<EmbedOptions['dtype']>
type Plan = ReturnType<typeof native.embedPlan> & object
type Held = Awaited<ReturnType<typeof heldTexts>>

/** The types of vectors, and the tensors' types that hold them. */
const ELEMENTS: Readonly<Record<Element, DType>> = {
  float32: 'float32',
  float16: 'float16',
  int8: 'int8',
  binary: 'uint8',
}
const WORDS = Object.keys(ELEMENTS) as Element[]
const OPTIONS = ['dim', 'normalize', 'dtype', 'out']
const ASYNC_OPTIONS = [...OPTIONS, 'signal']
/** Arrays of at most so many texts are copied at the call of an asynchronous method, which takes a few milliseconds. */
const COPIED_AT_ONCE = 1e6

/** One way of writing vectors. */
interface Way {
  readonly dim: number
  readonly normalize: boolean
  readonly element: Element
  readonly plan: Plan
  /** The type of the result, and its number of elements a text. */
  readonly dtype: DType
  readonly width: number
}

const CONTENTS = new Contents<TextEmbedder>('TextEmbedder', {
  instead: 'load its folder again in each thread, where mapped tables share their memory, or write it with save',
})

/**
 * Makes one vector of a text: the mean of the vectors of its tokens. It runs static embedding models with their
 * libraries' numbers: model2vec, StaticEmbedding of sentence-transformers, WordLlama, fastText, and what
 * `tokenbed train` learned.
 *
 * A call makes the vectors of all its texts at once, on all cores. A text's vector has the same bits in any batch, on
 * any number of threads and on any machine. A text without tokens that count has a vector of zeros.
 *
 * ```ts
 * const embedder = TextEmbedder.load('potion-base-8M')
 * const vectors = embedder.embed(['a text', 'another'], { normalize: true }) // [2, 256]
 * ```
 */
export class TextEmbedder {
  /** Number of elements of a vector. */
  readonly dim: number
  /** Which tokens of a text count. */
  readonly semantics: Semantics | 'fasttext'
  /** Whether vectors get length 1 unless told otherwise. */
  readonly normalize: boolean
  /** The largest number of tokens of a text; null for any number. */
  readonly maxLength: number | null
  /** What makes vectors; null once it was disposed. */
  #live: Made | null
  /** The way that was used last. */
  #way: Way | null = null
  readonly #soon: Soon
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /**
   * Puts an embedder together. The table's memory is shared, so it may go on learning.
   *
   * @throws ShapeError if a token has no row, or no element in `weights` or `mapping`; TokenIndexError for an element of
   * `mapping` that is no row; DTypeError for tensors of other types.
   */
  constructor(parts: TextEmbedderParts) {
    const made = makeOf(parts, 'TextEmbedder')
    this.#live = made
    this.dim = made.dim
    this.semantics = made.semantics
    this.normalize = made.normalize
    this.maxLength = made.maxLength
    const later = (texts: readonly string[]) => this.embedAsync(texts, { dtype: 'float32' })
    // The first use of a model of fastText indexes its words, which takes too long for the event loop.
    this.#soon = new Soon(made.rows === null ? later : (texts) => this.embed(texts, { dtype: 'float32' }), later)
  }

  /**
   * Opens a static embedding model: a folder of model2vec; of sentence-transformers, if its modules are a
   * StaticEmbedding and a Normalize; of WordLlama, or one of its weights; of `tokenbed train`; or a model of fastText,
   * `.bin` or `.ftz`, or a folder with one. Tables are mapped if they are large. Nothing is downloaded.
   *
   * A model of fastText gives the vectors of `FastText.sentenceVector`, with line breaks as spaces. In one that was
   * trained to classify, the end of a line counts, so that the empty text has a vector, too. With the semantics `mean`
   * it is the mean of the vectors of the words that the model has.
   *
   * @throws FileError if something is missing or cannot be read; FormatError, with the path, for a folder of another
   * kind, for modules that are not run here, which it names, and for a table and a vocabulary that do not fit.
   */
  static load(path: string, options?: LoadOptions): TextEmbedder {
    const where = 'TextEmbedder.load'
    const full = resolve(checkPath(path, where))
    return openFolder(full, options, where, (parts) => new TextEmbedder(parts as TextEmbedderParts))
  }

  /**
   * Makes an embedder of the vectors of tokens, such as a model learned from a corpus. Words are found between white
   * space, and other words are left out.
   *
   * `weights` are factors for tokens: `sif`, which are a / (a + p) for tokens of probability p, with the first
   * principal component of the weighted rows removed (Arora, Liang & Ma 2017); `zipf`, the same with probabilities by
   * Zipf's law from the ids, as model2vec does it, for vocabularies in the order of falling frequency; or a tensor
   * (tokens).
   *
   * ```ts
   * const { vectors, counts } = loadModel('word-vectors')
   * const embedder = TextEmbedder.fromVectors(vectors, { weights: 'sif', counts, dim: 64 })
   * ```
   *
   * @throws UsageError for `sif` without counts; ShapeError if counts or weights do not fit the tokens.
   */
  static fromVectors(vectors: Vectors, options?: FromVectorsOptions): TextEmbedder {
    return new TextEmbedder(partsOfVectors(vectors, options, 'TextEmbedder.fromVectors'))
  }

  /**
   * The vector of a text, (dim), or those of several, (texts, dim); for `binary` a text has dim / 8 bytes.
   *
   * @throws UsageError for a text that is not a string, and for a `dim` beyond the model's or, for `binary`, not a
   * multiple of 8; ShapeError and DTypeError if `out` does not fit.
   */
  embed(text: string | readonly string[], options?: EmbedOptions): Tensor {
    if (!((this as unknown) instanceof TextEmbedder)) throw stranger(this, 'TextEmbedder', 'embed')
    const where = 'TextEmbedder.embed'
    const made = this.#made
    const way = this.#wayOf(options === undefined ? {} : checkOptions(options, OPTIONS, where), where)
    const isOne = typeof text === 'string'
    if (!isOne) checkTexts(text, where)
    const out = options?.out
    const result = resultFor(out, isOne ? [] : [text.length], way.width, where, way.dtype)
    const rows = made.rows?.operand()
    const done = isOne
      ? native.embedText(way.plan, text, result.operand(), rows)
      : native.embedTexts(way.plan, text as string[], result.operand(), rows)
    if (!done) {
      if (out === undefined) result.dispose()
      check(done)
    }
    if (out !== undefined) result.forget()
    return result
  }

  /**
   * `embed` on other threads, with the same bits. The texts are copied at the call, or in turns of some milliseconds if
   * they are large. An array of more than a million texts must not be changed before the promise is settled. With `out`
   * the vectors are copied there at the end.
   *
   * @throws The errors of `embed`; AbortedError, whose cause is the signal's reason, as soon as the signal is aborted.
   */
  async embedAsync(text: string | readonly string[], options?: EmbedOptions & Abortable): Promise<Tensor> {
    const where = 'TextEmbedder.embedAsync'
    const { signal: given, ...rest } = checkOptions(options, ASYNC_OPTIONS, where)
    const way = this.#wayOf(rest, where)
    const isOne = typeof text === 'string'
    if (!isOne) checkTexts(text, where)
    const own = isOne ? [text] : text.length > COPIED_AT_ONCE ? text : [...text]
    const { out } = rest
    // It is checked now, and written when all is done.
    if (out !== undefined) resultFor(out, isOne ? [] : [text.length], way.width, where, way.dtype)
    const signal = checkSignal(given, where)
    const held = await heldTexts(own, isOne, where, signal)
    const result = await this.#later(held, isOne ? [] : [own.length], way, signal, () => (isOne ? text : own))
    if (out === undefined) return result
    out.set(result)
    result.dispose()
    return out
  }

  /** The vectors of texts that Rust holds; `texts` gives them to this thread, where that must do the work. */
  #later(
    held: Held,
    shape: readonly number[],
    way: Way,
    signal: AbortSignal | undefined,
    texts: () => string | readonly string[],
  ): Promise<Tensor> {
    const where = 'TextEmbedder.embedAsync'
    notAwaitedAtExit()
    const { rows } = this.#made
    return lookUp({
      where,
      signal,
      ids: [],
      rows: shape,
      dim: way.width,
      dtype: way.dtype,
      tables: rows === null ? [] : [rows],
      follows: [],
      work: (table) =>
        rows === null ? native.embedWorkByFastText(way.plan, held) : native.embedWork(way.plan, held, table),
      now: () => this.embed(texts(), { dim: way.dim, normalize: way.normalize, dtype: way.element }),
      name: where,
      way: () => () => [],
    })
  }

  /** The vectors of texts of records, as of `embedAsync`. */
  async #held(runs: readonly HeldRun[], options: EmbedOptions & Abortable): Promise<Tensor> {
    const { signal, ...rest } = options
    const way = this.#wayOf(rest, 'TextEmbedder.embedAsync')
    const count = runs.reduce((sum, { from, to }) => sum + to - from, 0)
    return this.#later(batchOf(runs), [count], way, signal, () => stringsOf(runs))
  }

  /**
   * The vector of a text, (dim), as float32. What is asked for in one turn of the event loop becomes one call, so that
   * requests that arrive one by one are as fast as a batch. Each call is published on the channel `tokenbed:batch` of
   * `node:diagnostics_channel`.
   */
  async embedSoon(text: string): Promise<Float32Array> {
    return this.#soon.ask(checkText(text, 'TextEmbedder.embedSoon: the text'))
  }

  /**
   * Writes the embedder as a folder of model2vec, which is made if it is missing: `model.safetensors`,
   * `tokenizer.json`, `config.json` and `modules.json`. Python's model2vec and sentence-transformers open it, and
   * `load` reads it with the semantics that it has here. A QuantizedTable and a bfloat16 table are written as float32,
   * except for float16.
   *
   * @throws UsageError for the tokenizer of an encoding, which has no tokenizer.json, and for a model of fastText, whose
   * sub-words no such folder holds; FileError if the folder cannot be written.
   */
  save(folder: string): void {
    const where = 'TextEmbedder.save'
    this.#made.save(resolve(checkPath(folder, where)), where)
  }

  /**
   * The tokenizer that divides texts. A model of fastText has one of its words, between white space, which is made when
   * it is first read; its vectors do not come by it.
   */
  get tokenizer(): Tokenizer {
    return this.#made.tokenizer()
  }

  /**
   * The vectors of tokens, (rows, dim), as they were given; a float64 table as float32. Of a model of fastText: those
   * of its words, which are made when they are first read.
   */
  get table(): Tensor | QuantizedTable {
    return this.#made.table()
  }

  /** @throws UsageError once it was disposed. */
  get #made(): Made {
    if (this.#live === null) throw new UsageError('TextEmbedder: use of a disposed TextEmbedder')
    return this.#live
  }

  /** Checks the options of a call. */
  #wayOf({ dim = this.dim, normalize = this.normalize, dtype, out }: Partial<EmbedOptions>, where: string): Way {
    const element = dtype ?? elementOf(out) ?? this.#made.element
    const known = this.#way
    if (known !== null && known.dim === dim && known.normalize === normalize && known.element === element) return known
    checkSize(dim, `${where}: dim`, 1, this.dim)
    checkBoolean(normalize, `${where}: normalize`)
    checkWord(element, WORDS, `${where}: dtype`)
    if (element === 'binary' && dim % 8 !== 0)
      throw new UsageError(`${where}: dim ${dim} must be a multiple of 8 for binary, which packs eight bits in a byte`)
    const plan = call(native.embedPlan(this.#made.native, dim, normalize, element))
    const width = element === 'binary' ? dim / 8 : dim
    return (this.#way = { dim, normalize, element, plan, dtype: ELEMENTS[element], width })
  }

  /**
   * Frees the table now, where no other tensor shares its memory, and lets go of the rest. Every later use is a
   * UsageError. The tokenizer stays.
   */
  dispose(): void {
    this.#live?.rows?.dispose()
    this.#live = this.#way = null
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #soon in value && isInstance(this, TextEmbedder, value)
  }

  static {
    guardReceivers(
      this,
      (value) => #soon in value,
      ['embed'],
      (value) => (value as TextEmbedder).#live === null,
    )
    CONTENTS.guard(this, (value) => #soon in value)
    embedsHeld(this.prototype.embedAsync, (embedder, runs, options) => (embedder as TextEmbedder).#held(runs, options))
  }
}

/** The type of vectors that a tensor takes. */
function elementOf(out: Tensor | undefined): Element | undefined {
  // Whether it is a tensor at all is checked later.
  return isObject(out) ? WORDS.find((word) => ELEMENTS[word] === out.dtype) : undefined
}

function checkTexts(texts: unknown, where: string): void {
  if (!isArray(texts)) throw new UsageError(`${where}: expected a text or an array of texts, not ${show(texts)}`)
  for (let i = 0; i < texts.length; i++) if (typeof texts[i] !== 'string') checkText(texts[i], `${where}: text ${i}`)
}
