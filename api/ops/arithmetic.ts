// What tensors compute: shapes and types are worked out here, the arithmetic is the native side's. Results are dense.

import { facts, isFloat, promote, resultType, type DType } from '../base/dtype.js'
import { DTypeError, ShapeError } from '../base/errors.js'
import { check, native, type Operand } from '../native/native.js'
import { around, broadcast, broadcastStrides, sameShape, shown, sizeOf, stridesOf } from '../base/shape.js'
import { PooledStorage } from '../memory/storage.js'
import { checkElements } from '../base/validate.js'

/** Elements as ops read them: a tensor, or what another op made. */
export interface Dense {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly size: number
  operand(): Operand
}

/** A result, in memory of its own that nobody holds yet. */
export class Made implements Dense {
  readonly size: number
  readonly storage: PooledStorage
  constructor(readonly dtype: DType, readonly shape: readonly number[], where: string, zeroed = false) {
    this.size = sizeOf(shape)
    const bytes = this.size * facts(dtype).bytes
    checkElements(this.size, facts(dtype).bytes, where, shape)
    this.storage = zeroed ? PooledStorage.zeroed(bytes) : PooledStorage.uninitialized(bytes)
  }

  operand(): Operand {
    return this.storage.view(this.dtype, 0, this.size)
  }
}

/** The native side's number for a type. */
export const code = (dtype: DType) => facts(dtype).code
const f64 = (values: readonly number[]) => Float64Array.from(values)

/** A step on the way to a result: freed when the work is done. */
export function temporary<T>(step: Dense, run: (step: Dense) => T): T {
  const storage = step instanceof Made ? step.storage.retain() : null
  try {
    return run(step)
  } finally {
    storage?.release()
  }
}

/** Runs `run` with the elements of `x` in another type, in `x` itself where they are that already. */
export function withType<T>(x: Dense, dtype: DType, where: string, run: (x: Dense) => T): T {
  return x.dtype === dtype ? run(x) : temporary(convert(x, dtype, where), run)
}

/**
 * Runs `run` with `x` in the type that arithmetic of `dtype` runs in. On the way, integers and wider floats are rounded to a
 * 16-bit `dtype`, as in PyTorch, which casts operands to the common type before it widens them.
 */
export function asOperand<T>(x: Dense, dtype: DType, where: string, run: (x: Dense) => T): T {
  const cls = facts(dtype).class
  if (!isFloat(dtype)) return withType(x, cls, where, run)
  return withType(x, dtype, where, (x) => withType(x, cls, where, run))
}

/** The result of `compute`, which writes in the type that arithmetic of `dtype` runs in. */
export function inClass(dtype: DType, shape: readonly number[], where: string, compute: (out: Dense, cls: DType) => void): Made {
  const cls = facts(dtype).class
  const out = new Made(cls, shape, where)
  compute(out, cls)
  return cls === dtype ? out : temporary(out, () => convert(out, dtype, where))
}

/** The elements in another type. */
export function convert(x: Dense, dtype: DType, where: string): Made {
  const out = new Made(dtype, x.shape, where)
  check(native.convertElements(code(x.dtype), x.operand(), code(dtype), out.operand()))
  return out
}

/** Ops on two operands, by the native side's number. */
const BINARY = { add: 0, sub: 1, mul: 2, div: 3 } as const

/**
 * `a` op `b` with broadcasting, in the type the two become together; quotients of integers are float32, as PyTorch's.
 * A number takes part in the tensor's own type unless it has a fraction and that type has none: then in float32. By a second
 * operand of one element, too, 16-bit floats are multiplied and divided before it is rounded to their type.
 */
export function binary(op: keyof typeof BINARY, a: Dense, b: Dense | number): Made {
  let dtype = typeof b === 'number' ? promote(a.dtype, scalarType(a.dtype, b)) : resultType(a, b)
  if (op === 'div' && !isFloat(dtype)) dtype = 'float32'
  if (op === 'sub' && dtype === 'bool') throw new DTypeError('sub: of bool there is no difference; convert with to() first')
  const cls = facts(dtype).class
  const other = typeof b === 'number' ? scalar(op, b, dtype) : b
  const shape = broadcast(a.shape, other.shape)
  const isFactor = other.size === 1 && (op === 'mul' || op === 'div')
  return asOperand(a, dtype, op, (a) =>
    asOperand(other, isFactor ? cls : dtype, op, (b) =>
      inClass(dtype, shape, op, (out) => {
        // Two dense operands of one shape are one long run.
        const flat = sameShape(a.shape, b.shape)
        const under = flat ? [out.size] : shape
        const strides = (x: Dense) => f64(flat ? [1] : broadcastStrides(x.shape, shape))
        check(native.binaryElements(BINARY[op], code(cls), f64(under), a.operand(), strides(a), b.operand(), strides(b), out.operand()))
      }),
    ),
  )
}

function scalarType(dtype: DType, value: number): DType {
  if (isFloat(dtype)) return dtype
  if (!Number.isInteger(value)) return 'float32'
  return dtype === 'bool' ? 'int64' : dtype
}

/** A number as an operand. Like PyTorch, it is rounded to a 16-bit type before it is added, but not before it multiplies. */
function scalar(op: keyof typeof BINARY, value: number, dtype: DType): Dense {
  const cls = facts(dtype).class
  if (cls === 'int64' && (value < -(2 ** 63) || value >= 2 ** 63)) {
    throw new DTypeError(`${op}: ${value} is no integer of 64 bits: convert the tensor with to('float32') first`)
  }
  const sum = op === 'add' || op === 'sub'
  return sum && isFloat(dtype) && cls !== dtype ? convert(constant(value, 'float64'), dtype, op) : constant(value, cls)
}

function constant(value: number, cls: DType): Dense {
  const data =
    cls === 'float32' ? Float32Array.of(value) : cls === 'float64' ? Float64Array.of(value) : BigInt64Array.of(BigInt(value))
  return { dtype: cls, shape: [], size: 1, operand: () => data }
}

/** Ops on one operand, by the native side's number. */
const UNARY = { relu: 0, gelu: 1, tanh: 2, sigmoid: 3 } as const

/** `op` of every element; of integers in float32, but for relu, which keeps their type. */
export function unary(op: keyof typeof UNARY, x: Dense): Made {
  if (op === 'gelu' && !isFloat(x.dtype)) throw new DTypeError(`gelu: of floats only, not of ${x.dtype}`)
  if (op === 'relu' && x.dtype === 'bool') throw new DTypeError('relu: of numbers only, not of bool')
  const dtype = isFloat(x.dtype) || op === 'relu' ? x.dtype : 'float32'
  // Every integer but the largest int64 is exact in float64.
  const cls = isFloat(dtype) ? facts(dtype).class : 'float64'
  return withType(x, cls, op, (x) => {
    const out = new Made(cls, x.shape, op)
    check(native.unaryElements(UNARY[op], code(cls), x.operand(), out.operand()))
    return cls === dtype ? out : temporary(out, () => convert(out, dtype, op))
  })
}

/** The gradient of the operand, from that of the result and from what was `saved`: gelu's operand, the others' results. */
export function unaryBack(op: keyof typeof UNARY, saved: Dense, grad: Dense): Made {
  const { dtype, shape } = grad
  const cls = facts(dtype).class
  return withType(saved, cls, op, (saved) =>
    withType(grad, cls, op, (grad) =>
      inClass(dtype, shape, op, (out) =>
        check(native.unaryBackElements(UNARY[op], code(cls), saved.operand(), grad.operand(), out.operand())),
      ),
    ),
  )
}

/** Reductions, by the native side's number. */
const REDUCE = { sum: 0, mean: 1 } as const

/** The sum or mean along `dim`, or of all elements; sums of integers are int64, means are of floats only. */
export function reduce(op: keyof typeof REDUCE, x: Dense, dim: number | undefined): Made {
  if (op === 'mean' && !isFloat(x.dtype)) {
    throw new DTypeError(`mean: of floats only, not of ${x.dtype}; convert with to('float32') first`)
  }
  const dtype = isFloat(x.dtype) ? x.dtype : 'int64'
  const { outer, n, inner } = dim === undefined ? { outer: 1, n: x.size, inner: 1 } : around(x.shape, dim)
  const shape = dim === undefined ? [] : x.shape.filter((_, d) => d !== dim)
  return withType(x, facts(dtype).class, op, (x) =>
    inClass(dtype, shape, op, (out, cls) =>
      check(native.reduceElements(REDUCE[op], code(cls), outer, n, inner, x.operand(), out.operand())),
    ),
  )
}

/** Softmax along `dim`, or its logarithm. */
export function softmax(log: boolean, x: Dense, dim: number): Made {
  const where = log ? 'logSoftmax' : 'softmax'
  if (!isFloat(x.dtype)) throw new DTypeError(`${where}: of floats only, not of ${x.dtype}`)
  const { outer, n, inner } = x.shape.length === 0 ? { outer: 1, n: 1, inner: 1 } : around(x.shape, dim)
  return withType(x, facts(x.dtype).class, where, (y) =>
    inClass(x.dtype, x.shape, where, (out, cls) =>
      check(native.softmaxElements(log, code(cls), outer, n, inner, y.operand(), out.operand())),
    ),
  )
}

/** The gradient of softmax's operand, or of its logarithm's, from the result and its gradient. */
export function softmaxBack(log: boolean, y: Dense, grad: Dense, dim: number): Made {
  const where = log ? 'logSoftmax' : 'softmax'
  const { outer, n, inner } = y.shape.length === 0 ? { outer: 1, n: 1, inner: 1 } : around(y.shape, dim)
  const { dtype, shape } = y
  const cls = facts(dtype).class
  return withType(y, cls, where, (y) =>
    withType(grad, cls, where, (grad) =>
      inClass(dtype, shape, where, (out) =>
        check(native.softmaxBackElements(log, code(cls), outer, n, inner, y.operand(), grad.operand(), out.operand())),
      ),
    ),
  )
}

/** Copies a block of `shape` between layouts. */
function copy(shape: readonly number[], from: Dense, fromAt: number, fromStrides: number[], to: Dense, toAt: number, toStrides: number[]): void {
  const { bytes } = facts(from.dtype)
  check(native.copyElements(bytes, f64(shape), from.operand(), fromAt, f64(fromStrides), to.operand(), toAt, f64(toStrides)))
}

/** A copy. */
export function clone(x: Dense, where: string): Made {
  const out = new Made(x.dtype, x.shape, where)
  copy([x.size], x, 0, [1], out, 0, [1])
  return out
}

/** The elements of `from` into `to` at `offset`, counted in elements; both of one type. */
export function write(from: Dense, to: Dense, offset: number): void {
  copy([from.size], from, 0, [1], to, offset, [1])
}

/** The part `start .. start + length` along `dim`. */
export function narrow(x: Dense, dim: number, start: number, length: number): Made {
  const shape = x.shape.map((n, d) => (d === dim ? length : n))
  const out = new Made(x.dtype, shape, 'narrow')
  const strides = stridesOf(x.shape)
  copy(shape, x, start * strides[dim], strides, out, 0, stridesOf(shape))
  return out
}

/** Zeros of a shape, with `x` as the part `start ..` along `dim`. */
export function widen(x: Dense, shape: readonly number[], dim: number, start: number): Made {
  const out = new Made(x.dtype, shape, 'narrow', true)
  const strides = stridesOf(shape)
  copy(x.shape, x, 0, stridesOf(x.shape), out, start * strides[dim], strides)
  return out
}

/** `x` repeated along dimensions of one, or that it lacks in front, to a shape. */
export function expand(x: Dense, shape: readonly number[], where: string): Made {
  const out = new Made(x.dtype, shape, where)
  copy(shape, x, 0, broadcastStrides(x.shape, shape), out, 0, stridesOf(shape))
  return out
}

/** Two dimensions swapped. */
export function transpose(x: Dense, a: number, b: number): Made {
  const swap = <T>(list: readonly T[]) => list.map((value, dim) => (dim === a ? list[b] : dim === b ? list[a] : value))
  const out = new Made(x.dtype, swap(x.shape), 'transpose')
  copy(out.shape, x, 0, swap(stridesOf(x.shape)), out, 0, stridesOf(out.shape))
  return out
}

/** Tensors one after the other along `dim`, in the type they become together. */
export function concat(tensors: readonly Dense[], dim: number): Made {
  const [first, ...rest] = tensors
  const shape = [...first.shape]
  for (const x of rest) {
    if (x.shape.length !== shape.length || x.shape.some((n, d) => d !== dim && n !== shape[d])) {
      throw new ShapeError(`concat: ${shown(first.shape)} and ${shown(x.shape)} differ in more than dimension ${dim}`)
    }
    shape[dim] += x.shape[dim]
  }
  const dtype = tensors.map((x) => x.dtype).reduce(promote)
  const out = new Made(dtype, shape, 'concat')
  const strides = stridesOf(shape)
  let start = 0
  for (const x of tensors) {
    withType(x, dtype, 'concat', (x) => copy(x.shape, x, 0, stridesOf(x.shape), out, start * strides[dim], strides))
    start += x.shape[dim]
  }
  return out
}
