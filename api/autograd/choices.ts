// Backward functions of powers, extremes, and of ops that choose elements, for `record`.

import type { Backward, Learner, Save } from './tape.js'
import { kindOf, toKind } from './derivatives.js'
import * as ops from '../ops/arithmetic.js'
import { cast, Elements, temporary, type Borrowed } from '../ops/elements.js'
import * as movement from '../ops/movement.js'
import * as select from '../ops/select.js'

/** A number as elements of shape []. */
const zero = (dtype: Elements['dtype']): Elements => Elements.zeroed(dtype, [])

/** `x` where the condition is false, and 0 where it is true. */
function without(condition: Elements, x: Borrowed): Elements {
  return select.where(condition, zero(x.dtype), x)
}

/** The backward of a power whose exponent is a number. */
export function powerOf(x: Learner, exponent: number, save: Save): Backward {
  const kind = kindOf(x)
  if (exponent === 0) return () => [Elements.zeroed(kind.dtype, kind.shape)]
  const of = save(x)
  return (grad) => {
    const slope = ops.binary('mul', power(of(), exponent - 1), exponent)
    return [toKind(ops.binary('mul', grad, slope), kind)]
  }
}

/** A power, by products and roots where PyTorch takes those. */
export function power(x: Elements, exponent: number): Elements {
  switch (exponent) {
    case 2:
      return ops.binary('mul', x, x)
    case 3:
      return temporary(ops.binary('mul', x, x), (square) => ops.binary('mul', square, x))
    case 0.5:
      return ops.unary('sqrt', x)
    default:
      return ops.binary('pow', x, exponent)
  }
}

/** The backward of a power of two tensors, whose result is `result`. */
export function powers(a: Learner, b: Learner, result: Elements, save: Save): Backward {
  const [x, y, z] = [save(a), save(b), save(result)]
  const [of, by] = [kindOf(a), kindOf(b)]
  return (grad, wanted) => {
    const base = () => {
      const slope = ops.binary('mul', y(), ops.binary('pow', x(), ops.binary('sub', y(), 1)))
      return toKind(ops.binary('mul', grad, without(ops.compare('eq', y(), 0), slope)), of)
    }
    const exponent = () => {
      // As in PyTorch: powers of 0 do not depend on an exponent that is not negative.
      const slope = ops.binary('mul', z(), ops.unary('log', x()))
      const still = ops.binary('mul', ops.compare('eq', x(), 0), ops.compare('le', y(), 0, true))
      return toKind(ops.binary('mul', grad, without(cast(still, 'bool'), slope)), by)
    }
    return [wanted[0] ? base() : null, wanted[1] ? exponent() : null]
  }
}

/** The backward of `maximum` or `minimum`: where both are equal, each operand gets half of the gradient. */
export function extreme(op: 'maximum' | 'minimum', a: Learner, b: Learner, save: Save): Backward {
  const [x, y] = [save(a), save(b)]
  const [of, by] = [kindOf(a), kindOf(b)]
  return (grad, wanted) => {
    const halves = select.where(ops.compare('eq', x(), y()), ops.binary('mul', grad, 0.5), grad)
    // The losing operand gets nothing.
    const loses = (first: boolean) => ops.compare('lt', x(), y(), first === (op === 'minimum'))
    return [
      wanted[0] ? toKind(without(loses(true), halves), of) : null,
      wanted[1] ? toKind(without(loses(false), halves), by) : null,
    ]
  }
}

/** The backward of `maximum` or `minimum` of a tensor and a number. */
export function extremeOf(op: 'maximum' | 'minimum', x: Learner, value: number, save: Save): Backward {
  const of = save(x)
  return (grad) => {
    const halves = select.where(ops.compare('eq', of(), value), ops.binary('mul', grad, 0.5), grad)
    return [without(ops.compare('lt', of(), value, op === 'minimum'), halves)]
  }
}

/** The backward of `clamp`: the gradient passes where the operand is between the limits, not at them, as in PyTorch. */
export function clamp(x: Learner, least: number | undefined, most: number | undefined, save: Save): Backward {
  const of = save(x)
  return (grad) => {
    const low = least === undefined ? grad : without(ops.compare('le', of(), least), grad)
    return [most === undefined ? low : without(ops.compare('le', of(), most, true), low)]
  }
}

/** The backward of the largest or smallest of all elements: those that are equal to it share the gradient. */
export function extremeOfAll(x: Learner, result: Elements, save: Save): Backward {
  const [of, by] = [save(x), save(result)]
  return (grad) => {
    const isIt = ops.compare('eq', of(), by())
    const share = ops.binary('div', grad, cast(ops.reduce('sum', isIt, undefined), grad.dtype))
    return [select.where(isIt, share, zero(grad.dtype))]
  }
}

/** The backward of elements that were taken by their indices along `dim`. */
export function taken(x: Elements, dim: number, picks: () => select.Picks, name: string): Backward {
  const { shape } = x
  return (grad) => [select.put(grad, dim, picks(), shape, name)]
}

/** The backward of `where`. */
export function where(condition: Elements, a: Elements | null, b: Elements | null, save: Save): Backward {
  const of = save(condition)
  const [p, q] = [a, b].map((x) => x && kindOf(x))
  return (grad, wanted) => {
    const nothing = zero(grad.dtype)
    return [
      p && wanted[0] ? toKind(select.where(of(), grad, nothing), p) : null,
      q && wanted[1] ? toKind(select.where(of(), nothing, grad), q) : null,
    ]
  }
}

/** The backward of `permute`. */
export function permute(order: readonly number[]): Backward {
  const back = order.map((_, dim) => order.indexOf(dim))
  return (grad) => [movement.permute(grad, back, 'permute')]
}

/** The backward of `expand`. */
export function expand(x: Elements): Backward {
  const kind = kindOf(x)
  return (grad) => [toKind(grad.alias(), kind)]
}

/** The backward of `slice`. */
export function slice(x: Elements, dim: number, start: number, step: number): Backward {
  const { shape } = x
  return (grad) => [movement.spread(grad, shape, dim, start, step)]
}
