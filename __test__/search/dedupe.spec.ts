// Groups of near copies, compared with a loop over all pairs.

import test from 'ava'
import {
  AbortedError,
  Generator,
  dedupe,
  dedupeAsync,
  getNumThreads,
  quantize,
  randn,
  setNumThreads,
  tensor,
  zeros,
  type Tensor,
} from '../../index.js'
import { refuses } from '../support/errors.js'

const drawn = (rows: number, dim: number, seed = 1) => randn([rows, dim], { generator: new Generator(seed) })
const listed = (x: Tensor) => x.toArray() as number[][]

/** The textbook's groups. */
function grouped(count: number, isSimilar: (first: number, row: number) => boolean): number[][] {
  const groups: number[][] = []
  for (let row = 0; row < count; row++) {
    const group = groups.find(([first]) => isSimilar(first, row))
    if (group === undefined) groups.push([row])
    else group.push(row)
  }
  return groups
}

function cosine(a: number[], b: number[]): number {
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * y[i], 0)
  const lengths = Math.sqrt(dot(a, a)) * Math.sqrt(dot(b, b))
  return Math.fround(lengths > 0 ? dot(a, b) / lengths : 0)
}

/** Rows of which many are near others, in other blocks, too. */
function copies(count: number, dim: number): Tensor {
  const [base, noise] = [drawn(count, dim), drawn(count, dim, 2)]
  const [rows, extra] = [base.data as Float32Array, noise.data as Float32Array]
  for (let row = 0; row < count; row++) {
    if (row % 3 === 0) continue
    const from = (row * 7919) % count
    for (let d = 0; d < dim; d++)
      rows[row * dim + d] = rows[from * dim + d] * (1 + (row % 5)) + extra[row * dim + d] * 0.1 * (row % 4)
  }
  return base
}

test('groups are those of the textbook, across blocks', async (t) => {
  const threads = getNumThreads()
  for (const [count, dim] of [
    [1700, 20],
    [520, 100],
    [3, 1],
  ]) {
    const rows = copies(count, dim)
    const values = listed(rows)
    for (const threshold of [1, 0.99, 0.9, 0.5, 0, -1]) {
      const wanted = grouped(count, (a, b) => cosine(values[a], values[b]) >= Math.fround(threshold))
      const found = dedupe(rows, { threshold })
      t.deepEqual(found, wanted, `${count} ${threshold}`)
      t.deepEqual(
        found.flat().sort((a, b) => a - b),
        Array.from(values, (_, id) => id),
      )
      for (const used of [1, 3]) {
        setNumThreads(used)
        t.deepEqual(dedupe(rows, { threshold }), wanted)
      }
      setNumThreads(threads)
      // eslint-disable-next-line no-await-in-loop -- one at a time
      t.deepEqual(await dedupeAsync(rows, { threshold }), wanted)
    }
  }
})

test('rows of other layouts are compared by their values', (t) => {
  const rows = copies(700, 32)
  for (const table of [
    quantize(rows, 'int8'),
    quantize(rows, 'int4'),
    quantize(rows, 'float8'),
    quantize(rows, 'float16'),
  ]) {
    const values = listed(table.dequantize())
    t.deepEqual(
      dedupe(table, { threshold: 0.95 }),
      grouped(700, (a, b) => cosine(values[a], values[b]) >= Math.fround(0.95)),
    )
  }
})

test('bits are compared by the number that differ', async (t) => {
  for (const bytes of [1, 3, 32]) {
    const rows = tensor(
      Uint8Array.from(
        { length: 1500 * bytes },
        (_, i) => (Math.imul(i % (700 * bytes), 2654435761) >>> 24) ^ (i % 97 === 0 ? 1 : 0),
      ),
      { shape: [1500, bytes] },
    )
    const values = listed(rows)
    const apart = (a: number[], b: number[]) =>
      a.reduce((sum, x, i) => sum + (x ^ b[i]).toString(2).replaceAll('0', '').length, 0)
    for (const threshold of [0.9, 0.5]) {
      const similar = (a: number, b: number) =>
        Math.fround((8 * bytes - 2 * apart(values[a], values[b])) / (8 * bytes)) >= Math.fround(threshold)
      const wanted = grouped(1500, similar)
      t.deepEqual(dedupe(rows, { threshold }), wanted)
      // eslint-disable-next-line no-await-in-loop -- one at a time
      t.deepEqual(await dedupeAsync(rows, { threshold, metric: 'hamming' }), wanted)
    }
  }
})

test('the threshold is 0.9 by default, and rows of zeros stand alone', (t) => {
  const rows = tensor([
    [1, 0],
    [0, 0],
    [0.9, 0.1],
    [0, 0],
    [0.8, 0.6],
  ])
  t.deepEqual(dedupe(rows), [[0, 2], [1], [3], [4]])
  t.deepEqual(dedupe(zeros([0, 4])), [])
})

test('says what is wrong', async (t) => {
  const rows = drawn(10, 4)
  for (const threshold of [1.1, -2])
    refuses(t, () => dedupe(rows, { threshold }), 'USAGE', 'a similarity, from -1 to 1')
  refuses(t, () => dedupe(rows, { threshold: NaN }), 'USAGE', 'threshold must be a number')
  refuses(t, () => dedupe(rows, { metric: 'euclidean' as 'cosine' }), 'USAGE', 'metric must be one of')
  refuses(t, () => dedupe(rows, { metric: 'hamming' }), 'USAGE', 'compares bits')
  refuses(t, () => dedupe(zeros([4])), 'SHAPE', 'shape [rows, dim]')
  ;(rows.data as Float32Array)[9] = NaN
  refuses(t, () => dedupe(rows), 'USAGE', 'row 2 has an element that is infinite or NaN')
  await t.throwsAsync(dedupeAsync(rows), { message: /row 2/ })
})

test('a signal ends it', async (t) => {
  const rows = drawn(20_000, 64)
  const control = new AbortController()
  const working = dedupeAsync(rows, { signal: control.signal })
  setTimeout(() => control.abort(), 20)
  await t.throwsAsync(working, { instanceOf: AbortedError })
})

test('it says how far it is, and ends with what a report throws', async (t) => {
  const rows = drawn(30_000, 64)
  const heard: number[] = []
  const onProgress = (done: number) => {
    heard.push(done)
    throw new RangeError('enough')
  }
  await t.throwsAsync(dedupeAsync(rows, { onProgress }), { instanceOf: RangeError, message: 'enough' })
  t.true(heard.every((done) => Number.isInteger(done) && done >= 0 && done <= 30_000))
  await t.throwsAsync(dedupeAsync(rows, { onProgress: 5 as never }), { message: /onProgress takes a function/ })
})
