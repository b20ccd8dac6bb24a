// Principal components against NumPy's, and of rows that have few.

import test from 'ava'
import { Generator, principalComponents, randn, tensor, zeros } from '../index.js'
import { refuses } from './support/errors.js'
import { readGolden } from './support/golden.js'

const golden = readGolden<{ words: string[]; table: number[]; pca: { components: number[]; explained: number[] } }>('vectors/vectors.json')
const rows = golden.words.length
const dim = golden.table.length / rows
const table = tensor(golden.table as number[], { dtype: 'float32' }).reshape(rows, dim)
const near = (a: number, b: number, tolerance: number) => Math.abs(a - b) <= tolerance

test('NumPy\'s components', (t) => {
  const { components, scores, explained } = principalComponents(table, { count: 3 })
  t.deepEqual(components.shape, [3, dim])
  t.deepEqual(scores.shape, [rows, 3])
  const ours = Array.from(components.data as Float64Array)
  // Variances of a third and a second direction are close here: the directions are known less well than the variances.
  ours.forEach((x, i) => t.true(near(x, golden.pca.components[i], 1e-6), `${i}: ${x} is not ${golden.pca.components[i]}`))
  explained.forEach((x, i) => t.true(near(x, golden.pca.explained[i], 1e-12), `${x} is not ${golden.pca.explained[i]}`))
  t.deepEqual(principalComponents(table, { count: 3 }).components.toArray(), components.toArray(), 'always the same')
})

test('directions are orthogonal, and rows lie along them where the scores say', (t) => {
  const x = randn([200, 50], { generator: new Generator(3) })
  const { components, scores, explained } = principalComponents(x, { count: 5 })
  const gram = components.matmul(components.transpose(0, 1)).toArray() as number[][]
  gram.forEach((row, i) => row.forEach((value, j) => t.true(near(value, i === j ? 1 : 0, 1e-12), `${i} ${j}: ${value}`)))
  const mean = scores.mean(0).toArray() as number[]
  mean.forEach((value) => t.true(near(value, 0, 1e-12)))
  t.true(explained.every((value, i) => value > 0 && (i === 0 || value <= explained[i - 1])))
})

test('rows that differ in few directions, or in none', (t) => {
  const line = tensor([[0, 0, 1], [1, 1, 1], [2, 2, 1], [4, 4, 1]])
  const { components, scores, explained } = principalComponents(line)
  const [first] = components.toArray() as number[][]
  t.true(near(first[0], Math.SQRT1_2, 1e-12) && near(first[1], Math.SQRT1_2, 1e-12) && near(first[2], 0, 1e-12))
  t.true(near(explained[0], 1, 1e-12) && near(explained[1], 0, 1e-12))
  t.true(near((scores.toArray() as number[][])[0][0], -1.75 * Math.SQRT2, 1e-12))
  const none = principalComponents(zeros([4, 3]))
  t.deepEqual(none.explained, [0, 0])
  t.deepEqual(none.scores.toArray(), [[0, 0], [0, 0], [0, 0], [0, 0]])
})

test('wrong use', (t) => {
  refuses(t, () => principalComponents(zeros([1, 5])), 'SHAPE', '[1, 5]', '2 components')
  refuses(t, () => principalComponents(zeros([5])), 'SHAPE', '[5]')
  refuses(t, () => principalComponents(zeros([5, 5], { dtype: 'int32' })), 'DTYPE', 'int32')
  refuses(t, () => principalComponents(tensor([[1, 2], [3, NaN]])), 'USAGE', '[1, 1]', 'NaN')
  refuses(t, () => principalComponents(zeros([5, 5]), { count: 0 }), 'USAGE', 'count')
  refuses(t, () => principalComponents([[1]] as never), 'USAGE', 'a tensor')
})
