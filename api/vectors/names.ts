// What the rows of a table stand for: words, or the tokens of a tokenizer.

import { UnknownTokenError, UsageError } from '../base/errors.js'
import { nearestSpellings } from './spelling.js'
import type { Tokenizer } from '../text/tokenizer.js'
import { show } from '../base/validate.js'

/** Names of the rows of a table. */
export interface Names {
  /** How many there are: ids are below. */
  readonly size: number
  /**
   * The name of a row: a word, or a token as its vocabulary writes it (`Ġwhale`, `##ing`); undefined of an unused id.
   */
  nameOf(id: number): string | undefined
  /** The row that text stands for. @throws UnknownTokenError, whose `nearest` has the nearest spellings. */
  idOf(text: string, where: string): number
  /** Whether text stands for a row. */
  has(text: string): boolean
}

/** Words, a row each. */
export class WordNames implements Names {
  readonly #ids = new Map<string, number>()

  /** @throws UsageError for what is no word, is empty, or comes twice. */
  constructor(
    readonly words: readonly string[],
    where: string,
  ) {
    // Not `forEach`, which would skip the holes of an array.
    for (let id = 0; id < words.length; id++) {
      const word = words[id]
      if (typeof word !== 'string' || word === '')
        throw new UsageError(`${where}: word ${id} must be a string that is not empty, not ${show(word)}`)
      if (this.#ids.has(word))
        throw new UsageError(
          `${where}: ${show(word)} stands for row ${this.#ids.get(word)} and row ${id}: a word has one row`,
        )
      this.#ids.set(word, id)
    }
  }

  get size(): number {
    return this.words.length
  }

  nameOf(id: number): string | undefined {
    return this.words[id]
  }

  has(text: string): boolean {
    return this.#ids.has(text)
  }

  idOf(text: string, where: string): number {
    const id = this.#ids.get(text)
    if (id !== undefined) return id
    const variant = variantsOf(text).find((word) => this.#ids.has(word))
    const hint =
      variant === undefined
        ? `the error's "nearest" has those that are spelled most like it`
        : `${JSON.stringify(variant)} is`
    throw new UnknownTokenError(`${where}: ${show(text)} is not among the ${this.size} words; ${hint}`, text, () =>
      nearestSpellings(text, this.words),
    )
  }
}

/** The same word as others would write it: each is looked up, so that no list is searched before an error is thrown. */
function variantsOf(text: string): string[] {
  // A text of a page is no word.
  if (text.length > 64) return []
  const word = text.trim()
  const lower = word.toLowerCase()
  const cases = [word, lower, `${lower.slice(0, 1).toUpperCase()}${lower.slice(1)}`, word.toUpperCase()]
  return cases.flatMap((one) => [one, one.normalize('NFC'), one.normalize('NFD')])
}

/** Of a text that is no token at most so many pieces are named. */
const MOST_PIECES = 8

/**
 * The tokens of a tokenizer. Text stands for a token if it is just that one: as written, or else with a space before.
 */
export class TokenizerNames implements Names {
  readonly size: number

  constructor(readonly tokenizer: Tokenizer) {
    this.size = tokenizer.vocabSize
  }

  nameOf(id: number): string | undefined {
    return this.tokenizer.vocabularyName(id)
  }

  has(text: string): boolean {
    return this.#find(text) !== undefined
  }

  #find(text: string): number | undefined {
    // A space before nothing is a token, too.
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
      `${where}: ${show(text)} is ${what}, with a space before as well; one is needed: ask for a piece`,
      text,
      () => pieces,
    )
  }
}
