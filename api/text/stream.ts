// Texts too large for memory: files and pieces become ids and batches as they are read.

import { abortable, throwIfAborted, untilAborted } from '../base/abortable.js'
import { checkSignal } from '../layers/async.js'
import { checkTokenizer, checkWindows, cutBatch, windowsOver, type Batch, type WindowOptions } from './batch.js'
import { UsageError } from '../base/errors.js'
import { checkEncoder, openFolder } from '../files/token-folder.js'
import { call, check, failureOf, native } from '../native/native.js'
import { Pieces } from './pieces.js'
import { checkItem, readSource, type IdList, type Items, type Kind, type Source, type TextSource } from './source.js'
import type { SpecialOptions } from './encode-options.js'
import type { Tokenizer } from './tokenizer.js'
import { checkOptions, checkWord, checkSize } from '../base/validate.js'
import { WindowBuffer } from './window-buffer.js'
import { zeroed } from '../memory/arrays.js'

export interface StreamOptions extends SpecialOptions {
  /** The tokenizer of the text; default gpt2. */
  tokenizer?: Tokenizer
  /**
   * What happens with bytes of a file that are not UTF-8: an error (`throw`, the default), or U+FFFD as by
   * `TextDecoder`.
   */
  invalidUtf8?: 'throw' | 'replace'
  /**
   * How many bytes of text each byte of a `.gz` or `.zst` file may become, beyond 16 MB that every file may; default
   * 200. Ordinary text grows three to ten times, repetitive logs a hundred times.
   */
  maxRatio?: number
  /**
   * How many bytes of text may be held back because they cannot be divided, such as one word of an encoding, or what a
   * tokenizer's file treats as one. Default for a compressed file: 4 MB, and 16 for each byte of it that was read.
   * Default for others: any number, as they are no longer than what is read.
   */
  maxHeldBytes?: number
  /** Ends the iteration with an AbortedError. */
  signal?: AbortSignal
}

export interface StreamBatchesOptions extends StreamOptions, WindowOptions {}

const OPTIONS = [
  'tokenizer',
  'allowedSpecial',
  'disallowedSpecial',
  'invalidUtf8',
  'maxRatio',
  'maxHeldBytes',
  'signal',
]
const WINDOWS = ['batchSize', 'maxLength', 'stride', 'dropLast']
const TAKES: readonly Kind[] = ['texts', 'files', 'pieces', 'ids', 'folder']
/** What a signal ends, as errors name it. */
const STREAM = 'the stream'

/**
 * Gives the ids of texts chunk by chunk. Together they are the ids that `Tokenizer.encode` gives for each text,
 * wherever pieces or chunks end. Memory does not grow with the texts, only with the longest part that cannot be divided
 * (`maxHeldBytes`). A tokenizer from a file gets at least 64 KB of text at a time, and adds no tokens around texts. The
 * parts of its file decide where its text may be cut: patterns, normalizers, added tokens, what is put before a text,
 * and for BPE without a pre-tokenizer the tokens themselves. Usually a few words are held back. If the parts do not
 * tell, the whole text is held back up to its end, or to `maxHeldBytes`: this happens for Unigram that takes whole
 * sentences (`split: false`), `UnicodeScripts`, `FixedLength`, and patterns that find nothing or look behind
 * themselves.
 *
 * A source names its kind:
 *
 * - `{ files }`: paths; each file is one text. Their ids come end to end, about a megabyte of text a chunk. Files are
 *   read and encoded on another thread, one chunk ahead. Pipes are read like files, as data comes. The text of a file
 *   is what `readFileSync(path, 'utf8')` gives: a byte order mark stays.
 * - `{ texts }`: separate texts in an array or an (async) iterable; each gives at least one chunk.
 * - `{ pieces }`: the pieces of one text, cut anywhere, which are encoded as they come. A Node stream with an encoding
 *   is read in the same way.
 * - `{ ids }`: existing ids. A typed array or an array of numbers is read in the same way.
 * - `{ folder }`: ids that `saveTokens` wrote. If a `tokenizer` is given, it must be the one that encoded them.
 *
 * Nothing is opened before the first chunk is requested. Leaving an iteration early closes its file, and every
 * iteration over files starts from the beginning.
 *
 * @throws UsageError, at once, for a source or options that cannot be used. While iterating: FileError, which names the
 * path, for a file that cannot be read, when its turn comes; FormatError, with the offset in the (decompressed) text,
 * for a file that is not UTF-8, or whose compressed data is damaged or exceeds `maxRatio` or `maxHeldBytes`, and for a
 * text that exceeds the limits of a tokenizer from a file; UsageError for a special token that is not allowed, or a
 * text or piece that is not a string; AbortedError.
 */
export function streamIds(source: TextSource, options?: StreamOptions): AsyncIterable<Uint32Array> {
  const where = 'streamIds'
  return idsOf(source, checkOptions(options, OPTIONS, where), where)
}

/**
 * Gives batches of windows over the ids of `streamIds`, in order. They are the batches of `createDataLoader` without
 * shuffling, in memory that does not grow with the number of ids. Windows reach from one file into the next. A text too
 * short for one window gives no batches.
 *
 * @throws As `streamIds`.
 */
export function streamBatches(source: TextSource, options?: StreamBatchesOptions): AsyncIterable<Batch> {
  const where = 'streamBatches'
  const checked = checkOptions(options, [...OPTIONS, ...WINDOWS], where)
  const windows = checkWindows(checked, where)
  const ids = idsOf(source, checked, where)
  return { [Symbol.asyncIterator]: () => batchesOf(ids, windows, checked.signal) }
}

async function* batchesOf(
  ids: AsyncIterable<Uint32Array>,
  windows: Required<WindowOptions>,
  signal?: AbortSignal,
): AsyncGenerator<Batch> {
  const { batchSize, maxLength, dropLast } = windows
  const buffer = new WindowBuffer(windows)
  const prepare = (count: number, stride: number, rows: number) => ({
    windows: windowsOver(count, { ...windows, stride }),
    numbers: zeroed(Uint32Array, rows).map((_, i) => i),
  })
  // All full batches are cut in the same way, so this is prepared once.
  let full: ReturnType<typeof prepare> | undefined
  const cut = (rows: number) => {
    throwIfAborted(signal, STREAM)
    const { ids, stride } = buffer.take(rows)
    const prepared =
      rows === batchSize ? (full ??= prepare(ids.length, stride, rows)) : prepare(ids.length, stride, rows)
    return cutBatch(prepared.windows, prepared.numbers, ids, maxLength)
  }
  for await (const chunk of ids) {
    buffer.push(chunk)
    while (buffer.windows >= batchSize) yield cut(batchSize)
  }
  if (!dropLast && buffer.windows > 0) yield cut(buffer.windows)
}

/** The ids of a source: checks the options and finds the kind. */
function idsOf(source: unknown, options: Partial<StreamOptions>, where: string): AsyncIterable<Uint32Array> {
  const { tokenizer, signal, invalidUtf8 = 'throw', maxRatio, maxHeldBytes } = options
  checkWord(invalidUtf8, ['throw', 'replace'], `${where}: invalidUtf8`)
  if (maxRatio !== undefined) checkSize(maxRatio, `${where}: maxRatio`, 1)
  if (maxHeldBytes !== undefined) checkSize(maxHeldBytes, `${where}: maxHeldBytes`)
  checkSignal(signal, where)
  const read = readSource(source, TAKES, where)
  if (read.kind === 'ids' && tokenizer === undefined)
    return { [Symbol.asyncIterator]: () => idsThatAreThere(read.lists, signal) }
  if (read.kind === 'folder') {
    const encoder = tokenizer === undefined ? null : checkTokenizer(tokenizer, where)
    return { [Symbol.asyncIterator]: () => idsOfFolder(read, encoder, signal, where) }
  }
  return idsOfSource(read, { ...options, tokenizer: checkTokenizer(tokenizer, where) }, where)
}

/** The ids of a source that was read, with options that were checked. @internal */
export function idsOfSource(
  source: Source,
  options: Partial<StreamOptions> & { tokenizer: Tokenizer },
  where: string,
): AsyncIterable<Uint32Array> {
  const { tokenizer, signal, invalidUtf8, maxRatio, maxHeldBytes, allowedSpecial, disallowedSpecial } = options
  const encoder = tokenizer.forStream({ allowedSpecial, disallowedSpecial }, where)
  const begin = () => call(native.textPiecesNew(...encoder, maxHeldBytes))
  const iterate = (): AsyncGenerator<Uint32Array> => {
    switch (source.kind) {
      case 'files':
        return idsOfFiles(
          () =>
            call(
              native.textFilesNew(...encoder, source.paths as string[], invalidUtf8 === 'replace', {
                maxRatio,
                maxHeldBytes,
              }),
            ),
          signal,
        )
      case 'ids':
        return idsThatAreThere(source.lists, signal)
      case 'folder':
        return idsOfFolder(source, tokenizer, signal, where)
      case 'texts':
        return idsOfTexts(source.items, begin, signal, where)
      default:
        return idsOfPieces(source.items, begin, signal, where)
    }
  }
  return { [Symbol.asyncIterator]: iterate }
}

/** Number of ids that one chunk gives. */
const CHUNK = 2 ** 18

/** Gives copies, because a chunk belongs to the caller. */
async function* idsThatAreThere(lists: readonly IdList[], signal?: AbortSignal): AsyncGenerator<Uint32Array> {
  for (const list of lists) {
    for (let at = 0; at < list.length; at += CHUNK) {
      throwIfAborted(signal, STREAM)
      const chunk = list.subarray(at, at + CHUNK)
      const ids = zeroed(Uint32Array, chunk.length)
      ids.set(chunk)
      yield ids
    }
  }
}

/** The ids of a folder, which is opened when the first chunk is requested. */
async function* idsOfFolder(
  { path, verify }: Source & { kind: 'folder' },
  tokenizer: Tokenizer | null,
  signal: AbortSignal | undefined,
  where: string,
): AsyncGenerator<Uint32Array> {
  throwIfAborted(signal, STREAM)
  const folder = openFolder(path, verify)
  if (tokenizer !== null) checkEncoder(folder.info, tokenizer, where)
  for (let at = 0; at < folder.info.ids; at += CHUNK) {
    throwIfAborted(signal, STREAM)
    yield folder.read(at, Math.min(at + CHUNK, folder.info.ids))
  }
}

/** One chunk is read ahead while the one before it is used. */
async function* idsOfFiles(open: () => Files, signal?: AbortSignal): AsyncGenerator<Uint32Array> {
  throwIfAborted(signal, STREAM)
  const files = open()
  let next = read(files)
  try {
    for (;;) {
      const ids = await untilAborted(next, signal, STREAM)
      if (ids === null) return
      next = read(files)
      yield ids
    }
  } finally {
    const close = () => check(native.textFilesClose(files))
    close()
    // A read in progress keeps its file until it notices the close. An aborted iteration does not wait for that.
    const closed = next.then(close, close)
    if (!signal?.aborted) await closed
  }
}

type Files = NonNullable<ReturnType<typeof native.textFilesNew>>

/** The next ids of files; null after the last. */
function read(files: Files): Promise<Uint32Array | null> {
  const work = nextOf(files)
  // The failure is reported when the chunk is requested; it may come earlier, while the chunk before is in use.
  work.catch(() => {})
  return work
}

async function nextOf(files: Files): Promise<Uint32Array | null> {
  for (;;) {
    const { ids, waiting, failure } = await call(native.textFilesNext(files))
    if (failure) throw failureOf(failure)
    // A pipe may be silent for long, so no thread of Node's pool waits for it all that time.
    if (!waiting) return ids ?? null
  }
}

async function* idsOfTexts(
  texts: Items,
  begin: () => TextPieces,
  signal: AbortSignal | undefined,
  where: string,
): AsyncGenerator<Uint32Array> {
  const encoder = begin()
  let count = 0
  for await (const text of abortable(texts, signal, STREAM)) {
    checkItem(text, 'texts', count, where)
    for (const part of [text as string, undefined]) {
      const ids = inText(count, where, () => call(native.textPiecesNext(encoder, part)))
      if (ids.length > 0) yield ids
    }
    count++
  }
}

/** An error with one of several texts names the text. */
function inText<T>(text: number, where: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof UsageError && error.constructor === UsageError)
      throw new UsageError(`${where}: text ${text}: ${error.message}`, { specialToken: error.specialToken })
    throw error
  }
}

async function* idsOfPieces(
  pieces: Items,
  begin: () => TextPieces,
  signal: AbortSignal | undefined,
  where: string,
): AsyncGenerator<Uint32Array> {
  const text = begin()
  const joined = new Pieces()
  let count = 0
  for await (const piece of abortable(pieces, signal, STREAM)) {
    checkItem(piece, 'pieces', count++, where)
    const ids = call(native.textPiecesNext(text, joined.push(piece as string)))
    if (ids.length > 0) yield ids
  }
  for (const rest of [joined.end(), undefined]) {
    const ids = call(native.textPiecesNext(text, rest))
    if (ids.length > 0) yield ids
  }
}

type TextPieces = NonNullable<ReturnType<typeof native.textPiecesNew>>
