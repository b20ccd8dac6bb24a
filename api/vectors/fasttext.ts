// Models of fastText: vectors of any word, of sentences, and classes.

import { resolve } from 'node:path'
import { Contents } from '../base/contents.js'
import { UnknownTokenError, UsageError } from '../base/errors.js'
import { guardReceivers, isInstance } from '../base/receivers.js'
import { checkOptions, checkPath, checkSize, checkText, eachOf, isArray, show } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'
import { call, check, native } from '../native/native.js'
import { zeroTable } from '../tensor/allocate.js'
import type { Tensor } from '../tensor/tensor.js'
import { MadeRows } from './made-rows.js'
import type { Names } from './names.js'
import type { ClassifyOptions, Prediction } from './prediction.js'
import { nearestSpellings } from './spelling.js'
import { Vectors } from './vectors.js'

type Opened = ReturnType<typeof native.openFastText> & object

/** The open file, which all that reads it share. */
class File {
  #open: Opened['file'] | null

  constructor(open: Opened['file']) {
    this.#open = open
  }

  /** The file as the native side takes it. @throws UsageError once it was closed. */
  get native(): Opened['file'] {
    if (this.#open === null) throw new UsageError('FastText: use of a disposed FastText')
    return this.#open
  }

  get isClosed(): boolean {
    return this.#open === null
  }

  close(): void {
    if (this.#open !== null) native.externalRelease(this.#open)
    this.#open = null
  }
}

const PRIVATE = Symbol('made by loadFastText')
const CONTENTS = new Contents<FastText>('FastText', {
  instead: 'pass the path of the file, which opens in milliseconds in every thread',
})

/** Words that are asked for in one call, so that no call needs much memory of its own. */
const PART = 1 << 16
/** Rows that are made in one call. */
const ROWS = 1 << 14

/**
 * A model of fastText, which stays in its file: opening one reads the header alone, and its pages are read as they are
 * used. `loadFastText` opens one.
 *
 * Numbers are those of fastText 0.9.2, the sums in its order. The words are indexed when a word or text is first asked
 * about, which takes some tenths of a second for two million of them.
 *
 * ```ts
 * const model = loadFastText('cc.en.300.bin')
 * model.vector('unheardof') // from its sub-words
 * model.vectors.mostSimilar('whale', { topN: 5 })
 *
 * loadFastText('lid.176.ftz').classify('Où est la bibliothèque ?', { topN: 1 }) // [{ label: '__label__fr', ... }]
 * ```
 */
export class FastText {
  /** Number of elements of a vector. */
  readonly dim: number
  readonly #file: File
  readonly #sizes: { words: number; labels: number }
  readonly #supervised: boolean
  #words: readonly string[] | null = null
  #labels: readonly string[] | null = null
  #vectors: Vectors | null = null
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  private constructor(opened: Opened, key: typeof PRIVATE) {
    if (key !== PRIVATE) throw new UsageError('a FastText comes from loadFastText(path), not from new')
    const { file, dim, words, labels, supervised } = opened
    this.dim = dim
    this.#file = new File(file)
    this.#sizes = { words, labels }
    this.#supervised = supervised
  }

  /** Opens a file. @internal */
  static open(path: string): FastText {
    return new FastText(call(native.openFastText(path)), PRIVATE)
  }

  /**
   * The words of the model in the order of their rows, the most frequent first. Bytes that are not UTF-8 are U+FFFD.
   * The list is made when it is first read, and kept.
   */
  get words(): readonly string[] {
    this.#words ??= this.#texts(0, this.#sizes.words)
    return this.#words
  }

  /** The classes as the file spells them (`__label__en`), if the model was trained to classify; else null. */
  get labels(): readonly string[] | null {
    if (!this.#supervised) return null
    this.#labels ??= this.#texts(this.#sizes.words, this.#sizes.labels)
    return this.#labels
  }

  #texts(from: number, count: number): string[] {
    const texts: string[] = []
    while (texts.length < count) {
      const part = call(
        native.fastTextTexts(this.#file.native, from + texts.length, Math.min(PART, count - texts.length)),
      )
      for (const text of part) texts.push(text)
    }
    return texts
  }

  /**
   * The vector of a word, (dim): the mean of its own row and the rows of its sub-words, as `get_word_vector` gives it.
   * Of a word that the model does not have it is the mean of its sub-words', and zeros if it has none: in a model
   * without sub-words, for a text that is too short, and if pruning removed them. Every text counts as one word, spaces
   * included.
   */
  vector(word: string): Float32Array {
    const out = zeroed(Float32Array, this.dim)
    call(native.fastTextVector(this.#file.native, checkText(word, 'FastText.vector: the word'), out))
    return out
  }

  /**
   * The vector of a text, (dim), as `get_sentence_vector` gives it. A model that was trained to classify takes the mean
   * of all rows of the line: of words, sub-words and n-grams of words, and of the end of the line (`</s>`). Any other
   * takes the mean of the words' vectors, each scaled to length 1. Words are what stands between white space of ASCII.
   *
   * @throws UsageError for a text with a line break: fastText reads one line.
   */
  sentenceVector(text: string): Float32Array {
    const out = zeroed(Float32Array, this.dim)
    const line = lineOf(text, 'FastText.sentenceVector: the text')
    check(native.fastTextSentences(this.#file.native, [line], out))
    return out
  }

  /**
   * The most probable classes of a text, or of each of several, as `predict` gives them with a threshold of 0: the
   * probabilities are fastText's, which adds 0.00001 to each. Of equally probable classes the one that comes first in
   * `labels` is first. By hierarchical softmax, classes with a probability below 0.00001 are left out. A text of which
   * the model knows nothing has no classes. Several texts are divided among all cores.
   *
   * @throws UsageError if the model was not trained to classify, and for a text with a line break.
   */
  classify(text: string, options?: ClassifyOptions): Prediction[]
  classify(texts: readonly string[], options?: ClassifyOptions): Prediction[][]
  classify(text: string | readonly string[], options?: ClassifyOptions): Prediction[] | Prediction[][]
  classify(text: string | readonly string[], options?: ClassifyOptions): Prediction[] | Prediction[][] {
    const where = 'FastText.classify'
    const { topN } = checkOptions(options, ['topN'], where)
    const most = topN === undefined ? this.#sizes.labels : checkSize(topN, `${where}: topN`)
    if (typeof text === 'string') return this.#classify([lineOf(text, `${where}: the text`)], most, where)[0]
    if (!isArray(text)) throw new UsageError(`${where}: expected a text or an array of texts, not ${show(text)}`)
    return this.#classify(
      eachOf(text, (one, i) => lineOf(one, `${where}: text ${i}`)),
      most,
      where,
    )
  }

  #classify(texts: string[], most: number, where: string): Prediction[][] {
    const names = this.labels
    if (names === null)
      throw new UsageError(
        `${where}: the model was not trained to classify and has vectors alone: use vector, sentenceVector or vectors`,
      )
    const { counts, labels, probabilities } = call(native.fastTextClassify(this.#file.native, texts, most))
    let at = 0
    return Array.from(counts, (count) =>
      Array.from({ length: count }, () => {
        const prediction = { label: names[labels[at]], probability: probabilities[at] }
        at++
        return prediction
      }),
    )
  }

  /**
   * The words of the model with their vectors, for neighbours and analogies. Queries may name words that the model does
   * not have: their vectors come from sub-words. A search makes the vectors block by block from the file, on all
   * threads, and keeps none; it takes as long as that takes. Reading `vectors.weight` makes a float32 table of all of
   * them, (words, dim), which later searches use, and which changes nothing in the model.
   */
  get vectors(): Vectors {
    this.#vectors ??= new Vectors(
      new WordVectors(this.#file, this.#sizes.words, this.dim),
      new FastTextNames(this.#file, this.#sizes.words, () => this.words),
    )
    return this.#vectors
  }

  /** What makes vectors of sentences of many texts. @internal */
  embedder(): ReturnType<typeof native.embedderOfFastText> & object {
    return call(native.embedderOfFastText(this.#file.native))
  }

  /**
   * Closes the file now. Every later use is a UsageError, of `vectors`, too.
   */
  dispose(): void {
    this.#vectors?.dispose()
    this.#file.close()
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #file in value && isInstance(this, FastText, value)
  }

  static {
    guardReceivers(
      this,
      (value) => #file in value,
      [],
      (value) => (value as FastText).#file.isClosed,
    )
    CONTENTS.guard(this, (value) => #file in value)
  }
}

/** A text of one line. */
function lineOf(text: unknown, where: string): string {
  const line = checkText(text, where)
  if (line.includes('\n'))
    throw new UsageError(`${where} has a line break, and fastText reads one line: replace it by a space`)
  return line
}

/** The words of a model as names of rows. */
class FastTextNames implements Names {
  readonly #file: File
  readonly #words: () => readonly string[]

  constructor(
    file: File,
    readonly size: number,
    words: () => readonly string[],
  ) {
    this.#file = file
    this.#words = words
  }

  get words(): readonly string[] {
    return this.#words()
  }

  nameOf(id: number): string | undefined {
    return id < this.size ? call(native.fastTextTexts(this.#file.native, id, 1))[0] : undefined
  }

  textOf(id: number): string | undefined {
    return this.nameOf(id)
  }

  #find(text: string): number | undefined {
    return call(native.fastTextWord(this.#file.native, text)).row ?? undefined
  }

  has(text: string): boolean {
    return this.#find(text) !== undefined
  }

  idOf(text: string, where: string): number {
    const id = this.#find(text)
    if (id !== undefined) return id
    const hint = `the error's "nearest" has the words with the most similar spelling`
    throw new UnknownTokenError(`${where}: ${show(text)} is not among the ${this.size} words; ${hint}`, text, () =>
      nearestSpellings(text, this.words),
    )
  }
}

/** The vectors of the words of a model. */
class WordVectors extends MadeRows {
  readonly #file: File

  constructor(
    file: File,
    readonly size: number,
    readonly dim: number,
  ) {
    super()
    this.#file = file
  }

  table(): Tensor {
    const table = zeroTable('float32', [this.size, this.dim])
    for (let from = 0; from < this.size; from += ROWS) {
      const part = table.narrow(0, from, Math.min(ROWS, this.size - from))
      check(native.fastTextVectors(this.#file.native, from, part.operand()))
      part.dispose()
    }
    return table
  }

  row(id: number): Float32Array {
    const out = zeroed(Float32Array, this.dim)
    check(native.fastTextVectors(this.#file.native, id, out))
    return out
  }

  vectorOf(text: string): Float32Array | null {
    const out = zeroed(Float32Array, this.dim)
    return call(native.fastTextVector(this.#file.native, text, out)) > 0 ? out : null
  }

  nearest(direction: Float32Array, topN: number, without: Uint32Array): { ids: number[]; similarities: number[] } {
    return call(native.fastTextNearest(this.#file.native, direction, topN, without))
  }

  similarities(direction: Float32Array): Float32Array {
    const out = zeroed(Float32Array, this.size)
    check(native.fastTextSimilarities(this.#file.native, direction, out))
    return out
  }
}

/**
 * Opens a model of fastText, `.bin` or `.ftz`: quantized and pruned ones, and files from before the format had a
 * version. Only the header is read, and the matrices' places follow from it, so that a file of any size is open in
 * milliseconds; files from 1 MiB on are mapped. For the vectors alone, as text (`.vec`), there is `loadWord2Vec`.
 *
 * @throws FileError if the file cannot be opened; FormatError, with the byte, if it does not match its header, if it was
 * pruned without being quantized, and for a file of another kind, which it names. The dictionary is checked when it is
 * first used, and whatever uses it throws the FormatError then.
 */
export function loadFastText(path: string): FastText {
  return FastText.open(resolve(checkPath(path, 'loadFastText')))
}
