// A worker of a queue: it embeds the parts that jobs name, each into the folder of its plan.

import type { Job, Queue, Worker, WorkerOptions } from 'bullmq'
import { isWrongUse, UsageError } from '../base/errors.js'
import { checkFunction, checkOptions, checkSize, checkText, checkWord, isObject, show } from '../base/validate.js'
import { checkSignal } from '../layers/async.js'
import type { AsyncEmbedder } from '../pipelines/async-embedder.js'
import { embedShards } from '../pipelines/shards.js'
import { openQueue, reach } from './connection.js'
import { failedPart, partOf, planOfPart, type PartOfPlan } from './parts.js'
import { loadBullMQ } from './peers.js'
import type { FailedPart, QueuePlace } from './place.js'
import { isPartDone } from './plan.js'

/** A model that was opened, and the digest that says which it is. */
export interface OpenedModel {
  readonly embedder: AsyncEmbedder
  readonly model: string
}

/** What happens to a part while `work` runs. */
export interface WorkEvent {
  /**
   * - `started`;
   * - `done`: its shards are in the folder;
   * - `failed`: with the error, and whether it is tried again;
   * - `returned`: it was given back, because the worker stops;
   * - `lost`: another worker has it, because this one did not say in time that it was alive;
   * - `trouble`: with an error of the connection, which is made again; no part is named.
   */
  readonly kind: 'started' | 'done' | 'failed' | 'returned' | 'lost' | 'trouble'
  readonly part?: { readonly folder: string; readonly index: number; readonly count: number }
  readonly error?: Error
  readonly isLast?: boolean
}

export interface WorkOptions extends QueuePlace {
  /** What embeds, with the digest of its model; or `open`. */
  embedder?: AsyncEmbedder
  model?: string
  /** Opens the model, once for this worker, before it takes a job. */
  open?: () => OpenedModel | Promise<OpenedModel>
  /** Number of parts that are worked on at a time; default 1, which uses all threads. */
  concurrency?: number
  /** Whether it ends when the queue is empty (`empty`, the default) or only by `signal` (`signal`). */
  until?: 'empty' | 'signal'
  /** Takes no further job, and ends; the parts that are begun have `graceMs` to be done. */
  signal?: AbortSignal
  /** How long a part may go on after `signal`, in milliseconds, before it is given back; default 20,000. */
  graceMs?: number
  /**
   * How long a worker may say nothing before its part is given to another, in milliseconds; default 30,000. It says
   * that it is alive twice in this time.
   */
  lockMs?: number
  /** How often workers look for parts whose worker says nothing, in milliseconds; default 30,000. */
  stalledMs?: number
  /** How often a part may lose its worker before it counts as failed; default 20. */
  maxStalled?: number
  onEvent?: (event: WorkEvent) => void
}

export interface WorkResult {
  /** Number of parts that this worker did. */
  readonly done: number
  /** Number of parts that it gave back, and of those that it lost to another worker. */
  readonly returned: number
  readonly lost: number
  /** The first thousand parts of the queue that failed, whoever worked on them. */
  readonly failed: readonly FailedPart[]
}

const OPTIONS = [
  'connection',
  'queue',
  'embedder',
  'model',
  'open',
  'concurrency',
  'until',
  'signal',
  'graceMs',
  'lockMs',
  'stalledMs',
  'maxStalled',
  'onEvent',
]
const LOOK_MS = 500
/** How long a server that is gone may keep a worker from ending. */
const CLOSE_MS = 5000
const MOST_LISTED = 1000

interface Checked {
  readonly concurrency: number
  readonly until: 'empty' | 'signal'
  readonly signal: AbortSignal | undefined
  readonly graceMs: number
  readonly tell: (event: WorkEvent) => void
  readonly timing: Pick<WorkerOptions, 'lockDuration' | 'stalledInterval' | 'maxStalledCount'>
}

/**
 * Works on the parts of a queue until it is empty, or until `signal`. Any number of workers, on any machines that see
 * the folders and files, may do so at a time. A part takes effect once however often it is run, because a shard that is
 * there is compared and never replaced.
 *
 * @throws UsageError for options that cannot be used, and if a package is not installed; QueueError if the server cannot
 * be reached, or is a Redis that may drop jobs; what `open` throws. A part that fails is no error here: see `failed`.
 */
export async function work(options: WorkOptions): Promise<WorkResult> {
  const where = 'work'
  const { connection, queue: name, embedder, model, open, ...given } = checkOptions(options, OPTIONS, where)
  const checked = check(given, where)
  const opener = openerOf({ embedder, model, open }, where)
  const server = await reach({ connection, queue: name }, where)
  const opened = await opener()
  const queue = openQueue(server)
  const { Worker: Made } = loadBullMQ()
  const run = new Run(opened, checked)
  const worker = new Made(
    server.name,
    (job, token, signal) => run.part(job, token!, signal),
    {
      ...server.options,
      ...checked.timing,
      concurrency: checked.concurrency,
      autorun: false,
      runRetryDelay: 1000,
    },
    server.factory as undefined,
  )
  return run.all(worker, queue)
}

function check(given: Partial<WorkOptions>, where: string): Checked {
  const { concurrency = 1, until = 'empty', signal, graceMs = 20_000, onEvent = () => {} } = given
  const { lockMs = 30_000, stalledMs = 30_000, maxStalled = 20 } = given
  checkFunction(onEvent, `${where}: onEvent`)
  return {
    concurrency: checkSize(concurrency, `${where}: concurrency`, 1, 1024),
    until: checkWord(until, ['empty', 'signal'], `${where}: until`),
    signal: checkSignal(signal, where),
    graceMs: checkSize(graceMs, `${where}: graceMs`, 0, 2 ** 31 - 1),
    tell: onEvent,
    timing: {
      lockDuration: checkSize(lockMs, `${where}: lockMs`, 100, 2 ** 31 - 1),
      stalledInterval: checkSize(stalledMs, `${where}: stalledMs`, 100, 2 ** 31 - 1),
      maxStalledCount: checkSize(maxStalled, `${where}: maxStalled`),
    },
  }
}

function openerOf({ embedder, model, open }: Partial<WorkOptions>, where: string): () => Promise<OpenedModel> {
  const opened = ({ embedder, model }: Partial<OpenedModel>, which: string): OpenedModel => {
    if (!isObject(embedder) || typeof embedder.embedAsync !== 'function')
      throw new UsageError(`${which}: embedder must be a TextEmbedder, not ${show(embedder)}`)
    return { embedder, model: checkText(model, `${which}: model`) }
  }
  if (open === undefined) {
    const one = opened({ embedder, model }, where)
    return async () => one
  }
  if (embedder !== undefined || model !== undefined)
    throw new UsageError(`${where}: give open, or embedder and model, and not both`)
  checkFunction(open, `${where}: open`)
  return async () => {
    const one: unknown = await open()
    if (!isObject(one)) throw new UsageError(`${where}: open must return { embedder, model }, not ${show(one)}`)
    return opened(one, `${where}: open`)
  }
}

/** The work of one worker from its first job to its last. */
class Run {
  readonly #opened: OpenedModel
  readonly #options: Checked
  readonly #giveBack = new AbortController()
  readonly #stopped = new AbortController()
  #done = 0
  #returned = 0
  #lost = 0

  constructor(opened: OpenedModel, options: Checked) {
    this.#opened = opened
    this.#options = options
  }

  async all(worker: Worker, queue: Queue): Promise<WorkResult> {
    const { signal, until, graceMs, tell } = this.#options
    worker.on('error', (error) => tell({ kind: 'trouble', error }))
    worker.on('failed', (job, error) => {
      const part = job && partOf(job.data)
      if (job && part) tell({ kind: 'failed', part, error, isLast: job.finishedOn !== undefined })
    })
    // The work on a part that another worker has by now is stopped.
    worker.on('lockRenewalFailed', (ids) => ids.forEach((id) => worker.cancelJob(id, 'lock lost')))
    let timer: NodeJS.Timeout | undefined
    const stop = () => {
      this.#stopped.abort()
      timer = setTimeout(() => this.#giveBack.abort(), graceMs)
    }
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true })
    try {
      if (!this.#stopped.signal.aborted) {
        const running = worker.run()
        running.catch((error: Error) => tell({ kind: 'trouble', error }))
        await (until === 'empty' ? this.#untilEmpty(queue) : this.#whenStopped())
      }
      const end = worker.close()
      await Promise.race([end, this.#whenStopped().then(() => within(end, graceMs + CLOSE_MS))])
      const { done, returned, lost } = { done: this.#done, returned: this.#returned, lost: this.#lost }
      return { done, returned, lost, failed: (await within(failedIn(queue), CLOSE_MS)) ?? [] }
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      await within(queue.close(), CLOSE_MS)
    }
  }

  /** Runs one job. What it throws is what BullMQ then does with the job. */
  async part(job: Job, token: string, cancelled: AbortSignal | undefined): Promise<void> {
    const { UnrecoverableError, WaitingError } = loadBullMQ()
    const { tell } = this.#options
    const part = partOf(job.data)
    if (part === null) throw new UnrecoverableError('this is not a job of tokenbed/queue')
    tell({ kind: 'started', part })
    try {
      await this.#embed(part, AbortSignal.any([this.#giveBack.signal, ...(cancelled ? [cancelled] : [])]))
      this.#done++
      tell({ kind: 'done', part })
    } catch (error) {
      if (cancelled?.aborted) {
        // Another worker has the part, and may be done with it already.
        if (isThere(part)) {
          tell({ kind: 'done', part })
          return
        }
        this.#lost++
        tell({ kind: 'lost', part })
        throw error
      }
      if (this.#giveBack.signal.aborted) {
        await job.moveToWait(token)
        this.#returned++
        tell({ kind: 'returned', part })
        throw new WaitingError()
      }
      // Another attempt would be the same: another model, another plan.
      if (isWrongUse(error)) throw new UnrecoverableError(error.message)
      throw error
    }
  }

  async #embed(part: PartOfPlan, signal: AbortSignal): Promise<void> {
    const { embedder, model } = this.#opened
    const plan = planOfPart(part, 'work')
    if (plan.model !== model)
      throw new UsageError(
        `work: the plan of ${plan.folder} is for the model ${plan.model}, and this worker has ${model}: start a worker with that model, and add the jobs again`,
      )
    if (isPartDone(plan, part.index)) return
    const shard = { index: part.index, count: part.count }
    await embedShards(plan.folder, plan.files, { ...plan.options, embedder, shard, resume: true, signal })
  }

  /** Waits until no job waits or is worked on, here or elsewhere. */
  async #untilEmpty(queue: Queue): Promise<void> {
    const stopped = this.#whenStopped()
    while (!this.#stopped.signal.aborted) {
      try {
        // A server that is gone must not keep the worker from stopping.
        const counts = await Promise.race([queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized'), stopped])
        if (counts === undefined || Object.values(counts).every((count) => count === 0)) return
      } catch (error) {
        // The client connects again by itself.
        this.#options.tell({ kind: 'trouble', error: error as Error })
      }
      let timer: NodeJS.Timeout | undefined
      const later = new Promise<void>((resolve) => (timer = setTimeout(resolve, LOOK_MS)))
      await Promise.race([later, stopped])
      clearTimeout(timer)
    }
  }

  #whenStopped(): Promise<undefined> {
    const { signal } = this.#stopped
    return new Promise((resolve) => {
      if (signal.aborted) resolve(undefined)
      else signal.addEventListener('abort', () => resolve(undefined), { once: true })
    })
  }
}

function isThere(part: PartOfPlan): boolean {
  try {
    return isPartDone(planOfPart(part, 'work'), part.index)
  } catch {
    return false
  }
}

async function failedIn(queue: Queue): Promise<FailedPart[]> {
  return (await queue.getFailed(0, MOST_LISTED - 1)).flatMap((job) => failedPart(job))
}

/** The outcome, or undefined if it takes longer, or if it fails. */
async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)))
  try {
    return await Promise.race([work.catch(() => undefined), late])
  } finally {
    clearTimeout(timer)
  }
}
