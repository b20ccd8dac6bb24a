// Text to ids and back, as tiktoken does it.

import { UsageError } from './errors.js'
import { readIds, type Ids } from './ids.js'
import { call, native } from './native.js'
import { checkOptions, checkText, show } from './validate.js'
import { readVocabulary } from './vocabulary.js'

export interface EncodeOptions {
  /** Special tokens that get their id where they stand in the text; default none. */
  allowedSpecial?: ReadonlySet<string> | 'all'
  /** Special tokens that are an error where they stand in the text; default all that are not allowed. With an empty set
   * they are plain text. */
  disallowedSpecial?: ReadonlySet<string> | 'all'
}

const OPTIONS = ['allowedSpecial', 'disallowedSpecial']

/** Names as the native side takes them: undefined means all. */
function names(set: unknown, otherwise: string[] | undefined, where: string): string[] | undefined {
  if (set === undefined) return otherwise
  if (set === 'all') return undefined
  if (set instanceof Set && [...set].every((name) => typeof name === 'string')) return [...set]
  throw new UsageError(`${where} must be 'all' or a Set of strings, not ${show(set)}`)
}

/** A special policy as the native side takes it. */
export function policy(options: EncodeOptions | undefined, where: string): [string[] | undefined, string[] | undefined] {
  const { allowedSpecial, disallowedSpecial } = checkOptions(options, OPTIONS, where)
  return [names(allowedSpecial, [], `${where}: allowedSpecial`), names(disallowedSpecial, undefined, `${where}: disallowedSpecial`)]
}

const loaded = new Map<string, Tokenizer>()

/** Byte pair encoding with tiktoken's vocabularies and rules: the same ids on every input. Lone surrogates count as U+FFFD. */
export class Tokenizer {
  /** The encoding's name. */
  readonly name: string
  /** One more than the largest id: 50257 for GPT-2. Some ids below it may be unused, as 19 of o200k_base are. */
  readonly vocabSize: number
  readonly #native: ReturnType<typeof native.tokenizerNew> & object

  private constructor(name: string, key: typeof PRIVATE) {
    if (key !== PRIVATE) throw new UsageError("a Tokenizer is made by Tokenizer.load('gpt2'), not by new")
    this.#native = call(native.tokenizerNew(name, readVocabulary(call(native.encodingVocabulary(name)))))
    this.name = name
    this.vocabSize = call(native.tokenizerSize(this.#native))
  }

  /**
   * The tokenizer of an encoding: `gpt2`, also called `r50k_base`; `cl100k_base` (GPT-3.5, GPT-4); `o200k_base` (GPT-4o
   * and later). Its vocabulary is read at the first call and kept.
   *
   * @throws UsageError, which lists the known ones, for another name.
   */
  static load(name: 'gpt2' | 'r50k_base' | 'cl100k_base' | 'o200k_base'): Tokenizer {
    const known = loaded.get(checkText(name, 'Tokenizer.load: the name of an encoding'))
    if (known) return known
    const tokenizer = new Tokenizer(name, PRIVATE)
    loaded.set(name, tokenizer)
    return tokenizer
  }

  /** What streams of text are encoded with. @internal */
  get handle() {
    return this.#native
  }

  /** The ids of a text. @throws UsageError for a special token in it that is not allowed. `tiktoken.Encoding.encode`. */
  encode(text: string, options?: EncodeOptions): Uint32Array {
    const where = 'Tokenizer.encode'
    return call(native.tokenizerEncode(this.#native, checkText(text, `${where}: the text`), ...policy(options, where)))
  }

  /**
   * The ids of all texts end to end; text i is `ids[offsets[i] .. offsets[i + 1]]`. Uses all cores where there is enough
   * text. `tiktoken.Encoding.encode_batch`.
   *
   * @throws UsageError, which says in which text, for a special token that is not allowed: the first text that has one.
   */
  encodeBatch(texts: readonly string[], options?: EncodeOptions): { ids: Uint32Array; offsets: Uint32Array } {
    const where = 'Tokenizer.encodeBatch'
    if (!Array.isArray(texts)) throw new UsageError(`${where}: texts are an array of strings, not ${show(texts)}`)
    // Not `forEach`, which would skip the holes of an array.
    for (let i = 0; i < texts.length; i++) checkText(texts[i], `${where}: text ${i}`)
    return call(native.tokenizerEncodeBatch(this.#native, texts as string[], ...policy(options, where)))
  }

  /** How many ids `encode` gives for a text, without making them. */
  count(text: string, options?: EncodeOptions): number {
    const where = 'Tokenizer.count'
    return call(native.tokenizerCount(this.#native, checkText(text, `${where}: the text`), ...policy(options, where)))
  }

  /**
   * The text of ids; bytes that are no UTF-8, as of half a character, become U+FFFD. `tiktoken.Encoding.decode`.
   *
   * @throws TokenIndexError for an id that is no token.
   */
  decode(ids: Ids | ArrayLike<number>): string {
    const where = 'Tokenizer.decode'
    const list = isList(ids) ? Array.from(ids) : (ids as Ids)
    const { array, shape } = readIds(list, undefined, where)
    return call(native.tokenizerDecode(this.#native, array), shape)
  }

  /** The text of one id. @throws TokenIndexError for an id that is no token. */
  token(id: number): string {
    const { array } = readIds([id], undefined, 'Tokenizer.token')
    return call(native.tokenizerDecode(this.#native, array), [1])
  }
}

/** Makes the constructor private at run time too. */
const PRIVATE = Symbol('by Tokenizer.load')

/** An array-like that is neither an array nor typed. */
function isList(ids: unknown): ids is ArrayLike<number> {
  const plain = typeof ids === 'object' && ids !== null && !Array.isArray(ids) && !ArrayBuffer.isView(ids)
  return plain && 'length' in ids && Number.isSafeInteger(ids.length)
}
