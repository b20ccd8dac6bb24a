// Functions that create tensors: from data, from a shape, and by concatenation.

import { types } from 'node:util'
import { checkDType, facts, isFloat, type DType, type TypedArray } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import * as derivatives from '../autograd/derivatives.js'
import * as movement from '../ops/movement.js'
import { checkDim, sameShape, shown, sizeOf } from '../base/shape.js'
import { uninitialized, zeroFilled } from './allocate.js'
import { kindName } from '../base/realm.js'
import { shapeOf, type ShapeArguments } from './shape-arguments.js'
import { Tensor } from './tensor.js'
import {
  checkAttached,
  checkBoolean,
  checkNumber,
  checkOptions,
  checkShape,
  eachOf,
  isArray,
  show,
} from '../base/validate.js'
import { elementsOf, flatten, type Nested } from './values.js'

export interface TensorOptions {
  /** default: see each function */ dtype?: DType
  /** The shape of flat data; default: the shape of the data. */
  shape?: number[]
  /** default false */ requiresGrad?: boolean
}
/** Options of functions that take the shape as an argument. */
export type FillOptions = Omit<TensorOptions, 'shape'>

const COMMON = ['dtype', 'requiresGrad']

/**
 * A tensor with its own copy of `data`, which is one of:
 *
 * - a number or nested arrays of numbers: float32 by default;
 * - a typed array, whose class gives the default type: Float32Array float32, Float64Array float64, Int32Array int32,
 *   BigInt64Array int64, Int8Array int8, Uint8Array uint8. Other classes need `dtype`. A Uint16Array with `dtype`
 *   float16 or bfloat16 holds the bits of the elements.
 *
 * `shape` gives flat data a shape. `torch.tensor`.
 *
 * @throws ShapeError for ragged nesting or a shape that does not fit; DTypeError for a value that the type cannot hold.
 */
export function tensor(data: Nested | TypedArray, options?: TensorOptions): Tensor {
  const where = 'tensor'
  const { shape, requiresGrad, dtype: wanted } = checkOptions(options, [...COMMON, 'shape'], where)
  const given = wanted === undefined ? undefined : checkDType(wanted, where)
  const { values, own, dtype } = read(data, given, where)
  const sizes = shape === undefined ? own : checkShape(shape, facts(dtype).bytes, where)
  if (sizeOf(sizes) !== values.length)
    throw new ShapeError(`${where}: ${values.length} elements do not fill shape ${shown(sizes)}`)
  return learning(dense(values, dtype, sizes), requiresGrad, where)
}

function read(
  data: unknown,
  dtype: DType | undefined,
  where: string,
): { values: TypedArray; own: number[]; dtype: DType } {
  if (ArrayBuffer.isView(data)) {
    const array = data as TypedArray
    const kind = kindName(array)!
    if (types.isDataView(array))
      throw new UsageError(`${where}: a DataView has no element type: make a typed array over its buffer`)
    const bits = kind === 'Uint16Array' && (dtype === 'float16' || dtype === 'bfloat16')
    const type = dtype ?? KINDS[kind]
    if (type === undefined) {
      const choice = kind === 'Uint16Array' ? "'float16' or 'bfloat16'" : 'one'
      throw new DTypeError(`${where}: a ${kind} has no default dtype: give ${choice} as dtype`)
    }
    if (array.length === 0) checkAttached(array, where)
    return { values: bits ? array.slice() : elementsOf(array, type, where), own: [array.length], dtype: type }
  }
  const { leaves, shape: own } = flatten(data, where)
  const type = dtype ?? (leaves.length > 0 && leaves.every((leaf) => typeof leaf === 'boolean') ? 'bool' : 'float32')
  return { values: elementsOf(leaves, type, where), own, dtype: type }
}

const KINDS: Record<string, DType | undefined> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Int32Array: 'int32',
  BigInt64Array: 'int64',
  Int8Array: 'int8',
  Uint8Array: 'uint8',
}

/** A tensor with a copy of `values`, which already have the type `dtype`. */
function dense(values: TypedArray, dtype: DType, shape: readonly number[]): Tensor {
  const tensor = uninitialized(dtype, shape)
  ;(tensor.borrow() as Float32Array).set(values as Float32Array)
  return tensor
}

function learning(tensor: Tensor, requiresGrad: unknown, where: string): Tensor {
  if (requiresGrad !== undefined) tensor.requiresGrad = checkBoolean(requiresGrad, `${where}: requiresGrad`)
  return tensor
}

/** A tensor of zeros of a shape, `zeros([4, 2])` or `zeros(4, 2)`; float32 by default. `torch.zeros`. */
export function zeros(...args: ShapeArguments<FillOptions>): Tensor {
  const where = 'zeros'
  const { shape, options } = shapeOf(args, where)
  const { dtype = 'float32', requiresGrad } = checkOptions(options, COMMON, where)
  const { bytes } = facts(checkDType(dtype, where))
  const sizes = checkShape(shape, bytes, where)
  return learning(zeroFilled(dtype, sizes), requiresGrad, where)
}

/** A tensor of ones of a shape, `ones([4, 2])` or `ones(4, 2)`; float32 by default. `torch.ones`. */
export function ones(...args: ShapeArguments<FillOptions>): Tensor {
  const { shape, options } = shapeOf(args, 'ones')
  return filled(shape, 1, options, 'ones')
}

/** A tensor whose elements are all `value`; float32 by default. `torch.full`. */
export function full(shape: number[], value: number, options?: FillOptions): Tensor {
  return filled(shape, value, options, 'full')
}

function filled(shape: number[], value: number, options: FillOptions | undefined, where: string): Tensor {
  const { dtype = 'float32', requiresGrad } = checkOptions(options, COMMON, where)
  const { bytes } = facts(checkDType(dtype, where))
  const sizes = checkShape(shape, bytes, where)
  const [element] = elementsOf([value], dtype, where)
  const tensor = uninitialized(dtype, sizes)
  ;(tensor.borrow() as Float32Array).fill(element as number)
  return learning(tensor, requiresGrad, where)
}

/**
 * Number of elements that `arange` computes at a time; all of them in float64 at once would take up to eight times the
 * memory of the result.
 */
const PART = 4096

/**
 * The numbers `start, start + step, ...` below `end` (above it if `step` is negative). `start` is 0, `step` 1 and the
 * type int32 by default. Values are computed as `start + i * step` in float64. `torch.arange`.
 */
export function arange(end: number, options?: { dtype?: DType }): Tensor
export function arange(start: number, end: number, step?: number, options?: { dtype?: DType }): Tensor
export function arange(...args: (number | { dtype?: DType } | undefined)[]): Tensor {
  const where = 'arange'
  const numbers = args.filter((arg) => typeof arg === 'number')
  const rest = args.filter((arg) => typeof arg !== 'number' && arg !== undefined)
  if (
    rest.length > 1 ||
    numbers.length > 3 ||
    numbers.length + rest.length !== args.filter((arg) => arg !== undefined).length
  ) {
    throw new UsageError(
      `${where}: arguments must be (end, options) or (start, end, step, options), not (${args.map(show).join(', ')})`,
    )
  }
  const { dtype = 'int32' } = checkOptions(rest[0] as { dtype?: DType } | undefined, ['dtype'], where)
  const { bytes } = facts(checkDType(dtype, where))
  const [start, end, step = 1] = numbers.length === 1 ? [0, numbers[0]] : numbers
  for (const value of [start, end, step]) checkNumber(value, `${where}: start, end and step`)
  if (step === 0) throw new UsageError(`${where}: step must not be 0`)
  if (!isFloat(dtype) && ![start, step].every(Number.isInteger)) {
    throw new DTypeError(
      `${where}: start ${start} and step ${step} give values that are not integers: give dtype 'float32'`,
    )
  }
  const length = Math.max(0, Math.ceil((end - start) / step))
  const shape = checkShape([length], bytes, where)
  const at = (i: number) => start + i * step
  // If the first and the last value fit the type, so do those between.
  if (length > 0) elementsOf([at(0), at(length - 1)], dtype, where)
  const tensor = uninitialized(dtype, shape)
  for (let from = 0; from < length; from += PART) {
    tensor.set(
      Float64Array.from({ length: Math.min(PART, length - from) }, (_, i) => at(from + i)),
      from,
    )
  }
  return tensor
}

/** The tensors joined along dimension `dim`, in new memory. `torch.cat`. */
export function concat(tensors: Tensor[], dim = 0): Tensor {
  const refused = () => new UsageError(`concat: expected a non-empty array of tensors, not ${show(tensors)}`)
  if (!isArray(tensors) || tensors.length === 0) throw refused()
  const all = eachOf(tensors, (x) => {
    if (x instanceof Tensor) return x
    throw refused()
  })
  const at = checkDim(dim, all[0].shape.length, 'concat')
  return Tensor.result(movement.concat(all, at), all, 'ConcatBackward', () => derivatives.concat(all, at))
}

/** Tensors of one shape along a new dimension `dim`. `torch.stack`. */
export function stack(tensors: Tensor[], dim = 0): Tensor {
  const where = 'stack'
  const refused = () => new UsageError(`${where}: expected a non-empty array of tensors, not ${show(tensors)}`)
  if (!isArray(tensors) || tensors.length === 0) throw refused()
  const all = eachOf(tensors, (x) => {
    if (x instanceof Tensor) return x
    throw refused()
  })
  for (const { shape } of all) {
    if (!sameShape(shape, all[0].shape))
      throw new ShapeError(`${where}: all tensors must have the shape ${shown(all[0].shape)}, not ${shown(shape)}`)
  }
  const at = checkDim(dim, all[0].shape.length + 1, where)
  const layers = all.map((x) => x.unsqueeze(at))
  try {
    return concat(layers, at)
  } finally {
    for (const layer of layers) layer.dispose()
  }
}

/**
 * The elements of `a` where the condition, a bool tensor, is true, else those of `b`; all are broadcast, and numbers
 * take the other operand's type. `torch.where`.
 */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  if (!(condition instanceof Tensor))
    throw new UsageError(`where: the condition must be a tensor, not ${show(condition)}`)
  if (a instanceof Tensor) return a.where(condition, b)
  if (b instanceof Tensor) {
    const not = condition.eq(0)
    const made = b.where(not, a)
    not.dispose()
    return made
  }
  const first = full([], checkNumber(a, 'where: the first operand', true))
  return first.where(condition, checkNumber(b, 'where: the second operand', true))
}
