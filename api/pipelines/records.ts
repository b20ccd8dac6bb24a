// Records of files and streams: texts with ids, one after the other, in memory that does not grow with them.

import { resolve } from 'node:path'
import { types } from 'node:util'
import { abortable, throwIfAborted, untilAborted } from '../base/abortable.js'
import { FormatError, isWrongUse, type TokenbedError, UsageError } from '../base/errors.js'
import {
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
} from '../base/validate.js'
import { checkSignal } from '../layers/async.js'
import { call, check, failureOf, native } from '../native/native.js'
import { HeldRecords, UnitsRoom } from '../text/held-records.js'

/** One text, with the id by which results and errors name it. */
export interface TextRecord {
  /** Default: the number of the record in its stream, from 0. */
  id?: string | number
  text: string
}

export type RecordFormat = 'text' | 'jsonl' | 'csv' | 'whole'

/** Bytes that can be read in parts, such as an object of a store: `read` gives those from `from` to before `to`. */
export interface ByteSource {
  /** Number of bytes in all. */
  readonly size: number
  read(from: number, to: number): Uint8Array | Promise<Uint8Array>
  /** Names the source in errors; its ending tells the format. */
  readonly name?: string
}

export interface RecordsOptions {
  /**
   * How records are written. Default: what the ending says, `.jsonl` or `.ndjson`, `.csv` or `.tsv`, before `.gz` or
   * `.zst`; anything else is `text`.
   *
   * - `text`: each line is a record, without its `\n` or `\r\n`; empty lines are empty texts, so that the n-th record
   *   is the n-th line.
   * - `jsonl`: each line is a JSON object; empty lines are skipped.
   * - `csv`: as RFC 4180 has it, with quotes, and a first row that names the fields; fields of a `.tsv` are divided by
   *   tabs.
   * - `whole`: the whole file is one record, with all its line ends and a byte order mark;
   *   an empty one has none.
   */
  format?: RecordFormat
  /** The field of a JSON object or of a CSV that holds the text; default `text`. */
  field?: string
  /** The field that holds the id, a string or a number; default `id`. Records without it are numbered from 0. */
  id?: string
  /** What happens with bytes that are not UTF-8: an error (`throw`, the default), or U+FFFD (`replace`). */
  invalidUtf8?: 'throw' | 'replace'
  /** How many bytes each byte of a `.gz` or `.zst` file may become, beyond 16 MB that every file may; default 200. */
  maxRatio?: number
  /** The longest record, in bytes; default 64 MB. */
  maxRecordBytes?: number
  /** Ends the iteration with an AbortedError. */
  signal?: AbortSignal
}

/** A record, or the reason why it has no text; `isOwn` says that its file gives its id. @internal */
export type Entry =
  | { readonly id: string | number; readonly text: string; readonly isOwn?: boolean }
  | { readonly id: string | number; readonly error: TokenbedError }

const OPTIONS = ['format', 'field', 'id', 'invalidUtf8', 'maxRatio', 'maxRecordBytes', 'signal']
const MAX_RECORD = 2 ** 26
/** Bytes of a source that are read at a time. */
const PART = 2 ** 18

type Settings = Parameters<typeof native.recordFileNew>[1]
type Read = Awaited<NonNullable<ReturnType<typeof native.recordFileNext>>>

type Bad = Read['bad'][number]

function entriesOf({ texts, ids, bad }: Read, first: number, errorOf: (bad: Bad) => FormatError): Entry[] {
  let next = 0
  return texts.map((text, i) => {
    const own = ids?.[i]
    const id = own ?? first + i
    if (bad[next]?.index === i) return { id, error: errorOf(bad[next++]) }
    return { id, text, isOwn: own !== undefined && own !== null }
  })
}

/**
 * Records that were read together, whose texts stay outside of JavaScript: nothing is made for each of them, but for
 * those that have no text. Records have the numbers of their texts. @internal
 */
export class HeldGroup {
  readonly from: number
  readonly to: number

  constructor(
    readonly texts: HeldRecords,
    private readonly ids: Read['ids'],
    private readonly first: number,
    private readonly bad: ReadonlyMap<number, Bad>,
    private readonly errorOf: (bad: Bad) => FormatError,
    from = 0,
    to = texts.length,
  ) {
    this.from = from
    this.to = to
  }

  get length(): number {
    return this.to - this.from
  }

  /** Some of the records, by their places in the group. */
  slice(from: number, to: number): HeldGroup {
    const { texts, ids, first, bad, errorOf } = this
    return new HeldGroup(texts, ids, first, bad, errorOf, this.from + from, this.from + to)
  }

  /** The id of a record. */
  id(index: number): string | number {
    return this.ids?.[index] ?? this.first + index
  }

  /** The ids that the file gives; null where it gives none, and for all. */
  ownIds(): readonly (string | number | null)[] | null {
    return this.ids?.slice(this.from, this.to) ?? null
  }

  /** Why a record has no text, if it has none. */
  error(index: number): FormatError | null {
    const bad = this.bad.get(index)
    return bad === undefined ? null : this.errorOf(bad)
  }

  /** The place in the group of the first record without a text; its length if all have one. */
  firstBad(): number {
    for (const index of this.bad.keys()) if (index >= this.from && index < this.to) return index - this.from
    return this.length
  }

  /** Nobody will ask for the texts of the group again. */
  settle(): void {
    this.texts.settle(this.length)
  }
}

/** The options with their defaults, but for what depends on the source. */
interface Plan {
  readonly format: RecordFormat | undefined
  readonly field: string
  readonly id: string
  readonly replaces: boolean
  readonly maxRatio: number | undefined
  readonly maxBytes: number
  readonly signal: AbortSignal | undefined
}

/** The bytes of a file from `from` to before `to`, which begin and end between records. */
export interface FilePart {
  readonly path: string
  readonly from: number
  readonly to: number
}

type Input =
  | { readonly path: string; readonly part?: FilePart }
  | { readonly stdin: true }
  | { readonly source: ByteSource; readonly name: string }

/**
 * Reads the records of files, one by one and in order. Files are read, decompressed and divided on another thread, a
 * megabyte at a time and one part ahead.
 *
 * ```ts
 * for await (const { id, text } of records('reviews.jsonl.gz', { field: 'body' })) console.log(id, text)
 * ```
 *
 * @param paths Paths of text files, `.gz` and `.zst` among them; `-` is the standard input. Anything with a `size` and
 * a `read(from, to)` is read as well, as it is: decompress it first.
 * @returns An iterable; every iteration but one of the standard input begins anew. `embedStream` takes it as a source.
 * @throws UsageError, at once, for paths and options that cannot be used. While iterating: FileError for a file that
 * cannot be read; FormatError, with path and offset, for a record that has no text, for bytes that are not UTF-8, for a
 * CSV without the field, and for a record longer than `maxRecordBytes`; AbortedError.
 */
export function records(
  paths: string | ByteSource | readonly (string | ByteSource)[],
  options?: RecordsOptions,
): Records {
  const where = 'records'
  const plan = planOf(options, where)
  const list: unknown[] = isArray(paths) ? paths : [paths]
  if (list.length === 0) throw new UsageError(`${where}: no path was given`)
  return new Records(
    eachOf(list, (path, i) => inputOf(path, `${where}: path ${i}`)),
    plan,
  )
}

/** The records of a part of a file. @internal */
export function recordsOfPart(part: FilePart, options: RecordsOptions): Records {
  return new Records([{ path: part.path, part }], planOf(options, 'records'))
}

function planOf(options: RecordsOptions | undefined, where: string): Plan {
  const {
    format,
    field = 'text',
    id = 'id',
    invalidUtf8 = 'throw',
    maxRatio,
    maxRecordBytes = MAX_RECORD,
    signal,
  } = checkOptions(options, OPTIONS, where)
  if (format !== undefined) checkWord(format, ['text', 'jsonl', 'csv', 'whole'], `${where}: format`)
  checkWord(invalidUtf8, ['throw', 'replace'], `${where}: invalidUtf8`)
  if (maxRatio !== undefined) checkSize(maxRatio, `${where}: maxRatio`, 1)
  return {
    format,
    field: checkText(field, `${where}: field`),
    id: checkText(id, `${where}: id`),
    replaces: invalidUtf8 === 'replace',
    maxRatio,
    maxBytes: checkSize(maxRecordBytes, `${where}: maxRecordBytes`, 1, 2 ** 30),
    signal: checkSignal(signal, where),
  }
}

function inputOf(given: unknown, where: string): Input {
  if (given === '-') return { stdin: true }
  if (!isObject(given) || !('read' in given)) return { path: resolve(checkPath(given, where)) }
  const source = given as ByteSource
  checkSize(source.size, `${where}: size`)
  checkFunction(source.read, `${where}: read`)
  return { source, name: source.name === undefined ? 'the source' : checkText(source.name, `${where}: name`) }
}

/** The records of files, which `records` makes. */
export class Records implements AsyncIterable<TextRecord> {
  /** @internal */
  constructor(
    private readonly inputs: readonly Input[],
    private readonly plan: Plan,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<TextRecord> {
    for await (const group of this.groups()) {
      for (const entry of group) {
        if ('error' in entry) throw entry.error
        yield { id: entry.id, text: entry.text }
      }
    }
  }

  /** The records in groups, as they are read, with those that have no text. @internal */
  async *groups(): AsyncGenerator<Entry[]> {
    for await (const { read, first, errorOf } of this.#read(false)) yield entriesOf(read, first, errorOf)
  }

  /**
   * The same; texts of files stay outside of JavaScript, and each must be settled. The numbers of their units are known
   * until the next group is asked for. @internal
   */
  async *heldGroups(): AsyncGenerator<Entry[] | HeldGroup> {
    const room = new UnitsRoom()
    for await (const { read, first, errorOf } of this.#read(true)) {
      const { held, count, ids, bad } = read
      const wrong = new Map(bad.map((one) => [one.index, one]))
      if (held) yield new HeldGroup(new HeldRecords(held, count, room), ids, first, wrong, errorOf)
      else yield entriesOf(read, first, errorOf)
    }
  }

  async *#read(holds: boolean): AsyncGenerator<{ read: Read; first: number; errorOf: (bad: Bad) => FormatError }> {
    let first = 0
    for (const input of this.inputs) {
      const name = 'path' in input ? input.path : 'stdin' in input ? 'the standard input' : input.name
      const start = ('part' in input && input.part?.from) || 0
      const errorOf = ({ line, offset, message }: Bad) => {
        // Lines of a part of a file are counted from its beginning: the lines before it were not read.
        const at = `the record at line ${line}${start > 0 ? ` of the part that begins at byte ${start}` : ''}`
        return new FormatError(`${name}: ${at}: ${message}`, name, offset + start)
      }
      for await (const read of this.#parts(input, name, holds)) {
        yield { read, first, errorOf }
        first += read.count
      }
    }
  }

  #parts(input: Input, name: string, holds: boolean): AsyncGenerator<Read> {
    const { signal } = this.plan
    const part = 'part' in input ? input.part : undefined
    const settings = this.#settings(name, part !== undefined && part.from > 0)
    if ('path' in input) return ofFile(input.path, part, settings, this.plan, holds)
    if ('stdin' in input) return ofParts(abortable(process.stdin, signal, 'records'), name, settings, this.plan)
    return ofParts(partsOf(input.source, signal), name, settings, this.plan)
  }

  #settings(name: string, isInside: boolean): Settings {
    const { format, field, id, maxBytes } = this.plan
    const ending = /\.(\w+)(?:\.(?:gz|zst))?$/.exec(name.toLowerCase())?.[1]
    const found = { jsonl: 'jsonl', ndjson: 'jsonl', csv: 'csv', tsv: 'csv' }[ending ?? ''] ?? 'text'
    const chosen = format ?? (found as RecordFormat)
    return { format: chosen === 'csv' && ending === 'tsv' ? 'tsv' : chosen, field, id, maxBytes, isInside }
  }
}

/** One part is read ahead while the one before it is used. */
async function* ofFile(
  path: string,
  part: FilePart | undefined,
  settings: Settings,
  { replaces, maxRatio, signal }: Plan,
  holds: boolean,
): AsyncGenerator<Read> {
  throwIfAborted(signal, 'records')
  const file = call(native.recordFileNew(path, settings, replaces, maxRatio, part, holds))
  const read = () => {
    const work = call(native.recordFileNext(file))
    // A failure is reported when its part is requested, which may be later.
    work.catch(() => {})
    return work
  }
  let next = read()
  try {
    for (;;) {
      const part = await untilAborted(next, signal, 'records')
      if (part.failure) throw failureOf(part.failure)
      if (!part.done) next = read()
      yield part
      if (part.done) return
    }
  } finally {
    check(native.recordFileClose(file))
  }
}

/** The parts of a source. */
async function* partsOf(source: ByteSource, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < source.size; at += PART) {
    throwIfAborted(signal, 'records')
    const end = Math.min(at + PART, source.size)
    const part = await untilAborted(Promise.resolve(source.read(at, end)), signal, 'records')
    const isBytes = types.isUint8Array(part)
    if (!isBytes || part.length !== end - at)
      throw new UsageError(
        `records: read(${at}, ${end}) must give ${end - at} bytes in a Uint8Array, not ${isBytes ? part.length : show(part)}`,
      )
    yield part
  }
}

/** The records of bytes that come in parts, which are divided on this thread, a quarter of a megabyte at a time. */
async function* ofParts(
  parts: AsyncIterable<unknown>,
  name: string,
  settings: Settings,
  { replaces }: Plan,
): AsyncGenerator<Read> {
  const text = call(native.recordTextNew(settings))
  const decoder = new TextDecoder('utf-8', { fatal: !replaces, ignoreBOM: true })
  let offset = 0
  const read = (part?: Uint8Array): Read[] => {
    let decoded: string
    try {
      decoded = part === undefined ? decoder.decode() : decoder.decode(part, { stream: true })
    } catch {
      const message = `${name}: the bytes after ${offset} are not UTF-8, which text must be, unless invalidUtf8 is 'replace'`
      throw new FormatError(message, name, offset, true)
    }
    offset += part?.length ?? 0
    try {
      const found = [call(native.recordTextNext(text, decoded))]
      return part === undefined ? [...found, call(native.recordTextNext(text))] : found
    } catch (cause) {
      if (!isWrongUse(cause)) throw cause
      throw new FormatError(`${name}: ${cause.message}`, name, offset)
    }
  }
  for await (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : (part as Uint8Array)
    for (let at = 0; at < bytes.length; at += PART) yield* read(bytes.subarray(at, at + PART))
  }
  yield* read()
}
