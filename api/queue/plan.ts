// What a queue's jobs are parts of: the plan in a folder of shards. The folder alone says what is done.

import { join, resolve } from 'node:path'
import { FileError, FormatError, UsageError } from '../base/errors.js'
import { sha256 } from '../base/late.js'
import { isThere, namesIn, sizeOf } from '../base/look.js'
import { readWhole } from '../base/read-file.js'
import { checkOptions, checkPath, checkSize, eachOf, isArray, isObject, show } from '../base/validate.js'
import { MANIFEST, PLAN, partName, planShards, type EmbedShardsOptions } from '../pipelines/shards.js'
import { sizesOf } from '../pipelines/ranges.js'

export interface PlanOptions extends Omit<EmbedShardsOptions, 'shard' | 'resume' | 'onProgress' | 'signal'> {
  /**
   * Number of jobs; default one for each 256 MB of the files as they are stored. A job of 10 to 60 s is best. Files
   * that cannot be cut (compressed ones, CSV) are not divided.
   */
  parts?: number
}

/** A folder of shards that was begun, and how many parts it has. */
export interface QueuePlan {
  /** The absolute path of the folder, which must be the same for all workers. */
  readonly folder: string
  /** The SHA-256 of its `plan.json`. */
  readonly sha256: string
  /** The digest of the model. */
  readonly model: string
  readonly files: readonly string[]
  /** Number of parts. */
  readonly parts: number
}

/** What a worker needs to know of a plan. */
export interface ReadPlan extends QueuePlan {
  /** The options of `embedShards`, without the embedder. */
  readonly options: Omit<EmbedShardsOptions, 'embedder'>
}

const PART_BYTES = 2 ** 28
const MOST_PARTS = 2 ** 20
const MOST_PLAN = 2 ** 28
const VERSION = 1
const OPTIONS = [
  'embedder',
  'model',
  'parts',
  'shardRows',
  'output',
  'format',
  'field',
  'id',
  'dim',
  'normalize',
  'dtype',
]

/**
 * Divides the records of files into parts, and begins a folder of shards with the plan. Nothing is embedded yet. A
 * folder that was begun with the same plan stays as it is.
 *
 * @param folder Where the shards go. Workers see it, and the files, under the same absolute paths.
 * @param files Regular files, read as by `records`.
 * @throws UsageError for options that cannot be used, and for a folder that was begun with another plan; FileError.
 */
export async function plan(folder: string, files: readonly string[], options: PlanOptions): Promise<QueuePlan> {
  const where = 'plan'
  const { parts, ...given } = checkOptions(options, OPTIONS, where) as PlanOptions
  if (!isArray(files) || files.length === 0)
    throw new UsageError(`${where}: files must be an array of paths, not ${show(files)}`)
  const paths = eachOf(files, (file, i) => resolve(checkPath(file, `${where}: file ${i}`)))
  const bytes = sizesOf(paths, where).reduce((sum, size) => sum + size, 0)
  const count =
    parts === undefined
      ? Math.min(Math.max(1, Math.ceil(bytes / PART_BYTES)), MOST_PARTS)
      : checkSize(parts, `${where}: parts`, 1, MOST_PARTS)
  const path = resolve(checkPath(folder, where))
  const digest = planShards(path, paths, { ...given, shard: { index: 0, count } })
  return { folder: path, sha256: digest, model: given.model, files: paths, parts: count }
}

/** Reads the plan of a folder. */
export function readPlan(folder: string, where: string): ReadPlan {
  const path = join(resolve(checkPath(folder, where)), PLAN)
  const wrong = (what: string) => new FormatError(`${path}: ${what}`, path, 0)
  if (!isThere(path))
    throw new FileError(
      `${where}: ${path} is missing: begin the folder with plan(), or tokenbed queue add`,
      path,
      undefined,
    )
  if (sizeOf(path) > MOST_PLAN) throw wrong('it is too large for a plan of shards')
  const bytes = readWhole(path)
  let json: Record<string, any>
  try {
    json = JSON.parse(bytes.toString()) as Record<string, any>
  } catch (cause) {
    throw wrong(`it is not JSON: ${(cause as Error).message}`)
  }
  if (!isObject(json) || json.format !== 'tokenbed.shards.plan') throw wrong('it is not the plan of a folder of shards')
  if (json.version !== VERSION) throw wrong(`version ${show(json.version)} of plans is not known here`)
  const { model, vectors, files, records, shardRows, workers, output } = json
  const isCount = (value: unknown) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 1
  const isFile = (file: unknown) => isObject(file) && typeof (file as { name?: unknown }).name === 'string'
  if (
    typeof model !== 'string' ||
    !isObject(vectors) ||
    !isObject(records) ||
    !isArray(files) ||
    !files.every(isFile) ||
    !isCount(workers) ||
    workers > MOST_PARTS
  )
    throw wrong('it does not say what a plan says')
  const { dim, normalize, dtype } = vectors as EmbedShardsOptions
  return {
    folder: resolve(folder),
    sha256: sha256(bytes),
    model,
    files: (files as { name: string }[]).map(({ name }) => name),
    parts: workers,
    options: {
      ...records,
      model,
      dim,
      ...(normalize !== null && { normalize }),
      dtype,
      shardRows,
      output,
    },
  }
}

/** The parts of a plan that are done, as its folder has them. */
export function partsDone({ folder, parts }: QueuePlan): Set<number> {
  const names = new Set(namesIn(folder))
  const done = new Set<number>()
  // The last of several workers to be done writes the manifest; if it was killed before, one part is done again.
  if (names.has(MANIFEST)) for (let index = 0; index < parts; index++) done.add(index)
  else if (parts > 1) for (let index = 0; index < parts; index++) if (names.has(partName(index, parts))) done.add(index)
  if (done.size === parts && !names.has(MANIFEST)) done.delete(parts - 1)
  return done
}

/** Whether a part is done. */
export const isPartDone = (plan: QueuePlan, index: number) => partsDone(plan).has(index)

/** The id of the job of a part. BullMQ refuses ids with a colon and bare numbers. */
export const jobId = ({ sha256: digest }: QueuePlan, index: number) => `${digest}-${index}`
