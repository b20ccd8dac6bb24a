import test, { type ExecutionContext } from 'ava'
import { POOL_LIMIT } from '../../api/memory/pool.js'
import { scenario } from '../support/child.js'
import { MB } from '../lifetime/measure.js'

const SCRIPT = 'lifetime/memory.js'
const mebibytes = (bytes: number) => `${(bytes / MB).toFixed(1)} MiB`

for (const [name, limit] of [
  ['million', 150 * MB],
  ['manyKilobytes', 250 * MB],
  ['manyMegabytes', 1000 * MB],
] as const) {
  test.serial(`${name} of results, neither disposed nor returned: memory stays bounded`, async (t) => {
    const { growth } = await scenario(SCRIPT, name)
    t.log(mebibytes(growth))
    t.true(growth < limit, mebibytes(growth))
  })
}

test.serial('a call takes at most 10 page faults with out, dispose or scope, at (32, 1024) x 768', async (t) => {
  const faults = await scenario(SCRIPT, 'steady')
  t.log(faults)
  for (const [name, count] of Object.entries(faults)) t.true(count <= 10, `${name}: ${count}`)
})

test.serial('a call takes at most 10 page faults at any size, on any number of threads', async (t) => {
  const faults = await scenario(SCRIPT, 'steadySizes')
  t.is(Object.keys(faults).length, 56)
  for (const [name, count] of Object.entries(faults)) t.true(count <= 10, `${name}: ${count}`)
})

test.serial('a fresh large result asks for huge pages before it is written', async (t) => {
  const { faults, hugePages } = await scenario(SCRIPT, 'fresh')
  t.log(faults, mebibytes(hugePages))
  // The system may have no huge pages to give. If most of the memory is in huge pages, there are few faults.
  if (!(hugePages > 250 * MB)) return t.log('this system gave no huge pages')
  t.true(faults < 5000, `${faults}`)
})

test.serial('the pool is bounded, and drops the memory that was idle longest', async (t) => {
  const { before, full, after, end } = await scenario(SCRIPT, 'pool')
  t.is(before, 0)
  t.true(full > POOL_LIMIT - 50 * MB && full <= POOL_LIMIT, mebibytes(full))
  t.true(after > POOL_LIMIT - 150 * MB && after <= POOL_LIMIT, mebibytes(after))
  t.true(end <= POOL_LIMIT)
})

test.serial('the memory of disposed tables is freed within a synchronous run', async (t) => {
  const { most, grown, left } = await scenario(SCRIPT, 'tables')
  t.is(left, 0)
  // 20.5 MB, rounded up to whole huge pages where they exist.
  t.true(most >= 20_000 * 256 * 4 && most < 24 * MB, mebibytes(most))
  t.true(grown < 2 * most, mebibytes(grown))
})

test.serial('the garbage collector frees tables that nobody holds, but not while their data is held', async (t) => {
  type Dropped = { before: number; viewed: { tables: number; first: boolean }; after: number }
  const { before, viewed, after } = await scenario<Dropped>(SCRIPT, 'dropped')
  const table = 5000 * 256 * 4
  t.true(before >= 3 * table)
  t.true(viewed.first && viewed.tables >= table && viewed.tables < 2 * table)
  t.is(after, 0)
})

test.serial('V8 is told about external memory once, and told exactly when it is freed', async (t) => {
  const table = 5000 * 256 * 4
  const { kept, keptAndLookedAt, released, ...others } = await scenario(SCRIPT, 'external')
  for (const [name, bytes] of Object.entries(others)) t.true(Math.abs(bytes) < 4096, `${name}: ${bytes}`)
  t.true(Math.abs(kept - table) < 4096, `kept: ${kept}`)
  t.true(Math.abs(keptAndLookedAt) < 4096, `looked at: ${keptAndLookedAt}`)
  t.true(Math.abs(released + table) < 4096, `released: ${released}`)
})

type Grown = { held: number; anonymous: number }

function isHonest(t: ExecutionContext, { held, anonymous }: Grown): void {
  if (Number.isNaN(anonymous)) return t.log('this system does not say what is anonymous')
  t.true(held >= 256 * MB)
  t.true(
    Math.abs(held - anonymous) < 0.05 * anonymous,
    `memoryUsage ${mebibytes(held)}, the system ${mebibytes(anonymous)}`,
  )
}

test.serial('memoryUsage of tables agrees with the system to 5 %', async (t) => {
  const { grown, left } = await scenario<{ grown: Grown; left: Grown }>(SCRIPT, 'honestTables')
  isHonest(t, grown)
  t.true(left.held < MB && !(left.anonymous > 20 * MB), `left: ${mebibytes(left.anonymous)}`)
})

test.serial('memoryUsage of results and of the pool agrees with the system to 5 %', async (t) => {
  const { grown, pooled } = await scenario<{ grown: Grown; pooled: Grown }>(SCRIPT, 'honestResults')
  isHonest(t, grown)
  t.true(pooled.held <= grown.held + MB)
})

test.serial('memoryUsage of tables, results and pool together agrees with the system to 5 %', async (t) => {
  isHonest(t, (await scenario<{ grown: Grown }>(SCRIPT, 'honestMixed')).grown)
})
