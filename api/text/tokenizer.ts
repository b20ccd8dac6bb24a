// Text to ids and back: tiktoken's encodings, and files of the Hugging Face library.

import { basename, resolve } from 'node:path'
import { types } from 'node:util'
import { nameOfBytes } from './byte-names.js'
import { tokenizerJson } from './gguf-json.js'
import { Contents } from '../base/contents.js'
import { sha256 } from '../base/late.js'
import { TokenIndexError, UsageError } from '../base/errors.js'
import { openGGUF, type OpenedGGUF } from '../files/gguf.js'
import { readIds, type Ids } from '../tensor/ids.js'
import { call, native } from '../native/native.js'
import { readWhole } from '../base/read-file.js'
import { checkSignal } from '../layers/async.js'
import { encodedBatch, encodedRows } from './encode-async.js'
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

/** Which special tokens are recognised in a text, and whether tokens are added around it. */
export interface EncodeOptions {
  /** Special tokens that become their id if they stand in the text; default none, for a tokenizer from a file all. */
  allowedSpecial?: ReadonlySet<string> | 'all'
  /**
   * Special tokens that are an error if they stand in the text; default: all that are not allowed. With an empty set
   * tokens that are not allowed count as plain text.
   */
  disallowedSpecial?: ReadonlySet<string> | 'all'
  /**
   * Whether the tokens that the file puts around texts are added, such as `[CLS]` and `[SEP]`; default true. An
   * encoding, or a file without a post-processor, has none and adds nothing either way.
   */
  addSpecialTokens?: boolean
}

/** How asynchronous work is ended. */
export interface Abortable {
  /** Ends the work, which then rejects with an AbortedError whose cause is the signal's reason. */
  signal?: AbortSignal
}

/** Which special tokens are recognised in a text. */
export type SpecialOptions = Omit<EncodeOptions, 'addSpecialTokens'>

/** The ids of a text, and where the token of each stands in it. */
export interface LocatedIds {
  /** The ids, as `encode` gives them. */
  ids: Uint32Array
  /** For each id the index in the text, in UTF-16 code units, at which its token begins. */
  starts: Uint32Array
  /** For each id the index at which its token ends: `text.slice(starts[i], ends[i])` is the text of the token. */
  ends: Uint32Array
}

export interface DecodeOptions {
  /** Whether special tokens are left out; default false. */
  skipSpecialTokens?: boolean
}

/**
 * Limits for a `tokenizer.json`. A file from an untrusted source may be made to use all memory, or to run forever.
 * Ordinary tokenizers stay far below the limits.
 */
export interface TokenizerLimits {
  /**
   * How many bytes each byte of a text, or of decoded tokens, may become, beyond 64 KB that every text may; default 40.
   */
  maxGrowth?: number
  /** How many steps a pattern may backtrack for one match; default 1,000,000. */
  maxPatternSteps?: number
  /**
   * Seconds of processor time for each megabyte of a text; a text shorter than a tenth of a megabyte counts as a tenth.
   * Default 20.
   */
  maxSecondsPerMegabyte?: number
}

export interface FromFileOptions {
  limits?: TokenizerLimits
}

const LIMITS = ['maxGrowth', 'maxPatternSteps', 'maxSecondsPerMegabyte']

const OPTIONS = ['allowedSpecial', 'disallowedSpecial', 'addSpecialTokens']
/** Arrays of at most so many texts are copied at the call of an asynchronous method, which takes a few milliseconds. */
const COPIED_AT_ONCE = 1e6
const BATCH_OPTIONS = [...OPTIONS, ...PADDING_OPTIONS]

/** Names of tokens as the native side takes them: undefined means all. */
function names(set: unknown, otherwise: string[] | undefined, where: string): string[] | undefined {
  if (set === undefined) return otherwise
  if (set === 'all') return undefined
  if (types.isSet(set)) {
    const all = Array.from(set)
    if (all.every((name) => typeof name === 'string')) return all
  }
  throw new UsageError(`${where} must be 'all' or a Set of strings, not ${show(set)}`)
}

function checkTexts(texts: unknown, where: string): void {
  if (!isArray(texts)) throw new UsageError(`${where}: texts must be an array of strings, not ${show(texts)}`)
}

/** The options of a text as the native side takes them. */
type Policy = [allowed: string[] | undefined, disallowed: string[] | undefined, framed: boolean]

const loaded = new Map<string, Tokenizer>()

type Handle = ReturnType<typeof native.tokenizerNew> & object

const CONTENTS = new Contents<Tokenizer>('Tokenizer', {
  instead: 'load it again with Tokenizer.load or Tokenizer.fromFile; name and vocabSize identify it',
})

/**
 * Converts text to ids and back. `Tokenizer.load` has OpenAI's encodings, and gives tiktoken's ids for every input;
 * `Tokenizer.fromFile` reads any `tokenizer.json`, and gives the ids of the Hugging Face library. Lone surrogates count
 * as U+FFFD.
 */
export class Tokenizer {
  /** The name of the encoding, or of the file without its folders. */
  readonly name: string
  /** One more than the largest id: 50257 for GPT-2. Some ids below it may be unused; o200k_base has 19 such ids. */
  readonly vocabSize: number
  /** The special tokens and their ids, in the order of the ids. */
  readonly specialTokens: ReadonlyMap<string, number>
  /**
   * The id with which `padding` fills rows: the token that the file declares, or that is named `[PAD]`, `<pad>` or
   * `<|pad|>`; for an encoding `<|endoftext|>`. It is undefined if there is none.
   */
  readonly paddingId: number | undefined
  /**
   * What encodes: `native`, the engine of this package, for all encodings and for the files whose parts it knows; or
   * `tokenizers`, the crate of the Hugging Face library. Both give the library's ids; the crate is slower.
   */
  readonly engine: 'native' | 'tokenizers'
  /**
   * The part of the file because of which the engine is `tokenizers`, such as `model: dropout`; null if it is native.
   */
  readonly engineReason: string | null
  readonly #native: Handle
  readonly #isFile: boolean
  #file: TokenizerFile | null = null
  /** The sides at which the file pads and cuts by default. */
  readonly #sides: { paddingLeft: boolean; truncationLeft: boolean }
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  private constructor(name: string, handle: Handle, isFile: boolean, key: typeof PRIVATE) {
    if (key !== PRIVATE) {
      throw new UsageError("a Tokenizer comes from Tokenizer.load('gpt2') or Tokenizer.fromFile(path), not from new")
    }
    const facts = call(native.tokenizerFacts(handle))
    this.#native = handle
    this.#isFile = isFile
    this.#sides = facts
    this.name = name
    this.vocabSize = facts.size
    this.specialTokens = new Map(facts.specialNames.map((token, i) => [token, facts.specialIds[i]]))
    this.paddingId = facts.paddingId ?? undefined
    this.engineReason = facts.engineReason ?? null
    this.engine = this.engineReason === null ? 'native' : 'tokenizers'
  }

  /**
   * The tokenizer of an encoding: `gpt2`, also called `r50k_base`; `cl100k_base` (GPT-3.5, GPT-4); `o200k_base` (GPT-4o
   * and later). Its vocabulary is read at the first call and kept.
   *
   * @throws UsageError, which lists the known names, for another name.
   */
  static load(name: 'gpt2' | 'r50k_base' | 'cl100k_base' | 'o200k_base'): Tokenizer {
    const known = loaded.get(checkText(name, 'Tokenizer.load: the name of an encoding'))
    if (known) return known
    const vocabulary = readVocabulary(call(native.encodingVocabulary(name)))
    const tokenizer = new Tokenizer(name, call(native.tokenizerNew(name, vocabulary)), false, PRIVATE)
    loaded.set(name, tokenizer)
    return tokenizer
  }

  /** The native tokenizer and the special tokens, for streams of text. @internal */
  forStream(options: SpecialOptions, where: string): [Handle, string[] | undefined, string[] | undefined] {
    const [allowed, disallowed] = this.#policy(options, where)
    return [this.#native, allowed, disallowed]
  }

  /**
   * The tokenizer that a Hugging Face `tokenizer.json` describes: BPE, WordPiece, Unigram or WordLevel, with its
   * normalizer, pre-tokenizer, post-processor and decoder. Its ids are those of the library, whose Rust crate (0.23)
   * does the work. Regular expressions in the file, which the Python package runs by Oniguruma, are translated. An
   * expression whose meaning cannot be kept (absent and conditional groups, `\K`, calls of groups, names of blocks,
   * repetitions of nothing, and a few more) is refused. Each call reads the file again; the memory is freed after the
   * last use of the tokenizer.
   *
   * Special tokens in a text are recognised, as in the library, unless `allowedSpecial` says otherwise. The file's
   * settings for truncation and padding do not cut or pad by themselves: they only set the default sides and the
   * padding token of `encodeBatch`. Dropout, which makes ids random in training, is off.
   *
   * A file from an untrusted source may be made to grow texts without end, or to run forever; `limits` prevent that.
   * Any method whose text reaches a limit throws a FormatError.
   *
   * @throws FileError if the file cannot be read; FormatError, with the byte, if it is not JSON, was cut short, or
   * describes something that is not supported; for a pattern also with the place in it.
   */
  static fromFile(path: string, options?: FromFileOptions): Tokenizer {
    const where = 'Tokenizer.fromFile'
    const limits = checkLimits(checkOptions(options, ['limits'], where).limits, `${where}: limits`)
    const full = resolve(checkPath(path, where))
    return Tokenizer.fromBytes(readWhole(full), full, limits)
  }

  /**
   * The tokenizer in a GGUF file of llama.cpp, which is put together again as the tokenizer.json that it was made from:
   * byte-level BPE (`gpt2`, with the way of cutting words that `tokenizer.ggml.pre` names), SentencePiece's BPE
   * (`llama`), WordPiece (`bert`) and Unigram (`t5`). Its ids are those of llama.cpp, which does not normalize texts
   * for the first two kinds. If the file carries the original tokenizer.json, that is read. `limits` are those of
   * `fromFile`.
   *
   * @throws FileError if the file cannot be read; FormatError if it is no GGUF file, has no tokenizer or one of another
   * kind, or cuts words in a way that is not known.
   */
  static fromGGUF(path: string, options?: FromFileOptions): Tokenizer {
    const where = 'Tokenizer.fromGGUF'
    const limits = checkLimits(checkOptions(options, ['limits'], where).limits, `${where}: limits`)
    return Tokenizer.ofGGUF(openGGUF(path, where), limits)
  }

  /** The tokenizer of an open GGUF file. @internal */
  static ofGGUF(opened: OpenedGGUF, limits: Parameters<typeof native.tokenizerFromJson>[3] = {}): Tokenizer {
    const { path } = opened
    return Tokenizer.fromBytes(tokenizerJson(opened), path, limits, () => tokenizerJson(openGGUF(path, path)))
  }

  /** The tokenizer of a file whose bytes were read. @internal */
  static fromBytes(
    bytes: Buffer,
    path: string,
    limits: Parameters<typeof native.tokenizerFromJson>[3] = {},
    read = () => readWhole(path),
  ): Tokenizer {
    const name = basename(path)
    const tokenizer = new Tokenizer(name, call(native.tokenizerFromJson(bytes, path, name, limits)), true, PRIVATE)
    tokenizer.#file = { path, digest: sha256(bytes), read }
    return tokenizer
  }

  /**
   * The file it was read from, with a digest that shows whether the file is still the same; null for an encoding.
   * @internal
   */
  get file(): TokenizerFile | null {
    return this.#file
  }

  /** The options as the native side takes them. */
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
   * The ids of a text. `tiktoken.Encoding.encode`; for a file `tokenizers.Tokenizer.encode`.
   *
   * @throws UsageError if the text has a special token that is not allowed.
   */
  encode(text: string, options?: EncodeOptions): Uint32Array {
    const where = 'Tokenizer.encode'
    const policy = this.#policy(checkOptions(options, OPTIONS, where), where)
    return call(native.tokenizerEncode(this.#native, checkText(text, `${where}: the text`), ...policy))
  }

  /**
   * The ids of a text as `encode` gives them, and where their tokens stand in it, in UTF-16 code units.
   *
   * A token of an encoding may be a part of a character: it stands where the whole character stands, so the next token
   * may begin before this one ends. `tiktoken.Encoding.decode_with_offsets` gives the same beginnings.
   *
   * The places of a file's tokens are those of the library, which leads them back through the normalizer to the text as
   * given, and takes spaces off them if the file's post-processor says so (`trim_offsets`). Tokens that the file adds
   * around a text have the place (0, 0), and what a normalizer puts in has an empty one. `Encoding.offsets`.
   *
   * @throws UsageError if the text has a special token that is not allowed.
   */
  encodeOffsets(text: string, options?: EncodeOptions): LocatedIds {
    const where = 'Tokenizer.encodeOffsets'
    const policy = this.#policy(checkOptions(options, OPTIONS, where), where)
    return call(native.tokenizerEncodeOffsets(this.#native, checkText(text, `${where}: the text`), ...policy))
  }

  /**
   * The ids of all texts. They come end to end, where text i is `ids[offsets[i] .. offsets[i + 1]]`; or, with
   * `padding`, as int32 rows of one length that layers take, with a mask that marks the tokens. It uses all cores if
   * there is enough text. `tiktoken.Encoding.encode_batch`.
   *
   * `maxLength` cuts texts that have more ids; tokens that the file adds around a text are kept, and count.
   *
   * @throws UsageError, which names the first such text, for a special token that is not allowed; and for options that
   * contradict each other.
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
    checkTexts(texts, where)
    // `forEach` would skip the holes of an array.
    for (let i = 0; i < texts.length; i++) checkText(texts[i], `${where}: text ${i}`)
    const { rows, fill } = this.#rows(checkOptions(options, BATCH_OPTIONS, where), texts.length, where)
    const count = texts.length
    if (fill === null)
      return joinedBatch(count, (room) => native.tokenizerEncodeBatch(this.#native, texts as string[], rows, room))
    return paddedBatch(count, (room) => native.tokenizerEncodePadded(this.#native, texts as string[], rows, fill, room))
  }

  /** The options of a batch as the native side takes them. */
  #rows(options: Partial<EncodeOptions & TruncationOptions & PaddingOptions>, count: number, where: string) {
    const [allowed, disallowed, framed] = this.#policy(options, where)
    return {
      rows: { allowed, disallowed, framed, ...cutting(options, this.#sides.truncationLeft, where) },
      fill: padding(options, { left: this.#sides.paddingLeft, id: this.paddingId }, count, where),
    }
  }

  /**
   * `encode` on other threads, for texts that would keep the event loop waiting: those of a megabyte, or with a slow
   * file of ten kilobytes. The ids are the same. A short text is encoded sooner by `encode`.
   *
   * The text is copied out of JavaScript, and the ids are copied back, in turns of some milliseconds. A text that was
   * put together with `+` is copied by V8 at once when it is first read, here as everywhere.
   *
   * @throws The errors of `encode`; AbortedError, whose cause is the signal's reason, as soon as the signal is aborted.
   */
  async encodeAsync(text: string, options?: EncodeOptions & Abortable): Promise<Uint32Array> {
    const where = 'Tokenizer.encodeAsync'
    const checked = checkOptions(options, [...OPTIONS, 'signal'], where)
    const texts = [checkText(text, `${where}: the text`)]
    const { rows } = this.#rows(checked, 1, where)
    const signal = checkSignal(checked.signal, where)
    const { ids } = await encodedBatch({ where, texts, isOne: true, tokenizer: this.#native, rows, signal })
    return ids
  }

  /**
   * `encodeBatch` on other threads. The result is the same, with every option. The texts are copied out of JavaScript,
   * and the ids are copied back, in turns of some milliseconds, so that the event loop never waits longer, however many
   * they are. An array of more than a million texts must not be changed before the promise is settled.
   *
   * @throws The errors of `encodeBatch`; AbortedError, whose cause is the signal's reason, as soon as the signal is
   * aborted.
   */
  encodeBatchAsync(
    texts: readonly string[],
    options: EncodeOptions & TruncationOptions & PaddingOptions & Abortable,
  ): Promise<PaddedBatch>
  encodeBatchAsync(
    texts: readonly string[],
    options?: EncodeOptions & TruncationOptions & Abortable,
  ): Promise<{ ids: Uint32Array; offsets: Uint32Array }>
  async encodeBatchAsync(
    texts: readonly string[],
    options?: EncodeOptions & TruncationOptions & Partial<PaddingOptions> & Abortable,
  ): Promise<PaddedBatch | { ids: Uint32Array; offsets: Uint32Array }> {
    const where = 'Tokenizer.encodeBatchAsync'
    checkTexts(texts, where)
    const checked = checkOptions(options, [...BATCH_OPTIONS, 'signal'], where)
    const { rows, fill } = this.#rows(checked, texts.length, where)
    const signal = checkSignal(checked.signal, where)
    const own = texts.length > COPIED_AT_ONCE ? texts : [...texts]
    const encoding = { where, texts: own, isOne: false, tokenizer: this.#native, rows, signal }
    return fill === null ? encodedBatch(encoding) : encodedRows(encoding, fill)
  }

  /** Number of ids that `encode` gives for a text. For an encoding they are counted without being made. */
  count(text: string, options?: EncodeOptions): number {
    const where = 'Tokenizer.count'
    const policy = this.#policy(checkOptions(options, OPTIONS, where), where)
    return call(native.tokenizerCount(this.#native, checkText(text, `${where}: the text`), ...policy))
  }

  /**
   * The text of ids. Bytes that are not UTF-8, such as half a character, become U+FFFD. `tiktoken.Encoding.decode`; for
   * a tokenizer from a file it is the output of the file's decoder, `tokenizers.Tokenizer.decode`.
   *
   * @throws TokenIndexError for an id that is not a token.
   */
  decode(ids: Ids | ArrayLike<number>, options?: DecodeOptions): string {
    const where = 'Tokenizer.decode'
    const skip = skipsSpecial(options, where)
    const { array, shape } = readList(ids, where)
    return call(native.tokenizerDecode(this.#native, array, skip), shape)
  }

  /** Makes a decoder of ids that come one by one, for example from a model. */
  decoder(options?: DecodeOptions): TokenDecoder {
    return TokenDecoder.over(call(native.decoderNew(this.#native, skipsSpecial(options, 'Tokenizer.decoder'))))
  }

  /**
   * The bytes of text that one id stands for. A token of an encoding may be a part of a character. For a tokenizer from
   * a file they are what `decode` gives for the id alone. `tiktoken.Encoding.decode_single_token_bytes`.
   *
   * @throws TokenIndexError for an id that is not a token.
   */
  tokenBytes(id: number): Uint8Array {
    const { array } = readIds([id], undefined, 'Tokenizer.tokenBytes')
    return call(native.tokenizerDecodeBytes(this.#native, array), [1])
  }

  /**
   * One token as it stands in the vocabulary: for an encoding its text, for a file as the file writes it (`##ing`,
   * `\u2581the`, `\u0120the`). @throws TokenIndexError for an id that is not a token.
   */
  token(id: number): string {
    const { array } = readIds([id], undefined, 'Tokenizer.token')
    return call(native.tokenizerToken(this.#native, array), [1])[0]
  }

  /**
   * A unique name of a token, without spaces: for a file as the file writes it, for an encoding its bytes as GPT-2's
   * `vocab.json` writes them (`\u0120the`). It is undefined for an id that is not a token. @internal
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

/** A tokenizer.json as it was when it was read. @internal */
export interface TokenizerFile {
  readonly path: string
  /** The SHA-256 of its bytes. */
  readonly digest: string
  /** Reads its bytes again. @throws FileError */
  readonly read: () => Buffer
}

const DECODER = new Contents<TokenDecoder>('TokenDecoder', {
  instead: 'it belongs to its thread and to the text that it decodes',
})

/**
 * Decodes ids as they come. No character is ever divided: an incomplete one is held back. The outputs of `write` and
 * `end`, end to end, equal `decode` of all ids. `Tokenizer.decoder` makes one.
 */
export class TokenDecoder {
  readonly #native: ReturnType<typeof native.decoderNew> & object
  /** @internal */
  readonly structuredClone = DECODER.uncloneable

  private constructor(handle: ReturnType<typeof native.decoderNew> & object, key: typeof PRIVATE) {
    if (key !== PRIVATE) throw new UsageError('a TokenDecoder comes from tokenizer.decoder(), not from new')
    this.#native = handle
  }

  /** Makes the decoder of `Tokenizer.decoder`. @internal */
  static over(handle: ReturnType<typeof native.decoderNew> & object): TokenDecoder {
    return new TokenDecoder(handle, PRIVATE)
  }

  /**
   * Takes more ids, and returns the text that they complete, which may be empty. If a file's decoder depends on the
   * tokens that follow, for example on bytes that may form a character together, the text is held back until they come.
   *
   * @throws TokenIndexError for an id that is not a token; none of the ids is taken then.
   */
  write(ids: Ids | ArrayLike<number>): string {
    const { array, shape } = readList(ids, 'TokenDecoder.write')
    return call(native.decoderWrite(this.#native, array), shape)
  }

  /**
   * Ends the text, and returns the rest, with an incomplete character as U+FFFD. The next `write` begins a new text.
   */
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

/** Whether it is an array-like that is neither an array nor a typed array. */
function isList(ids: unknown): ids is ArrayLike<number> {
  const plain = isObject(ids) && !isArray(ids) && !ArrayBuffer.isView(ids) && !(ids instanceof Tensor)
  return plain && 'length' in ids && typeof ids.length === 'number'
}
