// Which of several workers a process is, as its scheduler says in the environment.

import { UsageError } from '../base/errors.js'
import { show } from '../base/validate.js'
import type { Shard } from './ranges.js'

type Environment = Readonly<Record<string, string | undefined>>

/** Variables of schedulers: the number of the worker, how many there are, and the number of the first. */
const SCHEDULERS = [
  {
    name: 'Slurm',
    index: 'SLURM_ARRAY_TASK_ID',
    count: 'SLURM_ARRAY_TASK_COUNT',
    first: 'SLURM_ARRAY_TASK_MIN',
    hint: 'run it in a job array',
  },
  {
    name: 'Kubernetes',
    index: 'JOB_COMPLETION_INDEX',
    count: 'JOB_COMPLETIONS',
    hint: 'set JOB_COMPLETIONS to the completions of the Job, in the env of its container',
  },
  {
    name: 'AWS Batch',
    index: 'AWS_BATCH_JOB_ARRAY_INDEX',
    count: 'AWS_BATCH_JOB_ARRAY_SIZE',
    hint: 'set AWS_BATCH_JOB_ARRAY_SIZE to the size of the array, in the environment of the job definition',
  },
] as const

/**
 * Which worker this process is: by `SLURM_ARRAY_TASK_ID` (minus `SLURM_ARRAY_TASK_MIN`) and `SLURM_ARRAY_TASK_COUNT` in
 * an array of Slurm; by `JOB_COMPLETION_INDEX` in an Indexed Job of Kubernetes, and by `AWS_BATCH_JOB_ARRAY_INDEX` in
 * an array job of AWS Batch, whose counts are in `JOB_COMPLETIONS` and `AWS_BATCH_JOB_ARRAY_SIZE` if the job sets them.
 *
 * @param environment Default: `process.env`.
 * @throws UsageError if no scheduler says it, and for numbers that cannot be.
 */
export function shardFromEnvironment(environment: Environment = process.env): Shard {
  const where = 'shardFromEnvironment'
  const found = SCHEDULERS.find(({ index }) => environment[index] !== undefined)
  if (found === undefined)
    throw new UsageError(
      `${where}: no scheduler says which worker this is; looked for ${SCHEDULERS.map(({ index }) => index).join(', ')}: give { index, count }`,
    )
  const number = (name: string): number => {
    const text = environment[name]
    if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text)
    throw new UsageError(
      `${where}: ${found.name} says ${found.index}, but ${name} is ${text === undefined ? 'not set' : show(text)}: ${found.hint}`,
    )
  }
  const first = 'first' in found && environment[found.first] !== undefined ? number(found.first) : 0
  const [index, count] = [number(found.index) - first, number(found.count)]
  if (index >= 0 && index < count) return { index, count }
  throw new UsageError(
    `${where}: ${found.index} ${index + first} is not among ${count} workers that begin at ${first}: their numbers must be consecutive`,
  )
}
