// What a table's numbers tell of it.

import test from 'ava'
import { Generator, randn, tableHealth, tensor, zeros } from '../../index.js'
import { refuses } from '../support/errors.js'

test('rows that died, that learned nothing, that stand out', (t) => {
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
      rows: 1000, dim: 16, zero: [7], notFinite: [8, 9],
      unseen: [990, 991, 992, 993, 994, 995, 996, 997, 998, 999], unchanged: [990, 991, 992, 993, 994, 995, 996, 997, 998, 999],
    })
    t.deepEqual(hot, [{ id: 3, count: 5000, share: 5000 / 6988 }])
    t.deepEqual(outliers.map(({ id }) => id), [11, 12])
    t.true(outliers[0].deviation > 6 && outliers[1].deviation < -6)
    t.true(norms!.min < 1e-5 && norms!.max > 1e6 && norms!.median > 3 && norms!.median < 5)
  }
})

test('a healthy table, and tables of nothing', (t) => {
  const { zero, notFinite, outliers, unseen, unchanged, hot } = tableHealth(randn([5000, 64], { generator: new Generator(2) }))
  t.deepEqual([zero, notFinite, outliers, unseen, unchanged, hot], [[], [], [], null, null, null])
  t.is(tableHealth(zeros([0, 3])).norms, null)
  t.deepEqual(tableHealth(zeros([2, 3]), { counts: [0, 0] }).hot, [])
  t.deepEqual(tableHealth(tensor([[1, 0], [0, 1], [1, 0], [5, 0]])).outliers, [], 'where most norms are the same')
})

test('wrong use', (t) => {
  refuses(t, () => tableHealth(zeros([3])), 'SHAPE', '[3]')
  refuses(t, () => tableHealth(zeros([3, 2], { dtype: 'int8' })), 'DTYPE', 'int8')
  refuses(t, () => tableHealth(zeros([3, 2]), { counts: [1] }), 'SHAPE', '1 counts for 3')
  refuses(t, () => tableHealth(zeros([3, 2]), { initial: zeros([2, 2]) }), 'SHAPE', '[2, 2]')
  refuses(t, () => tableHealth([[1]] as never), 'USAGE', 'tensor')
})
