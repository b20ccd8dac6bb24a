// Text to ids and back: encodings as tiktoken has them, and files as the Hugging Face library reads them.

import { createHash } from 'node:crypto'
import { basename, resolve } from 'node:path'
import { types } from 'node:util'
import { nameOfBytes } from './byte-names.js'
import { Contents } from '../base/contents.js'
import { TokenIndexError, UsageError } from '../base/errors.js'
import { readIds, type Ids } from '../tensor/ids.js'
import { call, native } from '../native/native.js'
import { readWhole } from '../base/read-file.js'
import {
  cutting,
  joinedBatch,
  paddedBatch,
  PADDING_OPTIONS,
  padding,
  type PaddedBatch,
  type PaddingOptions,
  type TruncationOptions,
} from './padding.js'
import { guardReceivers, isInstance } from '../base/receivers.js'
import { Tensor } from '../tensor/tensor.js'
import {
  checkBoolean,
  checkOptions,
  checkPath,
  checkText,
  isArray,
  isObject,
  show,
  checkList,
  checkNumber,
  checkSize,
} from '../base/validate.js'
import { readVocabulary } from './vocabulary.js'

/** Which special tokens of a text count, and what is put around it. */
export interface EncodeOptions {
  /** Special tokens that get their id where they stand in the text; default none, of a tokenizer from a file all. */
  allowedSpecial?: ReadonlySet<string> | 'all'
  /** Special tokens that are an error where they stand in the text; default all that are not allowed. With an empty set
   * those that are not allowed are plain text. */
  disallowedSpecial?: ReadonlySet<string> | 'all'
  /** Whether the text gets the tokens that the file puts around it, such as `[CLS]` and `[SEP]`; default true. An
   * encoding, and a file without a post-processor, has none: nothing is added either way. */
  addSpecialTokens?: boolean
}

/** Which special tokens of a text count. */
export type SpecialOptions = Omit<EncodeOptions, 'addSpecialTokens'>

export interface DecodeOptions {
  /** Whether special tokens are left out; default false. */
  skipSpecialTokens?: boolean
}

/** How much a `tokenizer.json` may make of a text: one from a stranger may be made to take all memory, or forever. Tokenizers
 * that are in use stay far below. */
export interface TokenizerLimits {
  /**
   * Bytes that each byte of a text, or of tokens that are decoded, may become, beside 64 KB that any may; default 40.
   */
  maxGrowth?: number
  /** Steps that a pattern may go back for one match; default 1,000,000. */
  maxPatternSteps?: number
  /** Seconds of the processor for each megabyte of a text, or for a tenth of one where it is shorter; default 20. */
  maxSecondsPerMegabyte?: number
}

export interface FromFileOptions {
  limits?: TokenizerLimits
}

const LIMITS = ['maxGrowth', 'maxPatternSteps', 'maxSecondsPerMegabyte']

const OPTIONS = ['allowedSpecial', 'disallowedSpecial', 'addSpecialTokens']
const BATCH_OPTIONS = [...OPTIONS, ...PADDING_OPTIONS]

/** Names as the native side takes them: undefined means all. */
function names(set: unknown, otherwise: string[] | undefined, where: string): string[] | undefined {
  if (set === undefined) return otherwise
  if (set === 'all') return undefined
  if (types.isSet(set)) {
    const all = Array.from(set)
    if (all.every((name) => typeof name === 'string')) return all
  }
  throw new UsageError(`${where} must be 'all' or a Set of strings, not ${show(set)}`)
}

/** A text's options as the native side takes them. */
type Policy = [allowed: string[] | undefined, disallowed: string[] | undefined, framed: boolean]

const loaded = new Map<string, Tokenizer>()

type Handle = ReturnType<typeof native.tokenizerNew> & object

const CONTENTS = new Contents<Tokenizer>('Tokenizer', {
  instead: 'name and vocabSize say which it is: Tokenizer.load or Tokenizer.fromFile gives it wherever it is wanted',
})

/**
 * Text to ids and back. `Tokenizer.load` has OpenAI's encodings, with tiktoken's ids on every input;
 * `Tokenizer.fromFile` reads any `tokenizer.json`, with the ids of the Hugging Face library. Lone surrogates count as
 * U+FFFD.
 */
export class Tokenizer {
  /** The encoding's name, or that of the file without its folders. */
  readonly name: string
  /** One more than the largest id: 50257 for GPT-2. Some ids below it may be unused, as 19 of o200k_base are. */
  readonly vocabSize: number
  /** The special tokens and their ids, in the order of the ids. */
  readonly specialTokens: ReadonlyMap<string, number>
  /** What `padding` fills rows up with: the token that the file says or names `[PAD]`, `<pad>` or `<|pad|>`; of an encoding
   * `<|endoftext|>`. undefined where there is none. */
  readonly paddingId: number | undefined
  readonly #native: Handle
  readonly #isFile: boolean
  #file: TokenizerFile | null = null
  /** Where the file pads and cuts, if nothing else is said. */
  readonly #sides: { paddingLeft: boolean; truncationLeft: boolean }
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  private constructor(name: string, handle: Handle, isFile: boolean, key: typeof PRIVATE) {
    if (key !== PRIVATE) {
      throw new UsageError("a Tokenizer is made by Tokenizer.load('gpt2') or Tokenizer.fromFile(path), not by new")
    }
    const facts = call(native.tokenizerFacts(handle))
    this.#native = handle
    this.#isFile = isFile
    this.#sides = facts
    this.name = name
    this.vocabSize = facts.size
    this.specialTokens = new Map(facts.specialNames.map((token, i) => [token, facts.specialIds[i]]))
    this.paddingId = facts.paddingId ?? undefined
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
    const vocabulary = readVocabulary(call(native.encodingVocabulary(name)))
    const tokenizer = new Tokenizer(name, call(native.tokenizerNew(name, vocabulary)), false, PRIVATE)
    loaded.set(name, tokenizer)
    return tokenizer
  }

  /** What streams of text are encoded with: the native tokenizer, and its special tokens. @internal */
  forStream(options: SpecialOptions, where: string): [Handle, string[] | undefined, string[] | undefined] {
    const [allowed, disallowed] = this.#policy(options, where)
    return [this.#native, allowed, disallowed]
  }

  /**
   * The tokenizer that a Hugging Face `tokenizer.json` describes: BPE, WordPiece, Unigram or WordLevel, with its
   * normalizer, pre-tokenizer, post-processor and decoder. Its ids are those of the library (its Rust crate does the
   * work, 0.23), also where the file has regular expressions, which the Python package runs by Oniguruma: they are
   * translated, and one whose meaning cannot be kept (absent and conditional groups, `\K`, calls of groups, names of
   * blocks, what repeats nothing, and a few more) is refused. Each call reads the file anew; the memory goes with the
   * last use of the tokenizer.
   *
   * Special tokens in a text are recognised, as the library does it, unless `allowedSpecial` says otherwise. Settings
   * for truncation and padding in the file cut and fill nothing by themselves: they say the default sides and the
   * padding token for `encodeBatch`. Dropout, which makes ids random in training, is off.
   *
   * A file from a stranger may be made to grow texts without end, or to take forever: `limits` bound that. What reaches
   * one is a FormatError, of whichever method has the text.
   *
   * @throws FileError where the file cannot be read; FormatError, with the byte, where it is not JSON, was cut short, or
   * describes what is not supported; of a pattern with its place in it.
   */
  static fromFile(path: string, options?: FromFileOptions): Tokenizer {
    const where = 'Tokenizer.fromFile'
    const limits = checkLimits(checkOptions(options, ['limits'], where).limits, `${where}: limits`)
    const full = resolve(checkPath(path, where))
    return Tokenizer.fromBytes(readWhole(full), full, limits)
  }

  /** The tokenizer of the bytes of a file that were read. @internal */
  static fromBytes(
    bytes: Buffer,
    path: string,
    limits: Parameters<typeof native.tokenizerFromJson>[3] = {},
  ): Tokenizer {
    const name = basename(path)
    const tokenizer = new Tokenizer(name, call(native.tokenizerFromJson(bytes, path, name, limits)), true, PRIVATE)
    tokenizer.#file = { path, digest: createHash('sha256').update(bytes).digest('hex') }
    return tokenizer
  }

  /** The file it was read from, and what tells whether that is still the same; null of an encoding. @internal */
  get file(): TokenizerFile | null {
    return this.#file
  }

  /** Options as the native side takes them. */
  #policy(
    { allowedSpecial, disallowedSpecial, addSpecialTokens = true }: Partial<EncodeOptions>,
    where: string,
  ): Policy {
    return [
      names(allowedSpecial, this.#isFile ? undefined : [], `${where}: allowedSpecial`),
      names(disallowedSpecial, undefined, `${where}: disallowedSpecial`),
      checkBoolean(addSpecialTokens, `${where}: addSpecialTokens`),
    ]
  }

  /**
   * The ids of a text. `tiktoken.Encoding.encode`; of a file `tokenizers.Tokenizer.encode`.
   *
   * @throws UsageError for a special token in it that is not allowed.
   */
  encode(text: string, options?: EncodeOptions): Uint32Array {
    const where = 'Tokenizer.encode'
    const policy = this.#policy(checkOptions(options, OPTIONS, where), where)
    return call(native.tokenizerEncode(this.#native, checkText(text, `${where}: the text`), ...policy))
  }

  /**
   * The ids of all texts: end to end, text i being `ids[offsets[i] .. offsets[i + 1]]`; or, with `padding`, as a
   * rectangle of int32 that layers take, and a mask that says where tokens stand. Uses all cores where there is enough
   * text. `tiktoken.Encoding.encode_batch`.
   *
   * `maxLength` cuts texts that have more ids; what the file puts around a text stays, and counts.
   *
   * @throws UsageError, which says in which text, for a special token that is not allowed: the first text that has one;
   * and for options that contradict each other.
   */
  encodeBatch(texts: readonly string[], options: EncodeOptions & TruncationOptions & PaddingOptions): PaddedBatch
  encodeBatch(
    texts: readonly string[],
    options?: EncodeOptions & TruncationOptions,
  ): { ids: Uint32Array; offsets: Uint32Array }
  encodeBatch(
    texts: readonly string[],
    options?: EncodeOptions & TruncationOptions & Partial<PaddingOptions>,
  ): PaddedBatch | { ids: Uint32Array; offsets: Uint32Array } {
    const where = 'Tokenizer.encodeBatch'
    if (!isArray(texts)) throw new UsageError(`${where}: texts are an array of strings, not ${show(texts)}`)
    // Not `forEach`, which would skip the holes of an array.
    for (let i = 0; i < texts.length; i++) checkText(texts[i], `${where}: text ${i}`)
    const checked = checkOptions(options, BATCH_OPTIONS, where)
    const [allowed, disallowed, framed] = this.#policy(checked, where)
    const rows = { allowed, disallowed, framed, ...cutting(checked, this.#sides.truncationLeft, where) }
    const fill = padding(checked, { left: this.#sides.paddingLeft, id: this.paddingId }, texts.length, where)
    const count = texts.length
    if (fill === null)
      return joinedBatch(count, (room) => native.tokenizerEncodeBatch(this.#native, texts as string[], rows, room))
    return paddedBatch(count, (room) => native.tokenizerEncodePadded(this.#native, texts as string[], rows, fill, room))
  }

  /** How many ids `encode` gives for a text; of an encoding, without making them. */
  count(text: string, options?: EncodeOptions): number {
    const where = 'Tokenizer.count'
    const policy = this.#policy(checkOptions(options, OPTIONS, where), where)
    return call(native.tokenizerCount(this.#native, checkText(text, `${where}: the text`), ...policy))
  }

  /**
   * The text of ids; bytes that are no UTF-8, as of half a character, become U+FFFD. `tiktoken.Encoding.decode`; of a
   * file what its decoder makes of them, `tokenizers.Tokenizer.decode`.
   *
   * @throws TokenIndexError for an id that is no token.
   */
  decode(ids: Ids | ArrayLike<number>, options?: DecodeOptions): string {
    const where = 'Tokenizer.decode'
    const skip = skipsSpecial(options, where)
    const { array, shape } = readList(ids, where)
    return call(native.tokenizerDecode(this.#native, array, skip), shape)
  }

  /** What decodes ids as they come, such as a model's. */
  decoder(options?: DecodeOptions): TokenDecoder {
    return TokenDecoder.over(call(native.decoderNew(this.#native, skipsSpecial(options, 'Tokenizer.decoder'))))
  }

  /**
   * The bytes of text that one id stands for: a token of an encoding may be a part of a character. Of a file what
   * `decode` gives for it alone. `tiktoken.Encoding.decode_single_token_bytes`.
   *
   * @throws TokenIndexError for an id that is no token.
   */
  tokenBytes(id: number): Uint8Array {
    const { array } = readIds([id], undefined, 'Tokenizer.tokenBytes')
    return call(native.tokenizerDecodeBytes(this.#native, array), [1])
  }

  /**
   * One token as it stands in the vocabulary: of an encoding its text, of a file as the file writes it (`##ing`,
   * `\u2581the`, `\u0120the`). @throws TokenIndexError for an id that is no token.
   */
  token(id: number): string {
    const { array } = readIds([id], undefined, 'Tokenizer.token')
    return call(native.tokenizerToken(this.#native, array), [1])[0]
  }

  /**
   * The name of a token that no other has and that has no space in it: of a file as the file writes it; of an encoding
   * its bytes as GPT-2's `vocab.json` writes them (`\u0120the`). undefined for an id that is no token. @internal
   */
  vocabularyName(id: number): string | undefined {
    try {
      return this.#isFile ? this.token(id) : nameOfBytes(this.tokenBytes(id))
    } catch (error) {
      if (error instanceof TokenIndexError) return undefined
      throw error
    }
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #native in value && isInstance(this, Tokenizer, value)
  }

  static {
    guardReceivers(this, (value) => #native in value)
    CONTENTS.guard(this, (value) => #native in value)
  }
}

/** A tokenizer.json when it was read. @internal */
export interface TokenizerFile {
  readonly path: string
  /** SHA-256 of its bytes. */
  readonly digest: string
}

const DECODER = new Contents<TokenDecoder>('TokenDecoder', {
  instead: 'it belongs to its thread, and to the text that it is in',
})

/**
 * Ids to text as they come. No character is ever divided: what is not whole waits. All that `write` and `end` give, end
 * to end, is what `decode` makes of all ids. Made by `Tokenizer.decoder`.
 */
export class TokenDecoder {
  readonly #native: ReturnType<typeof native.decoderNew> & object
  /** @internal */
  readonly structuredClone = DECODER.uncloneable

  private constructor(handle: ReturnType<typeof native.decoderNew> & object, key: typeof PRIVATE) {
    if (key !== PRIVATE) throw new UsageError('a TokenDecoder is made by tokenizer.decoder(), not by new')
    this.#native = handle
  }

  /** What `Tokenizer.decoder` makes. @internal */
  static over(handle: ReturnType<typeof native.decoderNew> & object): TokenDecoder {
    return new TokenDecoder(handle, PRIVATE)
  }

  /**
   * Takes more ids, and gives the text that they complete; it may be empty. Where a file's decoder looks at the tokens
   * that follow, as for bytes that may form a character together, text waits for them.
   *
   * @throws TokenIndexError for an id that is no token; none of the ids is taken then.
   */
  write(ids: Ids | ArrayLike<number>): string {
    const { array, shape } = readList(ids, 'TokenDecoder.write')
    return call(native.decoderWrite(this.#native, array), shape)
  }

  /** No ids follow: gives the rest, a character that is not whole as U+FFFD. What is written next begins a new text. */
  end(): string {
    return call(native.decoderEnd(this.#native))
  }

  static {
    guardReceivers(this, (value) => #native in value)
    DECODER.guard(this, (value) => #native in value)
  }
}

/** Makes the constructors private at run time too. */
const PRIVATE = Symbol('by Tokenizer.load')

function checkLimits(given: TokenizerLimits | undefined, where: string): TokenizerLimits {
  if (given !== undefined && (typeof given !== 'object' || given === null))
    throw new UsageError(`${where} must be an object, not ${show(given)}`)
  const { maxGrowth, maxPatternSteps, maxSecondsPerMegabyte } = checkOptions(given, LIMITS, where)
  if (maxGrowth !== undefined) checkSize(maxGrowth, `${where}.maxGrowth`, 1)
  if (maxPatternSteps !== undefined) checkSize(maxPatternSteps, `${where}.maxPatternSteps`, 1)
  const seconds = maxSecondsPerMegabyte
  if (seconds !== undefined && checkNumber(seconds, `${where}.maxSecondsPerMegabyte`) <= 0) {
    throw new UsageError(`${where}.maxSecondsPerMegabyte must be more than 0, not ${show(seconds)}`)
  }
  return { maxGrowth, maxPatternSteps, maxSecondsPerMegabyte }
}

function skipsSpecial(options: DecodeOptions | undefined, where: string): boolean {
  const { skipSpecialTokens = false } = checkOptions(options, ['skipSpecialTokens'], where)
  return checkBoolean(skipSpecialTokens, `${where}: skipSpecialTokens`)
}

function readList(ids: Ids | ArrayLike<number>, where: string): ReturnType<typeof readIds> {
  return readIds(isList(ids) ? (checkList(ids, where) as number[]) : ids, undefined, where)
}

/** An array-like that is neither an array nor typed. */
function isList(ids: unknown): ids is ArrayLike<number> {
  const plain = isObject(ids) && !isArray(ids) && !ArrayBuffer.isView(ids) && !(ids instanceof Tensor)
  return plain && 'length' in ids && typeof ids.length === 'number'
}
