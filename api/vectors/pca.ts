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
  /** (count, dim), float64: the directions, of length 1, in order of falling variance. */
  components: Tensor
  /** (rows, count), float64: the coordinates of the rows along the directions, relative to their mean. */
  scores: Tensor
  /** The variance along each direction as a part of the total; 0 if the rows do not differ. */
  explained: number[]
}

/**
 * The principal components of float rows, (rows, dim), all of them finite. They are those of `numpy.linalg.eigh` on the
 * covariance, with the sign chosen so that the largest element of each direction is positive. Results have the same
 * bits with any number of threads.
 *
 * It takes about rows dim^2 operations, on all threads. The directions take some 10 dim^3 on one thread. With at least
 * 512 columns, and at least 64 count + 128, they are found by iteration, which is much faster; the error is up to 1e-5
 * in each element if neighbouring variances differ by a ten thousandth of the larger. Besides the result it needs 32
 * dim^2 bytes. With fewer rows than columns, rows and columns swap roles in these numbers.
 *
 * @throws ShapeError for fewer rows or columns than components; DTypeError for rows that are not floats; UsageError for
 * an element that is not finite.
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
 * `principalComponents` on another thread, so that this one goes on: the bits are the same, and errors come as
 * rejections. The rows must not be written meanwhile. `signal` ends it within some milliseconds, except in the step of
 * dim^3, if it has one.
 *
 * @throws AbortedError if `signal` aborts.
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
  if (!(rows instanceof Tensor)) throw new UsageError(`${where}: expected a tensor, not ${show(rows)}`)
  if (facts(rows.dtype).kind !== 'float')
    throw new DTypeError(`${where}: the tensor must be of floats, not ${rows.dtype}`)
  if (rows.shape.length !== 2 || Math.min(...rows.shape) < count)
    throw new ShapeError(
      `${where}: for ${count} components, the tensor must have at least ${count} rows and columns, not the shape ${shown(rows.shape)}`,
    )
  const sizes = { rows: rows.shape[0], dim: rows.shape[1], count }
  checkElements(elementsOf(sizes), 8, where, [elementsOf(sizes)])
  return sizes
}

/** Number of elements of the directions, the scores and the variances together. */
const elementsOf = ({ rows, dim, count }: Sizes) => count * (dim + rows + 1)

/** The rows in a type that can be computed with: the rows themselves, or copies of 16-bit floats. */
function widened(rows: Tensor): Tensor {
  if (rows.dtype === 'float32' || rows.dtype === 'float64') return rows
  const plain = rows.detach()
  const wide = plain.to('float32')
  plain.dispose()
  return wide
}

/** Computes the directions, (count, dim), the scores, (rows, count), and the variances, (count), end to end. */
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
