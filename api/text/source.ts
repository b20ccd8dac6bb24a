// Sources: texts, paths, pieces, ids, words or examples. Each source names its kind; this module reads them for
// everything that takes sources.

import { resolve } from 'node:path'
import { types } from 'node:util'
import { UsageError } from '../base/errors.js'
import type { IntArray } from '../base/dtype.js'
import { copyOf, readIds, type Ids } from '../tensor/ids.js'
import { allocating } from '../memory/arrays.js'
import { listsOf, raggedOf } from '../tensor/ragged.js'
import { Tensor } from '../tensor/tensor.js'
import { checkBoolean, checkPath, checkText, eachOf, isArray, isObject, show, type FilePath } from '../base/validate.js'

/** Items one after the other: an array or an (async) iterable, but not a string. */
export type Many<T> = readonly T[] | (Iterable<T> & object) | AsyncIterable<T>

/** Paths of files; each file is one text. Files that end in `.gz` or `.zst` are decompressed. */
export interface FilesSource {
  readonly files: readonly FilePath[]
}

/** Separate texts: no word and no token reaches from one into the next. */
export interface TextsSource {
  readonly texts: Many<string>
}

/** One text in pieces, which may be cut anywhere. */
export interface PiecesSource {
  readonly pieces: Many<string>
}

/**
 * The ids of one text, or a list of ids for each of several texts; in a tensor of two dimensions each row is a text.
 */
export interface IdsSource {
  readonly ids: Tensor | IntArray | readonly (number | bigint)[] | readonly (IntArray | readonly (number | bigint)[])[]
  /** Where the ids of each text begin, and where the last ones end, as `encodeBatch` gives them. */
  readonly offsets?: Ids
}

/**
 * A folder of token ids that `saveTokens` or `tokenbed tokenize` wrote. The ids are mapped, so they take no memory in
 * proportion to the corpus. With `verify` every byte is first read and compared with what was written; default false.
 */
export interface FolderSource {
  readonly folder: FilePath
  readonly verify?: boolean
}

/** Sentences as lists of words. The words stay as they are, even with a space in them. */
export interface TokensSource {
  readonly tokens: Many<readonly string[]>
}

/** Texts with their classes. */
export interface ExamplesSource {
  readonly examples: Many<LabelledText>
}

/** A text with its class. */
export interface LabelledText {
  text: string
  label: string
}

/** A Node stream that gives the pieces of one text, such as `createReadStream(path, 'utf8')`. */
export interface NodeText {
  readonly readableEncoding: string | null
  readonly readableObjectMode: boolean
  [Symbol.asyncIterator](): AsyncIterator<any>
}

/** Ids that cannot be mistaken for another kind of source. */
export type BareIds = Tensor | IntArray | readonly number[]

/** A source of ids: one that names its kind, a Node stream with an encoding, or ids themselves. */
export type TextSource = FilesSource | TextsSource | PiecesSource | IdsSource | FolderSource | NodeText | BareIds

export type Kind = 'files' | 'texts' | 'pieces' | 'ids' | 'folder' | 'tokens' | 'examples'
export type Items = readonly unknown[] | Iterable<unknown> | AsyncIterable<unknown>
export type IdList = Int32Array | Uint32Array

/** A source whose kind is known, read as far as is possible before its turn comes. */
export type Source =
  | { readonly kind: 'files'; readonly paths: readonly string[] }
  | { readonly kind: 'ids'; readonly lists: readonly IdList[]; readonly isNested: boolean }
  | { readonly kind: 'folder'; readonly path: string; readonly verify: boolean }
  | { readonly kind: 'texts' | 'pieces' | 'tokens' | 'examples'; readonly items: Items }

/** The caller that reads a source: the kinds it takes, and its name for errors. */
interface Reader {
  readonly takes: readonly Kind[]
  readonly where: string
}

const KINDS: readonly Kind[] = ['files', 'texts', 'pieces', 'ids', 'folder', 'tokens', 'examples']

/** How each kind is written in code. */
const WRITTEN: Record<Kind, string> = {
  files: '{ files: [...] }',
  texts: '{ texts: [...] }',
  pieces: '{ pieces: ... }',
  ids: '{ ids: ... }',
  folder: "{ folder: '...' }",
  tokens: '{ tokens: [[...], ...] }',
  examples: '{ examples: [{ text, label }, ...] }',
}

/** Why some callers do not take a kind. */
const ELSEWHERE: Partial<Record<Kind, string>> = {
  folder: 'a folder holds token ids already: give texts',
  tokens: 'tokens that are words have no ids: only a Trainer takes them',
  examples: 'only a Trainer that classifies takes texts with labels',
}

/**
 * Reads a source: finds its kind, and checks everything that can be checked without iterating. `checkItem` checks its
 * elements again when they are used.
 *
 * @throws UsageError for a source that does not name its kind, or that could have several; the message shows the form
 * that was meant.
 */
export function readSource(source: unknown, takes: readonly Kind[], where: string): Source {
  const reader = { takes, where }
  if (typeof source === 'string') {
    throw new UsageError(
      `${where}: a string could be a text or a path: write { texts: [${show(source)}] } or { files: [${show(source)}] }`,
    )
  }
  if (isArray(source)) return ofArray(source, reader)
  if (ArrayBuffer.isView(source) && Buffer.isBuffer(source)) {
    throw new UsageError(
      `${where}: bytes could be a text or ids: write { texts: [buffer.toString()] } or { ids: buffer }`,
    )
  }
  if (ArrayBuffer.isView(source) || source instanceof Tensor) return ofIds(source, reader)
  if (!isObject(source)) throw notSaid(source, reader)
  if (isNodeStream(source)) {
    if (source.readableObjectMode)
      throw couldBe('the elements of a stream could be texts or pieces of one text', ['texts', 'pieces'], reader)
    return { kind: 'pieces', items: checkEncoding(source, reader) }
  }
  if (Symbol.asyncIterator in source || Symbol.iterator in source) {
    throw couldBe(
      'the elements of an iterable could be texts, pieces of one text, or paths',
      ['texts', 'pieces', 'files'],
      reader,
    )
  }
  return ofForm(source, reader)
}

/** Reads a form, an object whose only property names the kind. */
function ofForm(form: object, reader: Reader): Source {
  const { where, takes } = reader
  const ragged = raggedOf(form)
  if (ragged !== null && takes.includes('ids')) return ofIds(listsOf(ragged, where), reader)
  const values = KINDS.map((kind) => ({ kind, value: (form as Record<Kind, unknown>)[kind] }))
  for (const name in form) {
    if (name === 'verify' && 'folder' in form) continue
    if (!KINDS.includes(name as Kind))
      throw new UsageError(`${where}: a source has no property "${name}": ${write(takes, reader)}`)
  }
  const given = values.filter(({ value }) => value !== undefined)
  if (given.length === 0) throw notSaid(form, reader)
  if (given.length > 1)
    throw new UsageError(
      `${where}: a source has one kind, not ${given.map(({ kind }) => kind).join(' and ')}: ${write(takes, reader)}`,
    )
  const [{ kind, value }] = given
  if (!takes.includes(kind)) throw new UsageError(`${where}: ${ELSEWHERE[kind]}; here, ${write(takes, reader)}`)
  if (kind === 'files') return { kind, paths: checkPaths(value, where) }
  if (kind === 'ids') return ofIds(value, reader)
  if (kind === 'folder') return ofFolder(value, (form as Partial<FolderSource>).verify, reader)
  return { kind, items: checkMany(value, kind, reader) }
}

/** The path is resolved now, because the working directory may change before the folder is read. */
function ofFolder(folder: unknown, verify: unknown, { where }: Reader): Source {
  return {
    kind: 'folder',
    path: resolve(checkPath(folder, `${where}: folder`)),
    verify: checkBoolean(verify ?? false, `${where}: verify`),
  }
}

/** An array of numbers is ids, and an array of texts with labels is examples; other arrays could be several things. */
function ofArray(array: unknown[], reader: Reader): Source {
  const { takes, where } = reader
  const [first] = array
  if (typeof first === 'number' || typeof first === 'bigint') return ofIds(array, reader)
  if (typeof first === 'string') throw couldBe('strings could be texts or paths', ['texts', 'files'], reader)
  if (array.length === 0) throw couldBe('an empty array does not tell its kind', takes, reader)
  if (isList(first)) {
    if (isArray(first) && typeof first[0] === 'string') {
      const kind = takes.includes('tokens') ? 'tokens' : 'texts'
      throw couldBe('arrays of strings could be words of sentences or texts', [kind], reader)
    }
    throw couldBe('lists in an array could be ids or words', ['ids', 'tokens'], reader)
  }
  if (!isObject(first)) throw notSaid(array, reader)
  if (!takes.includes('examples'))
    throw new UsageError(`${where}: ${ELSEWHERE.examples}; here, write { texts: examples.map(({ text }) => text) }`)
  return { kind: 'examples', items: checkMany(array, 'examples', reader) }
}

const isList = (value: unknown) => isArray(value) || ArrayBuffer.isView(value) || value instanceof Tensor

/** Writes "write { texts: [...] } or { files: [...] }", with those kinds that the reader takes. */
function write(kinds: readonly Kind[], { takes }: Reader): string {
  const written = kinds.filter((kind) => takes.includes(kind)).map((kind) => WRITTEN[kind])
  const last = written.pop()
  return `write ${written.length > 0 ? `${written.join(', ')} or ` : ''}${last}`
}

const couldBe = (what: string, kinds: readonly Kind[], reader: Reader) =>
  new UsageError(`${reader.where}: ${what}: ${write(kinds, reader)}`)

const notSaid = (source: unknown, reader: Reader) =>
  new UsageError(
    `${reader.where}: a source must name its kind, which ${show(source)} does not: ${write(reader.takes, reader)}`,
  )

function checkPaths(paths: unknown, where: string): string[] {
  if (!isArray(paths))
    throw new UsageError(`${where}: files must be an array of paths, not ${show(paths)}: write { files: ['x.txt'] }`)
  // Paths are resolved now, because the working directory may change before they are read.
  return eachOf(paths, (path, i) => resolve(checkPath(path, `${where}: file ${i}`)))
}

const WHAT: Record<Exclude<Kind, 'files' | 'ids' | 'folder'>, string> = {
  texts: 'texts must be strings',
  pieces: 'pieces must be strings',
  tokens: 'tokens must be arrays of words',
  examples: 'examples must be { text, label }',
}

function checkMany(items: unknown, kind: Exclude<Kind, 'files' | 'ids' | 'folder'>, reader: Reader): Items {
  const { where } = reader
  if (isArray(items)) {
    // `forEach` would skip the holes of an array.
    for (let i = 0; i < items.length; i++) checkItem(items[i], kind, i, where)
    return items
  }
  const isMany =
    isObject(items) && !ArrayBuffer.isView(items) && (Symbol.asyncIterator in items || Symbol.iterator in items)
  if (!isMany)
    throw new UsageError(
      `${where}: ${WHAT[kind]}, in an array or an iterable, not ${show(items)}: write ${WRITTEN[kind]}`,
    )
  if (isNodeStream(items) && !items.readableObjectMode) {
    if (kind !== 'pieces')
      throw new UsageError(`${where}: a stream divides its text at any place: write { pieces: stream }`)
    return checkEncoding(items, reader)
  }
  return items as Items
}

/** Checks the `i`-th element of a source. */
export function checkItem(
  item: unknown,
  kind: Exclude<Kind, 'files' | 'ids' | 'folder'>,
  i: number,
  where: string,
): void {
  if (kind === 'texts') checkText(item, `${where}: text ${i}`)
  else if (kind === 'pieces') checkPiece(item, i, where)
  else if (kind === 'tokens') checkWords(item, i, where)
  else checkExample(item, i, where)
}

function checkPiece(piece: unknown, i: number, where: string): void {
  const hint = ArrayBuffer.isView(piece) ? ": give a Node stream an encoding, as in createReadStream(path, 'utf8')" : ''
  if (typeof piece !== 'string')
    throw new UsageError(`${where}: piece ${i} must be a string, not ${show(piece)}${hint}`)
}

function checkWords(words: unknown, i: number, where: string): void {
  if (!isArray(words)) throw new UsageError(`${where}: sentence ${i} must be an array of words, not ${show(words)}`)
  for (let j = 0; j < words.length; j++) {
    if (checkText(words[j], `${where}: word ${j} of sentence ${i}`) === '')
      throw new UsageError(`${where}: word ${j} of sentence ${i} must not be empty`)
  }
}

function checkExample(example: unknown, i: number, where: string): void {
  if (!isObject(example) || isArray(example))
    throw new UsageError(`${where}: example ${i} must be { text, label }, not ${show(example)}`)
  const { text, label } = example as Partial<LabelledText>
  checkText(text, `${where}: text of example ${i}`)
  checkText(label, `${where}: label of example ${i}`)
}

/** Whether it is a readable Node stream, of this realm or another. */
function isNodeStream(it: object): it is NodeText {
  return 'readableObjectMode' in it && 'readableEncoding' in it && Symbol.asyncIterator in it
}

function checkEncoding(stream: NodeText, { where }: Reader): NodeText {
  if (typeof stream.readableEncoding === 'string') return stream
  throw new UsageError(
    `${where}: the stream gives bytes, not text: give it an encoding, with createReadStream(path, 'utf8') or stream.setEncoding('utf8')`,
  )
}

function ofIds(ids: unknown, { where }: Reader): Source {
  const isNested = isArray(ids) && isList(ids[0])
  if (isNested)
    return { kind: 'ids', lists: eachOf(ids, (list, i) => rowsOf(list, `${where}: list ${i}`, 1)[0]), isNested }
  const lists = rowsOf(ids, where, ids instanceof Tensor ? 2 : 1)
  return { kind: 'ids', lists, isNested: ids instanceof Tensor && ids.shape.length === 2 }
}

/**
 * Lists of 32-bit ids below 2^31. Arrays are held as they are; the ids of a tensor are copied, because it may be
 * disposed.
 */
function rowsOf(ids: unknown, where: string, dimensions: number): IdList[] {
  const { array: given, shape } = readIds(ids as Ids, undefined, where)
  if (shape.length < 1 || shape.length > dimensions) {
    throw new UsageError(`${where}: the ids of a text must be a flat list, not have ${shape.length} dimensions`)
  }
  const array = ids instanceof Tensor ? copyOf(given) : given
  const outside = (id: number | bigint) => id < 0 || id >= 2 ** 31
  const bad = Array.prototype.findIndex.call(array, outside)
  if (bad >= 0) throw new UsageError(`${where}: id ${array[bad]} at [${bad}] is not from 0 to 2^31 - 1`)
  const is32 = types.isUint32Array(array) || types.isInt32Array(array)
  const all = is32
    ? array
    : allocating(array.length * 4, () =>
        Int32Array.from(array as ArrayLike<number | bigint> as ArrayLike<number>, Number),
      )
  if (shape.length === 1) return [all]
  return Array.from({ length: shape[0] }, (_, row) => all.subarray(row * shape[1], (row + 1) * shape[1]))
}

/** Matches a line that ends like a file name, and is one word or begins like a path. */
const PATH = /^(?:\S+|(?:\.{0,2}\/|~\/|[A-Za-z]:[\\/]).*)\.[A-Za-z][A-Za-z0-9]{0,7}$/
/** Paths are not longer than this. */
const LONGEST_PATH = 4096

/** Checks that a bare string that stands for a text does not look like a path. */
export function checkNoPath(text: string, where: string): string {
  if (text.length > LONGEST_PATH || !PATH.test(text)) return text
  throw new UsageError(
    `${where}: ${show(text)} looks like a path: write { files: [${show(text)}] }, or { texts: [${show(text)}] } if it is a text`,
  )
}
