// Which worker a process is: the variables of Slurm, Kubernetes and AWS Batch.

import test from 'ava'
import { shardFromEnvironment, UsageError } from '../../index.js'

test('schedulers say which worker a process is', (t) => {
  const slurm = { SLURM_ARRAY_TASK_ID: '13', SLURM_ARRAY_TASK_COUNT: '4', SLURM_ARRAY_TASK_MIN: '10' }
  t.deepEqual(shardFromEnvironment(slurm), { index: 3, count: 4 })
  t.deepEqual(shardFromEnvironment({ JOB_COMPLETION_INDEX: '0', JOB_COMPLETIONS: '8' }), { index: 0, count: 8 })
  const batch = { AWS_BATCH_JOB_ARRAY_INDEX: '7', AWS_BATCH_JOB_ARRAY_SIZE: '8' }
  t.deepEqual(shardFromEnvironment(batch), { index: 7, count: 8 })
  for (const [environment, message] of [
    [{}, /no scheduler says which worker this is; looked for SLURM_ARRAY_TASK_ID/],
    [{ JOB_COMPLETION_INDEX: '0' }, /JOB_COMPLETIONS is not set: set JOB_COMPLETIONS to the completions of the Job/],
    [{ ...slurm, SLURM_ARRAY_TASK_ID: '14' }, /is not among 4 workers that begin at 10/],
    [{ ...batch, AWS_BATCH_JOB_ARRAY_INDEX: 'x' }, /AWS_BATCH_JOB_ARRAY_INDEX is 'x'/],
  ] as const) {
    t.throws(() => shardFromEnvironment(environment), { instanceOf: UsageError, message })
  }
})
