// Native memory is bounded in code that never returns to the event loop.

import test from 'ava'
import { scenario } from '../support/child.js'
import { MB } from '../lifetime/measure.js'

const SCRIPT = 'lifetime/synchronous.js'
const mebibytes = (bytes: number) => `${(bytes / MB).toFixed(1)} MiB`

const LIMITS = {
  tables: 1200 * MB,
  lookedAt: 1200 * MB,
  layers: 800 * MB,
  trained: 1200 * MB,
  quantized: 800 * MB,
  mapped: 1300 * MB,
  mappedAndLookedAt: 1300 * MB,
  read: 1200 * MB,
  tokenizers: 600 * MB,
  searched: 800 * MB,
}

for (const [name, limit] of Object.entries(LIMITS)) {
  test.serial(`${name}: memory stays bounded when they are made and dropped in one synchronous run`, async (t) => {
    const { growth } = await scenario(SCRIPT, name)
    t.log(mebibytes(growth))
    t.true(growth < limit, mebibytes(growth))
  })
}

test.serial('memory stays bounded with many small objects and with growing ones', async (t) => {
  for (const [name, growth] of Object.entries(await scenario(SCRIPT, 'small'))) {
    t.log(name, mebibytes(growth))
    t.true(growth < 400 * MB, `${name}: ${mebibytes(growth)}`)
  }
})

test.serial('memory that is looked at stays: arrays of collected tables, and memory that was moved', async (t) => {
  const { during, after, tables, left } = await scenario<{
    during: boolean
    after: boolean
    tables: number
    left: number
  }>(SCRIPT, 'kept')
  t.true(during && after)
  t.true(tables >= 3 * 20_000 * 768 * 4, mebibytes(tables))
  t.is(left, 0)
})

test.serial('everything is freed once the event loop runs', async (t) => {
  const { tables, told } = await scenario(SCRIPT, 'turned')
  t.is(tables, 0)
  t.true(Math.abs(told) < 8192, `${told}`)
})
