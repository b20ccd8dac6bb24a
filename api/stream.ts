// Texts too large for memory: files and pieces as they come, to ids and to batches.

import { resolve } from 'node:path'
import { checkSignal } from './async.js'
import { checkTokenizer, checkWindows, cutBatch, windowsOver, type Batch, type WindowOptions } from './batch.js'
import { AbortedError, UsageError } from './errors.js'
import { call, check, failureOf, native } from './native.js'
import type { SpecialOptions, Tokenizer } from './tokenizer.js'
import { checkOptions, checkPath, checkWord, isArray, isObject, show, checkSize } from './validate.js'
import { WindowBuffer } from './window-buffer.js'
import { zeroed } from './memory.js'

/** Paths of files, which end in `.gz` or `.zst` where they are compressed; or the pieces of one text. */
export type TextSource = readonly string[] | AsyncIterable<string> | Iterable<string>

export interface StreamOptions extends SpecialOptions {
  /** What encodes the text; default gpt2. */
  tokenizer?: Tokenizer
  /** What happens to bytes of a file that are not UTF-8: an error (`throw`, the default), or U+FFFD as by `TextDecoder`. */
  invalidUtf8?: 'throw' | 'replace'
  /** Bytes of text that each byte of a `.gz` or `.zst` file may become, beside 16 MB that any may; default 200: text becomes
   * three to ten times as long, logs that repeat themselves a hundred times. */
  maxRatio?: number
  /** Bytes of text that may be held back because nothing divides them: a word of an encoding, what the file of a tokenizer
   * takes as one. Default: of a compressed file 4 MB, and 16 for each byte that was read of it; of others any number, as they are
   * no longer than what is read. */
  maxHeldBytes?: number
  /** Ends the iteration with an AbortedError. */
  signal?: AbortSignal
}

export interface StreamBatchesOptions extends StreamOptions, WindowOptions {}

const OPTIONS = ['tokenizer', 'allowedSpecial', 'disallowedSpecial', 'invalidUtf8', 'maxRatio', 'maxHeldBytes', 'signal']
const WINDOWS = ['batchSize', 'maxLength', 'stride', 'dropLast']

/**
 * The ids of a text, chunk by chunk, in memory that does not grow with it, but with the longest part that nothing divides
 * (`maxHeldBytes`): together those that `Tokenizer.encode` gives
 * for the whole, wherever pieces or chunks end. A tokenizer from a file gets 64 KB at least, and puts nothing around texts.
 * Where its text may be cut is worked out from the parts of the file: their patterns, normalizers, added tokens, what is put
 * before a text, and for BPE without a pre-tokenizer the tokens themselves. As a rule a few words wait. Where the parts do not
 * say it, all of a text waits up to its end, or to `maxHeldBytes`: for Unigram that takes whole sentences (`split: false`),
 * `UnicodeScripts`, `FixedLength`, patterns that find nothing or look behind themselves.
 *
 * An array of strings names files, each a text of its own; their ids come end to end, about a megabyte of text a chunk.
 * They are read and encoded on another thread, one chunk ahead of its use. A pipe is read as a file is, as it comes. The text of a file is what
 * `readFileSync(path, 'utf8')` gives: a byte order mark stays. Anything else that can be iterated gives the pieces of one
 * text, which are encoded as they come.
 *
 * Nothing is opened before the first chunk is asked for. An iteration that is left closes its file; every iteration over
 * files starts anew.
 *
 * @throws UsageError, at once, for a source or options that cannot be used. While iterating: FileError, which names the
 * path, for a file that cannot be read, once it is its turn; FormatError for one that is not UTF-8 or whose compressed
 * data is damaged or becomes more than `maxRatio` and `maxHeldBytes` allow, with the offset in its (decompressed) text, and
 * for a tokenizer's file that takes more than its own limits; UsageError for a special token that is not allowed, or a
 * piece that is no string; AbortedError.
 */
export function streamIds(source: TextSource, options?: StreamOptions): AsyncIterable<Uint32Array> {
  const where = 'streamIds'
  return idsOf(source, checkOptions(options, OPTIONS, where), where)
}

/**
 * Batches of windows over the ids of `streamIds`, in order: what `createDataLoader` gives without shuffling for all these
 * ids, in memory that does not grow with their number. Windows reach from one file into the next. A text too short for
 * one window gives no batches.
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

async function* batchesOf(ids: AsyncIterable<Uint32Array>, windows: Required<WindowOptions>, signal?: AbortSignal): AsyncGenerator<Batch> {
  const { batchSize, maxLength, dropLast } = windows
  const buffer = new WindowBuffer(windows)
  const prepare = (count: number, stride: number, rows: number) => ({
    windows: windowsOver(count, { ...windows, stride }),
    numbers: zeroed(Uint32Array, rows).map((_, i) => i),
  })
  // All full batches are cut alike.
  let full: ReturnType<typeof prepare> | undefined
  const cut = (rows: number) => {
    throwIfAborted(signal)
    const { ids, stride } = buffer.take(rows)
    const prepared = rows === batchSize ? (full ??= prepare(ids.length, stride, rows)) : prepare(ids.length, stride, rows)
    return cutBatch(prepared.windows, prepared.numbers, ids, maxLength)
  }
  for await (const chunk of ids) {
    buffer.push(chunk)
    while (buffer.windows >= batchSize) yield cut(batchSize)
  }
  if (!dropLast && buffer.windows > 0) yield cut(buffer.windows)
}

/** The ids of a source, its options checked and its kind told. */
function idsOf(source: unknown, options: Partial<StreamOptions>, where: string): AsyncIterable<Uint32Array> {
  const { tokenizer, signal, invalidUtf8 = 'throw', maxRatio, maxHeldBytes, allowedSpecial, disallowedSpecial } = options
  checkWord(invalidUtf8, ['throw', 'replace'], `${where}: invalidUtf8`)
  if (maxRatio !== undefined) checkSize(maxRatio, `${where}: maxRatio`, 1)
  if (maxHeldBytes !== undefined) checkSize(maxHeldBytes, `${where}: maxHeldBytes`)
  checkSignal(signal, where)
  if (isArray(source)) {
    const paths = Array.from(source, (path, i) => resolve(checkPath(path, `${where}: file ${i}`)))
    const encoder = checkTokenizer(tokenizer, where).forStream({ allowedSpecial, disallowedSpecial }, where)
    const open = () => call(native.textFilesNew(...encoder, paths, invalidUtf8 === 'replace', { maxRatio, maxHeldBytes }))
    return { [Symbol.asyncIterator]: () => idsOfFiles(open, signal) }
  }
  checkPieces(source, where)
  const encoder = checkTokenizer(tokenizer, where).forStream({ allowedSpecial, disallowedSpecial }, where)
  const begin = () => call(native.textPiecesNew(...encoder, maxHeldBytes))
  return { [Symbol.asyncIterator]: () => idsOfPieces(source, begin, signal, where) }
}

type Pieces = AsyncIterable<unknown> | Iterable<unknown>

function checkPieces(source: unknown, where: string): asserts source is Pieces {
  if (typeof source === 'string') {
    throw new UsageError(`${where}: a string may be a path or a text: give [path] for a file, or encode a text that is in memory with createDataLoader or Tokenizer.encode`)
  }
  const isIterable = isObject(source) && (Symbol.asyncIterator in source || Symbol.iterator in source)
  if (!isIterable || ArrayBuffer.isView(source)) {
    throw new UsageError(`${where}: an array of paths, or an iterable of the pieces of a text, not ${show(source)}`)
  }
}

/** One chunk is read ahead while the one before it is used. */
async function* idsOfFiles(open: () => Files, signal?: AbortSignal): AsyncGenerator<Uint32Array> {
  throwIfAborted(signal)
  const files = open()
  let next = read(files)
  try {
    for (;;) {
      const ids = await untilAborted(next, signal)
      if (ids === null) return
      next = read(files)
      yield ids
    }
  } finally {
    const close = () => check(native.textFilesClose(files))
    close()
    // What was reading then has the file until it notices. An aborted iteration does not wait for that.
    const closed = next.then(close, close)
    if (!signal?.aborted) await closed
  }
}

type Files = NonNullable<ReturnType<typeof native.textFilesNew>>

/** The next ids of files; null after the last. */
function read(files: Files): Promise<Uint32Array | null> {
  const work = nextOf(files)
  // A failure waits until it is asked for: it may come while the chunk before it is used.
  work.catch(() => {})
  return work
}

async function nextOf(files: Files): Promise<Uint32Array | null> {
  for (;;) {
    const { ids, waiting, failure } = await call(native.textFilesNext(files))
    if (failure) throw failureOf(failure)
    // Of a pipe nothing may come for long: no thread of Node's waits for it all the while.
    if (!waiting) return ids ?? null
  }
}

async function* idsOfPieces(source: Pieces, begin: () => TextPieces, signal: AbortSignal | undefined, where: string): AsyncGenerator<Uint32Array> {
  const text = begin()
  let [count, half] = [0, '']
  for await (const piece of abortable(source, signal)) {
    if (typeof piece !== 'string') {
      const hint = ArrayBuffer.isView(piece) ? ': give a stream of Node an encoding, as createReadStream(path, \'utf8\')' : ''
      throw new UsageError(`${where}: piece ${count} must be a string, not ${show(piece)}${hint}`)
    }
    count++
    // The first half of a surrogate pair waits for the second: on its own it would count as U+FFFD.
    const whole = half + piece
    half = /[\ud800-\udbff]$/.test(whole) ? whole.slice(-1) : ''
    const ids = call(native.textPiecesNext(text, whole.slice(0, whole.length - half.length)))
    if (ids.length > 0) yield ids
  }
  for (const rest of half === '' ? [undefined] : [half, undefined]) {
    const ids = call(native.textPiecesNext(text, rest))
    if (ids.length > 0) yield ids
  }
}

type TextPieces = NonNullable<ReturnType<typeof native.textPiecesNew>>

/** What an iterable gives, until the signal says otherwise. */
async function* abortable(source: Pieces, signal?: AbortSignal): AsyncGenerator<unknown> {
  throwIfAborted(signal)
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  let isWaiting = false
  try {
    for (;;) {
      // Whoever throws or is done needs no telling that nothing more is asked for.
      isWaiting = false
      const step = await untilAborted(Promise.resolve(iterator.next()), signal)
      if (step.done) return
      isWaiting = true
      yield step.value
    }
  } finally {
    const left = isWaiting || signal?.aborted ? Promise.resolve(iterator.return?.()) : undefined
    // One that is still at work on the next piece may take long to notice.
    if (signal?.aborted) left?.catch(() => {})
    else await left
  }
}

function throwIfAborted(signal?: AbortSignal): void {
  if (signal?.aborted) throw new AbortedError('the stream was aborted', { cause: signal.reason })
}

/** The outcome of work, or the end that the signal puts to waiting for it. */
function untilAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const abort = () => {
      try {
        throwIfAborted(signal)
      } catch (error) {
        reject(error)
      }
    }
    signal.addEventListener('abort', abort, { once: true })
    const settle = () => signal.removeEventListener('abort', abort)
    abort()
    work.then(
      (value) => (settle(), resolve(value)),
      (error: unknown) => (settle(), reject(error)),
    )
  })
}
