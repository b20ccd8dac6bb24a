// Principal components, compared with NumPy's, and those of rows of low rank.

import test from 'ava'
import {
  AbortedError,
  Generator,
  principalComponents,
  principalComponentsAsync,
  randn,
  setNumThreads,
  tensor,
  zeros,
  type Tensor,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden } from '../support/golden.js'

const golden = readGolden<{ words: string[]; table: number[]; pca: { components: number[]; explained: number[] } }>(
  'vectors/vectors.json',
)
const rows = golden.words.length
const dim = golden.table.length / rows
const table = tensor(golden.table, { dtype: 'float32' }).reshape(rows, dim)
const near = (a: number, b: number, tolerance: number) => Math.abs(a - b) <= tolerance

test("components equal NumPy's", (t) => {
  const { components, scores, explained } = principalComponents(table, { count: 3 })
  t.deepEqual(components.shape, [3, dim])
  t.deepEqual(scores.shape, [rows, 3])
  const ours = Array.from(components.data as Float64Array)
  // The second and third variances are close here, so the directions are less well determined than the variances.
  ours.forEach((x, i) =>
    t.true(near(x, golden.pca.components[i], 1e-6), `${i}: ${x} is not ${golden.pca.components[i]}`),
  )
  explained.forEach((x, i) => t.true(near(x, golden.pca.explained[i], 1e-12), `${x} is not ${golden.pca.explained[i]}`))
  t.deepEqual(principalComponents(table, { count: 3 }).components.toArray(), components.toArray(), 'always the same')
})

test('directions are orthogonal, and scores are the coordinates of rows along them', (t) => {
  const x = randn([200, 50], { generator: new Generator(3) })
  const { components, scores, explained } = principalComponents(x, { count: 5 })
  const gram = components.matmul(components.transpose(0, 1)).toArray() as number[][]
  gram.forEach((row, i) =>
    row.forEach((value, j) => t.true(near(value, i === j ? 1 : 0, 1e-12), `${i} ${j}: ${value}`)),
  )
  const mean = scores.mean(0).toArray() as number[]
  mean.forEach((value) => t.true(near(value, 0, 1e-12)))
  t.true(explained.every((value, i) => value > 0 && (i === 0 || value <= explained[i - 1])))
})

test('handles rows that differ in a few directions or in none', (t) => {
  const line = tensor([
    [0, 0, 1],
    [1, 1, 1],
    [2, 2, 1],
    [4, 4, 1],
  ])
  const { components, scores, explained } = principalComponents(line)
  const [first] = components.toArray() as number[][]
  t.true(near(first[0], Math.SQRT1_2, 1e-12) && near(first[1], Math.SQRT1_2, 1e-12) && near(first[2], 0, 1e-12))
  t.true(near(explained[0], 1, 1e-12) && near(explained[1], 0, 1e-12))
  t.true(near((scores.toArray() as number[][])[0][0], -1.75 * Math.SQRT2, 1e-12))
  const none = principalComponents(zeros([4, 3]))
  t.deepEqual(none.explained, [0, 0])
  t.deepEqual(none.scores.toArray(), [
    [0, 0],
    [0, 0],
    [0, 0],
    [0, 0],
  ])
})

interface Found {
  components: number[][]
  explained: number[]
  first: number[]
}

/** The rows that testdata/golden/components/make.py draws. */
function drawn(rows: number, dim: number) {
  let state = 1
  return tensor(
    Float32Array.from({ length: rows * dim }, () => {
      state = (Math.imul(1664525, state) + 1013904223) >>> 0
      return state / 2 ** 31 - 1
    }),
  ).reshape(rows, dim)
}

const close = readGolden<{ tall: Found; wide: Found }>('components/components.json')

for (const [name, rows, dim] of [
  ['tall', 7758, 100],
  ['wide', 40, 300],
] as const) {
  test(`components equal NumPy's where variances are close: ${name} rows`, async (t) => {
    const x = drawn(rows, dim)
    const expected = close[name]
    const { components, scores, explained } = principalComponents(x, { count: 4 })
    const compare = (ours: number[], theirs: number[], tolerance: number) =>
      ours.forEach((value, i) => t.true(near(value, theirs[i], tolerance), `${i}: ${value} is not ${theirs[i]}`))
    compare((components.toArray() as number[][]).flat(), expected.components.flat(), 1e-8)
    compare(explained, expected.explained, 1e-13)
    compare((scores.toArray() as number[][])[0], expected.first, 1e-7)
    const later = await principalComponentsAsync(x, { count: 4 })
    t.deepEqual([later.components.data, later.scores.data, later.explained], [components.data, scores.data, explained])
  })
}

test.serial('gives the same bits on any number of threads, and for any float type that holds the rows', async (t) => {
  const x = randn([900, 70], { generator: new Generator(8) }).to('bfloat16')
  const { components, explained } = principalComponents(x)
  setNumThreads(2)
  try {
    for (const type of ['bfloat16', 'float32', 'float64'] as const) {
      t.deepEqual(principalComponents(x.to(type)).components.data, components.data)
      t.deepEqual((await principalComponentsAsync(x.to(type))).explained, explained)
    }
  } finally {
    setNumThreads(1)
  }
})

for (const [name, rows, dim] of [
  ['tall', 700, 520],
  ['wide', 520, 700],
] as const) {
  test.serial(`a few components of large tables are the first of many, on any number of threads: ${name} rows`, (t) => {
    const x = drawn(rows, dim)
    // This many components are computed all at once, by another method.
    const many = principalComponents(x, { count: 8 })
    const [first, second] = [1, 3].map((threads) => {
      setNumThreads(threads)
      try {
        return principalComponents(x, { count: 3 })
      } finally {
        setNumThreads(1)
      }
    })
    const flat = (matrix: Tensor, count: number) =>
      (matrix.toArray() as number[][]).map((row) => row.slice(0, count)).flat()
    const compare = (ours: number[], theirs: number[], tolerance: number) =>
      ours.forEach((value, i) => t.true(near(value, theirs[i], tolerance), `${i}: ${value} is not ${theirs[i]}`))
    compare(flat(first.components, dim), flat(many.components.narrow(0, 0, 3), dim), 1e-5)
    compare(flat(first.scores, 3), flat(many.scores, 3), 1e-4)
    compare(first.explained, many.explained.slice(0, 3), 1e-12)
    t.deepEqual(
      [second.components.data, second.scores.data, second.explained],
      [first.components.data, first.scores.data, first.explained],
    )
  })
}

test('handles large tables that differ in one direction or in none', (t) => {
  const line = Float32Array.from({ length: 600 * 520 }, (_, i) => Math.floor(i / 520) * ((i % 520) - 200))
  const { components, explained } = principalComponents(tensor(line).reshape(600, 520))
  const gram = components.matmul(components.transpose(0, 1)).toArray() as number[][]
  gram.forEach((row, i) =>
    row.forEach((value, j) => t.true(near(value, i === j ? 1 : 0, 1e-12), `${i} ${j}: ${value}`)),
  )
  t.true(near(explained[0], 1, 1e-12) && near(explained[1], 0, 1e-12))
  const none = principalComponents(zeros([600, 520]))
  t.deepEqual(none.explained, [0, 0])
  t.true((none.scores.data as Float64Array).every((score) => score === 0))
})

test('a signal ends the computation, and the rows can still be used', async (t) => {
  const x = randn([20_000, 200], { generator: new Generator(8) })
  const controller = new AbortController()
  const found = principalComponentsAsync(x, { signal: controller.signal })
  controller.abort(new Error('enough'))
  const error = await t.throwsAsync(found, { instanceOf: AbortedError })
  t.is((error.cause as Error).message, 'enough')
  await t.throwsAsync(principalComponentsAsync(x, { signal: controller.signal }), { instanceOf: AbortedError })
  t.true(Number.isFinite(x.sum().item()))
  await t.throwsAsync(
    principalComponentsAsync(
      tensor([
        [1, 2],
        [3, NaN],
      ]),
    ),
    { code: 'USAGE', message: /\[1, 1\] is NaN/ },
  )
  await t.throwsAsync(principalComponentsAsync(x, { counts: 3 } as never), { code: 'USAGE', message: /counts/ })
})

test('rejects wrong use', (t) => {
  refuses(t, () => principalComponents(zeros([1, 5])), 'SHAPE', '[1, 5]', '2 components')
  refuses(t, () => principalComponents(zeros([5])), 'SHAPE', '[5]')
  refuses(t, () => principalComponents(zeros([5, 5], { dtype: 'int32' })), 'DTYPE', 'int32')
  refuses(
    t,
    () =>
      principalComponents(
        tensor([
          [1, 2],
          [3, NaN],
        ]),
      ),
    'USAGE',
    '[1, 1]',
    'NaN',
  )
  refuses(t, () => principalComponents(zeros([5, 5]), { count: 0 }), 'USAGE', 'count')
  refuses(t, () => principalComponents([[1]] as never), 'USAGE', 'a tensor')
})
