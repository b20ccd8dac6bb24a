// Streams of texts to streams of vectors: batches bounded by tokens and bytes, in order, off the event loop.

import { abortable, throwIfAborted } from '../base/abortable.js'
import { AbortedError, isWrongUse, TokenbedError, UsageError } from '../base/errors.js'
import { checkFunction, checkOptions, checkSize, checkWord, isArray, isObject, show } from '../base/validate.js'
import { checkSignal } from '../layers/async.js'
import { concat, zeros } from '../tensor/create.js'
import type { Tensor } from '../tensor/tensor.js'
import { wayOfHeld } from '../text/held-records.js'
import type { AsyncEmbedder } from './async-embedder.js'
import { Held, Strings, type BatchTexts } from './batch-texts.js'
import { publishBatch, tokensOf } from './channel.js'
import { documentsOf } from './documents.js'
import { HeldGroup, Records, records, type Entry, type TextRecord } from './records.js'

/** One batch of vectors, in the order of their records. */
export interface VectorBatch {
  /** The ids of the records that have a vector. */
  readonly ids: (string | number)[]
  /** (ids, dim). */
  readonly vectors: Tensor
  /** The records that have none; filled only by `onError: 'collect'`. */
  readonly errors: { id: string | number; error: TokenbedError }[]
}

export interface EmbedStreamOptions {
  embedder: AsyncEmbedder
  /**
   * A batch is full at so many tokens; default 131,072. A token counts as four UTF-16 units of text, and a record as
   * one at least. A record is never divided: if it alone has more, it is a batch of its own.
   */
  batchTokens?: number
  /** How many bytes of texts and vectors may be under way; default 64 MB. It also bounds a batch. */
  maxBytes?: number
  /**
   * What happens with a record that has no text or cannot be embedded: the stream ends with its error after the batches
   * before it (`throw`, the default), it is left out (`skip`), or it is reported in `errors` of its batch (`collect`).
   */
  onError?: 'throw' | 'skip' | 'collect'
  /** Ends the stream with an AbortedError. */
  signal?: AbortSignal
}

/** How a vector is made of a text; the names are those of `TextEmbedder.embed`. */
export interface StreamedVectors {
  /** Number of elements that are kept of each vector. */
  dim?: number
  normalize?: boolean
  dtype?: 'float32' | 'float16' | 'int8' | 'binary'
}

type Items = AsyncIterable<string | TextRecord> | Iterable<string | TextRecord>
/** What `embedStream` reads. */
export type RecordSource = FilesOfRecords | { readonly texts: Items } | DocumentsOfFolder | Items
/** The documents that `saveTokens` wrote, each with its number as its id. */
export interface DocumentsOfFolder {
  readonly folder: string
}
/** Files whose records are read as by `records`. */
export interface FilesOfRecords {
  readonly files: readonly string[]
}

const OPTIONS = ['embedder', 'batchTokens', 'maxBytes', 'onError', 'signal', 'dim', 'normalize', 'dtype']
/** Records, many at a time: a promise for each would take longer than its vector. */
type Groups = AsyncIterable<readonly Entry[] | HeldGroup>
/** Records of a group of those that are in memory. */
const GROUP = 1024
/** Batches that are computed while the one before them is used. */
const AHEAD = 2
const BYTES: Record<string, number> = { float32: 4, float16: 2, int8: 1, binary: 1 / 8 }

/** The options with their defaults. */
interface Plan {
  readonly embedder: AsyncEmbedder
  readonly batchTokens: number
  readonly maxBytes: number
  readonly onError: 'throw' | 'skip' | 'collect'
  readonly signal: AbortSignal | undefined
  readonly vectors: StreamedVectors
  readonly rowBytes: number
  /** Whether batches tell the ids of their records. */
  readonly givesIds: boolean
  readonly where: string
}

/**
 * Embeds a stream of texts, batch by batch, in memory that does not grow with it.
 *
 * Texts are read, and up to two batches are embedded, while the batch before is used; a consumer that waits stops all
 * of it. The vectors of a record do not depend on its batch.
 *
 * ```ts
 * for await (const { ids, vectors } of embedStream(records('reviews.jsonl'), { embedder })) {
 *   await table.add(ids, vectors)
 * }
 * ```
 *
 * @param source `{ files }`, whose records are read as by `records`; `{ texts }`; `{ folder }`, whose documents were
 * encoded by the embedder's tokenizer; what `records` gives; or any (async) iterable of texts or of `{ id, text }`.
 * @throws UsageError, at once, for a source, such as a bare string, and for options that cannot be used. While
 * iterating: what the source and the embedder throw, with the record's id, and AbortedError. Batches before a failure
 * are given first.
 */
export function embedStream(
  source: RecordSource,
  options: EmbedStreamOptions & StreamedVectors,
): AsyncIterable<VectorBatch> {
  const where = 'embedStream'
  const plan = planOf(options, where)
  const open = sourceOf(source, plan)
  return { [Symbol.asyncIterator]: () => batchesOf(open(), plan) }
}

/** `embedStream` over records in groups, once; batches do not tell ids. @internal */
export function embedGroups(
  groups: Groups,
  options: EmbedStreamOptions & StreamedVectors,
): AsyncGenerator<VectorBatch> {
  return batchesOf(groups, { ...planOf(options, 'embedStream'), givesIds: false })
}

declare global {
  namespace NodeJS {
    /** That of @types/node, where it is installed: our types need no other package. */
    interface ReadWriteStream {}
  }
}

/** A web TransformStream of texts or records to batches of vectors. */
export interface EmbedTransform extends TransformStream<string | TextRecord, VectorBatch> {
  /** The same as a Duplex of `node:stream`, in object mode; use one of the two forms. */
  node(): NodeForm
}
// The batches are of any type, as those of all streams of Node.
type NodeForm = Omit<NodeJS.ReadWriteStream, typeof Symbol.asyncIterator> & {
  [Symbol.asyncIterator](): AsyncIterableIterator<any>
}

/**
 * The same as a web TransformStream: texts or records are written, and batches are read. `node()` gives it as a
 * Transform of `node:stream`.
 *
 * @throws UsageError for options that cannot be used. What is written after a failure is refused with its error.
 */
export function embedTransform(options: EmbedStreamOptions & StreamedVectors): EmbedTransform {
  const plan = planOf(options, 'embedTransform')
  const batches = new Batches(plan)
  let count = 0
  const stream = new (webStreams().TransformStream)({
    async transform(item: unknown, controller) {
      throwIfAborted(plan.signal, plan.where)
      batches.add(entryOf(item, count++, plan.where))
      while (batches.isFull) controller.enqueue(await batches.take())
      batches.check()
    },
    async flush(controller) {
      batches.end()
      while (batches.isPending) controller.enqueue(await batches.take())
      batches.check()
    },
  })
  const node = () => nodeStreams().Duplex.fromWeb(stream as never, { objectMode: true })
  return Object.assign(stream, { node }) as EmbedTransform
}

// Streams are loaded when they are used; a realm of a test runner may lack the global class.
const webStreams = () => require('node:stream/web') as typeof import('node:stream/web')
const nodeStreams = () => require('node:stream') as typeof import('node:stream')

function planOf(options: EmbedStreamOptions & StreamedVectors, where: string): Plan {
  const {
    embedder,
    batchTokens = 131072,
    maxBytes = 2 ** 26,
    onError = 'throw',
    signal,
    ...vectors
  } = checkOptions(options, OPTIONS, where)
  if (!isObject(embedder) || !('embedAsync' in embedder))
    throw new UsageError(`${where}: embedder must be a TextEmbedder, not ${show(embedder)}`)
  checkFunction(embedder.embedAsync, `${where}: embedder.embedAsync`)
  const { dtype = 'float32', dim = embedder.dim } = vectors
  checkWord(dtype, ['float32', 'float16', 'int8', 'binary'], `${where}: dtype`)
  checkSize(dim, `${where}: dim`, 1, embedder.dim)
  return {
    embedder,
    batchTokens: checkSize(batchTokens, `${where}: batchTokens`, 1),
    maxBytes: checkSize(maxBytes, `${where}: maxBytes`, 1),
    onError: checkWord(onError, ['throw', 'skip', 'collect'], `${where}: onError`),
    signal: checkSignal(signal, where),
    vectors,
    rowBytes: Math.ceil(dim * BYTES[dtype]),
    givesIds: true,
    where,
  }
}

/** Finds the kind of a source, and returns a function that begins an iteration. */
function sourceOf(source: unknown, { where, signal, embedder }: Plan): () => Groups {
  const holds = wayOfHeld(embedder) !== undefined
  if (source instanceof Records) return () => (holds ? source.heldGroups() : source.groups())
  if (typeof source === 'string')
    throw new UsageError(
      `${where}: a string could be a text or a path: write { texts: [${show(source)}] } or { files: [${show(source)}] }`,
    )
  if (!isObject(source) || ArrayBuffer.isView(source)) throw notSource(source, where)
  if (Symbol.asyncIterator in source || Symbol.iterator in source) return () => groupsOf(source as Items, signal, where)
  const names = Object.keys(source)
  if (names.length !== 1) throw notSource(source, where)
  if ('files' in source) {
    const files = source.files
    if (!isArray(files)) throw new UsageError(`${where}: files must be an array of paths, not ${show(files)}`)
    const read = records(files, { signal })
    return () => (holds ? read.heldGroups() : read.groups())
  }
  if ('folder' in source) return documentsOf(source.folder as string, embedder.tokenizer, signal, where)
  if (!('texts' in source)) throw notSource(source, where)
  const texts = source.texts
  if (!isObject(texts) || !(Symbol.asyncIterator in texts || Symbol.iterator in texts))
    throw new UsageError(`${where}: texts must be an array or an iterable of strings or records, not ${show(texts)}`)
  return () => groupsOf(texts as Items, signal, where)
}

const notSource = (source: unknown, where: string) =>
  new UsageError(
    `${where}: the source must be { files: [...] }, { texts: [...] }, { folder }, records(...), or an iterable of texts or records, not ${show(source)}`,
  )

async function* groupsOf(items: Items, signal: AbortSignal | undefined, where: string): AsyncGenerator<Entry[]> {
  let count = 0
  if (isArray(items)) {
    while (count < items.length) {
      const group: Entry[] = []
      for (const end = Math.min(count + GROUP, items.length); count < end; count++)
        group.push(entryOf(items[count], count, where))
      yield group
    }
    return
  }
  for await (const item of abortable(items, signal, where)) yield [entryOf(item, count++, where)]
}

/** The record that an item stands for. */
function entryOf(item: unknown, count: number, where: string): Entry {
  if (typeof item === 'string') return { id: count, text: item }
  const { id = count, text } = (isObject(item) ? item : {}) as Partial<TextRecord>
  const isNamed = typeof id === 'string' || typeof id === 'number'
  if (isNamed && typeof text === 'string') return { id, text }
  const what = isObject(item)
    ? (isNamed ? 'its text is ' : 'its id is ') + show(isNamed ? text : id)
    : `it is ${show(item)}`
  const error = new UsageError(
    `${where}: record ${isNamed ? show(id) : count}: a record must be a string or { id, text }, but ${what}`,
  )
  return { id: isNamed ? id : count, error }
}

async function* batchesOf(groups: Groups, plan: Plan): AsyncGenerator<VectorBatch> {
  throwIfAborted(plan.signal, plan.where)
  const batches = new Batches(plan)
  try {
    try {
      for await (const group of groups) {
        for (let i = 0; i < group.length; i++) {
          if (group instanceof HeldGroup) batches.addHeld(group, group.from + i)
          else batches.add(group[i])
          while (batches.isFull) yield await batches.take()
          if (batches.isEnded) break
        }
        if (batches.isEnded) break
      }
    } catch (error) {
      batches.fail(error)
    }
    batches.end()
    while (batches.isPending) yield await batches.take()
    batches.check()
  } finally {
    batches.leave()
  }
}

/** A batch while its texts are gathered. */
class Gathered {
  texts: BatchTexts = new Strings()
  readonly errors: VectorBatch['errors'] = []
  tokens = 0
  bytes = 0
}

/** Records become batches, and batches vectors, in order. */
class Batches {
  #next = new Gathered()
  #count = 0
  /** What is under way, in order. */
  readonly #queue: { readonly work: Promise<VectorBatch>; readonly bytes: number }[] = []
  #bytes = 0
  #failure: { readonly error: unknown } | null = null
  readonly #leave = new AbortController()
  readonly #signal: AbortSignal

  constructor(private readonly plan: Plan) {
    const { signal } = plan
    this.#signal = signal === undefined ? this.#leave.signal : AbortSignal.any([signal, this.#leave.signal])
  }

  /** Whether a batch has to be taken before more is added. */
  get isFull(): boolean {
    return this.#queue.length > AHEAD || (this.#queue.length > 0 && this.#bytes >= this.plan.maxBytes)
  }

  get isPending(): boolean {
    return this.#queue.length > 0
  }

  /** Whether a failure ended the stream, so that nothing more is added. */
  get isEnded(): boolean {
    return this.#failure !== null
  }

  add(entry: Entry): void {
    if ('error' in entry) return this.#addError(entry)
    if (this.#failure) return
    const { id, text } = entry
    this.#room(text.length, Strings).add(id, text)
    this.#added(text.length)
  }

  /** Adds a record of a group by its number. */
  addHeld(group: HeldGroup, index: number): void {
    const error = group.error(index)
    if (error !== null) {
      group.texts.settle(1)
      return this.#addError({ id: group.id(index), error })
    }
    if (this.#failure) return
    const units = group.texts.unitsOf(index)
    this.#room(units, Held).add(group, index)
    this.#added(units)
  }

  #addError(entry: { readonly id: string | number; readonly error: TokenbedError }): void {
    const { onError } = this.plan
    if (this.#failure) return
    if (onError === 'throw') this.fail(entry.error)
    else if (onError === 'collect') this.#next.errors.push(entry)
    if (this.#next.errors.length >= MOST_ERRORS) this.#begin()
  }

  /** The texts of one kind among which one of so many units belongs. */
  #room<T extends BatchTexts>(units: number, kind: new () => T): T {
    const { batchTokens, maxBytes } = this.plan
    const { texts, tokens, bytes } = this.#next
    const isKind = texts instanceof kind
    const isTooMuch = tokens + tokensOf(units) > batchTokens || bytes + this.#bytesOf(units) > maxBytes
    if (texts.count > 0 && (!isKind || isTooMuch)) this.#begin()
    else if (isKind) return texts
    const own = new kind()
    this.#next.texts = own
    return own
  }

  /** Counts a text of so many units that was added. */
  #added(units: number): void {
    const { batchTokens, maxBytes } = this.plan
    const next = this.#next
    next.tokens += tokensOf(units)
    next.bytes += this.#bytesOf(units)
    if (next.tokens >= batchTokens || next.bytes >= maxBytes) this.#begin()
  }

  /** A string has one or two bytes a unit. */
  #bytesOf(units: number): number {
    return units * 2 + this.plan.rowBytes
  }

  /** No more will be added. */
  end(): void {
    this.#begin()
  }

  /** The stream ends with this error, after the batches before it. */
  fail(error: unknown): void {
    this.end()
    this.#failure ??= { error }
  }

  /** Throws the failure that ended the stream, once all batches before it were taken. */
  check(): void {
    if (this.#failure && !this.isPending) throw this.#failure.error
  }

  async take(): Promise<VectorBatch> {
    const { work, bytes } = this.#queue.shift()!
    const settled = () => {
      this.#bytes -= bytes
      throwIfAborted(this.plan.signal, this.plan.where)
    }
    await work.then(settled, settled)
    return work
  }

  /** Nobody wants the rest. */
  leave(): void {
    this.#leave.abort()
    for (const { work } of this.#queue) {
      work.then(
        ({ vectors }) => vectors.dispose(),
        () => {},
      )
    }
  }

  #begin(): void {
    const gathered = this.#next
    if (gathered.texts.count === 0 && gathered.errors.length === 0) return
    this.#next = new Gathered()
    const work = this.#embed(gathered, this.#count++)
    // The failure is reported when the batch is taken.
    work.catch(() => {})
    this.#queue.push({ work, bytes: gathered.bytes })
    this.#bytes += gathered.bytes
  }

  async #embed({ texts, errors, tokens }: Gathered, batch: number): Promise<VectorBatch> {
    const begun = performance.now()
    const done = await this.#vectors(texts).finally(() => texts.settle())
    const count = done.texts.reduce((sum, { count }) => sum + count, 0)
    const ids = this.plan.givesIds ? idsOf(done.texts) : []
    const vectors = done.parts.length === 1 ? done.parts[0] : joined(done.parts, this.plan)
    if (this.plan.onError === 'collect') errors.push(...done.errors)
    publishBatch({
      batch,
      texts: count,
      tokens,
      bytes: count * this.plan.rowBytes,
      seconds: (performance.now() - begun) / 1e3,
    })
    return { ids, vectors, errors }
  }

  /** The vectors of texts. If some fail, halves are tried, until the texts at fault are found. */
  async #vectors(texts: BatchTexts): Promise<Embedded> {
    if (texts.count === 0) return { texts: [], parts: [], errors: [] }
    const { embedder, vectors, onError, where } = this.plan
    try {
      const made = await texts.embed(embedder, { ...vectors, signal: this.#signal })
      return { texts: [texts], parts: [made], errors: [] }
    } catch (cause) {
      if (cause instanceof AbortedError || !(cause instanceof TokenbedError)) throw cause
      if (texts.count === 1) {
        const [id] = texts.ids()
        const error = isWrongUse(cause)
          ? new UsageError(`${where}: record ${show(id)}: ${cause.message}`, { cause })
          : cause
        if (onError === 'throw') throw error
        return { texts: [], parts: [], errors: [{ id, error }] }
      }
      const [before, after] = texts.halves()
      const first = await this.#vectors(before)
      const second = await this.#vectors(after)
      return {
        texts: [...first.texts, ...second.texts],
        parts: [...first.parts, ...second.parts],
        errors: [...first.errors, ...second.errors],
      }
    }
  }
}

/** The ids of all texts. Nearly always they are those of one batch, which need no copy. */
const idsOf = (texts: readonly BatchTexts[]) =>
  texts.length === 1 ? texts[0].ids() : texts.flatMap((some) => some.ids())

interface Embedded {
  readonly texts: BatchTexts[]
  readonly parts: Tensor[]
  readonly errors: VectorBatch['errors']
}

/** A batch is given after so many records without a text, so that memory does not grow with them. */
const MOST_ERRORS = 4096

function joined(parts: Tensor[], { embedder, vectors: { dim = embedder.dim, dtype } }: Plan): Tensor {
  if (parts.length > 0) {
    const all = concat(parts, 0)
    for (const part of parts) part.dispose()
    return all
  }
  const width = dtype === 'binary' ? Math.ceil(dim / 8) : dim
  return zeros([0, width], { dtype: dtype === 'binary' ? 'uint8' : dtype })
}
