// Text to ids and back: tiktoken's encodings, and files of the Hugging Face library.

import { basename, resolve } from 'node:path'
import { types } from 'node:util'
import { nameOfBytes } from './byte-names.js'
import { decodeRows, type DecodedBatch } from './decode-batch.js'
import {
  checkLimits,
  type Abortable,
  type DecodeOptions,
  type EncodedPair,
  type EncodeOptions,
  type FromFileOptions,
  type LocatedIds,
  type PairOptions,
  type PretokenizedOptions,
  type SpecialOptions,
} from './encode-options.js'
import { tokenizerJson } from './gguf-json.js'
import { Contents } from '../base/contents.js'
import { sha256 } from '../base/late.js'
import { TokenIndexError, UnknownTokenError, UsageError } from '../base/errors.js'
import { openGGUF, type OpenedGGUF } from '../files/gguf.js'
import { readIds, type Ids } from '../tensor/ids.js'
import { call, failureOf, native } from '../native/native.js'
import { readWhole } from '../base/read-file.js'
import { checkSignal } from '../layers/async.js'
import { encodedBatch, encodedRows } from './encode-async.js'
import { encodingNameOf, type EncodingName } from './models-encodings.js'
import {
  cutting,
  joinedBatch,
  paddedBatch,
  PADDING_OPTIONS,
  padding,
  type EncodedBatch,
  type PaddedBatch,
  type PaddingOptions,
  type Samples,
  type TruncationOptions,
} from './padding.js'
import { cutOf, paired, PAIR_OPTIONS } from './pair.js'
import type { TokenizerFile } from './tokenizer-file.js'
import { disposed, guardReceivers, isInstance } from '../base/receivers.js'
import { readList, skipsSpecial, TokenDecoder } from './token-decoder.js'
import {
  checkAttached,
  checkBoolean,
  checkOptions,
  checkPath,
  checkText,
  show,
  type FilePath,
} from '../base/validate.js'
import { readVocabulary } from './vocabulary.js'
import { tokenizerFile } from './vocabulary-files.js'
import { atWords, checkTexts, isPretokenized, textList, type Texts } from './words.js'

const OPTIONS = ['allowedSpecial', 'disallowedSpecial', 'addSpecialTokens']
const TEXT_OPTIONS = [...OPTIONS, 'pretokenized']
/** Arrays of at most so many texts are copied at the call of an asynchronous method, which takes a few milliseconds. */
const COPIED_AT_ONCE = 1e6
const BATCH_OPTIONS = [...TEXT_OPTIONS, ...PADDING_OPTIONS]

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

type BatchOptions = EncodeOptions & PretokenizedOptions & TruncationOptions
interface Overflowing {
  overflow: true
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
   * The part of the file because of which the engine is `tokenizers`, such as `pre_tokenizer: UnicodeScripts`; null if
   * it is native.
   */
  readonly engineReason: string | null
  readonly #handle: Handle
  /** Whether something else may use the native tokenizer later. */
  #isLent = false
  #isGone = false
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
    this.#handle = handle
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
   * The tokenizer of an encoding: `gpt2`, also called `r50k_base`; `p50k_base` and `p50k_edit` (Codex); `cl100k_base`
   * (GPT-3.5, GPT-4); `o200k_base` (GPT-4o and later); `o200k_harmony` (gpt-oss). Its vocabulary is read at the first
   * call and kept. `tiktoken.get_encoding`.
   *
   * @throws UsageError, which lists the known names, for another name.
   */
  static load(name: EncodingName): Tokenizer {
    const known = loaded.get(checkText(name, 'Tokenizer.load: the name of an encoding'))
    if (known) return known
    const vocabulary = readVocabulary(call(native.encodingVocabulary(name)))
    const tokenizer = new Tokenizer(name, call(native.tokenizerNew(name, vocabulary)), false, PRIVATE)
    loaded.set(name, tokenizer)
    return tokenizer
  }

  /**
   * The tokenizer of a model of OpenAI's by the model's name, such as `gpt-4o` or `gpt-3.5-turbo-0125`.
   * `tiktoken.encoding_for_model`.
   *
   * @throws UsageError for a model that is not known.
   */
  static encodingForModel(model: string): Tokenizer {
    return Tokenizer.load(encodingNameOf(model, 'Tokenizer.encodingForModel'))
  }

  /** The native tokenizer. The guard asks when a call begins, and options of a call may run code of a caller. */
  get #native(): Handle {
    if (this.#isGone) throw disposed('Tokenizer', 'encode')
    return this.#handle
  }

  /** The native tokenizer for what outlives this call. */
  #lent(): Handle {
    this.#isLent = true
    return this.#native
  }

  /** The native tokenizer and the special tokens, for streams of text. @internal */
  forStream(options: SpecialOptions, where: string): [Handle, string[] | undefined, string[] | undefined] {
    const [allowed, disallowed] = this.#policy(options, where)
    return [this.#lent(), allowed, disallowed]
  }

  /**
   * The tokenizer that a Hugging Face `tokenizer.json` describes: BPE, WordPiece, Unigram or WordLevel, with its
   * normalizer, pre-tokenizer, post-processor and decoder. Its ids are those of the library, whose Rust crate (0.23)
   * does the work. Regular expressions in the file, which the Python package runs by Oniguruma, are translated. An
   * expression whose meaning cannot be kept (absent and conditional groups, `\K`, calls of groups, names of blocks,
   * repetitions of nothing, and a few more) is refused. Each call reads the file again; the memory is freed after the
   * last use of the tokenizer.
   *
   * Other files that describe a tokenizer are read, too: a `vocab.txt` of WordPiece (BERT); a `vocab.json` with its
   * `merges.txt` beside it (GPT-2, RoBERTa); and `.tiktoken` ranks, with `pattern`. Of a folder it is the first of
   * these that is there.
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
  static fromFile(path: FilePath, options?: FromFileOptions): Tokenizer {
    const where = 'Tokenizer.fromFile'
    const checked = checkOptions(options, ['limits', 'pattern', 'specialTokens', 'lowercase'], where)
    const limits = checkLimits(checked.limits, `${where}: limits`)
    const { bytes, path: file, read } = tokenizerFile(resolve(checkPath(path, where)), checked, where)
    return Tokenizer.fromBytes(bytes, file, limits, read, true)
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
  static fromGGUF(path: FilePath, options?: Pick<FromFileOptions, 'limits'>): Tokenizer {
    const where = 'Tokenizer.fromGGUF'
    const limits = checkLimits(checkOptions(options, ['limits'], where).limits, `${where}: limits`)
    return Tokenizer.ofGGUF(openGGUF(path, where), limits)
  }

  /** The tokenizer of an open GGUF file. @internal */
  static ofGGUF(opened: OpenedGGUF, limits: Parameters<typeof native.tokenizerFromJson>[3] = {}): Tokenizer {
    const { path } = opened
    return Tokenizer.fromBytes(tokenizerJson(opened), path, limits, () => tokenizerJson(openGGUF(path, path)))
  }

  /**
   * The tokenizer of a file whose bytes were read. If they are `spent`, nobody needs them afterwards, and their memory
   * is freed at once. @internal
   */
  static fromBytes(
    bytes: Buffer,
    path: string,
    limits: Parameters<typeof native.tokenizerFromJson>[3] = {},
    read = () => readWhole(path),
    spent = false,
  ): Tokenizer {
    const name = basename(path)
    const digest = sha256(bytes)
    // A small buffer of Node's shares its memory with others.
    const isAlone = bytes.byteLength === bytes.buffer.byteLength
    const freed = spent && isAlone ? (bytes.buffer as ArrayBuffer) : null
    const made = call(native.tokenizerFromJson(bytes, path, name, limits, freed))
    const tokenizer = new Tokenizer(name, made, true, PRIVATE)
    tokenizer.#file = { path, digest, read }
    return tokenizer
  }

  /** `fromBytes` of a file with the usual limits, on another thread. @internal */
  static async readBytes(bytes: Buffer, path: string): Promise<Tokenizer> {
    const name = basename(path)
    const digest = sha256(bytes)
    const { tokenizer: made, failure } = await call(native.tokenizerRead(bytes, path, name))
    if (!made) throw failureOf(failure)
    const tokenizer = new Tokenizer(name, made, true, PRIVATE)
    tokenizer.#file = { path, digest, read: () => readWhole(path) }
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
  encode(text: string, options?: EncodeOptions & { pretokenized?: false }): Uint32Array
  encode(words: readonly string[], options: EncodeOptions & { pretokenized: true }): Uint32Array
  encode(text: string | readonly string[], options?: EncodeOptions & PretokenizedOptions): Uint32Array {
    const where = 'Tokenizer.encode'
    const checked = checkOptions(options, TEXT_OPTIONS, where)
    if (!isPretokenized(checked, where)) {
      const policy = this.#policy(checked, where)
      return call(native.tokenizerEncode(this.#native, checkText(text, `${where}: the text`), ...policy))
    }
    const { texts, words } = textList([text] as Texts, true, where)
    const { rows } = this.#rows({ ...checked, words }, 1, where)
    return joinedBatch(false, (room) => native.tokenizerEncodeBatch(this.#native, texts, rows, room)).ids
  }

  /**
   * The ids of a text as `encode` gives them, and where their tokens stand in it, in UTF-16 code units.
   *
   * A token of an encoding may be a part of a character: it stands where the whole character stands, so the next token
   * may begin before this one ends. `tiktoken.Encoding.decode_with_offsets` gives the same beginnings.
   *
   * The places of a file's tokens are those of the library, which leads them back through the normalizer to the text as
   * given, and takes spaces off them if the file's post-processor says so (`trim_offsets`). Tokens that the file adds
   * around a text have the place (0, 0), and what a normalizer puts in has an empty one. `Encoding.offsets`. The places
   * of `pretokenized` words count in each word.
   *
   * @throws UsageError if the text has a special token that is not allowed.
   */
  encodeOffsets(text: string, options?: EncodeOptions & { pretokenized?: false }): LocatedIds
  encodeOffsets(words: readonly string[], options: EncodeOptions & { pretokenized: true }): LocatedIds
  encodeOffsets(text: string | readonly string[], options?: EncodeOptions & PretokenizedOptions): LocatedIds {
    const where = 'Tokenizer.encodeOffsets'
    const checked = checkOptions(options, TEXT_OPTIONS, where)
    const [allowed, disallowed, framed] = this.#policy(checked, where)
    if (!isPretokenized(checked, where))
      return this.#located(checkText(text, `${where}: the text`), allowed, disallowed, framed)
    const { texts } = textList([text] as Texts, true, where)
    const [before, after] = framed ? call(native.tokenizerFrame(this.#native)) : [[], []]
    return atWords(
      texts.map((word) => this.#located(word, allowed, disallowed, false)),
      before,
      after,
    )
  }

  #located(text: string, ...policy: Policy): LocatedIds {
    const { words, ...located } = call(native.tokenizerEncodeOffsets(this.#native, text, ...policy))
    // The largest number, for no word, is -1 as a signed one.
    return { ...located, wordIds: new Int32Array(words.buffer, words.byteOffset, words.length) }
  }

  /**
   * Two texts as one list of ids, with what the file puts around and between them, as models that compare texts take
   * them; an encoding puts nothing there. `typeIds` are the model's segment ids. `tokenizers.Tokenizer.encode` with a
   * pair.
   *
   * @throws UsageError for a special token that is not allowed, and if `truncation` names a text that is too short for
   * `maxLength`; FormatError if the file's post-processor takes no pairs.
   */
  encodePair(first: string, second: string, options?: PairOptions): EncodedPair {
    const where = 'Tokenizer.encodePair'
    const checked = checkOptions(options, [...OPTIONS, ...PAIR_OPTIONS], where)
    const [allowed, disallowed, framed] = this.#policy(checked, where)
    const cut = cutOf(checked, this.#sides.truncationLeft, where)
    // What is around a text has a say in the places of its tokens.
    const [before, after] = framed ? call(native.tokenizerFrame(this.#native)) : [[], []]
    const bare = (text: unknown, name: string): LocatedIds => {
      const all = this.#located(checkText(text, `${where}: ${name}`), allowed, disallowed, framed)
      const part = <A extends Uint32Array | Int32Array>(array: A) =>
        array.subarray(before.length, array.length - after.length) as A
      return { ids: part(all.ids), starts: part(all.starts), ends: part(all.ends), wordIds: part(all.wordIds) }
    }
    const texts = [bare(first, 'the first text'), bare(second, 'the second text')] as const
    return paired(this.#native, framed, texts, cut, where)
  }

  /**
   * The ids of all texts. They come end to end, where text i is `ids[offsets[i] .. offsets[i + 1]]`; or, with
   * `padding`, as int32 rows of one length that layers take, with a mask that marks the tokens. Both are bags that
   * `EmbeddingBag.forward` takes. It uses all cores if there is enough text. `tiktoken.Encoding.encode_batch`.
   *
   * `maxLength` cuts texts that have more ids; tokens that the file adds around a text are kept, and count. With
   * `overflow` the rest of a text becomes further rows.
   *
   * @throws UsageError, which names the first such text, for a special token that is not allowed; and for options that
   * contradict each other.
   */
  encodeBatch(texts: Texts, options: BatchOptions & PaddingOptions & Overflowing): PaddedBatch & Samples
  encodeBatch(texts: Texts, options: BatchOptions & Overflowing): EncodedBatch & Samples
  encodeBatch(texts: Texts, options: BatchOptions & PaddingOptions): PaddedBatch
  encodeBatch(texts: Texts, options?: BatchOptions): EncodedBatch
  encodeBatch(texts: Texts, options?: BatchOptions & Partial<PaddingOptions>): PaddedBatch | EncodedBatch {
    const where = 'Tokenizer.encodeBatch'
    checkTexts(texts, where)
    const checked = checkOptions(options, BATCH_OPTIONS, where)
    const { texts: all, words } = textList(texts, isPretokenized(checked, where), where)
    const { rows, fill } = this.#rows({ ...checked, words }, texts.length, where)
    const tells = rows.overlap !== undefined
    if (fill === null) return joinedBatch(tells, (room) => native.tokenizerEncodeBatch(this.#native, all, rows, room))
    return paddedBatch(tells, (room) => native.tokenizerEncodePadded(this.#native, all, rows, fill, room))
  }

  /** The options of a batch as the native side takes them. */
  #rows(options: Partial<BatchOptions & PaddingOptions> & { words?: number[] }, count: number, where: string) {
    const [allowed, disallowed, framed] = this.#policy(options, where)
    const { words } = options
    return {
      rows: { allowed, disallowed, framed, words, ...cutting(options, this.#sides.truncationLeft, where) },
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
    const { ids } = await encodedBatch({ where, texts, isOne: true, tokenizer: this.#lent(), rows, signal })
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
    texts: Texts,
    options: BatchOptions & PaddingOptions & Overflowing & Abortable,
  ): Promise<PaddedBatch & Samples>
  encodeBatchAsync(texts: Texts, options: BatchOptions & Overflowing & Abortable): Promise<EncodedBatch & Samples>
  encodeBatchAsync(texts: Texts, options: BatchOptions & PaddingOptions & Abortable): Promise<PaddedBatch>
  encodeBatchAsync(texts: Texts, options?: BatchOptions & Abortable): Promise<EncodedBatch>
  async encodeBatchAsync(
    texts: Texts,
    options?: BatchOptions & Partial<PaddingOptions> & Abortable,
  ): Promise<PaddedBatch | EncodedBatch> {
    const where = 'Tokenizer.encodeBatchAsync'
    checkTexts(texts, where)
    const checked = checkOptions(options, [...BATCH_OPTIONS, 'signal'], where)
    const cut = isPretokenized(checked, where)
    const { texts: all, words } = cut ? textList(texts, true, where) : { texts: texts as string[], words: undefined }
    const { rows, fill } = this.#rows({ ...checked, words }, texts.length, where)
    const signal = checkSignal(checked.signal, where)
    const own = cut || all.length > COPIED_AT_ONCE ? all : [...all]
    const encoding = { where, texts: own, isOne: false, tokenizer: this.#lent(), rows, signal }
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

  /**
   * The texts of several lists of ids: an array of lists, rows as a 2-D tensor, or what `encodeBatch` gives, without
   * its padding. `tokenizers.Tokenizer.decode_batch`.
   *
   * @throws TokenIndexError for an id that is not a token.
   */
  decodeBatch(batch: DecodedBatch, options?: DecodeOptions): string[] {
    const where = 'Tokenizer.decodeBatch'
    const skip = skipsSpecial(options, where)
    return decodeRows(batch, where, (ids) => call(native.tokenizerDecode(this.#native, ids, skip), [ids.length]))
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
   * The id of a token: for a file as the file writes it, for an encoding by its text or its bytes.
   * `tokenizers.Tokenizer.token_to_id`; `tiktoken.Encoding.encode_single_token`.
   *
   * @throws UnknownTokenError if it is not one token; `nearest` has the tokens that its text is cut into.
   */
  id(token: string | Uint8Array): number {
    const where = 'Tokenizer.id'
    if (types.isUint8Array(token)) checkAttached(token, `${where}: the token`)
    // Bytes may be shared with another thread, which may change them.
    const bytes = types.isUint8Array(token)
      ? Uint8Array.from(token)
      : Buffer.from(checkText(token, `${where}: the token`))
    const id = call(native.tokenizerId(this.#native, bytes))
    if (id >= 0) return id
    const text = typeof token === 'string' ? token : Buffer.from(bytes).toString('utf8')
    throw new UnknownTokenError(`${where}: ${show(token)} is not a token of ${this.name}`, text, () =>
      Array.from(this.encode(text, { disallowedSpecial: new Set(), addSpecialTokens: false }).subarray(0, 8), (it) =>
        this.token(it),
      ),
    )
  }

  /**
   * All tokens and their ids, by id: for a file as the file writes them, for an encoding with each byte as a character
   * as in GPT-2's `vocab.json` (`\u0120the`), since a token need not be text. A new map at each call, which takes some
   * ten milliseconds. `tokenizers.Tokenizer.get_vocab`.
   */
  vocabulary(): Map<string, number> {
    const all = new Map<string, number>()
    call(native.tokenizerVocabulary(this.#native, 0, this.vocabSize)).forEach((token, id) => {
      if (typeof token === 'string' && !all.has(token)) all.set(token, id)
    })
    return all
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

  /**
   * Frees the vocabulary: at once, or, where a loader, an embedder or a call under way uses it, when they are done.
   * Every later use is a UsageError. `Tokenizer.load` reads the vocabulary of an encoding again.
   */
  dispose(): void {
    if (this.#isGone) return
    this.#isGone = true
    if (loaded.get(this.name) === this) loaded.delete(this.name)
    if (!this.#isLent) native.externalRelease(this.#handle)
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #handle in value && isInstance(this, Tokenizer, value)
  }

  static {
    guardReceivers(
      this,
      (value) => #handle in value,
      [],
      (value) => (value as Tokenizer).#isGone,
    )
    CONTENTS.guard(this, (value) => #handle in value)
  }
}

/** Makes the constructors private at run time too. */
const PRIVATE = Symbol('by Tokenizer.load')
