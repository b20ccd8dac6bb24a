// Calls the whole public API with values that no caller should pass. The fuzzer is in __test__/fuzz.

import test from 'ava'
import { HOSTILE } from '../fuzz/hostile.js'
import { calls, differences } from '../fuzz/surface.js'
import { fuzz, shortened } from '../support/fuzz.js'

/** The number of processes at a time, and of processes among which the functions are divided. */
const [AT_ONCE, PARTS] = [2, 16]
/** The seeds, and the seconds for each. */
const [SEEDS, SECONDS] = [[11, 12, 13, 14], 8]

test('the fuzzer has a description of every export and every method', (t) => {
  t.deepEqual(differences(), [])
  t.true(calls().length > 200 && HOSTILE.length > 150)
})

test.serial(
  'every function answers every hostile value at every place with a typed error or an ordinary result',
  async (t) => {
    t.timeout(300_000)
    let [next, count] = [0, 0]
    const lane = async () => {
      while (next < PARTS) {
        const outcome = await fuzz('each', next++, PARTS)
        t.true(outcome.ok, outcome.report)
        count += outcome.count
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
    t.true(count > 100_000, `${count} calls`)
  },
)

test.serial('sequences of calls over live objects break nothing', async (t) => {
  t.timeout(300_000)
  const seeds = [...SEEDS]
  const lane = async () => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      const { ok, report, step } = await fuzz('random', seed, 0, 1_000_000, SECONDS)
      t.true(ok, ok ? '' : `${report}\nagain: ${await shortened(seed, step)}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
})
