// The names of the rows of a table: words, or the tokens of a tokenizer.

import { namesOf, type JoinedNames } from '../base/joined-names.js'
import { TokenIndexError, UnknownTokenError, UsageError } from '../base/errors.js'
import { atOnce, type Steps } from '../base/turns.js'
import { nearestSpellings } from './spelling.js'
import { Tokenizer } from '../text/tokenizer.js'
import { isArray, isObject, show } from '../base/validate.js'

/** Words that are checked before work may pause. */
const PART = 4096

/** Names of the rows of a table. */
export interface Names {
  /** Number of rows; ids run from 0 to size - 1. */
  readonly size: number
  /** The names, if all of them are words; null for the tokens of a tokenizer. */
  readonly words: readonly string[] | null
  /**
   * The name of a row: a word, or a token as its vocabulary writes it (`Ġwhale`, `##ing`); undefined for an unused id.
   */
  nameOf(id: number): string | undefined
  /** The row that a text names. @throws UnknownTokenError, whose `nearest` has the nearest spellings. */
  idOf(text: string, where: string): number
  /** Whether a text names a row. */
  has(text: string): boolean
  /** The text that names a row: for a token its text without a space before it; undefined for an unused id. */
  textOf(id: number): string | undefined
}

/** Words as names, one for each row. */
export class WordNames implements Names {
  /** The row of each word. It is made at the first question: the words of a large file take 10 MB and more in it. */
  #made: Map<string, number> | undefined
  /** The words; made at the first question where they came as one text, which takes a third of the memory. */
  #words: readonly string[] | undefined
  #joined: JoinedNames | null
  readonly size: number

  /** Words that are known to be texts, not empty, and different. */
  constructor(words: readonly string[], joined: JoinedNames | null = null) {
    this.#words = joined === null ? words : undefined
    this.#joined = joined
    this.size = joined === null ? words.length : joined.lengths.length
  }

  /** The words of a file. */
  static joined(joined: JoinedNames): WordNames {
    return new WordNames([], joined)
  }

  /** @throws UsageError for a word that is not a string, is empty, or comes twice. */
  static checked(words: readonly string[], where: string): WordNames {
    return atOnce(WordNames.checking(words, where))
  }

  /** The same, as work that may pause. */
  static *checking(words: readonly string[], where: string): Steps<WordNames> {
    const ids = new Map<string, number>()
    // `forEach` would skip the holes of an array.
    for (let id = 0; id < words.length; id++) {
      const word = words[id]
      if (typeof word !== 'string' || word === '')
        throw new UsageError(`${where}: word ${id} must be a non-empty string, not ${show(word)}`)
      if (ids.has(word))
        throw new UsageError(
          `${where}: ${show(word)} names both row ${ids.get(word)} and row ${id}: each word must have one row`,
        )
      ids.set(word, id)
      if (id % PART === PART - 1) yield
    }
    const names = new WordNames(words)
    names.#made = ids
    return names
  }

  get #ids(): Map<string, number> {
    return (this.#made ??= new Map(this.words.map((word, id) => [word, id])))
  }

  get words(): readonly string[] {
    if (this.#words === undefined) {
      this.#words = namesOf(this.#joined!)
      this.#joined = null
    }
    return this.#words
  }

  nameOf(id: number): string | undefined {
    return this.words[id]
  }

  has(text: string): boolean {
    return this.#ids.has(text)
  }

  textOf(id: number): string | undefined {
    return this.words[id]
  }

  idOf(text: string, where: string): number {
    const id = this.#ids.get(text)
    if (id !== undefined) return id
    const variant = variantsOf(text).find((word) => this.#ids.has(word))
    const hint =
      variant === undefined
        ? `the error's "nearest" has the words with the most similar spelling`
        : `${JSON.stringify(variant)} is one of them`
    throw new UnknownTokenError(`${where}: ${show(text)} is not among the ${this.size} words; ${hint}`, text, () =>
      nearestSpellings(text, this.words),
    )
  }
}

/**
 * Other ways of writing a word. Each is looked up, which is quick; the list is searched only when the error's `nearest`
 * is read.
 */
function variantsOf(text: string): string[] {
  // A long text is not a word.
  if (text.length > 64) return []
  const word = text.trim()
  const lower = word.toLowerCase()
  const cases = [word, lower, `${lower.slice(0, 1).toUpperCase()}${lower.slice(1)}`, word.toUpperCase()]
  return cases.flatMap((one) => [one, one.normalize('NFC'), one.normalize('NFD')])
}

/** At most this many pieces of a text are named in the error that it is not a token. */
const MOST_PIECES = 8

/**
 * The tokens of a tokenizer as names. A text names a token if it encodes to just that one, as written or with a space
 * before it.
 */
export class TokenizerNames implements Names {
  readonly size: number
  readonly words = null

  constructor(readonly tokenizer: Tokenizer) {
    this.size = tokenizer.vocabSize
  }

  nameOf(id: number): string | undefined {
    return this.tokenizer.vocabularyName(id)
  }

  has(text: string): boolean {
    return this.#find(text) !== undefined
  }

  textOf(id: number): string | undefined {
    try {
      return this.tokenizer.decode([id]).replace(/^ /, '')
    } catch (error) {
      if (error instanceof TokenIndexError) return undefined
      throw error
    }
  }

  #find(text: string): number | undefined {
    // An empty text with a space before it would name the token of the space.
    if (text === '') return undefined
    for (const written of [text, ` ${text}`]) {
      const ids = this.#encode(written)
      if (ids.length === 1) return ids[0]
    }
    return undefined
  }

  #encode(text: string): Uint32Array {
    return this.tokenizer.encode(text, { allowedSpecial: 'all', addSpecialTokens: false })
  }

  idOf(text: string, where: string): number {
    const id = this.#find(text)
    if (id !== undefined) return id
    const ids = this.#encode(text)
    const pieces = Array.from(ids.subarray(0, MOST_PIECES), (id) => this.nameOf(id) ?? `id ${id}`)
    const list = pieces.length === 0 ? 'none' : pieces.map((piece) => JSON.stringify(piece)).join(', ')
    const what = `${ids.length} tokens of ${this.tokenizer.name} (${list}${ids.length > MOST_PIECES ? ', ...' : ''})`
    throw new UnknownTokenError(
      `${where}: ${show(text)} must be one token, with or without a space before it, but is ${what}: ask for one of them`,
      text,
      () => pieces,
    )
  }
}

/** Words, a tokenizer or names as names of rows. @throws UsageError for anything else. */
export function readNames(vocabulary: unknown, where: string): Names {
  if (isObject(vocabulary) && (vocabulary instanceof WordNames || vocabulary instanceof TokenizerNames))
    return vocabulary
  if (vocabulary instanceof Tokenizer) return new TokenizerNames(vocabulary)
  if (isArray(vocabulary)) return WordNames.checked(vocabulary, where)
  throw new UsageError(`${where}: the vocabulary must be an array of words or a Tokenizer, not ${show(vocabulary)}`)
}
