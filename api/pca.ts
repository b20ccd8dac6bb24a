// Principal components: the directions in which rows differ most.

import { DTypeError, ShapeError, UsageError } from './errors.js'
import { facts } from './dtype.js'
import { eachRow } from './rows.js'
import { shown } from './shape.js'
import { Tensor } from './tensor.js'
import { tensor as makeTensor } from './create.js'
import { checkOptions, checkSize, show } from './validate.js'
import { allocating, zeroed } from './memory.js'

export interface PrincipalComponents {
  /** (count, dim), float64: the directions, of length 1, that with the largest variance first. */
  components: Tensor
  /** (rows, count), float64: where the rows lie along them, from their mean. */
  scores: Tensor
  /** The variance along each, as a part of all there is; 0 where the rows do not differ. */
  explained: number[]
}

/** Directions beside those asked for that are kept: they make the search converge where variances are close. */
const SPARE = 8
const MOST_ROUNDS = 1000
/** The last round changed no variance by more than this part of the largest. */
const SETTLED = 1e-13

/**
 * The principal components of rows, (rows, dim), of floats, all finite: as `numpy.linalg.svd` of the rows less their mean has
 * them, but for the sign, which is such that the largest element of a direction is positive. By orthogonal iteration with
 * Rayleigh-Ritz (Halko, Martinsson, Tropp 2011), from a start that is always the same.
 *
 * @throws ShapeError for fewer rows or columns than components; UsageError for an element that is not finite.
 */
export function principalComponents(rows: Tensor, options?: { /** default 2 */ count?: number }): PrincipalComponents {
  const where = 'principalComponents'
  const { count = 2 } = checkOptions(options, ['count'], where)
  checkSize(count, `${where}: count`, 1)
  if (!(rows instanceof Tensor)) throw new UsageError(`${where}: a tensor, not ${show(rows)}`)
  if (facts(rows.dtype).kind !== 'float') throw new DTypeError(`${where}: of floats, not ${rows.dtype}`)
  if (rows.shape.length !== 2 || Math.min(...rows.shape) < count) throw new ShapeError(`${where}: ${shown(rows.shape)} has no ${count} components: rows and columns must be as many`)
  const [n, dim] = rows.shape
  const x = centred(rows, where)
  const width = Math.min(count + SPARE, n, dim)
  // Rows of q are the directions.
  let q = orthonormal(start(width, dim), dim)
  let before: Float64Array = zeroed(Float64Array, width)
  let settled = false
  for (let round = 0; round < MOST_ROUNDS && !settled; round++) {
    const { values, turned } = ritz(x, q, n, dim)
    settled = round > 0 && values.every((value, i) => i >= count || Math.abs(value - before[i]) <= SETTLED * values[0])
    before = values
    q = settled ? turned : orthonormal(applied(x, turned, n, dim), dim)
  }
  const directions = signed(allocating(count * dim * 8, () => q.slice(0, count * dim)), dim)
  let total = 0
  for (const value of x) total += value * value
  return {
    components: makeTensor(directions, { shape: [count, dim] }),
    scores: makeTensor(products(x, directions, n, dim), { shape: [n, count] }),
    explained: Array.from(before.subarray(0, count), (value) => (total > 0 ? value / total : 0)),
  }
}

/** The rows less their mean, in float64. */
function centred(rows: Tensor, where: string): Float64Array {
  const [n, dim] = rows.shape
  const [x, mean] = [zeroed(Float64Array, n * dim), zeroed(Float64Array, dim)]
  eachRow(rows, (row, id) => {
    for (let d = 0; d < dim; d++) {
      if (!Number.isFinite(row[d])) throw new UsageError(`${where}: element [${id}, ${d}] is ${row[d]}: rows must be finite`)
      x[id * dim + d] = row[d]
      mean[d] += row[d] / n
    }
  })
  for (let i = 0; i < x.length; i++) x[i] -= mean[i % dim]
  return x
}

/** Directions to begin with: numbers from -1 to 1 without a pattern (mulberry32 of 1). */
function start(width: number, dim: number): Float64Array {
  let state = 1
  return zeroed(Float64Array, width * dim).map(() => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1
  })
}

/** Rows made orthogonal and of length 1, in their order; twice, so that nothing of one is left in another. */
function orthonormal(rows: Float64Array, dim: number): Float64Array {
  for (let pass = 0; pass < 2; pass++) {
    for (let at = 0; at < rows.length; at += dim) {
      const row = rows.subarray(at, at + dim)
      for (let other = 0; other < at; other += dim) subtract(row, rows.subarray(other, other + dim), dot(row, rows.subarray(other, other + dim)))
      const length = Math.sqrt(dot(row, row))
      // What lies in the span of the others altogether has no direction left.
      for (let d = 0; d < dim; d++) row[d] = length > 1e-300 ? row[d] / length : 0
    }
  }
  return rows
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let d = 0; d < a.length; d++) sum += a[d] * b[d]
  return sum
}

function subtract(from: Float64Array, row: Float64Array, times: number): void {
  for (let d = 0; d < from.length; d++) from[d] -= times * row[d]
}

/** (n, width): every row of x with every row of q. */
function products(x: Float64Array, q: Float64Array, n: number, dim: number): Float64Array {
  const width = q.length / dim
  const out = zeroed(Float64Array, n * width)
  for (let i = 0; i < n; i++) {
    const row = x.subarray(i * dim, (i + 1) * dim)
    for (let j = 0; j < width; j++) out[i * width + j] = dot(row, q.subarray(j * dim, (j + 1) * dim))
  }
  return out
}

/** The directions after one more application of the covariance. */
function applied(x: Float64Array, q: Float64Array, n: number, dim: number): Float64Array {
  const width = q.length / dim
  const y = products(x, q, n, dim)
  const out = zeroed(Float64Array, q.length)
  for (let i = 0; i < n; i++) {
    const row = x.subarray(i * dim, (i + 1) * dim)
    for (let j = 0; j < width; j++) subtract(out.subarray(j * dim, (j + 1) * dim), row, -y[i * width + j])
  }
  return out
}

/** The best directions within the span of q, and the sums of squares along them. */
function ritz(x: Float64Array, q: Float64Array, n: number, dim: number): { values: Float64Array; turned: Float64Array } {
  const width = q.length / dim
  const y = products(x, q, n, dim)
  const small = Array.from({ length: width }, () => zeroed(Float64Array, width))
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < width; j++) for (let k = 0; k < width; k++) small[j][k] += y[i * width + j] * y[i * width + k]
  }
  const vectors = jacobi(small)
  const order = [...small.keys()].sort((a, b) => small[b][b] - small[a][a] || a - b)
  const turned = zeroed(Float64Array, q.length)
  order.forEach((from, to) => {
    for (let j = 0; j < width; j++) subtract(turned.subarray(to * dim, (to + 1) * dim), q.subarray(j * dim, (j + 1) * dim), -vectors[j][from])
  })
  return { values: Float64Array.from(order, (j) => small[j][j]), turned }
}

/** Makes a small symmetric matrix diagonal by rotations, in place; their product. Golub and Van Loan, section 8.5. */
function jacobi(a: Float64Array[]): Float64Array[] {
  const n = a.length
  const v = a.map((_, i) => Float64Array.from(a, (_, j) => (i === j ? 1 : 0)))
  for (let sweep = 0; sweep < 60; sweep++) {
    let [off, on] = [0, 0]
    for (let p = 0; p < n; p++) for (let q = 0; q < n; q++) p === q ? (on += a[p][q] ** 2) : (off += a[p][q] ** 2)
    if (off <= 1e-32 * on) break
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) rotate(a, v, p, q)
  }
  return v
}

function rotate(a: Float64Array[], v: Float64Array[], p: number, q: number): void {
  if (a[p][q] === 0) return
  const theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
  const tangent = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1))
  const cosine = 1 / Math.sqrt(tangent * tangent + 1)
  const sine = tangent * cosine
  const turn = (x: number, y: number): [number, number] => [cosine * x - sine * y, sine * x + cosine * y]
  for (let k = 0; k < a.length; k++) [a[k][p], a[k][q]] = turn(a[k][p], a[k][q])
  for (let k = 0; k < a.length; k++) [a[p][k], a[q][k]] = turn(a[p][k], a[q][k])
  for (let k = 0; k < a.length; k++) [v[k][p], v[k][q]] = turn(v[k][p], v[k][q])
}

/** Each direction such that its element of the largest magnitude is positive. */
function signed(rows: Float64Array, dim: number): Float64Array {
  for (let at = 0; at < rows.length; at += dim) {
    const row = rows.subarray(at, at + dim)
    let largest = 0
    for (let d = 1; d < dim; d++) if (Math.abs(row[d]) > Math.abs(row[largest])) largest = d
    if (row[largest] < 0) for (let d = 0; d < dim; d++) row[d] = -row[d]
  }
  return rows
}
