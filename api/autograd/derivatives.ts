// Backward functions of the ops on tensors, for `record`. A gradient has the shape and type of its operand.

import type { Backward, Learner, Save } from './tape.js'
import type { DType } from '../base/dtype.js'
import { sizeOf } from '../base/shape.js'
import * as ops from '../ops/arithmetic.js'
import { cast, type Elements } from '../ops/elements.js'
import { matmulBack } from '../ops/matmul.js'
import * as movement from '../ops/movement.js'

/** Shape and type of an operand, without its elements. */
export interface Kind {
  readonly shape: readonly number[]
  readonly dtype: DType
}

export const kindOf = ({ shape, dtype }: Elements): Kind => ({ shape, dtype })

/**
 * `grad` in the shape and type of an operand: summed over the dimensions that broadcasting repeated, adjacent ones
 * together.
 */
export function toKind(grad: Elements, { shape, dtype }: Kind): Elements {
  let sum = grad
  const lead = grad.shape.length - shape.length
  const sizes = grad.shape
  const isRepeated = (dim: number) => dim < lead || (shape[dim - lead] === 1 && sizes[dim] !== 1)
  // Go from the right, so that the dimensions to the left keep their indices.
  for (let end = sizes.length; end > 0; end--) {
    if (!isRepeated(end - 1)) continue
    let start = end - 1
    while (start > 0 && isRepeated(start - 1)) start--
    const n = sizeOf(sizes.slice(start, end))
    // Repeated dimensions further right have been summed already.
    const inner = sizeOf(sizes.map((size, dim) => (dim < end || isRepeated(dim) ? 1 : size)))
    sum = ops.reduce('sum', sum.alias([sizeOf(sizes.slice(0, start)), n, inner]), 1)
    end = start + 1
  }
  if (sum !== grad || lead > 0) sum = sum.alias(shape)
  return cast(sum, dtype)
}

/** The backward of `reshape`: the gradient in the operand's shape. */
export function reshape(x: Elements): Backward {
  const { shape } = x
  return (grad) => [grad.alias(shape)]
}

/** The gradient unchanged. */
export const identity: Backward = (grad) => [grad]

/** The backward of `to`: the gradient in the operand's type. */
export function convert(x: Elements): Backward {
  const { dtype } = x
  return (grad) => [cast(grad, dtype)]
}

/** The backward of a sum (`sign` 1) or difference (`sign` -1), whose second operand may be a number. */
export function sum(a: Elements, b: Elements | number, sign: 1 | -1): Backward {
  const [of, by] = [kindOf(a), typeof b === 'number' ? null : kindOf(b)]
  return (grad, wanted) => {
    const second = wanted[1] && by !== null ? toKind(grad.alias(), by) : null
    return [
      wanted[0] ? toKind(grad, of) : null,
      second !== null && sign === -1 ? ops.binary('mul', second, -1) : second,
    ]
  }
}

/** The backward of a product. */
export function product(a: Learner, b: Learner | number, save: Save): Backward {
  if (typeof b === 'number') {
    const kind = kindOf(a)
    return (grad) => [toKind(ops.binary('mul', grad, b), kind), null]
  }
  const [x, y] = [b.requiresGrad ? save(a) : null, a.requiresGrad ? save(b) : null]
  const [of, by] = [kindOf(a), kindOf(b)]
  return (grad) => [y && toKind(ops.binary('mul', grad, y()), of), x && toKind(ops.binary('mul', grad, x()), by)]
}

/** The backward of the quotient `result`. */
export function quotient(a: Elements, b: Learner | number, result: Elements, save: Save): Backward {
  const of = kindOf(a)
  if (typeof b === 'number') return (grad) => [toKind(ops.binary('div', grad, b), of), null]
  const y = save(b)
  const z = b.requiresGrad ? save(result) : null
  const by = kindOf(b)
  return (grad, wanted) => [
    wanted[0] ? toKind(ops.binary('div', grad, y()), of) : null,
    // d(a / b) / db = -(a / b) / b
    z && ops.binary('mul', toKind(ops.binary('div', ops.binary('mul', grad, z()), y()), by), -1),
  ]
}

/** The backward of a matrix product. */
export function matmul(a: Elements, b: Elements, save: Save): Backward {
  // Each gradient needs the shapes of both operands.
  const [x, y] = [save(a), save(b)]
  return (grad, wanted) => {
    const of = (which: 0 | 1, { dtype }: Kind) =>
      wanted[which] ? cast(matmulBack(which, x(), y(), grad), dtype) : null
    return [of(0, x()), of(1, y())]
  }
}

/** The backward of a sum or mean along `dims`. */
export function reduction(op: 'sum' | 'mean', x: Elements, dims: readonly number[]): Backward {
  const { shape } = x
  const kept = shape.map((n, d) => (dims.includes(d) ? 1 : n))
  const count = dims.reduce((product, d) => product * shape[d], 1)
  return (grad) => {
    const share = op === 'mean' ? ops.binary('div', grad, count) : grad
    return [movement.expand(share.alias(kept), shape, op)]
  }
}

/** The backward of an op on each element; `saved` is the operand where `savesOperand` says so, else the result. */
export function unary(op: ops.Unary, saved: Elements, save: Save): Backward {
  const of = save(saved)
  return (grad) => [ops.unaryBack(op, of(), grad)]
}

/** The backward of softmax or log-softmax, whose result is `y`. */
export function softmax(log: boolean, y: Elements, dim: number, save: Save): Backward {
  const of = save(y)
  return (grad) => [ops.softmaxBack(log, of(), grad, dim)]
}

/** The backward of `transpose`. */
export function transpose(a: number, b: number): Backward {
  return (grad) => [movement.transpose(grad, a, b)]
}

/** The backward of `narrow`. */
export function narrow(x: Elements, dim: number, start: number): Backward {
  const { shape } = x
  return (grad) => [movement.widen(grad, shape, dim, start)]
}

/** The backward of `concat`. */
export function concat(tensors: readonly Elements[], dim: number): Backward {
  const parts = tensors.map((x) => ({ length: x.shape[dim], dtype: x.dtype }))
  return (grad, wanted) => {
    let start = 0
    return parts.map(({ length, dtype }, i) => {
      const from = start
      start += length
      // Copy each part: parts that shared the memory would each keep all of it.
      return wanted[i] ? cast(movement.narrow(grad, dim, from, length), dtype) : null
    })
  }
}
