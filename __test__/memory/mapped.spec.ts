import test from 'ava'
import { MB } from '../lifetime/measure.js'
import { scenario } from '../support/child.js'

const SCRIPT = 'lifetime/mapped.js'
const FILE = 64 * MB

test.serial('writes to a mapped table stay in this process and in this load', async (t) => {
  const { seen, again, unchanged } = await scenario<{ seen: number[][]; again: number; unchanged: boolean }>(
    SCRIPT,
    'copyOnWrite',
  )
  const [mine, others] = seen
  t.deepEqual(mine.slice(0, 2), [5, 6])
  // maxNorm rescaled row 3, which starts with 768, to a norm of 1.
  t.true(mine[2] < 1)
  t.deepEqual(others, [0, 256, 768])
  t.is(again, 256)
  t.true(unchanged)
})

test.serial('a mapped file is counted separately, read when touched, and unmapped with its last tensor', async (t) => {
  const { last, mapped, tables, grown, half, after } = await scenario(SCRIPT, 'counted')
  t.is(last, 16 * MB - 1)
  t.true(mapped > FILE && mapped < FILE + 4096)
  t.is(tables, 0)
  t.false(grown > 8 * MB, `${grown}`)
  t.is(half, mapped)
  t.is(after, 0)
})

test.serial('a mapped file that nobody holds is unmapped by the garbage collector', async (t) => {
  const { before, after } = await scenario(SCRIPT, 'dropped')
  t.true(before > 2 * FILE)
  t.is(after, 0)
})

// Windows does not allow a mapped file to be truncated.
const onUnix = process.platform === 'win32' ? test.skip : test.serial

onUnix(
  'a mapped file that is cut short is an error of every call that reads it, by name, and of nothing else',
  async (t) => {
    const { ended, whole, left } = await scenario<{ ended: Record<string, unknown[]>; whole: number; left: boolean }>(
      'lifetime/torn.js',
      'calls',
    )
    for (const [call, how] of Object.entries(ended)) t.deepEqual(how, [true, true, ''], call)
    t.true(Object.keys(ended).length > 20)
    t.is(whole, 4096 * 256 - 1)
    t.true(left, 'what was torn is unmapped')
  },
)

onUnix('as ids, in another thread, and of a model it is one too', async (t) => {
  t.deepEqual(await scenario<object>('lifetime/torn.js', 'elsewhere'), { ofIds: true, ofWorker: true, here: true })
  t.deepEqual(await scenario<object>('lifetime/torn.js', 'model'), {
    row: true,
    similar: true,
    forward: true,
    async: true,
  })
})
