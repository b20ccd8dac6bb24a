// Arithmetic of tensors. This module works out shapes and types; the native side computes. Results are dense.

import { facts, isFloat, promote, resultType, type DType } from '../base/dtype.js'
import { DTypeError } from '../base/errors.js'
import { around, broadcast, broadcastStrides, sameShape } from '../base/shape.js'
import { check, native } from '../native/native.js'
import { asOperand, convert, Elements, inClass, temporary, withType, type Borrowed } from './elements.js'

const f64 = (values: readonly number[]) => Float64Array.from(values)

/** Ops on two operands. */
export type Binary = Parameters<typeof native.binaryElements>[0]
/** Comparisons of two operands. */
export type Comparison = 'eq' | 'ne' | 'lt' | 'le'

/**
 * `a` op `b` with broadcasting, in the common type of both; as in PyTorch, the quotient of integers is float32. A
 * number takes the tensor's type, unless the number has a fraction and the type is an integer type: then both become
 * float32. A second operand of one element multiplies or divides 16-bit floats before it is rounded to their type.
 */
export function binary(op: Binary, a: Borrowed, b: Borrowed | number): Elements {
  let dtype = typeof b === 'number' ? promote(a.dtype, scalarType(a.dtype, b)) : resultType(a, b)
  if (op === 'div' && !isFloat(dtype)) dtype = 'float32'
  if (op === 'pow' && dtype === 'bool') throw new DTypeError('pow: bool tensors have no powers; convert them with to()')
  if (op === 'sub' && dtype === 'bool')
    throw new DTypeError('sub: bool tensors cannot be subtracted; convert them with to() first')
  const cls = facts(dtype).class
  const other = typeof b === 'number' ? scalar(op, b, dtype) : b
  const shape = broadcast(a.shape, other.shape)
  const isFactor = other.size === 1 && (op === 'mul' || op === 'div')
  if (dtype === cls && a.dtype === cls && other.dtype === cls)
    return into(Elements.uninitialized(cls, shape, op), op, a, other)
  return asOperand(a, dtype, op, (a) =>
    asOperand(other, isFactor ? cls : dtype, op, (b) => inClass(dtype, shape, op, (out) => void into(out, op, a, b))),
  )
}

/** Writes `a` op `b`, which have the type of `out`, to `out`, and returns it. */
function into(out: Elements, op: Binary, a: Borrowed, b: Borrowed): Elements {
  const { dtype, shape } = out
  const strides = (x: Borrowed) => broadcastStrides(x.shape, shape)
  const layouts = sameShape(a.shape, b.shape) ? null : f64([...shape, ...strides(a), ...strides(b)])
  check(native.binaryElements(op, dtype, a.operand(), b.operand(), out.operand(), layouts))
  return out
}

/** Compares with broadcasting, in the common type of both; the result is bool. NaN equals nothing. */
export function compare(op: Comparison, a: Borrowed, b: Borrowed | number, swapped = false): Elements {
  // A number of another kind than the tensor's is not rounded to it.
  const other =
    typeof b === 'number' ? constant(b, !isFloat(a.dtype) && Number.isSafeInteger(b) ? 'int64' : 'float64') : b
  const dtype = typeof b === 'number' && isFloat(other.dtype) ? 'float64' : promote(a.dtype, other.dtype)
  const cls = facts(dtype).class
  const [p, q] = swapped ? [other, a] : [a, other]
  return withType(p, cls, op, (p) =>
    withType(q, cls, op, (q) => temporary(binary(op, p, q), (made) => convert(made, 'bool', op))),
  )
}

function scalarType(dtype: DType, value: number): DType {
  if (isFloat(dtype)) return dtype
  if (!Number.isInteger(value)) return 'float32'
  return dtype === 'bool' ? 'int64' : dtype
}

/**
 * A number as an operand. As in PyTorch, it is rounded to a 16-bit type before an addition, but not before a
 * multiplication.
 */
function scalar(op: Binary, value: number, dtype: DType): Borrowed {
  const cls = facts(dtype).class
  if (cls === 'int64' && (value < -(2 ** 63) || value >= 2 ** 63)) {
    throw new DTypeError(`${op}: ${value} is not a 64-bit integer: convert the tensor with to('float32') first`)
  }
  const isFactor = op === 'mul' || op === 'div' || op === 'pow'
  return !isFactor && isFloat(dtype) && cls !== dtype
    ? convert(constant(value, 'float64'), dtype, op)
    : constant(value, cls)
}

/** A number as an operand of shape [], in a type that arithmetic runs in. */
function constant(value: number, cls: DType): Borrowed {
  const data =
    cls === 'float32'
      ? Float32Array.of(value)
      : cls === 'float64'
        ? Float64Array.of(value)
        : BigInt64Array.of(BigInt(value))
  return { dtype: cls, shape: [], size: 1, operand: () => data }
}

/** Ops on one operand. */
export type Unary = Parameters<typeof native.unaryElements>[0]

/** Ops whose way back starts from the operand instead of the result. */
const OF_OPERAND: readonly Unary[] = ['gelu', 'log', 'log1p', 'abs', 'logSigmoid']

/** Whether `unaryBack` takes the operand instead of the result. */
export const savesOperand = (op: Unary): boolean => OF_OPERAND.includes(op)

/** `op` of every element. The result for integers is float32, except that relu keeps their type. */
export function unary(op: Unary, x: Borrowed): Elements {
  if ((op === 'gelu' || op === 'logSigmoid') && !isFloat(x.dtype))
    throw new DTypeError(`${op}: the tensor must be of floats, not ${x.dtype}`)
  if (op === 'relu' && x.dtype === 'bool') throw new DTypeError('relu: the tensor must be of numbers, not bool')
  const dtype = isFloat(x.dtype) || op === 'relu' ? x.dtype : 'float32'
  // float64 holds every integer exactly, except large int64 values.
  const cls = isFloat(dtype) ? facts(dtype).class : 'float64'
  return withType(x, cls, op, (x) => {
    const out = Elements.uninitialized(cls, x.shape, op)
    check(native.unaryElements(op, cls, x.operand(), out.operand()))
    return cls === dtype ? out : temporary(out, () => convert(out, dtype, op))
  })
}

/**
 * The gradient of the operand, from the gradient of the result and from what was `saved`: the operand where
 * `savesOperand` says so, the result of other ops.
 */
export function unaryBack(op: Unary, saved: Borrowed, grad: Borrowed): Elements {
  const { dtype, shape } = grad
  const cls = facts(dtype).class
  return withType(saved, cls, op, (saved) =>
    withType(grad, cls, op, (grad) =>
      inClass(dtype, shape, op, (out) =>
        check(native.unaryBackElements(op, cls, saved.operand(), grad.operand(), out.operand())),
      ),
    ),
  )
}

/** The shape of one element. */
const SCALAR: readonly number[] = Object.freeze([])

/** The sum or mean along `dim`, or of all elements. The sum of integers is int64; the mean takes floats only. */
export function reduce(
  op: Parameters<typeof native.reduceElements>[0],
  x: Borrowed,
  dim: number | undefined,
): Elements {
  if (op === 'mean' && !isFloat(x.dtype)) {
    throw new DTypeError(`mean: the tensor must be of floats, not ${x.dtype}; convert it with to('float32') first`)
  }
  const dtype = isFloat(x.dtype) ? x.dtype : 'int64'
  const { outer, inner } = dim === undefined ? { outer: 1, inner: 1 } : around(x.shape, dim)
  const shape = dim === undefined ? SCALAR : x.shape.filter((_, d) => d !== dim)
  return withType(x, facts(dtype).class, op, (x) =>
    inClass(dtype, shape, op, (out, cls) =>
      check(native.reduceElements(op, cls, outer, inner, x.operand(), out.operand())),
    ),
  )
}

/** Softmax along `dim`, or its logarithm. */
export function softmax(log: boolean, x: Borrowed, dim: number): Elements {
  const where = log ? 'logSoftmax' : 'softmax'
  if (!isFloat(x.dtype)) throw new DTypeError(`${where}: the tensor must be of floats, not ${x.dtype}`)
  const { n, inner } = x.shape.length === 0 ? { n: 1, inner: 1 } : around(x.shape, dim)
  return withType(x, facts(x.dtype).class, where, (y) =>
    inClass(x.dtype, x.shape, where, (out, cls) =>
      check(native.softmaxElements(log, cls, n, inner, y.operand(), out.operand())),
    ),
  )
}

/** The gradient of the operand of softmax or log-softmax, from the result `y` and its gradient. */
export function softmaxBack(log: boolean, y: Borrowed, grad: Borrowed, dim: number): Elements {
  const where = log ? 'logSoftmax' : 'softmax'
  const along = y.shape.length === 0 ? { n: 1, inner: 1 } : around(y.shape, dim)
  const { dtype, shape } = y
  const cls = facts(dtype).class
  return withType(y, cls, where, (y) =>
    withType(grad, cls, where, (grad) =>
      inClass(dtype, shape, where, (out) =>
        check(native.softmaxBackElements(log, cls, along, y.operand(), grad.operand(), out.operand())),
      ),
    ),
  )
}
