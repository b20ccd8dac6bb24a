// Vectors of whole corpora: shards of so many rows, by any number of workers, each shard published once.
//
//   plan.json                    what is made of what; written first, the same for all workers
//   shard-00000.safetensors      or .npy: the vectors; of several workers shard-1-of-4-00000
//   shard-00000.ids.json         the ids of its records, where they have some
//   shard-00000.conflict.json    two digests, where two workers made different bytes of it
//   part-1-of-4.json             the list of one of several workers, when it is done
//   manifest.json                all shards, with their digests and sources; written last
//
// A shard is complete when its name appears. What a killed worker leaves has a name that begins with a dot.

import { mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { throwIfAborted } from '../base/abortable.js'
import { FileError, FormatError, TokenbedError, UsageError } from '../base/errors.js'
import type { Json } from '../base/json.js'
import { sha256 } from '../base/late.js'
import { isThere, namesIn, sizeOf } from '../base/look.js'
import { quietly } from '../base/quietly.js'
import { readWhole } from '../base/read-file.js'
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
} from '../base/validate.js'
import { TensorWriter } from '../files/writer.js'
import { checkSignal } from '../layers/async.js'
import { check, native } from '../native/native.js'
import { wayOfHeld } from '../text/held-records.js'
import type { AsyncEmbedder } from './async-embedder.js'
import { embedGroups, type StreamedVectors } from './embed-stream.js'
import { digestOf, publish, publishFile, publishSame, refuseConflict, remove } from './publish.js'
import { partOf, rangesOf, sizesOf, type FileRange, type Shard } from './ranges.js'
import { HeldGroup, records, recordsOfPart, type Entry, type RecordFormat } from './records.js'

/** The progress of `embedShards`. */
export interface ShardsProgress {
  /** Number of records read, those of shards that were there included. */
  readonly records: number
  /** Number of shards that are there. */
  readonly shards: number
}

export interface EmbedShardsOptions extends StreamedVectors {
  embedder: AsyncEmbedder
  /** The digest of the model, which says whether a folder was begun with another; `TextEmbedder` has one. */
  model: string
  /** Rows of a shard; default 100,000. The last of a worker has fewer. */
  shardRows?: number
  /** Which worker this is, from 0, and how many there are; default 0 of 1. */
  shard?: Shard
  /** Whether a folder that was begun is completed; default false, and such a folder is an error. */
  resume?: boolean
  /** How shards are written; default `safetensors`, with one tensor `vectors`. */
  output?: 'safetensors' | 'npy'
  /** As for `records`. */
  format?: RecordFormat
  field?: string
  id?: string
  onProgress?: (progress: ShardsProgress) => void
  signal?: AbortSignal
}

/** Where the rows of a shard come from. */
export interface ShardSource {
  readonly file: string
  /** The range of bytes of which this worker reads the records. */
  readonly bytes: readonly [from: number, to: number]
  /** The records of that range, counted from its first: the first, and the one after the last. */
  readonly records: readonly [first: number, end: number]
}

export interface ShardFile {
  readonly name: string
  readonly rows: number
  readonly bytes: number
  readonly sha256: string
  /** The file of ids; null if the records have none. */
  readonly ids: { readonly name: string; readonly sha256: string } | null
  readonly sources: readonly ShardSource[]
}

/** All shards of a folder, or those of one worker. */
export interface ShardsManifest {
  readonly rows: number
  /** Elements of a row. */
  readonly width: number
  readonly dtype: 'float32' | 'float16' | 'int8' | 'uint8'
  readonly shards: readonly ShardFile[]
  /** The SHA-256 of `plan.json`. */
  readonly plan: string
}

const OPTIONS = [
  'embedder',
  'model',
  'shardRows',
  'shard',
  'resume',
  'output',
  'format',
  'field',
  'id',
  'onProgress',
  'signal',
  'dim',
  'normalize',
  'dtype',
]
/** The file that says what is made of what. */
export const PLAN = 'plan.json'
/** The file that lists all shards, once there are all. */
export const MANIFEST = 'manifest.json'
const VERSION = 1

interface Plan {
  readonly folder: string
  readonly files: readonly string[]
  readonly ranges: readonly FileRange[]
  readonly shard: Shard
  readonly shardRows: number
  readonly output: 'safetensors' | 'npy'
  readonly embedder: AsyncEmbedder
  readonly vectors: StreamedVectors
  readonly width: number
  readonly dtype: ShardsManifest['dtype']
  readonly read: { format?: RecordFormat; field?: string; id?: string }
  readonly onProgress: (progress: ShardsProgress) => void
  readonly signal: AbortSignal | undefined
  readonly where: string
}

/**
 * Embeds the records of files into shards of a folder. However often it is killed and resumed, and however many workers
 * there are, the bytes of the shards of a plan are the same.
 *
 * @param files Regular files, read as by `records`.
 * @returns The manifest of the folder; for one of several workers that of its own shards, until all are done.
 * @throws UsageError for options that cannot be used, for a folder that was begun without `resume`, and for one that was
 * begun with another plan; FormatError for a record that has no text, and for a shard that is there with other bytes;
 * FileError; AbortedError. Shards that are complete stay, and `resume` goes on after them.
 */
export async function embedShards(
  folder: string,
  files: readonly string[],
  options: EmbedShardsOptions,
): Promise<ShardsManifest> {
  const { resume, text, plan } = planOf(folder, files, options)
  begin(plan, text, resume)
  const shards = await write(plan)
  const manifest: ShardsManifest = {
    rows: shards.reduce((sum, { rows }) => sum + rows, 0),
    width: plan.width,
    dtype: plan.dtype,
    shards,
    plan: sha256(Buffer.from(text)),
  }
  const { index, count } = plan.shard
  if (count === 1) return published(plan.folder, MANIFEST, manifest)
  published(plan.folder, partName(index, count), manifest)
  const parts = partsIn(plan.folder, count)
  return parts === null ? manifest : published(plan.folder, MANIFEST, merged(parts))
}

/**
 * Makes a folder with its plan, or checks that it was begun with the same. Returns the SHA-256 of the plan. @internal
 */
export function planShards(folder: string, files: readonly string[], options: EmbedShardsOptions): string {
  const { plan, text } = planOf(folder, files, options)
  enter(plan, text)
  return sha256(Buffer.from(text))
}

/**
 * Compares all files of a folder of shards with its manifest: each has the digest and the size that are named there.
 *
 * @throws FormatError, with the path, for a folder without a manifest, for a file that is missing or has other bytes.
 */
export async function verifyShards(folder: string): Promise<ShardsManifest> {
  const path = resolve(checkPath(folder, 'verifyShards'))
  const manifest = readManifest(join(path, MANIFEST))
  const named = [
    { name: PLAN, sha256: manifest.plan },
    ...manifest.shards.flatMap(({ name, sha256, ids }) => [{ name, sha256 }, ...(ids ? [ids] : [])]),
  ]
  for (const { name, sha256: expected } of named) {
    const file = join(path, name)
    if (!isThere(file)) throw new FormatError(`${file} is missing, which the manifest names`, file, 0)
    const found = await digestOf(file)
    if (found !== expected)
      throw new FormatError(
        `${file} has the SHA-256 ${found}, and the manifest says ${expected}: it was changed`,
        file,
        0,
      )
  }
  return manifest
}

function planOf(
  folder: string,
  files: readonly string[],
  options: EmbedShardsOptions,
): { plan: Plan; text: string; resume: boolean } {
  const where = 'embedShards'
  const given = checkOptions(options, OPTIONS, where)
  const {
    embedder,
    shardRows = 100_000,
    shard = { index: 0, count: 1 },
    resume = false,
    output = 'safetensors',
  } = given
  const { format, field, id, onProgress = () => {}, dim, normalize, dtype = 'float32' } = given
  if (!isObject(embedder)) throw new UsageError(`${where}: embedder must be a TextEmbedder, not ${show(embedder)}`)
  if (!isArray(files) || files.length === 0)
    throw new UsageError(`${where}: files must be an array of paths, not ${show(files)}`)
  if (!isObject(shard)) throw new UsageError(`${where}: shard must be { index, count }, not ${show(shard)}`)
  const count = checkSize(shard.count, `${where}: shard.count`, 1, 2 ** 20)
  const checked = { index: checkSize(shard.index, `${where}: shard.index`, 0, count - 1), count }
  checkWord(output, ['safetensors', 'npy'], `${where}: output`)
  checkFunction(onProgress, `${where}: onProgress`)
  const names = eachOf(files, (file, i) => checkPath(file, `${where}: file ${i}`))
  const sizes = sizesOf(names, where)
  const columns = checkSize(dim ?? embedder.dim, `${where}: dim`, 1, embedder.dim)
  const read = Object.fromEntries(Object.entries({ format, field, id }).filter(([, value]) => value !== undefined))
  // Refuses options that cannot be used before anything is written.
  records(names[0], read)
  const plan: Plan = {
    folder: resolve(checkPath(folder, where)),
    files: names,
    ranges: rangesOf(names, sizes, checked, format),
    shard: checked,
    shardRows: checkSize(shardRows, `${where}: shardRows`, 1),
    output,
    embedder,
    vectors: { dim, normalize, dtype },
    width: dtype === 'binary' ? Math.ceil(columns / 8) : columns,
    dtype: dtype === 'binary' ? 'uint8' : dtype,
    read,
    onProgress,
    signal: checkSignal(given.signal, where),
    where,
  }
  const text = written({
    format: 'tokenbed.shards.plan',
    version: VERSION,
    model: checkText(given.model, `${where}: model`),
    vectors: { dim: columns, normalize: normalize ?? null, dtype },
    files: names.map((name, i) => ({ name, bytes: sizes[i] })),
    records: read,
    shardRows: plan.shardRows,
    workers: count,
    output,
  })
  return { plan, text, resume: checkBoolean(resume, `${where}: resume`) }
}

const written = (json: Json) => `${JSON.stringify(json, null, 2)}\n`

/** Makes the folder, or checks that it was begun with the same plan. */
function enter(plan: Plan, text: string): void {
  const { folder, where } = plan
  const path = join(folder, PLAN)
  try {
    mkdirSync(folder, { recursive: true })
  } catch (cause) {
    throw new FileError(`${where}: cannot make the folder ${folder}: ${(cause as Error).message}`, folder, cause)
  }
  const isOwn = publish(folder, PLAN, text)
  const before = isOwn ? text : readWhole(path).toString()
  if (before !== text)
    throw new UsageError(
      `${where}: ${folder} was begun with another plan (${differences(before, text)}): name another folder, or remove this one`,
    )
}

/** Enters the folder, which other workers of the same plan may have begun, but not this one without `resume`. */
function begin(plan: Plan, text: string, resume: boolean): void {
  enter(plan, text)
  const { folder, where } = plan
  if (!resume && ownFiles(plan).length > 0)
    throw new UsageError(`${where}: ${folder} was begun already: complete it with resume, or name another folder`)
  // Files that a killed process left: shards of this worker, and small files of any. A worker that lives and misses its
  // small file writes it again.
  const small = `(plan|manifest|part-\\d+-of-${plan.shard.count})\\.json`
  const left = new RegExp(`^\\.(${baseName(plan, 0).slice(0, -5)}\\d+|${small})\\..*part`)
  for (const name of namesIn(folder)) if (left.test(name)) remove(join(folder, name))
  // Those that nobody has locked, of whichever worker.
  check(native.folderTidy(folder))
}

/** The parts of a plan that differ, by name. */
function differences(before: string, now: string): string {
  const parse = (text: string): Record<string, unknown> => {
    try {
      return JSON.parse(text) as Record<string, unknown>
    } catch {
      return {}
    }
  }
  const [old, own] = [parse(before), parse(now)]
  const names = Object.keys(own).filter((name) => JSON.stringify(old[name]) !== JSON.stringify(own[name]))
  return names.length > 0 ? `other ${names.join(', ')}` : 'written by another version'
}

/** The name of a shard without its ending. */
function baseName({ shard: { index, count } }: Plan, number: number): string {
  return `shard-${count === 1 ? '' : `${index}-of-${count}-`}${String(number).padStart(5, '0')}`
}

/** The file that lists the shards of one of several workers, once there are all of its own. */
export const partName = (index: number, count: number) => `part-${index}-of-${count}.json`

function ownFiles(plan: Plan): string[] {
  const own = new RegExp(`^${baseName(plan, 0).slice(0, -5)}\\d+\\.(safetensors|npy)$`)
  return namesIn(plan.folder).filter((name) => own.test(name))
}

/** Records that follow each other in a range. */
interface Placed {
  readonly records: Group
  readonly range: number
  /** The number of the first in its range. */
  readonly first: number
}

type Group = readonly Entry[] | HeldGroup

/** Groups, of which as many records are taken as are wanted. */
class Supply {
  #group: Placed = { records: [], range: 0, first: 0 }
  #taken = 0

  constructor(private readonly groups: AsyncGenerator<Placed>) {}

  async hasMore(): Promise<boolean> {
    while (this.#taken === this.#group.records.length) {
      // eslint-disable-next-line no-await-in-loop -- the groups follow each other
      const next = await this.groups.next()
      if (next.done) return false
      this.#group = next.value
      this.#taken = 0
    }
    return true
  }

  /** The next records, if there are any in hand, at most so many. */
  take(most: number): Placed {
    const { records, range, first } = this.#group
    const from = this.#taken
    this.#taken = Math.min(from + most, records.length)
    return { records: records.slice(from, this.#taken), range, first: first + from }
  }

  async end(): Promise<void> {
    await this.groups.return(undefined)
  }
}

/** What is known of the rows of a shard: nothing for each row, unless its record has an id. */
class Rows {
  count = 0
  /** The records of each range: the first, and the one after the last. */
  readonly sources: { readonly range: number; readonly first: number; end: number }[] = []
  /** The ids that their file gives; null where none has one. */
  ids: (string | number | null)[] | null = null

  add({ records, range, first }: Placed): void {
    const last = this.sources.at(-1)
    if (last?.range === range) last.end += records.length
    else this.sources.push({ range, first, end: first + records.length })
    const own = ownIds(records)
    if (this.ids === null && own?.some((id) => id !== null)) this.ids = new Array(this.count).fill(null)
    if (this.ids !== null) for (let i = 0; i < records.length; i++) this.ids.push(own?.[i] ?? null)
    this.count += records.length
  }
}

const ownIds = (group: Group) =>
  group instanceof HeldGroup ? group.ownIds() : group.map((entry) => ('text' in entry && entry.isOwn ? entry.id : null))

/** The place of the first record without a text, and why it has none. */
function firstBad(group: Group): { place: number; error: TokenbedError | null } {
  if (group instanceof HeldGroup) {
    const place = group.firstBad()
    return { place, error: place < group.length ? group.error(group.from + place) : null }
  }
  const bad = group.find((entry) => 'error' in entry)
  return bad === undefined ? { place: group.length, error: null } : { place: group.indexOf(bad), error: bad.error }
}

/** The records of all ranges of this worker, in groups. */
async function* placed({ ranges, read, embedder, signal, where }: Plan): AsyncGenerator<Placed> {
  for (const [range, one] of ranges.entries()) {
    let first = 0
    const chosen = { ...read, ...(signal && { signal }) }
    const from = one.isWhole ? records(one.file, chosen) : recordsOfPart(partOf(one), chosen)
    for await (const group of wayOfHeld(embedder) === undefined ? from.groups() : from.heldGroups()) {
      throwIfAborted(signal, where)
      const { place, error } = firstBad(group)
      // The shards before a record without a text are completed.
      if (place > 0) yield { records: error === null ? group : group.slice(0, place), range, first }
      if (error !== null) throw error
      first += place
    }
  }
}

async function write(plan: Plan): Promise<ShardFile[]> {
  const shards: ShardFile[] = []
  let count = 0
  /** The shard before, which is put on the disk, named and read again while the next one is embedded. */
  let before: Promise<void> = Promise.resolve()
  let failed: { readonly error: unknown } | null = null
  const all = new Supply(placed(plan))
  try {
    for (let number = 0; await all.hasMore(); number++) {
      const here = new Rows()
      /** The records of one shard; it stops before the first of the next. */
      const groups = async function* (): AsyncGenerator<Group> {
        while (here.count < plan.shardRows && (await all.hasMore())) {
          if (failed !== null) throw failed.error
          const group = all.take(plan.shardRows - here.count)
          here.add(group)
          yield group.records
        }
      }
      const name = baseName(plan, number)
      refuseConflict(plan.folder, name)
      let shard: OpenShard | null = null
      if (isThere(join(plan.folder, `${name}.${plan.output}`))) {
        for await (const group of groups()) if (group instanceof HeldGroup) group.settle()
      } else {
        shard = await embedded(plan, name, groups())
      }
      try {
        await before
      } catch (error) {
        shard?.writer.abort()
        throw error
      }
      before = (async () => {
        if (shard !== null) await publishShard(plan, shard, here)
        shards.push(await described(plan, name, here))
        count += here.count
        plan.onProgress({ records: count, shards: shards.length })
      })()
      // It is thrown where the next shard is read, or where this one is awaited.
      before.catch((error: unknown) => {
        failed = { error }
      })
    }
    await before
  } finally {
    // No file of it is left behind, whatever ended the work.
    await before.catch(() => {})
    await all.end()
  }
  return shards
}

/** A shard whose rows are written, under a temporary name. */
interface OpenShard {
  readonly name: string
  readonly temporary: string
  readonly writer: TensorWriter
}

/** Writes the rows of a shard. */
async function embedded(plan: Plan, name: string, groups: AsyncIterable<Group>): Promise<OpenShard> {
  const { folder, output, width, dtype, embedder, vectors, signal } = plan
  const temporary = `.${name}.${process.pid}-${Date.now().toString(36)}.part.${output}`
  const writer = new TensorWriter(join(folder, temporary), { vectors: { dtype, shape: [width] } })
  const chosen = Object.fromEntries(Object.entries(vectors).filter(([, value]) => value !== undefined))
  try {
    // One batch is written while the next is embedded.
    let written: Promise<void> = Promise.resolve()
    for await (const { vectors: rows } of embedGroups(groups, { embedder, ...chosen, ...(signal && { signal }) })) {
      await written
      written = writer.writeAsync('vectors', rows)
      // It is thrown where it is awaited.
      written.catch(() => {})
      rows.dispose()
    }
    await written
    throwIfAborted(signal, plan.where)
  } catch (error) {
    writer.abort()
    throw error
  }
  return { name, temporary, writer }
}

/** Completes a shard, writes its ids, and publishes both. */
async function publishShard({ folder, output }: Plan, { name, temporary, writer }: OpenShard, { ids }: Rows) {
  await writer.closeAsync()
  try {
    // The ids come first, so that a shard that is there has them.
    if (ids !== null) publishSame(folder, `${name}.ids.json`, `${JSON.stringify(ids)}\n`)
    await publishFile(folder, temporary, name, output)
  } finally {
    // One that stays is removed when the work is resumed.
    quietly(() => rmSync(join(folder, temporary), { force: true }))
  }
}

async function described({ folder, output, ranges }: Plan, name: string, here: Rows): Promise<ShardFile> {
  const file = `${name}.${output}`
  const ids = here.ids === null ? null : `${name}.ids.json`
  const sources = here.sources.map(({ range, first, end }): ShardSource => {
    const { file, bytes } = ranges[range]
    return { file, bytes, records: [first, end] }
  })
  return {
    name: file,
    rows: here.count,
    bytes: sizeOf(join(folder, file)),
    sha256: await digestOf(join(folder, file)),
    ids: ids === null ? null : { name: ids, sha256: await digestOf(join(folder, ids)) },
    sources,
  }
}

function published(folder: string, name: string, manifest: ShardsManifest): ShardsManifest {
  const text = written({ format: 'tokenbed.shards', version: VERSION, ...manifest } as unknown as Json)
  publishSame(folder, name, text)
  return manifest
}

/** The lists of all workers, or null while some are missing. */
function partsIn(folder: string, count: number): ShardsManifest[] | null {
  const paths = Array.from({ length: count }, (_, index) => join(folder, partName(index, count)))
  return paths.every((path) => isThere(path)) ? paths.map(readManifest) : null
}

function merged(parts: ShardsManifest[]): ShardsManifest {
  return {
    ...parts[0],
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    shards: parts.flatMap(({ shards }) => shards),
  }
}

const MOST_MANIFEST = 2 ** 28

function readManifest(path: string): ShardsManifest {
  const wrong = (what: string) => new FormatError(`${path}: ${what}`, path, 0)
  if (!isThere(path)) throw wrong('it is missing: this is no folder of shards, or not all of them are made yet')
  if (sizeOf(path) > MOST_MANIFEST) throw wrong('it is too large for a manifest of shards')
  let json: Partial<ShardsManifest> & { format?: unknown; version?: unknown }
  try {
    json = JSON.parse(readWhole(path).toString()) as typeof json
  } catch (cause) {
    throw cause instanceof TokenbedError ? cause : wrong(`it is not JSON: ${(cause as Error).message}`)
  }
  if (!isObject(json) || json.format !== 'tokenbed.shards') throw wrong('it is not the manifest of a folder of shards')
  if (json.version !== VERSION) throw wrong(`version ${show(json.version)} of manifests is not known here`)
  const { rows, width, dtype, shards, plan } = json
  const isName = (name: unknown) => typeof name === 'string' && /^[\w.-]+$/.test(name)
  const isShard = (one: Partial<ShardFile> | null) =>
    isObject(one) &&
    isName(one.name) &&
    typeof one.sha256 === 'string' &&
    typeof one.rows === 'number' &&
    (one.ids === null || (isObject(one.ids) && isName(one.ids.name)))
  if (!isArray(shards) || !shards.every(isShard) || typeof plan !== 'string' || typeof rows !== 'number')
    throw wrong('its shards are not described as they should be')
  return { rows, width: width!, dtype: dtype!, shards, plan }
}
