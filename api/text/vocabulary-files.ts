// Tokenizers that lie in other files than a tokenizer.json: vocab.txt of BERT, vocab.json and merges.txt of GPT-2, and
// ranks of tiktoken. Each becomes the tokenizer.json that gives the same ids.

import { isUtf8 } from 'node:buffer'
import { basename, dirname, join } from 'node:path'
import { nameOfBytes } from './byte-names.js'
import { NAMED_PATTERNS } from './gguf-patterns.js'
import { FileError, FormatError, UsageError } from '../base/errors.js'
import type { Json } from '../base/json.js'
import { isFolder, isThere, namesIn } from '../base/look.js'
import { readWhole } from '../base/read-file.js'
import { checkBoolean, checkSize, checkText, isArray, isObject, show } from '../base/validate.js'
import type { FromFileOptions } from './encode-options.js'

type Reader = (path: string, options: FromFileOptions, where: string) => Buffer

/** The options that each kind of file takes besides `limits`. */
const TAKES: Record<Kind, readonly string[]> = {
  json: [],
  words: ['lowercase', 'specialTokens'],
  merges: ['specialTokens'],
  ranks: ['pattern', 'specialTokens'],
}

type Kind = 'json' | 'words' | 'merges' | 'ranks'

const READERS: Record<Kind, Reader> = { json: (path) => readWhole(path), words, merges, ranks }

/** The bytes of a tokenizer.json for a file or a folder, and how they are made again. @internal */
export function tokenizerFile(
  given: string,
  options: FromFileOptions,
  where: string,
): { bytes: Buffer; path: string; read: () => Buffer } {
  const path = isFolder(given) ? inFolder(given) : given
  const kind = kindOf(path)
  for (const name of ['pattern', 'specialTokens', 'lowercase'] as const) {
    if (options[name] !== undefined && !TAKES[kind].includes(name))
      throw new UsageError(`${where}: ${name} is not for ${basename(path)}, which says that itself`)
  }
  const read = () => READERS[kind](path, options, where)
  return { bytes: read(), path, read }
}

/** The file of a folder that describes its tokenizer. */
function inFolder(folder: string): string {
  const known = ['tokenizer.json', 'vocab.json', 'vocab.txt'].map((name) => join(folder, name))
  const found = known.find((path) => isThere(path) && (kindOf(path) !== 'merges' || isThere(partner(path))))
  if (found !== undefined) return found
  const ranks = namesIn(folder).filter((name) => name.endsWith('.tiktoken'))
  if (ranks.length === 1) return join(folder, ranks[0])
  const why =
    ranks.length > 1
      ? `it has several .tiktoken files (${ranks.join(', ')}): give the path of one`
      : 'it is a folder that has no tokenizer.json, vocab.json with merges.txt, vocab.txt or .tiktoken file'
  throw new FileError(`cannot read a tokenizer from ${folder}: ${why}`, folder, undefined)
}

function kindOf(path: string): Kind {
  const name = basename(path).toLowerCase()
  if (name.endsWith('.tiktoken')) return 'ranks'
  if (name.endsWith('merges.txt') || name.endsWith('vocab.json')) return 'merges'
  return name.endsWith('.txt') ? 'words' : 'json'
}

/** The path of the merges of a vocabulary, or the other way round. */
function partner(path: string): string {
  const name = basename(path)
  const other = /merges\.txt$/i.test(name)
    ? name.replace(/merges\.txt$/i, 'vocab.json')
    : name.replace(/vocab\.json$/i, 'merges.txt')
  return join(dirname(path), other)
}

/** A file of JSON beside another one, such as tokenizer_config.json; empty if there is none. */
function beside(path: string, name: string): Record<string, unknown> {
  const other = join(dirname(path), name)
  if (!isThere(other)) return {}
  const parsed = parse(other)
  if (!isObject(parsed) || isArray(parsed)) throw new FormatError(`${other}: it must be an object`, other, 0)
  return parsed as Record<string, unknown>
}

function parse(path: string): unknown {
  try {
    return JSON.parse(readWhole(path).toString('utf8')) as unknown
  } catch (error) {
    if (error instanceof FileError) throw error
    throw new FormatError(`${path}: it is not JSON: ${(error as Error).message}`, path, 0)
  }
}

/** The lines of a text, and the byte at which each begins. An empty last line is none. */
function linesOf(path: string): { line: string; offset: number }[] {
  const bytes = readWhole(path)
  const lines: { line: string; offset: number }[] = []
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(10, start)
    const stop = end < 0 ? bytes.length : end
    lines.push({ line: bytes.toString('utf8', start, stop).replace(/\r$/, ''), offset: start })
    start = stop + 1
  }
  return lines
}

/** The names that tokenizer_config.json gives to special tokens. */
function configured(config: Record<string, unknown>): string[] {
  const names = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']
  return names.flatMap((name) => {
    const value = config[name]
    const text = isObject(value) && 'content' in value ? value.content : value
    return typeof text === 'string' && text !== '' ? [text] : []
  })
}

/** Adds the special tokens to a vocabulary, and returns their ids. */
function special(
  ids: Map<string, number>,
  options: FromFileOptions,
  otherwise: readonly string[],
  where: string,
): Map<string, number> {
  const given = options.specialTokens
  const name = `${where}: specialTokens`
  const tokens = new Map<string, number>()
  const known = (token: string) => {
    const id = ids.get(token)
    if (id === undefined)
      throw new UsageError(
        `${name}: ${show(token)} is not in the vocabulary: give its id, as { ${JSON.stringify(token)}: id }`,
      )
    return id
  }
  if (given === undefined) for (const token of otherwise) if (ids.has(token)) tokens.set(token, known(token))
  if (isArray(given)) for (const token of given) tokens.set(checkText(token, `${name}: a token`), known(token))
  else if (given !== undefined) {
    if (!isObject(given))
      throw new UsageError(`${name} must be an object of ids or an array of names, not ${show(given)}`)
    const used = new Map([...ids].map(([token, id]) => [id, token]))
    for (const [token, value] of Object.entries(given)) {
      const id = checkSize(value, `${name}: the id of ${show(token)}`, 0, 2 ** 31 - 1)
      const other = used.get(id)
      if (token === '' || (other !== undefined && other !== token) || (ids.get(token) ?? id) !== id)
        throw new UsageError(
          `${name}: ${show(token)} cannot have the id ${id}: ${other === undefined ? 'it has another' : `that of ${show(other)}`}`,
        )
      tokens.set(token, id)
      ids.set(token, id)
      used.set(id, token)
    }
  }
  return new Map([...tokens].sort((a, b) => a[1] - b[1]))
}

/** A vocabulary as JSON. An object of JavaScript's would lose the order, and `__proto__`. */
const written = (ids: ReadonlyMap<string, number>) =>
  `{${Array.from(ids, ([token, id]) => `${JSON.stringify(token)}:${id}`).join(',')}}`

/** The bytes of a tokenizer.json; `vocab` stands in the model as it is written. */
function bytesOf(
  parts: Record<string, Json>,
  tokens: ReadonlyMap<string, number>,
  ids: ReadonlyMap<string, number>,
): Buffer {
  const added = Array.from(tokens, ([content, id]) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }))
  const { model, ...rest } = parts
  const outer = JSON.stringify({ version: '1.0', truncation: null, padding: null, added_tokens: added, ...rest })
  const inner = JSON.stringify(model)
  return Buffer.from(`${outer.slice(0, -1)},"model":${inner.slice(0, -1)},"vocab":${written(ids)}}}`)
}

/** A vocabulary of WordPiece, one token a line, as BERT's. */
function words(path: string, options: FromFileOptions, where: string): Buffer {
  const bytes = readWhole(path)
  // A file that is no text is refused by the reader of tokenizer.json, which says what it is.
  if (!isUtf8(bytes) || bytes.includes(0)) return bytes
  const config = beside(path, 'tokenizer_config.json')
  const ids = new Map<string, number>()
  // As in the library, white space at the end of a line is no part of a token, and the last of equal lines counts.
  linesOf(path).forEach(({ line }, id) => ids.set(line.trimEnd(), id))
  const tokens = special(ids, options, ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...configured(config)], where)
  const named = (name: string, otherwise: string) => {
    const value = config[name]
    return typeof value === 'string' ? value : otherwise
  }
  const [unknown, cls, sep] = [named('unk_token', '[UNK]'), named('cls_token', '[CLS]'), named('sep_token', '[SEP]')]
  if (!ids.has(unknown))
    throw new FormatError(`${path}: it does not have ${unknown}, as a vocabulary of WordPiece does`, path, 0)
  const { lowercase = config.do_lower_case ?? true } = options
  const flag = (value: unknown, otherwise: boolean) => (typeof value === 'boolean' ? value : otherwise)
  const [before, after] = [ids.get(cls), ids.get(sep)]
  return bytesOf(
    {
      normalizer: {
        type: 'BertNormalizer',
        clean_text: true,
        handle_chinese_chars: flag(config.tokenize_chinese_chars, true),
        strip_accents: typeof config.strip_accents === 'boolean' ? config.strip_accents : null,
        lowercase: checkBoolean(lowercase, `${where}: lowercase`),
      },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor:
        before === undefined || after === undefined
          ? null
          : { type: 'BertProcessing', sep: [sep, after], cls: [cls, before] },
      decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
      model: {
        type: 'WordPiece',
        unk_token: unknown,
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
      },
    },
    tokens,
    ids,
  )
}

/** A vocabulary of byte pairs and its merges, as GPT-2's and RoBERTa's. */
function merges(path: string, options: FromFileOptions, where: string): Buffer {
  const isVocabulary = /vocab\.json$/i.test(basename(path))
  const [vocabularyPath, mergesPath] = isVocabulary ? [path, partner(path)] : [partner(path), path]
  const parsed = parse(vocabularyPath)
  if (!isObject(parsed) || isArray(parsed))
    throw new FormatError(`${vocabularyPath}: it must be an object of tokens and their ids`, vocabularyPath, 0)
  const ids = new Map<string, number>()
  for (const [token, id] of Object.entries(parsed)) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= 2 ** 31)
      throw new FormatError(
        `${vocabularyPath}: the id of ${show(token)} is ${show(id)}, not a whole number`,
        vocabularyPath,
        0,
      )
    ids.set(token, id)
  }
  const pairs: string[][] = []
  linesOf(mergesPath).forEach(({ line, offset }, i) => {
    if (line.trim() === '' || (i === 0 && line.startsWith('#version'))) return
    const pair = line.split(' ')
    if (pair.length !== 2 || pair.includes(''))
      throw new FormatError(
        `${mergesPath}: line ${i + 1} must be two tokens with a space between them`,
        mergesPath,
        offset,
      )
    pairs.push(pair)
  })
  const config = beside(path, 'tokenizer_config.json')
  const around = beside(path, 'config.json')
  const usual = ['<|endoftext|>', '<s>', '</s>', '<pad>', '<unk>', '<mask>', ...configured(config)]
  const tokens = special(ids, options, usual, where)
  const isRoberta =
    /roberta|bart|longformer/i.test(String(config.tokenizer_class ?? '')) ||
    /roberta|bart|longformer/i.test(String(around.model_type ?? ''))
  const [begin, end] = [ids.get('<s>'), ids.get('</s>')]
  const addsSpace = config.add_prefix_space === true
  return bytesOf(
    {
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: addsSpace, trim_offsets: true, use_regex: true },
      post_processor:
        isRoberta && begin !== undefined && end !== undefined
          ? {
              type: 'RobertaProcessing',
              sep: ['</s>', end],
              cls: ['<s>', begin],
              trim_offsets: true,
              add_prefix_space: addsSpace,
            }
          : { type: 'ByteLevel', add_prefix_space: addsSpace, trim_offsets: false, use_regex: true },
      decoder: { type: 'ByteLevel', add_prefix_space: addsSpace, trim_offsets: true, use_regex: true },
      model: { type: 'BPE', ...PLAIN_BPE, ignore_merges: false, merges: pairs },
    },
    tokens,
    ids,
  )
}

const PLAIN_BPE = {
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
}

/** Ranks of tiktoken: on each line the bytes of a token in base64, and its id. */
function ranks(path: string, options: FromFileOptions, where: string): Buffer {
  const { pattern } = options
  const names = Object.keys(NAMED_PATTERNS)
  if (pattern === undefined)
    throw new UsageError(
      `${where}: a .tiktoken file does not say how texts are cut: give it as the option pattern, an expression or one of ${names.join(', ')}`,
    )
  const expression = checkText(pattern, `${where}: pattern`)
  const cut = Object.hasOwn(NAMED_PATTERNS, expression) ? NAMED_PATTERNS[expression] : expression
  if (cut === expression && /\{\d+(,\d*)?\}\+/.test(expression))
    throw new UsageError(
      `${where}: pattern: "}+" means something else here than in tiktoken: write (?>x{1,3}) for the possessive x{1,3}+`,
    )
  const byBytes = new Map<string, number>()
  const named = new Map<string, number>()
  linesOf(path).forEach(({ line, offset }, i) => {
    if (line === '') return
    const [, text = '', number = ''] = /^([A-Za-z0-9+/]+={0,2}) (\d{1,9})$/.exec(line) ?? []
    const bytes = Buffer.from(text, 'base64')
    const token = bytes.toString('latin1')
    if (text === '' || byBytes.has(token) || bytes.length > LONGEST)
      throw new FormatError(
        `${path}: line ${i + 1} must be a token in base64 of at most ${LONGEST} bytes that no other line has, a space and its rank`,
        path,
        offset,
      )
    byBytes.set(token, Number(number))
    named.set(nameOfBytes(bytes), Number(number))
  })
  const tokens = special(named, options, ['<|endoftext|>'], where)
  return bytesOf(
    {
      normalizer: null,
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'Split', pattern: { Regex: cut }, behavior: 'Isolated', invert: false },
          { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
        ],
      },
      post_processor: null,
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: { type: 'BPE', ...PLAIN_BPE, ignore_merges: true, merges: mergesOf(byBytes, path) },
    },
    tokens,
    named,
  )
}

/** The most bytes of a token; OpenAI's longest has 128. */
const LONGEST = 512

/** The merges of tokens by rank: each token is made of the two that encoding it alone leaves last. */
function mergesOf(rankOf: ReadonlyMap<string, number>, path: string): string[][] {
  const byRank = [...rankOf].sort((a, b) => a[1] - b[1])
  return byRank
    .filter(([token]) => token.length > 1)
    .map(([token, rank]) => {
      const parts = [...token]
      while (parts.length > 2) {
        let [best, at] = [rank, -1]
        for (let i = 0; i + 1 < parts.length; i++) {
          const found = rankOf.get(parts[i] + parts[i + 1]) ?? Infinity
          if (found < best) [best, at] = [found, i]
        }
        if (at < 0) break
        parts.splice(at, 2, parts[at] + parts[at + 1])
      }
      if (parts.length !== 2 || !parts.every((part) => rankOf.has(part)))
        throw new FormatError(
          `${path}: the token of rank ${rank} is not made of two tokens of lower rank, as byte pair encoding makes them`,
          path,
          0,
        )
      return parts.map((part) => nameOfBytes(Buffer.from(part, 'latin1')))
    })
}
