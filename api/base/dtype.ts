// Element types: the arrays that store them, the types that compute them, and the rules of promotion.

import { DTypeError } from './errors.js'
import { show } from './validate.js'

/** The type of a tensor's elements. */
export type DType = 'float32' | 'float64' | 'float16' | 'bfloat16' | 'int8' | 'uint8' | 'int32' | 'int64' | 'bool'
/**
 * Arrays that hold elements. float16 and bfloat16 are stored as their bits in a Uint16Array, bool as 0 and 1 in a
 * Uint8Array.
 */
export type TypedArray = Float32Array | Float64Array | Uint16Array | Int8Array | Uint8Array | Int32Array | BigInt64Array
/** Typed arrays of integers. */
export type IntArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array

type Kind = 'float' | 'integer' | 'bool'
interface Facts {
  /** Size of an element in bytes. */
  readonly bytes: number
  readonly array: new (buffer: ArrayBufferLike, offset: number, length: number) => TypedArray
  readonly kind: Kind
  /** The type that arithmetic on it runs in. */
  readonly class: DType
  /** The smallest and largest value of an integer type. */
  readonly range?: readonly [number | bigint, number | bigint]
}

const FACTS: Record<DType, Facts> = {
  float32: { bytes: 4, array: Float32Array, kind: 'float', class: 'float32' },
  float64: { bytes: 8, array: Float64Array, kind: 'float', class: 'float64' },
  float16: { bytes: 2, array: Uint16Array, kind: 'float', class: 'float32' },
  bfloat16: { bytes: 2, array: Uint16Array, kind: 'float', class: 'float32' },
  int8: { bytes: 1, array: Int8Array, kind: 'integer', class: 'int64', range: [-128, 127] },
  uint8: { bytes: 1, array: Uint8Array, kind: 'integer', class: 'int64', range: [0, 255] },
  int32: { bytes: 4, array: Int32Array, kind: 'integer', class: 'int64', range: [-(2 ** 31), 2 ** 31 - 1] },
  int64: { bytes: 8, array: BigInt64Array, kind: 'integer', class: 'int64', range: [-(2n ** 63n), 2n ** 63n - 1n] },
  bool: { bytes: 1, array: Uint8Array, kind: 'bool', class: 'int64' },
}

/** Facts about an element type. */
export function facts(dtype: DType): Facts {
  return FACTS[dtype]
}

/** Checks a `dtype` option. */
export function checkDType(dtype: unknown, where: string): DType {
  if (typeof dtype === 'string' && Object.hasOwn(FACTS, dtype)) return dtype as DType
  throw new DTypeError(`${where}: no dtype is called ${show(dtype)}; known: ${Object.keys(FACTS).join(', ')}`)
}

/** Whether the type is a floating-point type. */
export function isFloat(dtype: DType): boolean {
  return FACTS[dtype].kind === 'float'
}

const INTEGERS: readonly DType[] = ['bool', 'int8', 'uint8', 'int32', 'int64']

/**
 * The common type of two element types, as in `torch.promote_types`. Of one kind, the wider wins; floats win over
 * integers, integers over bool; float16 and bfloat16 give float32; int8 and uint8 give int32 (PyTorch's int16 does not
 * exist here).
 */
export function promote(a: DType, b: DType): DType {
  if (a === b) return a
  if (isFloat(a) !== isFloat(b)) return isFloat(a) ? a : b
  if (isFloat(a)) return a === 'float64' || b === 'float64' ? 'float64' : 'float32'
  if ((a === 'int8' && b === 'uint8') || (a === 'uint8' && b === 'int8')) return 'int32'
  return INTEGERS.indexOf(a) > INTEGERS.indexOf(b) ? a : b
}

/** An element type and a shape, of which only the rank matters. */
interface Typed {
  readonly dtype: DType
  readonly shape: readonly number[]
}

const KINDS: readonly Kind[] = ['bool', 'integer', 'float']

/**
 * The common element type of two tensors, as in `torch.result_type`: `promote` of both. But if just one of them is a
 * scalar, it counts only if it is of a higher kind (float above integer above bool).
 */
export function resultType(a: Typed, b: Typed): DType {
  if ((a.shape.length === 0) === (b.shape.length === 0)) return promote(a.dtype, b.dtype)
  const [{ dtype }, { dtype: scalar }] = a.shape.length > 0 ? [a, b] : [b, a]
  const kindOf = (one: DType) => KINDS.indexOf(FACTS[one].kind)
  return kindOf(scalar) > kindOf(dtype) ? promote(dtype, scalar) : dtype
}

/** The types of layers' results. */
export type ResultType = 'float32' | 'float16' | 'bfloat16'

/** All result types. */
export const RESULT_TYPES: readonly ResultType[] = ['float32', 'float16', 'bfloat16']

/** Whether `dtype` is a type that float tables and results may have. */
export function isResultType(dtype: unknown): dtype is ResultType {
  return RESULT_TYPES.includes(dtype as ResultType)
}
