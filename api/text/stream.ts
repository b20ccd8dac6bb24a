// Texts too large for memory: files and pieces become ids and batches as they are read.

import { abortable, throwIfAborted, untilAborted } from '../base/abortable.js'
import { checkSignal } from '../layers/async.js'
import {
  checkTokenizer,
  checkWindows,
  cutBatch,
  WINDOW_OPTIONS,
  windowsOver,
  type Batch,
  type CheckedWindows,
  type WindowOptions,
} from './batch.js'
import { UsageError } from '../base/errors.js'
import { checkEncoder, openFolder } from '../files/token-folder.js'
import { call, check, failureOf, native } from '../native/native.js'
import { untrack } from '../memory/scope.js'
import { randint } from '../tensor/draws.js'
import { checkGenerator, type Generator } from '../tensor/random.js'
import { Pieces } from './pieces.js'
import { checkItem, readSource, type IdList, type Items, type Kind, type Source, type TextSource } from './source.js'
import type { SpecialOptions } from './encode-options.js'
import { batchOfSpans, checkCovering, TextCutter } from './text-windows.js'
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

export interface StreamBatchesOptions extends StreamOptions, WindowOptions {
  /**
   * Number of windows among which each next one is drawn, so that they come in random order as far as that reaches:
   * the buffer is filled, then each window that comes takes the place of one that is drawn and given; what is left at
   * the end is shuffled. It holds `maxLength` + 1 ids of 4 bytes a window. Default 0, the order of the text.
   * `torch.utils.data.datapipes.iter.Shuffler`, and tf.data's `shuffle(buffer_size)`; the draws are this package's own.
   */
  shuffleBuffer?: number
  /** With `shuffleBuffer`: the generator that draws; default: the one that `manualSeed` seeds. */
  generator?: Generator
}

const OPTIONS = [
  'tokenizer',
  'allowedSpecial',
  'disallowedSpecial',
  'invalidUtf8',
  'maxRatio',
  'maxHeldBytes',
  'signal',
]
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
  const checked = checkOptions(options, [...OPTIONS, ...WINDOW_OPTIONS, 'shuffleBuffer', 'generator'], where)
  const windows = checkWindows(checked, where)
  const { shuffleBuffer = 0, signal } = checked
  checkSize(shuffleBuffer, `${where}: shuffleBuffer`, 0, 2 ** 31 - 1)
  if (checked.generator !== undefined && shuffleBuffer === 0)
    throw new UsageError(`${where}: generator is for shuffleBuffer, the number of windows to draw from: give it, too`)
  const generator = checkGenerator(checked.generator, where)
  if (!windows.perText) {
    const ids = idsOf(source, checked, where)
    if (shuffleBuffer === 0) return { [Symbol.asyncIterator]: () => batchesOf(ids, windows, signal) }
    const begin = () => spansOf(ids, windows)
    return { [Symbol.asyncIterator]: () => batched(shuffled(begin(), shuffleBuffer, generator), windows, signal) }
  }
  checkCovering(windows.maxLength, windows.stride, where)
  const texts = textsOf(source, checked, where)
  const begin = () => spansOfTexts(texts(), windows)
  const order = () => (shuffleBuffer === 0 ? begin() : shuffled(begin(), shuffleBuffer, generator))
  return { [Symbol.asyncIterator]: () => batched(order(), windows, signal) }
}

/** The windows of the ids of all texts, each with the id that follows it. */
async function* spansOf(ids: AsyncIterable<Uint32Array>, windows: CheckedWindows): AsyncGenerator<Uint32Array> {
  const buffer = new WindowBuffer(windows)
  const span = windows.maxLength + 1
  for await (const chunk of ids) {
    buffer.push(chunk)
    while (buffer.windows > 0) {
      const count = Math.min(buffer.windows, TOGETHER)
      const { ids: some, stride } = buffer.take(count)
      for (let i = 0; i < count; i++) yield some.slice(i * stride, i * stride + span)
    }
  }
}

/** Windows that are taken from a buffer at a time. */
const TOGETHER = 64

/** The windows of each text. */
async function* spansOfTexts(
  texts: AsyncIterable<AsyncIterable<Uint32Array>>,
  { maxLength, stride }: CheckedWindows,
): AsyncGenerator<Uint32Array> {
  const cutter = new TextCutter(maxLength, stride)
  for await (const ids of texts) {
    for await (const chunk of ids) yield* cutter.push(chunk)
    yield* cutter.finish()
  }
}

/** The windows in the order of a buffer of `size`, from which each next one is drawn. */
async function* shuffled(
  spans: AsyncIterable<Uint32Array>,
  size: number,
  generator: Generator,
): AsyncGenerator<Uint32Array> {
  const held: Uint32Array[] = []
  let places: number[] = []
  for await (const span of spans) {
    if (held.length < size) {
      held.push(span)
      continue
    }
    if (places.length === 0) places = drawnPlaces(size, generator)
    const place = places.pop()!
    yield held[place]
    held[place] = span
  }
  // Fisher and Yates: each of those that are left is equally likely at each place.
  for (let left = held.length; left > 0; left--) {
    const [place] = left === 1 ? [0] : drawnPlaces(left, generator, 1)
    yield held[place]
    held[place] = held[left - 1]
  }
}

/** Places below `size`. */
function drawnPlaces(size: number, generator: Generator, count = TOGETHER): number[] {
  const drawn = randint(size, [count], { generator, dtype: 'int32' })
  untrack(drawn)
  const places = Array.from(drawn.data as Int32Array)
  drawn.dispose()
  return places
}

async function* batched(
  spans: AsyncIterable<Uint32Array>,
  { batchSize, maxLength, paddingId, dropLast, perText }: CheckedWindows,
  signal: AbortSignal | undefined,
): AsyncGenerator<Batch> {
  const filling = { maxLength, paddingId, isMasked: perText }
  let waiting: Uint32Array[] = []
  for await (const span of spans) {
    if (waiting.push(span) < batchSize) continue
    throwIfAborted(signal, STREAM)
    yield batchOfSpans(waiting, filling)
    waiting = []
  }
  throwIfAborted(signal, STREAM)
  if (!dropLast && waiting.length > 0) yield batchOfSpans(waiting, filling)
}

/** The ids of each text of a source. Options and kind are checked at once, and texts read when their turn comes. */
function textsOf(
  source: unknown,
  options: Partial<StreamOptions>,
  where: string,
): () => AsyncGenerator<AsyncIterable<Uint32Array>> {
  const read = sourceOf(source, options, where)
  const { signal } = options
  const one = (part: Source) => idsOfRead(part, options, where)
  // Options are checked at once, whatever comes later.
  const whole = one(read)
  return async function* () {
    if (read.kind === 'files') for (const path of read.paths) yield one({ kind: 'files', paths: [path] })
    else if (read.kind === 'ids') for (const list of read.lists) yield one({ ...read, lists: [list] })
    else if (read.kind === 'folder') yield* documentsOf(read, options, where)
    else if (read.kind !== 'texts') yield whole
    else {
      let count = 0
      for await (const text of abortable(read.items, signal, STREAM)) {
        checkItem(text, 'texts', count++, where)
        yield one({ kind: 'texts', items: [text] })
      }
    }
  }
}

/** The ids of each document of a folder. */
async function* documentsOf(
  { path, verify }: Source & { kind: 'folder' },
  { tokenizer, signal }: Partial<StreamOptions>,
  where: string,
): AsyncGenerator<AsyncIterable<Uint32Array>> {
  const folder = openFolder(path, verify)
  if (tokenizer !== undefined) checkEncoder(folder.info, checkTokenizer(tokenizer, where), where)
  for (let document = 0; document < folder.info.documents; document++) {
    const ids = folder.document(document)
    yield { [Symbol.asyncIterator]: () => idsThatAreThere([ids], signal) }
  }
}

async function* batchesOf(
  ids: AsyncIterable<Uint32Array>,
  windows: CheckedWindows,
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

/** The ids of a source. */
function idsOf(source: unknown, options: Partial<StreamOptions>, where: string): AsyncIterable<Uint32Array> {
  return idsOfRead(sourceOf(source, options, where), options, where)
}

/** Checks the options and finds the kind. */
function sourceOf(source: unknown, options: Partial<StreamOptions>, where: string): Source {
  const { signal, invalidUtf8 = 'throw', maxRatio, maxHeldBytes } = options
  checkWord(invalidUtf8, ['throw', 'replace'], `${where}: invalidUtf8`)
  if (maxRatio !== undefined) checkSize(maxRatio, `${where}: maxRatio`, 1)
  if (maxHeldBytes !== undefined) checkSize(maxHeldBytes, `${where}: maxHeldBytes`)
  checkSignal(signal, where)
  return readSource(source, TAKES, where)
}

/** The ids of a source that was read. */
function idsOfRead(read: Source, options: Partial<StreamOptions>, where: string): AsyncIterable<Uint32Array> {
  const { tokenizer, signal } = options
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
