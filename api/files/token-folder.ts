// Folders of token ids: what a manifest says, and the data files that it names, which are mapped.
//
//   manifest.json                    what was encoded by what, with the digests of both data files; written last
//   ids.DIGEST.bin                   the ids of all documents end to end, u16 or u32, little endian
//   documents.DIGEST.bin             u64: where each document begins among them, and where the last ends
//
// The data files carry a part of their digest in their names, so that those of two writers never lie in each other's
// place: the manifest's rename is the moment in which a folder becomes another.

import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Contents } from '../base/contents.js'
import { FileError, FormatError, UsageError } from '../base/errors.js'
import { isMissing, readWhole } from '../base/read-file.js'
import { guardReceivers } from '../base/receivers.js'
import { checkBoolean, checkOptions, checkPath, checkSize, isArray, isObject, show } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'
import { call, check, native, type Operand } from '../native/native.js'

/** How an id is stored: in two bytes or in four. */
export type TokensDType = 'u16' | 'u32'

/** What was encoded: a file, or a text that came from elsewhere. */
export interface TokensPart {
  /** Its path, absolute; null of a text that was no file. */
  readonly file: string | null
  /** Its documents: the number of the first, and of the one after the last. */
  readonly documents: readonly [first: number, end: number]
  /** Its ids, in the same way. */
  readonly ids: readonly [first: number, end: number]
}

/** A data file. */
export interface TokensFile {
  /** Its name in the folder. */
  readonly name: string
  readonly bytes: number
  /** SHA-256 of its bytes, in hexadecimal. */
  readonly sha256: string
}

/** What a folder of token ids says of itself. */
export interface TokensInfo {
  /** The folder, absolute. */
  readonly path: string
  /** How many ids. */
  readonly ids: number
  readonly documents: number
  readonly dtype: TokensDType
  /** All ids are below it. */
  readonly vocabSize: number
  /** What encoded the texts; the digest, of an encoding null, is that of its `tokenizer.json`. */
  readonly tokenizer: { readonly name: string; readonly sha256: string | null }
  /** The token that ends every document; null where none does. */
  readonly separator: { readonly token: string; readonly id: number } | null
  /** Whether each line is a document, and not each text. */
  readonly lines: boolean
  readonly files: { readonly ids: TokensFile; readonly documents: TokensFile }
  readonly sources: readonly TokensPart[]
}

export const MANIFEST = 'manifest.json'
/** Names of data files. */
export const DATA = /^(ids|documents)\.[0-9a-f]{16}\.bin$/
const FORMAT = 'tokenbed.tokens'
const VERSION = 1
export const WIDTHS: Record<TokensDType, number> = { u16: 2, u32: 4 }
/** As NumPy writes types: with their byte order. */
const STORED = { '<u2': 'u16', '<u4': 'u32' } as const
/** Bytes of an entry of the index. */
const ENTRY = 8
/** Bytes of a manifest, at most: some millions of sources. */
const MOST_BYTES = 2 ** 28
const MOST_VOCABULARY = 2 ** 31 - 1

/** The text of a manifest. */
export function manifestOf({
  path: _,
  dtype,
  ids,
  documents,
  vocabSize,
  tokenizer,
  separator,
  lines,
  files,
  sources,
}: TokensInfo): string {
  const stored = dtype === 'u16' ? '<u2' : '<u4'
  return `${JSON.stringify({ format: FORMAT, version: VERSION, dtype: stored, ids, documents, vocabSize, tokenizer, separator, lines, files, sources }, null, 2)}\n`
}

/** Whether a folder has a manifest; of token ids, or of something else. @throws FileError where it cannot be read. */
export function manifestIn(folder: string): 'tokens' | 'other' | null {
  if (!existsSync(join(folder, MANIFEST))) return null
  const text = readManifest(folder)
  try {
    return (JSON.parse(text) as { format?: unknown } | null)?.format === FORMAT ? 'tokens' : 'other'
  } catch {
    return 'other'
  }
}

/** The text of a folder's manifest. @throws FileError where there is none, or it cannot be read. */
function readManifest(folder: string): string {
  const path = join(folder, MANIFEST)
  try {
    const { size } = statSync(path)
    if (size > MOST_BYTES)
      throw new FormatError(`${path}: ${size} bytes, and a manifest has ${MOST_BYTES} at most`, path, MOST_BYTES)
    return readWhole(path).toString()
  } catch (error) {
    if (error instanceof FormatError) throw error
    const cause = error instanceof FileError ? error.cause : error
    if (!isMissing({ cause })) throw new FileError(`cannot read ${path}: ${(cause as Error).message}`, path, cause)
    const why = existsSync(folder)
      ? `${folder} has no ${MANIFEST}: it is no folder of token ids, or it was not written to its end; saveTokens and "tokenbed tokenize" write one`
      : `there is no folder ${folder}`
    throw new FileError(why, path, cause)
  }
}

/** What the text of a manifest says. @throws FormatError where it is none that can be read here. */
function parseManifest(text: string, folder: string): TokensInfo {
  const path = join(folder, MANIFEST)
  const wrong = (why: string) => new FormatError(`${path}: ${why}`, path, 0)
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch (cause) {
    throw wrong(`is no JSON: ${(cause as Error).message}`)
  }
  if (!isObject(said) || isArray(said)) throw wrong('is no manifest of token ids')
  const {
    format,
    version,
    dtype: stored,
    ids,
    documents,
    vocabSize,
    tokenizer,
    separator,
    lines,
    files,
    sources,
  } = said as Record<string, unknown>
  if (format !== FORMAT) throw wrong(`is no manifest of token ids: its format is ${show(format)}, not "${FORMAT}"`)
  if (version !== VERSION)
    throw wrong(
      `of version ${show(version)}, and this tokenbed reads version ${VERSION}: write the folder again, or use the tokenbed that wrote it`,
    )
  const dtype = STORED[stored as keyof typeof STORED]
  if (!Object.hasOwn(STORED, stored as string)) throw wrong(`"dtype" is ${show(stored)}, not "<u2" or "<u4"`)
  const size = (value: unknown, what: string, most = Number.MAX_SAFE_INTEGER): number => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most) return value
    throw wrong(`"${what}" is ${show(value)}, not a whole number from 0 to ${most}`)
  }
  const object = (value: unknown, what: string): Record<string, unknown> => {
    if (isObject(value) && !isArray(value)) return value as Record<string, unknown>
    throw wrong(`"${what}" is ${show(value)}, not an object`)
  }
  const digest = (value: unknown, what: string): string => {
    if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)) return value
    throw wrong(`"${what}" is ${show(value)}, not a SHA-256`)
  }
  const file = (value: unknown, what: 'ids' | 'documents', wanted: number): TokensFile => {
    const { name, bytes, sha256 } = object(value, `files.${what}`)
    // A name in this folder, and nothing else that a path may say.
    const isName = typeof name === 'string' && DATA.test(name) && name.startsWith(`${what}.`)
    if (!isName) throw wrong(`"files.${what}.name" is ${show(name)}, not a name such as ${what}.0123456789abcdef.bin`)
    if (size(bytes, `files.${what}.bytes`) !== wanted)
      throw wrong(`"files.${what}.bytes" is ${bytes}, and its elements have ${wanted}`)
    return { name, bytes: wanted, sha256: digest(sha256, `files.${what}.sha256`) }
  }
  const [count, ends] = [size(ids, 'ids'), size(documents, 'documents')]
  const vocabulary = size(vocabSize, 'vocabSize', MOST_VOCABULARY)
  const by = object(tokenizer, 'tokenizer')
  if (typeof by.name !== 'string') throw wrong(`"tokenizer.name" is ${show(by.name)}, not a string`)
  if (typeof lines !== 'boolean') throw wrong(`"lines" is ${show(lines)}, not true or false`)
  if (!isArray(sources)) throw wrong(`"sources" is ${show(sources)}, not an array`)
  const range = (value: unknown, what: string, most: number): [number, number] => {
    const isRange = isArray(value) && value.length === 2 && size(value[0], what, most) <= size(value[1], what, most)
    if (!isRange) throw wrong(`"${what}" is ${show(value)}, not where something begins and ends`)
    return [value[0], value[1]]
  }
  const part = (value: unknown, i: number): TokensPart => {
    const { file, documents, ids } = object(value, `sources[${i}]`)
    if (file !== null && typeof file !== 'string') throw wrong(`"sources[${i}].file" is ${show(file)}, not a path`)
    return {
      file,
      documents: range(documents, `sources[${i}].documents`, ends),
      ids: range(ids, `sources[${i}].ids`, count),
    }
  }
  const sep = separator === null ? null : object(separator, 'separator')
  if (sep !== null && typeof sep.token !== 'string')
    throw wrong(`"separator.token" is ${show(sep.token)}, not a string`)
  const named = object(files, 'files')
  return {
    path: folder,
    ids: count,
    documents: ends,
    dtype,
    vocabSize: vocabulary,
    tokenizer: { name: by.name, sha256: by.sha256 === null ? null : digest(by.sha256, 'tokenizer.sha256') },
    separator: sep && { token: sep.token as string, id: size(sep.id, 'separator.id', MOST_VOCABULARY) },
    lines,
    files: {
      ids: file(named.ids, 'ids', count * WIDTHS[dtype]),
      documents: file(named.documents, 'documents', (ends + 1) * ENTRY),
    },
    sources: sources.map(part),
  }
}

type Handle = ReturnType<typeof native.tokensOpen> & object

const CONTENTS = new Contents<TokenFolder>('TokenFolder', {
  instead: 'openTokens opens its folder anew, on any thread',
})

/**
 * A folder of token ids that is open, by `openTokens`: its ids are read from the mapped file when they are asked for.
 */
export class TokenFolder {
  /** What its manifest says. */
  readonly info: TokensInfo
  readonly #handle: Handle
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  private constructor(info: TokensInfo, handle: Handle, key: typeof PRIVATE) {
    if (key !== PRIVATE) throw new UsageError('a TokenFolder is made by openTokens(folder), not by new')
    this.info = info
    this.#handle = handle
  }

  /** What `openTokens` makes. @internal */
  static over(info: TokensInfo, handle: Handle): TokenFolder {
    return new TokenFolder(info, handle, PRIVATE)
  }

  /**
   * A copy of the ids of a document, found in constant time.
   *
   * @throws UsageError where there is no such document; FormatError where the index says what cannot be.
   */
  document(index: number): Uint32Array {
    const where = 'TokenFolder.document'
    const { documents, path } = this.info
    if (documents === 0) throw new UsageError(`${where}: ${path} has no documents`)
    const [start, end] = call(
      native.tokensDocument(this.#handle, checkSize(index, `${where}: index`, 0, documents - 1)),
    )
    return this.#copy(start, end)
  }

  /**
   * A copy of ids, from number `start` up to, and without, number `end`; default all.
   *
   * @throws UsageError where there are not so many.
   */
  read(start = 0, end = this.info.ids): Uint32Array {
    const where = 'TokenFolder.read'
    checkSize(end, `${where}: end`, 0, this.info.ids)
    return this.#copy(checkSize(start, `${where}: start`, 0, end), end)
  }

  #copy(start: number, end: number): Uint32Array {
    const ids = zeroed(Uint32Array, end - start)
    check(native.tokensRead(this.#handle, start, ids))
    return ids
  }

  /** Cuts the windows of these numbers, (windows, maxLength), and their targets. @internal */
  fill(
    windows: ReturnType<typeof native.windowsNew> & object,
    numbers: Uint32Array,
    inputs: Operand,
    targets: Operand,
  ): void {
    check(native.tokensFill(this.#handle, windows, numbers, inputs, targets))
  }

  /** A corpus of its ids. @internal */
  corpus(): ReturnType<typeof native.corpusOfFolder> & object {
    return call(native.corpusOfFolder(this.#handle))
  }

  static {
    guardReceivers(this, (value) => #handle in value)
    CONTENTS.guard(this, (value) => #handle in value)
  }
}

/** Makes the constructor private at run time too. */
const PRIVATE = Symbol('by openTokens')

/** Tries where the manifest is replaced while its files are opened. */
const TRIES = 20

/**
 * As `openTokens`, of an absolute path. Another process may replace the folder meanwhile: what is opened is one of the
 * two, whole.
 */
export function openFolder(folder: string, verify: boolean): TokenFolder {
  for (let tries = 1; ; tries++) {
    const text = readManifest(folder)
    try {
      return openFiles(parseManifest(text, folder), verify)
    } catch (error) {
      if (!(error instanceof FileError || error instanceof FormatError)) throw error
      if (tries === TRIES || readManifest(folder) === text) throw error
    }
  }
}

function openFiles(info: TokensInfo, verify: boolean): TokenFolder {
  const { path, ids, documents, dtype, files, vocabSize } = info
  const handle = call(
    native.tokensOpen({
      idsPath: join(path, files.ids.name),
      ids,
      width: WIDTHS[dtype],
      documentsPath: join(path, files.documents.name),
      documents,
    }),
  )
  if (verify) check(native.tokensVerify(handle, files.ids.sha256, files.documents.sha256, vocabSize))
  return TokenFolder.over(info, handle)
}

/** A tokenizer, as far as a manifest tells it from others. */
interface Named {
  readonly name: string
  readonly vocabSize: number
  readonly file: { readonly digest: string } | null
}

/** Refuses a tokenizer that did not encode the folder. @throws UsageError. */
export function checkEncoder({ path, tokenizer: said, vocabSize }: TokensInfo, given: Named, where: string): void {
  const isSame =
    said.sha256 === null ? given.file === null && given.name === said.name : given.file?.digest === said.sha256
  if (isSame && given.vocabSize === vocabSize) return
  const as = (name: string, digest: string | null | undefined) =>
    digest ? `${name} (SHA-256 ${digest.slice(0, 16)}...)` : name
  throw new UsageError(
    `${where}: ${path} was encoded by ${as(said.name, said.sha256)} of ${vocabSize} tokens, not by ${as(given.name, given.file?.digest)} of ${given.vocabSize}: give that tokenizer, or leave it out`,
  )
}

/**
 * Opens a folder of token ids that `saveTokens` or `tokenbed tokenize` wrote: its manifest is read, and both data files
 * are mapped, in the same time and memory however large they are. Their sizes are compared with the manifest; with
 * `verify` every byte is read and compared with its digest, documents must not end before they begin, and every id must
 * be below the size of the vocabulary.
 *
 * ```ts
 * const folder = openTokens('corpus')
 * const ids = folder.document(folder.info.documents - 1)
 * ```
 *
 * @throws FileError where the manifest or a data file is missing or cannot be read; FormatError, with the path, for a manifest
 * of another format or version, for a data file that is longer or shorter than it was, and for one whose bytes are
 * others.
 */
export function openTokens(folder: string, options?: { verify?: boolean }): TokenFolder {
  return opened(folder, options, 'openTokens')
}

/** What a folder of token ids says of itself: `openTokens(folder).info`. @throws As `openTokens`. */
export function inspectTokens(folder: string, options?: { verify?: boolean }): TokensInfo {
  return opened(folder, options, 'inspectTokens').info
}

function opened(folder: string, options: { verify?: boolean } | undefined, where: string): TokenFolder {
  const path = resolve(checkPath(folder, where))
  const { verify = false } = checkOptions(options, ['verify'], where)
  return openFolder(path, checkBoolean(verify, `${where}: verify`))
}
