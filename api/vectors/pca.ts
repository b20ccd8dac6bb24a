// Principal components: the directions in which rows differ most.

import { lookUp } from '../layers/async.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { facts } from '../base/dtype.js'
import { check, native } from '../native/native.js'
import { shown } from '../base/shape.js'
import { uninitialized } from '../tensor/allocate.js'
import { Tensor } from '../tensor/tensor.js'
import { checkElements, checkOptions, checkSize, show } from '../base/validate.js'

export interface PrincipalComponents {
  /** (count, dim), float64: the directions, of length 1, that with the largest variance first. */
  components: Tensor
  /** (rows, count), float64: where the rows lie along them, from their mean. */
  scores: Tensor
  /** The variance along each, as a part of all there is; 0 where the rows do not differ. */
  explained: number[]
}

/**
 * The principal components of rows, (rows, dim), of floats, all finite: as `numpy.linalg.eigh` of their covariance has
 * them, but for the sign, which is such that the largest element of a direction is positive. The same bits on any
 * number of threads.
 *
 * It takes about rows dim^2 operations, on all threads. The directions take some 10 dim^3 on one thread; but where
 * there are at least 512 columns, and at least 64 count + 128, they are found by iteration, which is much faster: up to
 * 1e-5 in each element where neighbouring variances differ by a ten thousandth of the larger. Beside the result it
 * needs 32 dim^2 bytes. Where there are fewer rows than columns they change places.
 *
 * @throws ShapeError for fewer rows or columns than components; DTypeError for rows that are no floats; UsageError for an
 * element that is not finite.
 */
export function principalComponents(rows: Tensor, options?: { /** default 2 */ count?: number }): PrincipalComponents {
  const where = 'principalComponents'
  const { count = 2 } = checkOptions(options, ['count'], where)
  const sizes = checkRows(rows, count, where)
  const wide = widened(rows)
  const found = find(wide, sizes)
  if (wide !== rows) wide.dispose()
  return parts(found, sizes)
}

/**
 * `principalComponents` on another thread, so that this one goes on: the same bits, the same errors, as a rejection.
 * The rows must not be written meanwhile. `signal` ends it within some milliseconds, but for the step of dim^3 where
 * that is taken.
 *
 * @throws AbortedError when `signal` says so.
 */
export async function principalComponentsAsync(
  rows: Tensor,
  options?: { /** default 2 */ count?: number; signal?: AbortSignal },
): Promise<PrincipalComponents> {
  const where = 'principalComponentsAsync'
  const { count = 2, signal } = checkOptions(options, ['count', 'signal'], where)
  const sizes = checkRows(rows, count, where)
  const wide = widened(rows)
  try {
    const found = await lookUp({
      where,
      signal,
      ids: [elementsOf(sizes)],
      dim: 1,
      dtype: 'float64',
      tables: [wide],
      follows: [],
      work: (handle) => native.componentsWork(handle, wide.dtype === 'float64', sizes.rows, sizes.dim, sizes.count),
      now: () => find(wide, sizes),
      name: where,
      way: () => () => [],
    })
    return parts(found, sizes)
  } finally {
    if (wide !== rows) wide.dispose()
  }
}

interface Sizes {
  readonly rows: number
  readonly dim: number
  readonly count: number
}

function checkRows(rows: Tensor, count: number, where: string): Sizes {
  checkSize(count, `${where}: count`, 1)
  if (!(rows instanceof Tensor)) throw new UsageError(`${where}: a tensor, not ${show(rows)}`)
  if (facts(rows.dtype).kind !== 'float') throw new DTypeError(`${where}: of floats, not ${rows.dtype}`)
  if (rows.shape.length !== 2 || Math.min(...rows.shape) < count)
    throw new ShapeError(`${where}: ${shown(rows.shape)} has no ${count} components: rows and columns must be as many`)
  const sizes = { rows: rows.shape[0], dim: rows.shape[1], count }
  checkElements(elementsOf(sizes), 8, where, [elementsOf(sizes)])
  return sizes
}

/** Elements of directions, of scores and of variances. */
const elementsOf = ({ rows, dim, count }: Sizes) => count * (dim + rows + 1)

/** Rows of a type that is computed with: themselves, or copies of 16-bit floats. */
function widened(rows: Tensor): Tensor {
  if (rows.dtype === 'float32' || rows.dtype === 'float64') return rows
  const plain = rows.detach()
  const wide = plain.to('float32')
  plain.dispose()
  return wide
}

/** Directions, scores and variances, one after the other. */
function find(rows: Tensor, sizes: Sizes): Tensor {
  const size = elementsOf(sizes)
  const out = uninitialized('float64', [size])
  const done = native.componentsOf(
    rows.operand(),
    rows.dtype === 'float64',
    sizes.rows,
    sizes.dim,
    sizes.count,
    out.operand(),
  )
  if (!done) out.dispose()
  check(done)
  return out
}

function parts(found: Tensor, { rows, dim, count }: Sizes): PrincipalComponents {
  const all = found.reshape(elementsOf({ rows, dim, count }))
  const part = (from: number, height: number, width: number) => {
    const flat = all.narrow(0, from, height * width)
    const it = flat.reshape(height, width)
    flat.dispose()
    return it
  }
  const [components, scores, variances] = [
    part(0, count, dim),
    part(count * dim, rows, count),
    part(count * (dim + rows), 1, count),
  ]
  const explained = (variances.toArray() as number[][])[0]
  for (const done of [variances, all, found]) done.dispose()
  return { components, scores, explained }
}
