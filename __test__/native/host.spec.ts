import test from 'ava'
import { scenario } from '../support/child.js'

const SCRIPT = 'lifetime/host.js'

test('where live data is forbidden, data is a copy and everything else works', async (t) => {
  const found = await scenario<Record<string, unknown>>(SCRIPT, 'copies', { TOKENBED_LIVE_DATA: '0' })
  t.deepEqual(found, {
    live: false,
    untouched: true,
    fresh: true,
    row: [1, 2],
    part: [1, 2],
    loaded: 9,
    printed: 'tensor([[1., 2.]])',
    activation: [3, 0],
    out: 4,
    matmul: [0, 0, 0, 0],
    dead: 'USAGE',
    shared: [1, 2],
  })
})

test('where live data is allowed, data is always the same array', async (t) => {
  const found = await scenario<Record<string, unknown>>(SCRIPT, 'copies')
  t.is(found.live, true)
  t.is(found.untouched, false)
  t.is(found.fresh, false)
  t.deepEqual(
    [found.row, found.part, found.shared],
    [
      [1, 2],
      [1, 2],
      [1, 2],
    ],
  )
})

test('a transferred buffer gives an error or still works, but never crashes', async (t) => {
  const results = await scenario<unknown[]>(SCRIPT, 'transferred')
  // The memory of the activation is gone, so every use is rejected.
  t.deepEqual(results.slice(0, 5), ['USAGE', 'USAGE', 'USAGE', 0, 'USAGE'])
  for (const table of [results.slice(5, 11), results.slice(11)]) {
    const [data, add, set, forward, length, dead] = table
    // Node does not transfer such a buffer, or everything but `data` can still read its memory.
    t.true(data === 600 * 512 || data === 'USAGE')
    t.deepEqual([add, set, forward, length, dead], [600 * 512, 600 * 512, 512, 0, 'USAGE'])
  }
})

test('a table whose buffer was transferred refuses to show it', async (t) => {
  const { codes, sizes } = await scenario<{ codes: unknown[]; sizes: unknown[] }>(SCRIPT, 'moved')
  t.deepEqual(codes, ['USAGE'])
  t.true(sizes.every((size) => typeof size === 'number'))
})

test('a panic is an error with the code INTERNAL, and the process continues', async (t) => {
  type Panics = { errors: Record<string, string>[]; elsewhere: string; works: number }
  const { errors, elsewhere, works } = await scenario<Panics>(SCRIPT, 'panic')
  t.is(errors.length, 3)
  for (const { name, code, message } of errors) {
    t.is(name, 'TokenbedError')
    t.is(code, 'INTERNAL')
    t.true(message.startsWith('on purpose'), message)
    t.true(message.includes('report'), message)
  }
  t.true(elsewhere.startsWith('INTERNAL: on purpose, elsewhere'), elsewhere)
  t.is(works, 2)
})

test('the native side rejects arguments that slip through the checks', async (t) => {
  const codes = await scenario<(string | undefined)[]>(SCRIPT, 'unchecked')
  t.is(codes.length, 18)
  const known = ['SHAPE', 'USAGE', 'DTYPE', 'TOKEN_INDEX', 'MEMORY']
  for (const [i, code] of codes.entries())
    t.true(known.includes(code!) || /^(Type)?Error: /.test(code!), `${i}: ${code}`)
})

test('workers load the package and get the same results as the main thread', async (t) => {
  t.deepEqual(await scenario<object>(SCRIPT, 'workers'), { same: 1, here: true })
})

test('ending workers at any moment is safe', async (t) => {
  t.deepEqual(await scenario(SCRIPT, 'terminated'), { works: 2 })
})
