// The nearest rows, compared with sums of float64 over all rows.

import test from 'ava'
import { join } from 'node:path'
import {
  AbortedError,
  Generator,
  QuantizedTable,
  cluster,
  dedupe,
  getNumThreads,
  loadNpy,
  loadSafetensors,
  quantize,
  randn,
  saveNpy,
  saveSafetensors,
  setNumThreads,
  tensor,
  topK,
  topKAsync,
  zeros,
  type Metric,
  type Tensor,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { temporaryFolder } from '../support/temporary.js'

const drawn = (rows: number, dim: number, seed = 1) => randn([rows, dim], { generator: new Generator(seed) })
const listed = (x: Tensor) => x.toArray() as number[][]

/** Scores in float64. */
const SCORES: Record<Exclude<Metric, 'hamming'>, (q: number[], r: number[]) => number> = {
  dot: (q, r) => q.reduce((sum, x, d) => sum + x * r[d], 0),
  cosine: (q, r) => {
    const lengths = Math.hypot(...q) * Math.hypot(...r)
    return lengths > 0 ? SCORES.dot(q, r) / lengths : 0
  },
  euclidean: (q, r) => -Math.hypot(...q.map((x, d) => x - r[d])),
}

/** Checks that the found rows are those with the highest scores, but for those as near as rounding. */
function checkFound(
  t: import('ava').ExecutionContext,
  found: { ids: Tensor; scores: Tensor },
  wanted: (query: number, row: number) => number,
  candidates: number[],
  tolerance: number,
) {
  const [ids, scores] = [listed(found.ids), listed(found.scores)]
  ids.forEach((row, query) => {
    const exact = candidates.map((id) => wanted(query, id)).sort((a, b) => b - a)
    row.forEach((id, place) => {
      const score = wanted(query, id)
      t.true(
        Math.abs(scores[query][place] - score) <= tolerance,
        `query ${query}: ${scores[query][place]}, not ${score}`,
      )
      t.true(Math.abs(exact[place] - score) <= 2 * tolerance, `query ${query}, place ${place}: row ${id}`)
      if (place > 0) {
        const before = scores[query][place - 1]
        const falls = before > scores[query][place] || (before === scores[query][place] && row[place - 1] < id)
        t.true(falls, 'scores fall, and ids rise where they are equal')
      }
    })
    t.is(new Set(row).size, row.length)
  })
}

for (const metric of ['cosine', 'dot', 'euclidean'] as const) {
  test(`finds the rows that a search in float64 finds: ${metric}`, (t) => {
    for (const [count, dim] of [
      [700, 33],
      [260, 256],
      [50, 1],
    ]) {
      const rows = drawn(count, dim)
      const int8 = quantize(rows, 'int8')
      const tables: [string, Tensor | QuantizedTable, number[][], number][] = [
        ['float32', rows, listed(rows), 1e-5],
        ['float16', rows.to('float16'), listed(rows.to('float16').to('float32')), 1e-5],
        ['bfloat16', quantize(rows, 'bfloat16'), listed(rows.to('bfloat16').to('float32')), 1e-5],
        ['int8', int8, listed(int8.dequantize()), 1e-4],
        ['int4', quantize(rows, 'int4'), listed(quantize(rows, 'int4').dequantize()), 1e-4],
        ['int2', quantize(rows, 'int2'), listed(quantize(rows, 'int2').dequantize()), 1e-4],
        ['float8', quantize(rows, 'float8'), listed(quantize(rows, 'float8').dequantize()), 1e-4],
        ['plain int8', rows.mul(20).to('int8'), listed(rows.mul(20).to('int8').to('float32')), 1e-3],
      ]
      for (const [name, table, values, tolerance] of tables) {
        for (const asked of [1, 3, 45]) {
          const queries = drawn(asked, dim, 2)
          const vectors = listed(queries)
          const found = topK(queries, table, { k: 7, metric })
          t.deepEqual(found.ids.shape, [asked, 7], name)
          t.is(found.ids.dtype, 'int32')
          t.is(found.scores.dtype, 'float32')
          const wanted = (query: number, row: number) => SCORES[metric](vectors[query], values[row])
          checkFound(
            t,
            found,
            wanted,
            Array.from(values, (_, id) => id),
            tolerance * (metric === 'cosine' ? 1 : Math.sqrt(dim)),
          )
        }
      }
    }
  })
}

test("decodes GGUF's blocks", (t) => {
  const bytes = Uint8Array.from({ length: 300 * 2 * 34 }, (_, i) =>
    i % 34 === 0 ? 0 : i % 34 === 1 ? 0x2c : (i * 37) % 251,
  )
  const table = QuantizedTable.fromBytes('q8_0', [300, 64], bytes)
  const values = listed(table.dequantize())
  const queries = drawn(6, 64, 5)
  const vectors = listed(queries)
  for (const among of [undefined, [5, 9, 200, 17]]) {
    const found = topK(queries, table, { k: 4, metric: 'dot', among })
    checkFound(t, found, (q, r) => SCORES.dot(vectors[q], values[r]), among ?? values.map((_, id) => id), 1e-3)
    t.deepEqual(
      listed(topK(queries.narrow(0, 2, 1), table, { k: 4, metric: 'dot', among }).scores)[0],
      listed(found.scores)[2],
    )
  }
})

test('compares bits by the number that differ', (t) => {
  for (const bytes of [1, 5, 8, 32, 41]) {
    const rows = tensor(
      Uint8Array.from({ length: 900 * bytes }, (_, i) => (i * i * 31 + i * 7) >> 3),
      { shape: [900, bytes] },
    )
    const queries = rows.narrow(0, 100, 6)
    const table = listed(rows)
    const apart = (a: number[], b: number[]) =>
      a.reduce((sum, x, i) => sum + (x ^ b[i]).toString(2).replaceAll('0', '').length, 0)
    const found = topK(queries, rows, { k: 12 })
    const all = table.map((_, id) => id)
    checkFound(t, found, (q, r) => 1 - (2 * apart(table[100 + q], table[r])) / (8 * bytes), all, 1e-7)
  }
})

test('scores have the same bits whatever is searched with them', async (t) => {
  const rows = drawn(3000, 100)
  const threads = getNumThreads()
  for (const table of [
    rows,
    quantize(rows, 'int8'),
    quantize(rows, 'int4'),
    quantize(rows, 'float8'),
    rows.to('float16'),
  ]) {
    for (const metric of ['cosine', 'dot', 'euclidean'] as const) {
      const queries = drawn(70, 100, 3)
      const together = topK(queries, table, { metric })
      for (const query of [0, 31, 32, 69]) {
        const alone = topK(queries.narrow(0, query, 1), table, { metric })
        t.deepEqual(listed(alone.ids)[0], listed(together.ids)[query])
        t.deepEqual(listed(alone.scores)[0], listed(together.scores)[query])
      }
      const some = topK(queries, table, { metric, among: listed(together.ids).flat() })
      t.deepEqual(some.scores.toArray(), together.scores.toArray())
      for (const count of [1, 2, 3]) {
        setNumThreads(count)
        const again = topK(queries, table, { metric })
        t.deepEqual(again.ids.toArray(), together.ids.toArray())
        t.deepEqual(again.scores.toArray(), together.scores.toArray())
      }
      setNumThreads(threads)
      // eslint-disable-next-line no-await-in-loop -- one at a time
      const off = await topKAsync(queries, table, { metric })
      t.deepEqual(off.ids.toArray(), together.ids.toArray())
      t.deepEqual(off.scores.toArray(), together.scores.toArray())
    }
  }
})

test('of rows with the same score the lower id comes first', (t) => {
  const rows = zeros([500, 8])
  ;(rows.data as Float32Array).fill(1)
  t.deepEqual(listed(topK(zeros([1, 8]), rows, { k: 3 }).ids), [[0, 1, 2]])
  t.deepEqual(listed(topK(rows.narrow(0, 0, 9), rows, { k: 3, among: [90, 80, 80, 400, 7] }).ids)[8], [7, 80, 90])
})

test('handles rows of zeros, and very short and very long ones', (t) => {
  const rows = tensor([
    [0, 0],
    [1e-25, 1e-25],
    [2e19, 2e19],
    [-1, 1],
  ])
  for (const count of [1, 9]) {
    const queries = zeros([count, 2])
    ;(queries.data as Float32Array).fill(3)
    const { ids, scores } = topK(queries, rows, { k: 4 })
    t.deepEqual(listed(ids)[0], [1, 2, 0, 3])
    t.deepEqual(listed(scores)[0], [1, 1, 0, 0])
  }
})

test('one query, no query, and k by default', (t) => {
  const rows = drawn(6, 4)
  t.deepEqual(topK(rows.narrow(0, 2, 1).reshape(4), rows).ids.shape, [1, 6])
  t.deepEqual(topK(zeros([0, 4]), rows, { k: 2 }).ids.shape, [0, 2])
  t.is(listed(topK(rows.narrow(0, 2, 1), rows).ids)[0][0], 2)
  t.deepEqual(topK(rows, rows, { among: [1, 1, 2] }).ids.shape, [6, 2])
})

test('says what is wrong', async (t) => {
  const rows = drawn(20, 4)
  const query = rows.narrow(0, 0, 1)
  refuses(t, () => topK(query, rows, { k: 0 }), 'USAGE', 'k must be a whole number of at least 1')
  refuses(t, () => topK(query, rows, { k: 21 }), 'USAGE', 'k is 21, but only 20 rows count')
  refuses(t, () => topK(query, rows, { k: 3, among: [1, 1, 2] }), 'USAGE', 'only 2 rows count')
  refuses(t, () => topK(query, rows, { among: [] }), 'USAGE', 'no rows')
  refuses(t, () => topK(query, rows, { among: [3, 20] }), 'TOKEN_INDEX', 'id 20 at [1] is out of range')
  refuses(t, () => topK(query, rows, { metric: 'hamming' }), 'USAGE', 'compares bits')
  refuses(t, () => topK(query, rows, { metric: 'manhattan' as 'dot' }), 'USAGE', 'metric must be one of')
  refuses(t, () => topK(zeros([1, 3]), rows), 'SHAPE', '[queries, 4]')
  refuses(t, () => topK(zeros([1, 4], { dtype: 'int32' }), rows), 'DTYPE', 'floats or int8')
  refuses(t, () => topK(query, rows.to('float64')), 'DTYPE', "write rows.to('float32')")
  refuses(t, () => topK(query, [[1]] as never), 'USAGE', 'rows must be a tensor or a QuantizedTable')
  refuses(t, () => topK(query, rows, { top: 3 } as never), 'USAGE', 'no option "top"')
  refuses(t, () => topK(tensor([[1, NaN, 0, 0]]), rows), 'USAGE', 'element 1 of query 0 is NaN')
  for (const [value, metric] of [
    [NaN, 'dot'],
    [NaN, 'cosine'],
    [Infinity, 'cosine'],
    [NaN, 'euclidean'],
  ] as const) {
    const bad = drawn(20, 4)
    ;(bad.data as Float32Array)[17 * 4 + 2] = value
    for (const count of [1, 8])
      refuses(
        t,
        () => topK(rows.narrow(0, 0, count), bad, { metric }),
        'USAGE',
        'row 17 has an element that is infinite or NaN',
      )
    // eslint-disable-next-line no-await-in-loop -- one at a time
    await t.throwsAsync(topKAsync(query, bad, { metric }), { message: /row 17/ })
  }
})

test('a signal ends a search', async (t) => {
  const rows = drawn(40_000, 64)
  await t.throwsAsync(topKAsync(rows.narrow(0, 0, 1), rows, { signal: AbortSignal.abort() }), {
    instanceOf: AbortedError,
  })
  const control = new AbortController()
  const searching = topKAsync(rows, rows, { signal: control.signal })
  setTimeout(() => control.abort(), 20)
  await t.throwsAsync(searching, { instanceOf: AbortedError })
})

test('rows of mapped files are searched, grouped and clustered like those in memory', async (t) => {
  const folder = temporaryFolder()
  const rows = drawn(9000, 64)
  const queries = drawn(5, 64, 2)
  const [npy, tensors] = [join(folder, 'rows.npy'), join(folder, 'rows.safetensors')]
  saveNpy(npy, rows)
  saveSafetensors(tensors, { half: rows.to('float16'), rows })
  const mapped = loadSafetensors(tensors)
  for (const [table, same] of [
    [loadNpy(npy), rows],
    [mapped.get('rows')!, rows],
    [mapped.get('half')!, rows.to('float16')],
  ]) {
    const [found, wanted] = [topK(queries, table), topK(queries, same)]
    t.deepEqual([listed(found.ids), listed(found.scores)], [listed(wanted.ids), listed(wanted.scores)])
    // eslint-disable-next-line no-await-in-loop -- one at a time
    t.deepEqual(listed((await topKAsync(queries, table)).ids), listed(wanted.ids))
    const some = [table, same].map((it) => it.narrow(0, 0, 1500))
    t.deepEqual(dedupe(some[0], { threshold: 0.3 }), dedupe(some[1], { threshold: 0.3 }))
    const [a, b] = some.map((it) => cluster(it, { k: 5, restarts: 1 }))
    t.deepEqual([a.labels, a.inertia], [b.labels, b.inertia])
  }
})
