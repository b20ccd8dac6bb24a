// Matrix products and their gradients. This module works out by broadcasting which matrices of batches are multiplied.

import { facts, promote } from '../base/dtype.js'
import { ShapeError } from '../base/errors.js'
import { check, native } from '../native/native.js'
import { asOperand, Elements, inClass, type Borrowed } from './elements.js'
import { broadcast, broadcastStrides, shown, sizeOf, stridesOf } from '../base/shape.js'
import { zeroed } from '../memory/arrays.js'

/** How matrices of two shapes are multiplied. */
interface Plan {
  /** Sizes of one product: (rows, inner) by (inner, columns). */
  readonly rows: number
  readonly inner: number
  readonly columns: number
  readonly shape: readonly number[]
  /** Number of matrices of each operand, and for each product the indices of its two matrices. */
  readonly count: readonly [number, number]
  readonly of: readonly [Float64Array, Float64Array]
}

function plan(a: Borrowed, b: Borrowed): Plan {
  if (a.shape.length === 0 || b.shape.length === 0)
    throw new ShapeError('matmul: both tensors must have at least one dimension')
  const p = a.shape.length === 1 ? [1, ...a.shape] : a.shape
  const q = b.shape.length === 1 ? [...b.shape, 1] : b.shape
  const [rows, inner] = p.slice(-2)
  const [height, columns] = q.slice(-2)
  if (inner !== height)
    throw new ShapeError(
      `matmul: shapes ${shown(a.shape)} and ${shown(b.shape)} do not fit: the first has ${inner} columns, the second ${height} rows`,
    )
  const [pBatch, qBatch] = [p.slice(0, -2), q.slice(0, -2)]
  const batch = broadcast(pBatch, qBatch)
  const shape = [...batch, ...(a.shape.length === 1 ? [] : [rows]), ...(b.shape.length === 1 ? [] : [columns])]
  if (sizeOf(qBatch) === 1 && sizeOf(batch) > 1) {
    // One matrix `b` serves the whole batch, so the batch of `a` is one tall matrix.
    const one = Float64Array.of(0)
    return { rows: sizeOf(batch) * rows, inner, columns, shape, count: [1, 1], of: [one, one] }
  }
  const of = [repeats(pBatch, batch), repeats(qBatch, batch)] as const
  return { rows, inner, columns, shape, count: [sizeOf(pBatch), sizeOf(qBatch)], of }
}

/** For each place of the broadcast batch, the index of its matrix. */
function repeats(from: readonly number[], to: readonly number[]): Float64Array {
  const strides = broadcastStrides(from, to)
  const dense = stridesOf(to)
  return Float64Array.from({ length: sizeOf(to) }, (_, i) =>
    strides.reduce((at, stride, dim) => at + stride * (Math.floor(i / dense[dim]) % to[dim]), 0),
  )
}

/**
 * One operand of products: its elements, the index of its matrix in each product, and whether the matrices are
 * transposed.
 */
type Factor = readonly [x: Borrowed, of: Float64Array, transposed: boolean]

function multiply(
  [rows, inner, columns]: readonly number[],
  terms: number,
  [a, aOf, aTurned]: Factor,
  [b, bOf, bTurned]: Factor,
  out: Borrowed,
): void {
  const cls = facts(out.dtype).class
  check(
    native.matmulElements(
      cls,
      rows,
      inner,
      columns,
      terms,
      a.operand(),
      aOf,
      aTurned,
      b.operand(),
      bOf,
      bTurned,
      out.operand(),
    ),
  )
}

/** The product of vectors, matrices, and batches of matrices, which are broadcast; `torch.matmul`. */
export function matmul(a: Borrowed, b: Borrowed): Elements {
  const { rows, inner, columns, shape, of } = plan(a, b)
  const dtype = promote(a.dtype, b.dtype)
  return asOperand(a, dtype, 'matmul', (a) =>
    asOperand(b, dtype, 'matmul', (b) =>
      inClass(dtype, shape, 'matmul', (out) =>
        multiply([rows, inner, columns], 1, [a, of[0], false], [b, of[1], false], out),
      ),
    ),
  )
}

/** The indices of the products that each of the `count` matrices takes part in, grouped by matrix. */
function placesOf(of: Float64Array, count: number): Float64Array {
  const terms = of.length / count
  const places = zeroed(Float64Array, of.length)
  const next = zeroed(Float64Array, count)
  of.forEach((matrix, product) => (places[matrix * terms + next[matrix]++] = product))
  return places
}

/** The elements of `of` at these places. */
const taken = (of: Float64Array, places: Float64Array) => places.map((place) => of[place])

/**
 * The gradient of one operand of `matmul(a, b)`, in the type of `grad`, the gradient of the product: `grad * b^T` for
 * the first operand, `a^T * grad` for the second. Products of a matrix that broadcasting repeated are summed in the
 * order of the batch.
 */
export function matmulBack(which: 0 | 1, a: Borrowed, b: Borrowed, grad: Borrowed): Elements {
  const { rows, inner, columns, count, of } = plan(a, b)
  const { dtype } = grad
  const [target, other] = which === 0 ? [a, b] : [b, a]
  // The gradient of an empty batch is zero.
  if (of[which].length === 0) return Elements.zeroed(dtype, target.shape, 'matmul')
  const places = placesOf(of[which], count[which])
  const terms = of[which].length / count[which]
  const others = taken(of[1 - which], places)
  return asOperand(other, dtype, 'matmul', (other) =>
    asOperand(grad, dtype, 'matmul', (grad) =>
      inClass(dtype, target.shape, 'matmul', (out) => {
        if (which === 0) multiply([rows, columns, inner], terms, [grad, places, false], [other, others, true], out)
        else multiply([inner, rows, columns], terms, [other, others, true], [grad, places, false], out)
      }),
    ),
  )
}
