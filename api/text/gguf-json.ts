// The tokenizer of a GGUF file, as the tokenizer.json that it was made from, or one that gives the same ids.

import { FormatError } from '../base/errors.js'
import type { Json } from '../base/json.js'
import { CUTTINGS } from './gguf-patterns.js'

/** Where metadata are read, and how errors name the file. */
interface Source {
  readonly metadata: ReadonlyMap<string, Json>
  readonly path: string
}

/** What kinds of tokens there are, by their numbers in the file. */
const UNKNOWN = 2
const CONTROL = 3
const USER_DEFINED = 4

/** A space, as SentencePiece writes it. */
const SPACE = '\u2581'

/**
 * Longest token that is put together; all ways to do so of longer ones, which no vocabulary has, would take forever.
 */
const LONGEST = 1000

/** The vocabulary of a file. */
interface Vocabulary {
  readonly tokens: readonly string[]
  /** The kind of each token; empty if the file does not say. */
  readonly types: readonly number[]
  readonly scores: readonly number[]
  /** Ids by token. */
  readonly ids: ReadonlyMap<string, number>
}

/** Parts of a tokenizer.json. */
interface Parts {
  readonly normalizer: Json
  readonly pre_tokenizer: Json
  readonly decoder: Json
  readonly model: Json
  /** The ids around a text, where the file does not say. */
  readonly begin: number | undefined
  readonly end: number | undefined
}

/**
 * The bytes of a tokenizer.json that gives the ids of llama.cpp. If the file carries the original, they are that.
 * @internal
 *
 * @throws FormatError, which names what is missing, for a file without a tokenizer or with one of another kind.
 */
export function tokenizerJson(source: Source): Buffer {
  const original = source.metadata.get('tokenizer.huggingface.json')
  if (typeof original === 'string' && original !== '') return Buffer.from(original)
  const model = source.metadata.get('tokenizer.ggml.model')
  if (model === undefined) throw wrong(source, 'it has no tokenizer: tokenizer.ggml.model is missing')
  const maker = typeof model === 'string' && Object.hasOwn(MODELS, model) ? MODELS[model] : undefined
  if (maker === undefined) {
    throw wrong(
      source,
      `its tokenizer is of the kind ${JSON.stringify(model)}, and known are ${Object.keys(MODELS).join(', ')}: take the tokenizer.json of the same model`,
    )
  }
  const vocabulary = readVocabulary(source)
  const { begin, end, ...parts } = maker(source, vocabulary)
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens(vocabulary),
    ...parts,
    post_processor: around(vocabulary, begin, end),
  }
  return Buffer.from(JSON.stringify(json))
}

const MODELS: Record<string, (source: Source, vocabulary: Vocabulary) => Parts> = {
  gpt2: byteLevel,
  llama: sentencePieceBpe,
  bert: wordPiece,
  t5: unigram,
}

function wrong({ path }: Source, message: string): FormatError {
  return new FormatError(`${path}: ${message}`, path, 0)
}

function list<T>(source: Source, key: string, test: (value: Json) => boolean, what: string): readonly T[] | undefined {
  const value = source.metadata.get(key)
  if (value === undefined) return undefined
  if (!Array.isArray(value) || !value.every(test)) throw wrong(source, `${key} is no array of ${what}`)
  return value as readonly T[]
}

const isText = (value: Json) => typeof value === 'string'
/** JSON has no NaN and no infinities: they arrive as null. */
const isNumber = (value: Json) => typeof value === 'number'

function readVocabulary(source: Source): Vocabulary {
  const named = list<string>(source, 'tokenizer.ggml.tokens', isText, 'texts')
  if (named === undefined || named.length === 0) throw wrong(source, 'tokenizer.ggml.tokens is missing')
  const tokens = named.map((token, id) => token || `[EMPTY_${id}]`)
  const types = list<number>(source, 'tokenizer.ggml.token_type', isNumber, 'numbers') ?? []
  const scores = list<number>(source, 'tokenizer.ggml.scores', isNumber, 'finite numbers') ?? []
  for (const [key, { length }] of Object.entries({ token_type: types, scores })) {
    if (length !== 0 && length !== tokens.length)
      throw wrong(source, `tokenizer.ggml.${key} has ${length} elements, and there are ${tokens.length} tokens`)
  }
  return { tokens, types, scores, ids: new Map(tokens.map((token, id) => [token, id])) }
}

/** The id of a token that has a role, which must be a token. */
function idOf(source: Source, key: string, { tokens }: Vocabulary, otherwise?: number): number | undefined {
  const id = source.metadata.get(`tokenizer.ggml.${key}`) ?? otherwise
  return typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < tokens.length ? id : undefined
}

function flag({ metadata }: Source, key: string, otherwise: boolean): boolean {
  const value = metadata.get(`tokenizer.ggml.${key}`)
  return typeof value === 'boolean' ? value : otherwise
}

/** The ids around a text, of which the file says whether there are any. */
function ends(source: Source, vocabulary: Vocabulary, begins: boolean, stops: boolean, bos?: number, eos?: number) {
  return {
    begin: flag(source, 'add_bos_token', begins) ? idOf(source, 'bos_token_id', vocabulary, bos) : undefined,
    end: flag(source, 'add_eos_token', stops) ? idOf(source, 'eos_token_id', vocabulary, eos) : undefined,
  }
}

/** Tokens that are found in a text before it is cut. */
function addedTokens({ tokens, types, ids }: Vocabulary): Json[] {
  const added: Json[] = []
  types.forEach((type, id) => {
    const content = tokens[id]
    if (type !== UNKNOWN && type !== CONTROL && type !== USER_DEFINED) return
    // Of tokens that are there twice, the last one is meant.
    if (ids.get(content) !== id) return
    const special = type !== USER_DEFINED
    added.push({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special })
  })
  return added
}

function around({ tokens }: Vocabulary, begin: number | undefined, end: number | undefined): Json {
  if (begin === undefined && end === undefined) return null
  const special = (id: number, type: number) => ({ SpecialToken: { id: tokens[id], type_id: type } })
  const wrapped = (id: 'A' | 'B', type: number) => [
    ...(begin === undefined ? [] : [special(begin, type)]),
    { Sequence: { id, type_id: type } },
    ...(end === undefined ? [] : [special(end, type)]),
  ]
  const both = [begin, end].filter((id) => id !== undefined)
  return {
    type: 'TemplateProcessing',
    single: wrapped('A', 0),
    pair: [...wrapped('A', 0), ...wrapped('B', 1)],
    special_tokens: Object.fromEntries(
      both.map((id) => [tokens[id], { id: tokens[id], ids: [id], tokens: [tokens[id]] }]),
    ),
  }
}

/** GPT-2's kind: words of bytes, each byte as a character, put together by merges. */
function byteLevel(source: Source, vocabulary: Vocabulary): Parts {
  const pre = source.metadata.get('tokenizer.ggml.pre') ?? 'default'
  const cutting = typeof pre === 'string' ? CUTTINGS.get(pre) : undefined
  if (cutting === undefined) {
    throw wrong(
      source,
      `tokenizer.ggml.pre is ${JSON.stringify(pre)}, whose way of cutting words is not known: take the tokenizer.json of the same model`,
    )
  }
  const { ids } = vocabulary
  const lines = list<string>(source, 'tokenizer.ggml.merges', isText, 'texts')
  if (lines === undefined) throw wrong(source, 'tokenizer.ggml.merges is missing')
  const merges: [string, string][] = []
  for (const line of lines) {
    // The first character belongs to a token, even if it is a space.
    const space = line.indexOf(' ', 1)
    const pair: [string, string] = [line.slice(0, space), line.slice(space + 1)]
    // What makes no token cannot be told from what was never put together.
    if (space > 0 && ids.has(pair[0]) && ids.has(pair[1]) && ids.has(pair[0] + pair[1])) merges.push(pair)
  }
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }
  return {
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        ...cutting.patterns.map((Regex) => ({
          type: 'Split',
          pattern: { Regex },
          behavior: 'Isolated',
          invert: false,
        })),
        bytes,
      ],
    },
    decoder: bytes,
    model: bpe(vocabulary, merges, { ignore_merges: cutting.ignoreMerges === true }),
    ...ends(source, vocabulary, cutting.begins === true, false),
  }
}

function bpe({ ids }: Vocabulary, merges: [string, string][], more: Record<string, Json>): Json {
  return {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    ...more,
    vocab: Object.fromEntries(ids),
    merges,
  }
}

/**
 * SentencePiece's BPE, which has scores and no merges: of all neighbours that together are a token, those with the
 * highest score become one first. As merges these are all ways to put a token together, in the order of the scores.
 */
function sentencePieceBpe(source: Source, vocabulary: Vocabulary): Parts {
  const { tokens, scores, ids } = vocabulary
  if (scores.length === 0) throw wrong(source, 'tokenizer.ggml.scores is missing')
  const spaced = flag(source, 'add_space_prefix', true)
  const found: { pair: [string, string]; id: number }[] = []
  const lengths = new Set(tokens.map((token) => token.length))
  tokens.forEach((token, id) => {
    if (ids.get(token) !== id || token.length > LONGEST) return
    for (let at = token.codePointAt(0)! > 0xffff ? 2 : 1; at < token.length; at++) {
      // Between the halves of a surrogate pair there is no place to cut.
      const unit = token.charCodeAt(at)
      if (unit >= 0xdc00 && unit <= 0xdfff) continue
      // Most places are ruled out by the lengths of tokens, which costs nothing.
      if (!lengths.has(at) || !lengths.has(token.length - at)) continue
      const pair: [string, string] = [token.slice(0, at), token.slice(at)]
      if (ids.has(pair[0]) && ids.has(pair[1])) found.push({ pair, id })
    }
  })
  found.sort((a, b) => scores[b.id] - scores[a.id])
  const unknown = idOf(source, 'unknown_token_id', vocabulary, 0)
  const space = { type: 'Replace', pattern: { String: ' ' }, content: SPACE }
  return {
    normalizer: {
      type: 'Sequence',
      normalizers: [...(spaced ? [{ type: 'Prepend', prepend: SPACE }] : []), space],
    },
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(spaced ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: bpe(
      vocabulary,
      found.map(({ pair }) => pair),
      { unk_token: unknown === undefined ? null : tokens[unknown], fuse_unk: true, byte_fallback: true },
    ),
    ...ends(source, vocabulary, true, false, 1, 2),
  }
}

/** BERT's WordPiece. The file marks the beginnings of words; the original marks what goes on, by `##`. */
function wordPiece(source: Source, vocabulary: Vocabulary): Parts {
  const unmarked = vocabulary.tokens.map((token) => {
    if (token.startsWith(SPACE)) return token.slice(1)
    return token.startsWith('[') && token.endsWith(']') && token.length > 1 ? token : `##${token}`
  })
  const vocab: Record<string, number> = Object.fromEntries(unmarked.map((token, id) => [token, id]))
  // A vocabulary with capital letters was made for texts that keep them.
  const cased = unmarked.some((token) => /^[A-Z]/.test(token))
  const unknown = idOf(source, 'unknown_token_id', vocabulary, 100)
  if (unknown === undefined) throw wrong(source, 'tokenizer.ggml.unknown_token_id is no token')
  return {
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: !cased,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: unmarked[unknown],
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab,
    },
    begin: idOf(source, 'bos_token_id', vocabulary) ?? idOf(source, 'cls_token_id', vocabulary, 101),
    end: idOf(source, 'seperator_token_id', vocabulary, 102),
  }
}

/** SentencePiece's Unigram. */
function unigram(source: Source, vocabulary: Vocabulary): Parts {
  const { tokens, scores, types } = vocabulary
  if (scores.length === 0) throw wrong(source, 'tokenizer.ggml.scores is missing')
  const map = list<number>(source, 'tokenizer.ggml.precompiled_charsmap', isNumber, 'bytes')
  const spaced = flag(source, 'add_space_prefix', false)
  const normalizers: Json[] = []
  if (map !== undefined && map.length > 0) {
    normalizers.push({
      type: 'Precompiled',
      precompiled_charsmap: Buffer.from(Uint8Array.from(map)).toString('base64'),
    })
  }
  if (flag(source, 'remove_extra_whitespaces', false)) {
    normalizers.push(
      { type: 'Strip', strip_left: true, strip_right: true },
      { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' },
    )
  }
  // A token that goes on after a space needs the whole text; otherwise words are looked up one by one, which is faster.
  const split = !tokens.some((token, id) => types[id] !== CONTROL && token.indexOf(SPACE, 1) > 0)
  const spaces = { type: 'Metaspace', replacement: SPACE, prepend_scheme: spaced ? 'always' : 'never', split }
  return {
    normalizer: normalizers.length === 0 ? null : { type: 'Sequence', normalizers },
    pre_tokenizer: spaces,
    decoder: spaces,
    model: {
      type: 'Unigram',
      unk_id: idOf(source, 'unknown_token_id', vocabulary, 2) ?? null,
      vocab: tokens.map((token, id) => [token, types[id] === USER_DEFINED ? 0 : scores[id]]),
      byte_fallback: false,
    },
    ...ends(source, vocabulary, false, true, undefined, 1),
  }
}
