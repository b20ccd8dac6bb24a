// What the rows of a table stand for: words, or the tokens of a tokenizer.

import { UnknownTokenError, UsageError } from './errors.js'
import { nearestSpellings } from './spelling.js'
import type { Tokenizer } from './tokenizer.js'
import { show } from './validate.js'

/** Names of the rows of a table. */
export interface Names {
  /** How many there are: ids are below. */
  readonly size: number
  /** The name of a row: a word, or a token as its vocabulary writes it (`Ġwhale`, `##ing`); undefined of an unused id. */
  nameOf(id: number): string | undefined
  /** The row that text stands for. @throws UnknownTokenError, which names the nearest spellings. */
  idOf(text: string, where: string): number
  /** Whether text stands for a row. */
  has(text: string): boolean
}

/** Words, a row each. */
export class WordNames implements Names {
  readonly #ids = new Map<string, number>()

  /** @throws UsageError for what is no word, is empty, or comes twice. */
  constructor(readonly words: readonly string[], where: string) {
    // Not `forEach`, which would skip the holes of an array.
    for (let id = 0; id < words.length; id++) {
      const word = words[id]
      if (typeof word !== 'string' || word === '') throw new UsageError(`${where}: word ${id} must be a string that is not empty, not ${show(word)}`)
      if (this.#ids.has(word)) throw new UsageError(`${where}: ${show(word)} stands for row ${this.#ids.get(word)} and row ${id}: a word has one row`)
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
    const nearest = nearestSpellings(text, this.words)
    const hint = nearest.length > 0 ? `; nearest: ${nearest.map((word) => JSON.stringify(word)).join(', ')}` : ''
    throw new UnknownTokenError(`${where}: ${show(text)} is not among the ${this.size} words${hint}`, text, nearest)
  }
}

/** The tokens of a tokenizer. Text stands for a token if it is just that one: as written, or else with a space before. */
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
    const pieces = Array.from(this.#encode(text), (id) => this.nameOf(id) ?? `id ${id}`)
    const list = pieces.length === 0 ? 'none' : pieces.slice(0, 8).map((piece) => JSON.stringify(piece)).join(', ')
    const what = `${pieces.length} tokens of ${this.tokenizer.name} (${list}${pieces.length > 8 ? ', ...' : ''})`
    throw new UnknownTokenError(`${where}: ${show(text)} is ${what}, with a space before as well; one is needed: ask for a piece`, text, pieces.slice(0, 8))
  }
}
