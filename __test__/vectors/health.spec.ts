// Diagnostics of a table.

import test from 'ava'
import {
  Generator,
  randn,
  setNumThreads,
  tableHealth,
  tensor,
  zeros,
  type DType,
  type TableHealth,
} from '../../index.js'
import { refuses } from '../support/errors.js'

test('finds dead, untrained and outlying rows', (t) => {
  const initial = randn([1000, 16], { generator: new Generator(1) })
  const table = initial.clone()
  for (let id = 0; id < 990; id++) table.set([0.5], id * 16)
  table.set(new Float32Array(16), 7 * 16)
  table.set([NaN], 8 * 16 + 3)
  table.set([-Infinity], 9 * 16)
  table.set(new Float32Array(16).fill(1e6), 11 * 16)
  table.set(new Float32Array(16).fill(1e-6), 12 * 16)
  const counts = Array.from({ length: 1000 }, (_, id) => (id === 3 ? 5000 : id === 4 ? 1000 : id < 990 ? 1 : 0))
  for (const dtype of ['float32', 'float64', 'bfloat16'] as const) {
    const { norms, outliers, hot, ...rest } = tableHealth(table.to(dtype), { counts, initial: initial.to(dtype) })
    t.deepEqual(rest, {
      rows: 1000,
      dim: 16,
      zero: [7],
      notFinite: [8, 9],
      unseen: [990, 991, 992, 993, 994, 995, 996, 997, 998, 999],
      unchanged: [990, 991, 992, 993, 994, 995, 996, 997, 998, 999],
    })
    t.deepEqual(hot, [{ id: 3, count: 5000, share: 5000 / 6988 }])
    t.deepEqual(
      outliers.map(({ id }) => id),
      [11, 12],
    )
    t.true(outliers[0].deviation > 6 && outliers[1].deviation < -6)
    t.true(norms!.min < 1e-5 && norms!.max > 1e6 && norms!.median > 3 && norms!.median < 5)
  }
})

test('handles a healthy table and empty tables', (t) => {
  const { zero, notFinite, outliers, unseen, unchanged, hot } = tableHealth(
    randn([5000, 64], { generator: new Generator(2) }),
  )
  t.deepEqual([zero, notFinite, outliers, unseen, unchanged, hot], [[], [], [], null, null, null])
  t.is(tableHealth(zeros([0, 3])).norms, null)
  t.deepEqual(tableHealth(zeros([2, 3]), { counts: [0, 0] }).hot, [])
  t.deepEqual(
    tableHealth(
      tensor([
        [1, 0],
        [0, 1],
        [1, 0],
        [5, 0],
      ]),
    ).outliers,
    [],
    'where most norms are the same',
  )
})

/** The report on float32 rows, computed by plain loops in float64, without deviations. */
function reference(rows: number[][], before: number[][], counts: number[]) {
  const norms = rows.map((row) => Math.sqrt(row.reduce((sum, x) => sum + x * x, 0)))
  const ids = Array.from(rows.keys())
  const good = ids.filter((id) => norms[id] > 0 && norms[id] < Infinity)
  const median = (values: number[]) => {
    const sorted = Float64Array.from(values).sort()
    return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
  }
  const of = good.map((id) => norms[id])
  const middle = median(of.map(Math.log))
  const scale = 1.4826 * median(of.map((norm) => Math.abs(Math.log(norm) - middle)))
  const far = (id: number) => Math.abs(Math.log(norms[id]) - middle) / scale
  const total = counts.reduce((sum, count) => sum + count, 0)
  let sum = 0
  const hot = [...ids]
    .sort((a, b) => counts[b] - counts[a] || a - b)
    .filter((id) => {
      const isHot = sum * 2 < total
      sum += counts[id]
      return isHot
    })
  return {
    rows: rows.length,
    dim: rows[0].length,
    norms: {
      min: Math.min(...of),
      median: median(of),
      mean: of.reduce((sum, norm) => sum + norm, 0) / of.length,
      max: Math.max(...of),
    },
    zero: ids.filter((id) => norms[id] === 0),
    notFinite: ids.filter((id) => !Number.isFinite(norms[id])),
    unseen: ids.filter((id) => counts[id] === 0),
    unchanged: ids.filter((id) => rows[id].every((x, d) => Object.is(x, before[id][d]))),
    hot: hot.map((id) => ({ id, count: counts[id], share: counts[id] / total })),
    outliers: good
      .filter((id) => far(id) > 6)
      .sort((a, b) => far(b) - far(a))
      .map((id) => ({ id, norm: norms[id] })),
  }
}

const withoutDeviations = ({ outliers, ...rest }: TableHealth) => ({
  ...rest,
  outliers: outliers.map(({ id, norm }) => ({ id, norm })),
})

test.serial('the report has the bits of plain loops, for any float type and any number of threads', (t) => {
  try {
    for (const [rows, dim] of [
      [4, 1],
      [77, 5],
      [1001, 33],
    ]) {
      for (const dtype of ['float32', 'float64', 'float16', 'bfloat16'] as DType[]) {
        const initial = randn([rows, dim], { generator: new Generator(rows) }).to(dtype)
        const table = initial.clone()
        table.set(new Float32Array(dim), dim)
        table.set([NaN], 2 * dim)
        if (rows > 20)
          for (const [id, x] of [
            [11, 1e4],
            [12, 1e-4],
          ])
            table.set(new Float32Array(dim).fill(x), id * dim)
        const counts = Array.from({ length: rows }, (_, i) => (i * i) % 11)
        const plain = (of: typeof table) => of.to('float32').toArray() as number[][]
        const expected = reference(plain(table), plain(initial), counts)
        for (const threads of [1, 2, 5]) {
          setNumThreads(threads)
          t.deepEqual(
            withoutDeviations(tableHealth(table, { counts, initial })),
            expected,
            `${rows} x ${dim} ${dtype}, ${threads} threads`,
          )
        }
      }
    }
  } finally {
    setNumThreads(1)
  }
})

test('rejects wrong use', (t) => {
  refuses(t, () => tableHealth(zeros([3])), 'SHAPE', '[3]')
  refuses(t, () => tableHealth(zeros([3, 2], { dtype: 'int8' })), 'DTYPE', 'int8')
  refuses(t, () => tableHealth(zeros([3, 2]), { counts: [1] }), 'SHAPE', 'one element for each of 3 rows, not 1')
  refuses(t, () => tableHealth(zeros([3, 2]), { initial: zeros([2, 2]) }), 'SHAPE', '[2, 2]')
  refuses(t, () => tableHealth([[1]] as never), 'USAGE', 'tensor')
})
