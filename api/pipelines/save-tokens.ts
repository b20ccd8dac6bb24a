// Writes folders of token ids: texts are encoded once, so later readers need only the ids.

import { mkdirSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { abortable, throwIfAborted } from '../base/abortable.js'
import { quietly } from '../base/quietly.js'
import { FileError, UsageError } from '../base/errors.js'
import {
  checkBoolean,
  checkFunction,
  checkOptions,
  checkPath,
  checkSize,
  checkText,
  checkWord,
  eachOf,
  isArray,
  isObject,
  show,
  type FilePath,
} from '../base/validate.js'
import {
  DATA,
  MANIFEST,
  manifestIn,
  manifestOf,
  WIDTHS,
  type TokensDType,
  type TokensInfo,
  type TokensPart,
} from '../files/token-folder.js'
import { checkSignal } from '../layers/async.js'
import { call, check, failureOf, native } from '../native/native.js'
import { checkTokenizer } from '../text/batch.js'
import { Pieces } from '../text/pieces.js'
import {
  checkItem,
  readSource,
  type FilesSource,
  type IdsSource,
  type Kind,
  type PiecesSource,
  type Source,
  type TextsSource,
} from '../text/source.js'
import type { SpecialOptions } from '../text/encode-options.js'
import type { Tokenizer } from '../text/tokenizer.js'

/** A source that can be encoded into a folder. Ids are stored as they are; each list of them is a document. */
export type TokensInput = FilesSource | TextsSource | PiecesSource | IdsSource

/** The progress of `saveTokens`. */
export interface TokensProgress {
  /** Number of ids written so far. */
  readonly ids: number
  /** Number of documents that have ended. */
  readonly documents: number
  /** Number of bytes of text read from files, after decompression. */
  readonly bytes: number
}

export interface SaveTokensOptions extends SpecialOptions {
  /** The tokenizer of the texts; default gpt2. If the source is ids, it is the tokenizer that encoded them. */
  tokenizer?: Tokenizer
  /** How an id is stored. The default `auto` is `u16` if the vocabulary has at most 65,536 tokens, and else `u32`. */
  dtype?: TokensDType | 'auto'
  /**
   * Whether each line of a file or of pieces is a document, without the `\n` or `\r\n` at its end; empty lines are
   * skipped. Default false: each file and each text is a document.
   */
  lines?: boolean
  /**
   * A special token that ends every document, including the last, such as `<|endoftext|>`. Default: none, as
   * `streamIds` puts nothing between files.
   */
  separator?: string
  /** Whether an existing folder of token ids is replaced; default false. It stays until the new one is complete. */
  force?: boolean
  /** What happens with bytes of a file that are not UTF-8: an error (`throw`, the default), or U+FFFD (`replace`). */
  invalidUtf8?: 'throw' | 'replace'
  /**
   * How many bytes of text each byte of a `.gz` or `.zst` file may become, beyond 16 MB that every file may; default
   * 200.
   */
  maxRatio?: number
  /** How many bytes of text may be held back because they cannot be divided; the default is that of `streamIds`. */
  maxHeldBytes?: number
  /** Called after every few megabytes, and after each text. */
  onProgress?: (progress: TokensProgress) => void
  /** Ends the work with an AbortedError; nothing is left behind. */
  signal?: AbortSignal
}

const OPTIONS = [
  'tokenizer',
  'dtype',
  'lines',
  'separator',
  'force',
  'invalidUtf8',
  'maxRatio',
  'maxHeldBytes',
  'onProgress',
  'signal',
  'allowedSpecial',
  'disallowedSpecial',
]
const TAKES: readonly Kind[] = ['files', 'texts', 'pieces', 'ids']
/** Number of ids that two bytes can tell apart. */
const FITS_U16 = 2 ** 16

/** The options with their defaults filled in. */
interface Plan {
  readonly tokenizer: Tokenizer
  readonly dtype: TokensDType
  readonly lines: boolean
  readonly separator: { readonly token: string; readonly id: number } | null
  readonly force: boolean
  readonly invalidUtf8: 'throw' | 'replace'
  readonly maxRatio?: number
  readonly maxHeldBytes?: number
  readonly special: SpecialOptions
  readonly onProgress?: (progress: TokensProgress) => void
  readonly signal?: AbortSignal
}

/**
 * Encodes texts and writes their ids to a folder, in memory that does not grow with them. `createDataLoader`,
 * `streamIds`, `streamBatches` and `Trainer` read it as the source `{ folder }`.
 *
 * The ids are those that `Tokenizer.encode` gives for each document, end to end. Files are read, encoded and written on
 * another thread. The manifest is written last, and completes the folder. If the work ends before, an existing folder
 * is unchanged, and no new one appears.
 *
 * ```ts
 * await saveTokens('corpus', { files: ['a.txt', 'b.txt.gz'] }, { separator: '<|endoftext|>' })
 * for (const { inputs, targets } of createDataLoader({ folder: 'corpus' }, { maxLength: 1024, stride: 1024 })) {
 *   // ...
 * }
 * ```
 *
 * @param source One source, or an array of several, which are written in that order.
 * @throws UsageError for a source or options that cannot be used, if a folder of token ids exists and `force` is not
 * given, and if there are no ids; TokenIndexError for an id that the tokenizer does not have. FileError, FormatError
 * for files that cannot be read, as in `streamIds`, for a folder that cannot be written, and if another process writes
 * to it at the same time. AbortedError.
 */
export async function saveTokens(
  folder: FilePath,
  source: TokensInput | readonly TokensInput[],
  options?: SaveTokensOptions,
): Promise<TokensInfo> {
  const where = 'saveTokens'
  const path = resolve(checkPath(folder, where))
  const plan = planOf(options, where)
  const sources = sourcesOf(source, where)
  if (plan.lines && sources.some(({ kind }) => kind === 'ids' || kind === 'texts')) {
    throw new UsageError(
      `${where}: the option lines works only with { files } and { pieces }: each text or list of ids is one document already`,
    )
  }
  checkFree(path, plan.force, where)
  throwIfAborted(plan.signal, where)
  const made = makeFolder(path)
  const leave = () => made && quietly(() => rmdirSync(path))
  try {
    // The lock is taken first: otherwise two writers of one folder would both do all the work, one of them for nothing.
    const lock = call(native.folderLock(path, 0))
    try {
      return await write(path, sources, plan, leave, where)
    } finally {
      check(native.folderUnlock(lock))
    }
  } catch (error) {
    leave()
    throw error
  }
}

function planOf(options: SaveTokensOptions | undefined, where: string): Plan {
  const given = checkOptions(options, OPTIONS, where)
  const {
    dtype = 'auto',
    lines = false,
    separator,
    force = false,
    invalidUtf8 = 'throw',
    maxRatio,
    maxHeldBytes,
    onProgress,
    signal,
  } = given
  const tokenizer = checkTokenizer(given.tokenizer, where)
  checkWord(dtype, ['auto', 'u16', 'u32'], `${where}: dtype`)
  checkWord(invalidUtf8, ['throw', 'replace'], `${where}: invalidUtf8`)
  if (maxRatio !== undefined) checkSize(maxRatio, `${where}: maxRatio`, 1)
  if (maxHeldBytes !== undefined) checkSize(maxHeldBytes, `${where}: maxHeldBytes`)
  if (onProgress !== undefined) checkFunction(onProgress, `${where}: onProgress`)
  const fits = tokenizer.vocabSize <= FITS_U16
  if (dtype === 'u16' && !fits)
    throw new UsageError(
      `${where}: u16 holds ids below 65536, but ${tokenizer.name} has ${tokenizer.vocabSize} tokens: use u32`,
    )
  const special = { allowedSpecial: given.allowedSpecial, disallowedSpecial: given.disallowedSpecial }
  return {
    tokenizer,
    invalidUtf8,
    maxRatio,
    maxHeldBytes,
    onProgress,
    special,
    dtype: dtype === 'auto' ? (fits ? 'u16' : 'u32') : dtype,
    lines: checkBoolean(lines, `${where}: lines`),
    force: checkBoolean(force, `${where}: force`),
    separator: separator === undefined ? null : separatorOf(separator, tokenizer, where),
    signal: checkSignal(signal, where),
  }
}

function separatorOf(
  separator: unknown,
  { specialTokens, name }: Tokenizer,
  where: string,
): { token: string; id: number } {
  const token = checkText(separator, `${where}: separator`)
  const id = specialTokens.get(token)
  if (id !== undefined) return { token, id }
  const known = [...specialTokens.keys()].slice(0, 8).join(' ')
  throw new UsageError(
    `${where}: separator ${show(token)} is not a special token of ${name}; it has: ${known || 'none'}`,
  )
}

/** Reads one source or an array of several. In an array each names its kind, and short forms are refused. */
function sourcesOf(source: unknown, where: string): Source[] {
  const several = isArray(source) && isObject(source[0]) && !isArray(source[0]) && !ArrayBuffer.isView(source[0])
  return several
    ? eachOf(source, (one, i) => readSource(one, TAKES, `${where}: source ${i}`))
    : [readSource(source, TAKES, where)]
}

/** Refuses to write over something that the caller did not mean. */
function checkFree(folder: string, force: boolean, where: string): void {
  const found = manifestIn(folder)
  if (found === 'other')
    throw new UsageError(
      `${where}: ${join(folder, MANIFEST)} belongs to something else, and would be replaced: name another folder`,
    )
  if (found === 'tokens' && !force)
    throw new UsageError(
      `${where}: ${folder} is already a folder of token ids: name another, or replace it with force: true`,
    )
}

/** Makes the folder if it is missing, and returns whether it did. */
function makeFolder(folder: string): boolean {
  try {
    return mkdirSync(folder, { recursive: true }) !== undefined
  } catch (cause) {
    throw new FileError(`cannot make the folder ${folder}: ${(cause as Error).message}`, folder, cause)
  }
}

/** What must be aborted if the process exits meanwhile. */
const open = new Set<() => void>()
let listening = false

function enter(giveUp: () => void): void {
  open.add(giveUp)
  if (listening) return
  listening = true
  process.on('exit', () => open.forEach((giveUp) => giveUp()))
}

async function write(
  folder: string,
  sources: Source[],
  plan: Plan,
  leave: () => void,
  where: string,
): Promise<TokensInfo> {
  const { tokenizer, dtype, lines, separator, maxHeldBytes, special } = plan
  const [encoder, allowed, disallowed] = tokenizer.forStream(special, where)
  const file = call(
    native.tokensCreate(folder, encoder, {
      width: WIDTHS[dtype],
      lines,
      separator: separator?.id,
      allowed,
      disallowed,
      maxHeldBytes,
    }),
  )
  const giveUp = () => {
    check(native.tokensAbort(file))
    leave()
  }
  enter(giveUp)
  try {
    const writing = new Writing(file, plan, where)
    for (const source of sources) await writing.add(source)
    const [ids, documents] = call(native.tokensWritten(file))
    if (ids === 0) throw new UsageError(`${where}: the source has no text, so there are no ids: nothing was written`)
    throwIfAborted(plan.signal, where)
    const before = namesIn(folder)
    const { names, digests, failure } = await call(native.tokensFinish(file))
    if (failure) throw failureOf(failure)
    const bytes = [ids * WIDTHS[dtype], (documents + 1) * 8]
    const [forIds, forDocuments] = names.map((name, i) => ({ name, bytes: bytes[i], sha256: digests[i] }))
    const info: TokensInfo = {
      path: folder,
      ids,
      documents,
      dtype,
      vocabSize: tokenizer.vocabSize,
      tokenizer: { name: tokenizer.name, sha256: tokenizer.file?.digest ?? null },
      separator,
      lines,
      files: { ids: forIds, documents: forDocuments },
      sources: writing.sources,
    }
    commit(info, before)
    return info
  } catch (error) {
    check(native.tokensAbort(file))
    throw error
  } finally {
    open.delete(giveUp)
  }
}

/**
 * Writes the manifest, which names the new data files. Then removes the data files of the old folder and of unfinished
 * writers.
 */
function commit(info: TokensInfo, before: ReadonlySet<string>): void {
  const { path, files } = info
  const current = new Set([files.ids.name, files.documents.name])
  try {
    check(native.writeWhole(join(path, MANIFEST), Buffer.from(manifestOf(info))))
  } catch (error) {
    for (const name of current) if (!before.has(name)) quietly(() => unlinkSync(join(path, name)))
    throw error
  }
  for (const name of namesIn(path)) if (!current.has(name)) quietly(() => unlinkSync(join(path, name)))
}

/** The names of the data files in a folder. */
function namesIn(folder: string): Set<string> {
  const names = new Set<string>()
  quietly(() => readdirSync(folder).forEach((name) => DATA.test(name) && names.add(name)))
  return names
}

/** For at most this many milliseconds the texts of this thread keep other work waiting. */
const TURN = 20

/** Writes sources one after the other. */
class Writing {
  /** The sources written so far. */
  readonly sources: TokensPart[] = []
  #bytes = 0
  #until = performance.now() + TURN

  constructor(
    private readonly file: ReturnType<typeof native.tokensCreate> & object,
    private readonly plan: Plan,
    private readonly where: string,
  ) {}

  async add(source: Source): Promise<void> {
    if (source.kind === 'files') {
      for (const path of source.paths) await this.#part(path, () => this.#text(path))
    } else if (source.kind === 'ids') {
      await this.#part(null, () => this.#ids(source.lists))
    } else if (source.kind === 'texts' || source.kind === 'pieces') {
      await this.#part(null, () => this.#strings(source.items, source.kind as 'texts' | 'pieces'))
    }
  }

  async #part(file: string | null, write: () => Promise<void>): Promise<void> {
    const [firstId, firstDocument] = call(native.tokensWritten(this.file))
    await write()
    const [ids, documents] = call(native.tokensWritten(this.file))
    this.sources.push({ file, documents: [firstDocument, documents], ids: [firstId, ids] })
  }

  async #text(path: string): Promise<void> {
    const { invalidUtf8, maxRatio, maxHeldBytes, signal } = this.plan
    const text = call(native.tokensFile(this.file, path, invalidUtf8 === 'replace', { maxRatio, maxHeldBytes }))
    for (let isDone = false; !isDone;) {
      throwIfAborted(signal, this.where)
      const { done, bytes, failure } = await call(native.tokensFileRead(text))
      if (failure) throw failureOf(failure)
      this.#bytes += bytes
      isDone = done
      this.#tell()
    }
  }

  async #ids(lists: readonly (Int32Array | Uint32Array)[]): Promise<void> {
    for (const list of lists) {
      check(native.tokensIds(this.file, list), [list.length])
      check(native.tokensEnd(this.file))
      await this.#turn()
    }
  }

  async #strings(items: Extract<Source, { items: unknown }>['items'], kind: 'texts' | 'pieces'): Promise<void> {
    const joined = new Pieces()
    let count = 0
    for await (const item of abortable(items, this.plan.signal, this.where)) {
      checkItem(item, kind, count++, this.where)
      check(native.tokensText(this.file, kind === 'pieces' ? joined.push(item as string) : (item as string)))
      if (kind === 'texts') check(native.tokensEnd(this.file))
      await this.#turn()
    }
    if (kind === 'texts') return
    check(native.tokensText(this.file, joined.end()))
    check(native.tokensEnd(this.file))
    this.#tell()
  }

  /** Reports progress, and lets the event loop run now and then, so that a signal is noticed. */
  async #turn(): Promise<void> {
    this.#tell()
    if (performance.now() < this.#until) return
    await setImmediate()
    throwIfAborted(this.plan.signal, this.where)
    this.#until = performance.now() + TURN
  }

  #tell(): void {
    if (this.plan.onProgress === undefined) return
    const [ids, documents] = call(native.tokensWritten(this.file))
    this.plan.onProgress({ ids, documents, bytes: this.#bytes })
  }
}
