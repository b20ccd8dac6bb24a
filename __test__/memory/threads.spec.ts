import test from 'ava'
import { capabilities, getNumThreads, setNumThreads } from '../../index.js'
import { availableParallelism } from 'node:os'
import { scenario } from '../support/child.js'
import { refuses } from '../support/errors.js'

const SCRIPT = 'lifetime/threads.js'
const variable = (value: string) => ({ TOKENBED_NUM_THREADS: value })

test.serial('uses as many threads as are set', (t) => {
  const before = getNumThreads()
  t.is(capabilities().threads, before)
  for (const n of [1, 3, 1024, 2]) {
    setNumThreads(n)
    t.is(getNumThreads(), n)
    t.is(capabilities().threads, n)
  }
  for (const bad of [0, -1, 1.5, NaN, Infinity, '2', undefined, 2n, 1025, 2 ** 53]) {
    refuses(t, () => setNumThreads(bad as never), 'USAGE', 'must be a whole number')
  }
  t.is(getNumThreads(), 2)
  setNumThreads(before)
})

test('uses one thread per core by default, at most four', async (t) => {
  t.is(await scenario(SCRIPT, 'count', variable('')), Math.min(availableParallelism(), 4) as never)
  t.is(await scenario(SCRIPT, 'count', variable('7')), 7 as never)
})

for (const value of ['0', '-1', '1.5', 'many', '1025', ' 3', '+3']) {
  test(`TOKENBED_NUM_THREADS=${value} is rejected at the first use, and setNumThreads overrides it`, async (t) => {
    const { errors, after } = await scenario<{ errors: string[]; after: unknown[] }>(SCRIPT, 'refused', variable(value))
    for (const error of errors) {
      t.is(
        error,
        `UsageError USAGE TOKENBED_NUM_THREADS=${value} is not a whole number from 1 to 1024: correct it or unset it`,
      )
    }
    t.deepEqual(after, [2, 4])
  })
}

test('threads start when there is work for them, as many as are set', async (t) => {
  const found = await scenario(SCRIPT, 'started', variable('3'))
  t.deepEqual(found as unknown, { loaded: 0, small: 0, alone: 0, large: 2, more: 4, fewer: 4 })
})

const onLinux = process.platform === 'linux' ? test : test.skip

onLinux('threads of asynchronous work are used again, and end when they have waited for a while', async (t) => {
  const { inTurn, atOnce, later } = await scenario(SCRIPT, 'again')
  t.true(inTurn >= 1 && inTurn <= 2, `${inTurn}`)
  t.true(atOnce >= 1 && atOnce <= 4, `${atOnce}`)
  t.is(later, 0)
})

test('gives the same bits at any number of threads', async (t) => {
  const digests = (await scenario(SCRIPT, 'digests')) as unknown as string[][]
  t.true(digests.length > 3)
  for (const found of digests) t.deepEqual(found, digests[0])
})

test('worker threads use the helper threads concurrently and give the same results', async (t) => {
  const { different, here } = await scenario(SCRIPT, 'workers')
  t.is(different, 1)
  t.is(here, true as never)
})

test('workers that alone load the package can divide work and end, and later ones still work', async (t) => {
  t.deepEqual((await scenario(SCRIPT, 'onlyInWorkers')) as unknown, ['same', 'same', 'same'])
})

test('child processes have threads of their own', async (t) => {
  t.deepEqual((await scenario(SCRIPT, 'forked')) as unknown, [true, true])
})

test('a process with spinning or sleeping helpers ends by itself', async (t) => {
  t.is((await scenario(SCRIPT, 'ends')) as unknown, (2048 * 768) as never)
})
