// Folders of token ids. A folder has a manifest and two data files that the manifest names; these are mapped.
//
//   manifest.json                    what was encoded by what, with the digests of both data files; written last
//   ids.DIGEST.bin                   the ids of all documents end to end, u16 or u32, little endian
//   documents.DIGEST.bin             u64: where each document begins among them, and where the last ends
//
// The names of the data files contain a part of their digest, so two writers never overwrite each other's files. The
// folder changes at one moment, when the new manifest is renamed.

import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Contents } from '../base/contents.js'
import { FileError, FormatError, UsageError } from '../base/errors.js'
import { isThere } from '../base/look.js'
import { isMissing, readWhole } from '../base/read-file.js'
import { guardReceivers } from '../base/receivers.js'
import {
  checkBoolean,
  checkOptions,
  checkPath,
  checkSize,
  isArray,
  isObject,
  show,
  type FilePath,
} from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'
import { call, check, native, type Operand } from '../native/native.js'

/** How an id is stored: in two bytes or in four. */
export type TokensDType = 'u16' | 'u32'

/** One source of the ids: a file, or a text from elsewhere. */
export interface TokensPart {
  /** The absolute path; null for a text that was not a file. */
  readonly file: string | null
  /** The range of its documents: the number of the first, and one more than the last. */
  readonly documents: readonly [first: number, end: number]
  /** The range of its ids, in the same form. */
  readonly ids: readonly [first: number, end: number]
}

/** A data file of the folder. */
export interface TokensFile {
  /** Its name in the folder. */
  readonly name: string
  readonly bytes: number
  /** The SHA-256 of its bytes, in hexadecimal. */
  readonly sha256: string
}

/** The manifest of a folder of token ids. */
export interface TokensInfo {
  /** The absolute path of the folder. */
  readonly path: string
  /** Number of ids. */
  readonly ids: number
  readonly documents: number
  readonly dtype: TokensDType
  /** All ids are below this number. */
  readonly vocabSize: number
  /** The tokenizer that encoded the texts, with the digest of its `tokenizer.json`, which is null for an encoding. */
  readonly tokenizer: { readonly name: string; readonly sha256: string | null }
  /** The token that ends every document; null if there is none. */
  readonly separator: { readonly token: string; readonly id: number } | null
  /** Whether each line is a document, rather than each text. */
  readonly lines: boolean
  readonly files: { readonly ids: TokensFile; readonly documents: TokensFile }
  readonly sources: readonly TokensPart[]
}

export const MANIFEST = 'manifest.json'
/** Matches the names of data files. */
export const DATA = /^(ids|documents)\.[0-9a-f]{16}\.bin$/
const FORMAT = 'tokenbed.tokens'
const VERSION = 1
export const WIDTHS: Record<TokensDType, number> = { u16: 2, u32: 4 }
/** The types by NumPy's names, which include the byte order. */
const STORED = { '<u2': 'u16', '<u4': 'u32' } as const
/** Number of bytes of an entry of the index. */
const ENTRY = 8
/** The most bytes of a manifest, enough for some millions of sources. */
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

/**
 * Whether a folder has a manifest, and if it is one of token ids or another. @throws FileError if it cannot be read.
 */
export function manifestIn(folder: string): 'tokens' | 'other' | null {
  if (!isThere(join(folder, MANIFEST))) return null
  const text = readManifest(folder)
  try {
    return (JSON.parse(text) as { format?: unknown } | null)?.format === FORMAT ? 'tokens' : 'other'
  } catch {
    return 'other'
  }
}

/** The text of a folder's manifest. @throws FileError if it is missing or cannot be read. */
function readManifest(folder: string): string {
  const path = join(folder, MANIFEST)
  try {
    const { size } = statSync(path)
    if (size > MOST_BYTES)
      throw new FormatError(`${path}: it has ${size} bytes, but a manifest has at most ${MOST_BYTES}`, path, MOST_BYTES)
    return readWhole(path).toString()
  } catch (error) {
    if (error instanceof FormatError) throw error
    const cause = error instanceof FileError ? error.cause : error
    if (!isMissing({ cause })) throw new FileError(`cannot read ${path}: ${(cause as Error).message}`, path, cause)
    const why = existsSync(folder)
      ? `${folder} has no ${MANIFEST}: it is not a folder of token ids, or was not completed; saveTokens and "tokenbed tokenize" write one`
      : `there is no folder ${folder}`
    throw new FileError(why, path, cause)
  }
}

/** Parses the text of a manifest. @throws FormatError if it is not a manifest that this version reads. */
function parseManifest(text: string, folder: string): TokensInfo {
  const path = join(folder, MANIFEST)
  const wrong = (why: string) => new FormatError(`${path}: ${why}`, path, 0)
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch (cause) {
    throw wrong(`it is not JSON: ${(cause as Error).message}`)
  }
  if (!isObject(said) || isArray(said)) throw wrong('it is not a manifest of token ids')
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
  if (format !== FORMAT)
    throw wrong(`it is not a manifest of token ids: its format is ${show(format)}, not "${FORMAT}"`)
  if (version !== VERSION)
    throw wrong(
      `it has version ${show(version)}, but this tokenbed reads version ${VERSION}: write the folder again, or use the tokenbed that wrote it`,
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
    // The pattern admits only names in this folder, not other paths.
    const isName = typeof name === 'string' && DATA.test(name) && name.startsWith(`${what}.`)
    if (!isName) throw wrong(`"files.${what}.name" is ${show(name)}, not a name such as ${what}.0123456789abcdef.bin`)
    if (size(bytes, `files.${what}.bytes`) !== wanted)
      throw wrong(`"files.${what}.bytes" is ${bytes}, but its elements take ${wanted}`)
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
    if (!isRange) throw wrong(`"${what}" is ${show(value)}, not [start, end]`)
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
  instead: 'open its folder again with openTokens, on any thread',
})

/** An open folder of token ids; `openTokens` makes one. Ids are read from the mapped file when they are requested. */
export class TokenFolder {
  /** The contents of its manifest. */
  readonly info: TokensInfo
  readonly #handle: Handle
  #isGone = false
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  private constructor(info: TokensInfo, handle: Handle, key: typeof PRIVATE) {
    if (key !== PRIVATE) throw new UsageError('a TokenFolder comes from openTokens(folder), not from new')
    this.info = info
    this.#handle = handle
  }

  /** Makes the folder of `openTokens`. @internal */
  static over(info: TokensInfo, handle: Handle): TokenFolder {
    return new TokenFolder(info, handle, PRIVATE)
  }

  /**
   * A copy of the ids of a document, found in constant time.
   *
   * @throws UsageError if there is no such document; FormatError if the index has an impossible entry.
   */
  document(index: number): Uint32Array {
    const where = 'TokenFolder.document'
    const { documents, path } = this.info
    if (documents === 0) throw new UsageError(`${where}: ${path} has no documents`)
    const [start, end] = this.range(checkSize(index, `${where}: index`, 0, documents - 1))
    return this.#copy(start, end)
  }

  /** The numbers of the first id of a document, and of the one after its last. @internal */
  range(index: number): [start: number, end: number] {
    return call(native.tokensDocument(this.#handle, index)) as [number, number]
  }

  /**
   * A copy of the ids from number `start` to `end`, which is excluded; default all.
   *
   * @throws UsageError for a range beyond the ids.
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

  /** Cuts the windows with these numbers, (windows, maxLength), and their targets. @internal */
  fill(
    windows: ReturnType<typeof native.windowsNew> & object,
    numbers: Uint32Array,
    inputs: Operand,
    targets: Operand,
  ): void {
    check(native.tokensFill(this.#handle, windows, numbers, inputs, targets))
  }

  /** Makes a corpus of its ids. @internal */
  corpus(): ReturnType<typeof native.corpusOfFolder> & object {
    return call(native.corpusOfFolder(this.#handle))
  }

  /**
   * Closes the files now, but for a training that reads them. Every later use is a UsageError, also of a loader over
   * this object.
   */
  dispose(): void {
    if (this.#isGone) return
    this.#isGone = true
    native.externalRelease(this.#handle)
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  static {
    guardReceivers(
      this,
      (value) => #handle in value,
      [],
      (value) => (value as TokenFolder).#isGone,
    )
    CONTENTS.guard(this, (value) => #handle in value)
  }
}

/** Makes the constructor private at run time too. */
const PRIVATE = Symbol('by openTokens')

/** How often opening is tried if the manifest is replaced meanwhile. */
const TRIES = 20

/**
 * Does what `openTokens` does, for an absolute path. If another process replaces the folder meanwhile, the result is
 * wholly the old one or wholly the new one.
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

/** The facts about a tokenizer that manifests record to recognise it. */
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
 * Opens a folder of token ids that `saveTokens` or `tokenbed tokenize` wrote. The manifest is read and both data files
 * are mapped, so time and memory do not depend on their size. Their sizes are compared with the manifest. With `verify`
 * every byte is read: the digests must match, documents must not end before they begin, and every id must be below the
 * size of the vocabulary.
 *
 * ```ts
 * const folder = openTokens('corpus')
 * const ids = folder.document(folder.info.documents - 1)
 * ```
 *
 * @throws FileError if the manifest or a data file is missing or cannot be read; FormatError, with the path, for a
 * manifest of another format or version, and for a data file whose size or, with `verify`, bytes have changed.
 */
export function openTokens(folder: FilePath, options?: { verify?: boolean }): TokenFolder {
  return opened(folder, options, 'openTokens')
}

/** Reads the manifest of a folder of token ids: `openTokens(folder).info`. @throws As `openTokens`. */
export function inspectTokens(folder: FilePath, options?: { verify?: boolean }): TokensInfo {
  return opened(folder, options, 'inspectTokens').info
}

function opened(folder: FilePath, options: { verify?: boolean } | undefined, where: string): TokenFolder {
  const path = resolve(checkPath(folder, where))
  const { verify = false } = checkOptions(options, ['verify'], where)
  return openFolder(path, checkBoolean(verify, `${where}: verify`))
}
