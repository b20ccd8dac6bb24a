// The jobs of a plan: put into a queue, and counted.

import type { JobType } from 'bullmq'
import { checkOptions, checkSize, checkText, isObject } from '../base/validate.js'
import { reach, withQueue } from './connection.js'
import { failedPart, type PartOfPlan } from './parts.js'
import type { FailedPart, QueuePlace } from './place.js'
import { jobId, partsDone, readPlan, type QueuePlan } from './plan.js'

export interface AddJobsOptions extends QueuePlace {
  /** How often a part is tried before it counts as failed; default 3. */
  attempts?: number
  /** How long a part that failed waits before it is tried again, in milliseconds, doubled each time; default 1000. */
  backoffMs?: number
}

/** What `addJobs` did with the parts of a plan. Each part is counted once. */
export interface AddedJobs {
  /** Parts that are done, for which there is no job. */
  readonly done: number
  /** Jobs that were put into the queue. */
  readonly added: number
  /** Jobs among them that had failed before, and have all their attempts again. */
  readonly retried: number
  /** Jobs that the queue already had. */
  readonly there: number
}

export interface QueueStatus {
  readonly folder: string
  /** Number of parts of the plan. */
  readonly parts: number
  /** Parts that are done, as the folder says. */
  readonly done: number
  /** Whether the folder has its manifest. */
  readonly isComplete: boolean
  /** Jobs of this plan that wait for a worker, are being worked on, and wait to be tried again. */
  readonly waiting: number
  readonly active: number
  readonly delayed: number
  /** The first thousand parts that failed. */
  readonly failed: readonly FailedPart[]
  /** Parts that are neither done nor in the queue: `addJobs` adds them. */
  readonly missing: number
}

/** Jobs that are sent to the server at once. */
const AT_ONCE = 1000
const WAITING: JobType[] = ['waiting', 'prioritized']

/**
 * Puts the parts of a plan that are not done into a queue. It may be called again at any time: a part has one job,
 * whoever adds it, and one that failed is tried again. A queue that lost its jobs gets those that are missing.
 *
 * @param folder What `plan` returned, or a folder that it began.
 * @throws QueueError if the server cannot be reached, or is a Redis that may drop jobs; UsageError if a package is not
 * installed; FileError and FormatError for a folder without a plan.
 */
export async function addJobs(folder: string | QueuePlan, options: AddJobsOptions): Promise<AddedJobs> {
  const where = 'addJobs'
  const {
    attempts = 3,
    backoffMs = 1000,
    ...rest
  } = checkOptions(options, ['connection', 'queue', 'attempts', 'backoffMs'], where)
  checkSize(attempts, `${where}: attempts`, 1)
  checkSize(backoffMs, `${where}: backoffMs`)
  const plan = readPlan(folderOf(folder, where), where)
  const server = await reach(rest, where)
  return withQueue(server, where, async (queue) => {
    const known = new Set(await queue.getRanges([...WAITING, 'active', 'delayed'], 0, -1))
    const failed = new Set(await queue.getRanges(['failed'], 0, -1))
    // The folder is read last, so that a part that is done meanwhile is not taken for a missing one.
    const done = partsDone(plan)
    const counts = { done: done.size, added: 0, retried: 0, there: 0 }
    const missing: number[] = []
    for (let index = 0; index < plan.parts; index++) {
      const id = jobId(plan, index)
      if (done.has(index)) continue
      if (known.has(id)) counts.there++
      else missing.push(index)
    }
    for (let from = 0; from < missing.length; from += AT_ONCE) {
      const now = missing.slice(from, from + AT_ONCE)
      const before = now.map((index) => jobId(plan, index)).filter((id) => failed.has(id))
      // An id that is there is ignored, even if its job failed, and a job that is new has all its attempts.
      const removed = await Promise.all(before.map((id) => queue.remove(id)))
      counts.retried += removed.filter((count) => count > 0).length
      await queue.addBulk(
        now.map((index) => ({
          name: 'part',
          data: { folder: plan.folder, plan: plan.sha256, index, count: plan.parts } satisfies PartOfPlan,
          opts: {
            jobId: jobId(plan, index),
            attempts,
            backoff: { type: 'exponential', delay: backoffMs },
            // The folder says what is done.
            removeOnComplete: true,
          },
        })),
      )
      counts.added += now.length
    }
    return counts
  })
}

/**
 * How far a plan is: what its folder has, and what its queue has.
 *
 * @param folder What `plan` returned, or a folder that it began.
 * @throws As `addJobs`.
 */
export async function status(folder: string | QueuePlan, options: QueuePlace): Promise<QueueStatus> {
  const where = 'status'
  const given = checkOptions(options, ['connection', 'queue'], where)
  const plan = readPlan(folderOf(folder, where), where)
  const server = await reach(given, where)
  return withQueue(server, where, async (queue) => {
    const own = new Set(Array.from({ length: plan.parts }, (_, index) => jobId(plan, index)))
    const ids = async (...types: JobType[]) => {
      return (await queue.getRanges(types, 0, -1)).filter((id) => own.has(id))
    }
    const [waiting, active, delayed, lost] = [
      await ids(...WAITING),
      await ids('active'),
      await ids('delayed'),
      await ids('failed'),
    ]
    const jobs = await Promise.all(lost.slice(0, AT_ONCE).map((id) => queue.getJob(id)))
    const done = partsDone(plan)
    const known = new Set([...waiting, ...active, ...delayed, ...lost])
    let missing = 0
    for (let index = 0; index < plan.parts; index++) if (!done.has(index) && !known.has(jobId(plan, index))) missing++
    return {
      folder: plan.folder,
      parts: plan.parts,
      done: done.size,
      isComplete: done.size === plan.parts,
      waiting: waiting.length,
      active: active.length,
      delayed: delayed.length,
      failed: jobs.flatMap((job) => failedPart(job)),
      missing,
    }
  })
}

function folderOf(folder: string | QueuePlan, where: string): string {
  return isObject(folder) ? checkText(folder.folder, `${where}: folder`) : folder
}
