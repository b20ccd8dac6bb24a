// Clusters, compared with scikit-learn's.

import test from 'ava'
import {
  AbortedError,
  Generator,
  cluster,
  clusterAsync,
  getNumThreads,
  quantize,
  randn,
  setNumThreads,
  tensor,
  zeros,
  type Tensor,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden } from '../support/golden.js'

interface Case {
  rows: number
  dim: number
  k: number
  table: number[]
  /** The best of ten runs. */
  inertia: number
}

const golden = readGolden<{ cases: Case[] }>('search/clusters.json')
const listed = (x: Tensor) => x.toArray() as number[][]

/** The squares of the distances of a row to all centers, in float64. */
const squares = (row: number[], centers: number[][]) =>
  centers.map((center) => center.reduce((sum, x, d) => sum + (x - row[d]) ** 2, 0))

test("the inertia is scikit-learn's best of ten, within a hundredth", (t) => {
  for (const { rows, dim, k, table, inertia } of golden.cases) {
    const points = tensor(table, { dtype: 'float32' }).reshape(rows, dim)
    const found = cluster(points, { k })
    t.true(found.inertia <= inertia * 1.01, `${rows} x ${dim}, ${k}: ${found.inertia} is more than ${inertia}`)
    t.deepEqual(found.centers.shape, [k, dim])
    t.is(found.labels.length, rows)
    const centers = listed(found.centers)
    let sum = 0
    listed(points).forEach((row, i) => {
      const apart = squares(row, centers)
      const nearest = Math.min(...apart)
      sum += nearest
      t.true(apart[found.labels[i]] <= nearest * (1 + 1e-5) + 1e-9, `row ${i}`)
    })
    t.true(Math.abs(sum - found.inertia) <= 1e-5 * sum + 1e-9)
  }
})

test('the same seed gives the same bits, on any number of threads', async (t) => {
  const points = randn([4000, 24], { generator: new Generator(4) })
  const threads = getNumThreads()
  const first = cluster(points, { k: 9, seed: 5, restarts: 2 })
  for (const used of [1, 3]) {
    setNumThreads(used)
    const again = cluster(points, { k: 9, seed: 5, restarts: 2 })
    t.deepEqual(again.centers.toArray(), first.centers.toArray())
    t.deepEqual(again.labels, first.labels)
    t.is(again.inertia, first.inertia)
  }
  setNumThreads(threads)
  const off = await clusterAsync(points, { k: 9, seed: 5, restarts: 2 })
  t.deepEqual(off.centers.toArray(), first.centers.toArray())
  t.deepEqual(off.labels, first.labels)
  t.is(off.inertia, first.inertia)
  t.notDeepEqual(cluster(points, { k: 9, seed: 6, restarts: 1 }).labels, first.labels)
  t.true(cluster(points, { k: 9, seed: 5, restarts: 1 }).inertia >= first.inertia)
  t.true(cluster(points, { k: 9, seed: 5, restarts: 1, iterations: 1 }).inertia >= first.inertia)
})

test('as many clusters as rows, one cluster, and rows that are equal', (t) => {
  const points = randn([12, 5], { generator: new Generator(7) })
  const each = cluster(points, { k: 12 })
  t.is(each.inertia, 0)
  t.deepEqual(
    [...each.labels].sort((a, b) => a - b),
    Array.from({ length: 12 }, (_, i) => i),
  )
  const one = cluster(points, { k: 1 })
  const mean = points.mean(0).toArray() as number[]
  listed(one.centers)[0].forEach((x, d) => t.true(Math.abs(x - mean[d]) < 1e-6))
  const same = cluster(zeros([6, 3]), { k: 3 })
  t.is(same.inertia, 0)
  t.true(same.labels.every((label) => label === 0))
})

test('rows of other layouts are clustered by their values', (t) => {
  const points = randn([600, 16], { generator: new Generator(8) })
  for (const kind of ['int8', 'float16'] as const) {
    const table = quantize(points, kind)
    const [a, b] = [cluster(table, { k: 4, restarts: 1 }), cluster(table.dequantize(), { k: 4, restarts: 1 })]
    t.deepEqual(a.labels, b.labels)
    t.is(a.inertia, b.inertia)
  }
})

test('says what is wrong', async (t) => {
  const points = randn([10, 4], { generator: new Generator(9) })
  refuses(t, () => cluster(points, {} as never), 'USAGE', 'k must be a whole number')
  refuses(t, () => cluster(points, { k: 0 }), 'USAGE', 'k must be a whole number of at least 1')
  refuses(t, () => cluster(points, { k: 11 }), 'USAGE', 'only 10 rows')
  refuses(t, () => cluster(points, { k: 2, restarts: 0 }), 'USAGE', 'restarts')
  refuses(t, () => cluster(zeros([4, 2], { dtype: 'uint8' }), { k: 2 }), 'USAGE', 'no means')
  ;(points.data as Float32Array)[13] = Infinity
  refuses(t, () => cluster(points, { k: 2 }), 'USAGE', 'row 3 has an element that is infinite or NaN')
  await t.throwsAsync(clusterAsync(points, { k: 2 }), { message: /row 3/ })
})

test('a signal ends it', async (t) => {
  const points = randn([20_000, 32], { generator: new Generator(4) })
  const control = new AbortController()
  const working = clusterAsync(points, { k: 50, signal: control.signal })
  setTimeout(() => control.abort(), 20)
  await t.throwsAsync(working, { instanceOf: AbortedError })
})
