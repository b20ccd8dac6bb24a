// Which part of the work is this process's, as schedulers of clusters say it.

import { UsageError } from '../base/errors.js'
import { checkOptions, checkSize, isObject, show } from '../base/validate.js'
import type { Shard } from './ranges.js'

export interface ShardFromEnvironmentOptions {
  /** How many workers there are, where the environment does not say it; `TOKENBED_SHARD_COUNT` says it too. */
  count?: number
}

type Environment = Readonly<Record<string, string | undefined>>

/** The variables of a scheduler: the number of this process, and where they have one, its least and the count. */
const SCHEDULERS = [
  {
    name: 'a Slurm array',
    index: 'SLURM_ARRAY_TASK_ID',
    least: 'SLURM_ARRAY_TASK_MIN',
    step: 'SLURM_ARRAY_TASK_STEP',
    count: 'SLURM_ARRAY_TASK_COUNT',
  },
  { name: 'an Indexed Job of Kubernetes', index: 'JOB_COMPLETION_INDEX' },
  { name: 'an array job of AWS Batch', index: 'AWS_BATCH_JOB_ARRAY_INDEX', count: 'AWS_BATCH_JOB_ARRAY_SIZE' },
] as const
const COUNT = 'TOKENBED_SHARD_COUNT'
const MOST = 2 ** 20

/**
 * Which of how many workers this process is, for `embedShards`: in an array of Slurm (SLURM_ARRAY_TASK_ID minus
 * SLURM_ARRAY_TASK_MIN, of SLURM_ARRAY_TASK_COUNT), in an Indexed Job of Kubernetes (JOB_COMPLETION_INDEX), or in an
 * array job of AWS Batch (AWS_BATCH_JOB_ARRAY_INDEX of AWS_BATCH_JOB_ARRAY_SIZE). Kubernetes does not say how many
 * there are: give `count`, or set TOKENBED_SHARD_COUNT to the job's `completions`.
 *
 * @param env Default `process.env`.
 * @throws UsageError, whose `setting` names the variable, if it cannot be said: there is no such variable, there are
 * those of two schedulers, the count is missing, or a value is not a number in range.
 */
export function shardFromEnvironment(env: Environment = process.env, options?: ShardFromEnvironmentOptions): Shard {
  const where = 'shardFromEnvironment'
  if (!isObject(env)) throw new UsageError(`${where}: env must be an object of variables, not ${show(env)}`)
  const { count } = checkOptions(options, ['count'], where)
  if (count !== undefined) checkSize(count, `${where}: count`, 1, MOST)
  const found = SCHEDULERS.filter(({ index }) => isSet(env[index]))
  if (found.length === 0)
    throw new UsageError(
      `${where}: this is no array of a scheduler: none of ${SCHEDULERS.map(({ index }) => index).join(', ')} is set; give the shard by its number`,
    )
  if (found.length > 1)
    throw new UsageError(
      `${where}: ${found.map(({ index }) => index).join(' and ')} are set, and it cannot be known which is meant; give the shard by its number`,
      { setting: found[1].index },
    )
  const [scheduler] = found
  const read = (name: string, least: number, most = Number.MAX_SAFE_INTEGER): number => {
    const text = env[name]!
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN
    if (value >= least && value <= most) return value
    const bound = most < Number.MAX_SAFE_INTEGER ? ` to ${most}` : ' on'
    throw new UsageError(`${where}: ${name} must be a whole number from ${least}${bound}, not ${show(text)}`, {
      setting: name,
    })
  }
  const counts = [
    ...('count' in scheduler && isSet(env[scheduler.count])
      ? [{ name: scheduler.count as string, value: read(scheduler.count, 1, MOST) }]
      : []),
    ...(isSet(env[COUNT]) ? [{ name: COUNT, value: read(COUNT, 1, MOST) }] : []),
    ...(count === undefined ? [] : [{ name: 'count', value: count }]),
  ]
  if (counts.length === 0)
    throw new UsageError(
      `${where}: ${scheduler.index} is set, but not how many workers there are: set ${COUNT} to it, or give count`,
      { setting: COUNT },
    )
  const other = counts.find(({ value }) => value !== counts[0].value)
  if (other)
    throw new UsageError(
      `${where}: ${counts[0].name} says ${counts[0].value} workers, and ${other.name} ${other.value}`,
      { setting: other.name },
    )
  const least = 'least' in scheduler && isSet(env[scheduler.least]) ? read(scheduler.least, 0) : 0
  const step = 'step' in scheduler && isSet(env[scheduler.step]) ? read(scheduler.step, 1) : 1
  const index = (read(scheduler.index, 0) - least) / step
  const [{ value }] = counts
  if (!Number.isInteger(index) || index < 0 || index >= value)
    throw new UsageError(
      `${where}: ${scheduler.index} is ${env[scheduler.index]}, which is none of ${value} workers of ${scheduler.name}${least > 0 ? ` from ${least} on` : ''}: its numbers must follow one another`,
      { setting: scheduler.index },
    )
  return { index, count: value }
}

const isSet = (value: string | undefined): value is string => value !== undefined && value !== ''
