// Which worker a process is, by the variables of schedulers, and what is refused.

import test from 'ava'
import { shardFromEnvironment, UsageError } from '../../index.js'

const SLURM = {
  SLURM_ARRAY_TASK_ID: '7',
  SLURM_ARRAY_TASK_MIN: '5',
  SLURM_ARRAY_TASK_MAX: '12',
  SLURM_ARRAY_TASK_COUNT: '8',
}

test('arrays of Slurm, Indexed Jobs of Kubernetes and array jobs of AWS Batch', (t) => {
  t.deepEqual(shardFromEnvironment(SLURM), { index: 2, count: 8 })
  t.deepEqual(
    shardFromEnvironment({
      ...SLURM,
      SLURM_ARRAY_TASK_ID: '11',
      SLURM_ARRAY_TASK_STEP: '2',
      SLURM_ARRAY_TASK_COUNT: '4',
    }),
    { index: 3, count: 4 },
  )
  t.deepEqual(shardFromEnvironment({ SLURM_ARRAY_TASK_ID: '0', SLURM_ARRAY_TASK_COUNT: '1' }), { index: 0, count: 1 })
  t.deepEqual(shardFromEnvironment({ JOB_COMPLETION_INDEX: '3', TOKENBED_SHARD_COUNT: '4' }), { index: 3, count: 4 })
  t.deepEqual(shardFromEnvironment({ JOB_COMPLETION_INDEX: '3' }, { count: 4 }), { index: 3, count: 4 })
  const batch = { AWS_BATCH_JOB_ARRAY_INDEX: '0', AWS_BATCH_JOB_ARRAY_SIZE: '100' }
  t.deepEqual(shardFromEnvironment(batch), { index: 0, count: 100 })
  t.deepEqual(shardFromEnvironment({ ...batch, JOB_COMPLETION_INDEX: '' }, { count: 100 }), { index: 0, count: 100 })
})

test('what says nothing, or two things, is refused', (t) => {
  const refused: [env: unknown, message: RegExp, setting?: string, count?: unknown][] = [
    [{}, /none of SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX, AWS_BATCH_JOB_ARRAY_INDEX is set/],
    [{ JOB_COMPLETION_INDEX: '0' }, /not how many workers there are: set TOKENBED_SHARD_COUNT/, 'TOKENBED_SHARD_COUNT'],
    [{ AWS_BATCH_JOB_ARRAY_INDEX: '0' }, /not how many workers there are/, 'TOKENBED_SHARD_COUNT'],
    [
      { ...SLURM, JOB_COMPLETION_INDEX: '0' },
      /SLURM_ARRAY_TASK_ID and JOB_COMPLETION_INDEX are set/,
      'JOB_COMPLETION_INDEX',
    ],
    [
      { ...SLURM, TOKENBED_SHARD_COUNT: '9' },
      /SLURM_ARRAY_TASK_COUNT says 8 workers, and TOKENBED_SHARD_COUNT 9/,
      'TOKENBED_SHARD_COUNT',
    ],
    [SLURM, /says 8 workers, and count 9/, 'count', 9],
    // The numbers of --array=1,3,50 do not follow one another.
    [
      { ...SLURM, SLURM_ARRAY_TASK_ID: '50' },
      /is 50, which is none of 8 workers of a Slurm array from 5 on/,
      'SLURM_ARRAY_TASK_ID',
    ],
    [{ ...SLURM, SLURM_ARRAY_TASK_ID: '4' }, /which is none of/, 'SLURM_ARRAY_TASK_ID'],
    [{ ...SLURM, SLURM_ARRAY_TASK_STEP: '4' }, /which is none of/, 'SLURM_ARRAY_TASK_ID'],
    [
      { ...SLURM, SLURM_ARRAY_TASK_COUNT: '0' },
      /SLURM_ARRAY_TASK_COUNT must be a whole number from 1 to/,
      'SLURM_ARRAY_TASK_COUNT',
    ],
    ...['-1', '1.5', '1e3', 'x', ' 1', '9'.repeat(40)].map(
      (text) =>
        [
          { JOB_COMPLETION_INDEX: text },
          /JOB_COMPLETION_INDEX must be a whole number from 0 on/,
          'JOB_COMPLETION_INDEX',
          4,
        ] as [unknown, RegExp, string, number],
    ),
    [SLURM, /count must be/, undefined, 0],
    [null, /env must be an object/],
  ]
  for (const [env, message, setting, count] of refused) {
    const error = t.throws<UsageError>(
      () => shardFromEnvironment(env as never, count === undefined ? undefined : { count: count as number }),
      {
        instanceOf: UsageError,
        message,
      },
    )
    t.is(error.setting, setting, `${message}`)
  }
})
