// Conversion between the numbers that callers pass and elements of a type.

import { facts, type DType, type TypedArray } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { elementAt } from './halves.js'
import { check, native } from '../native/native.js'
import { kindName } from '../base/realm.js'
import { shown } from '../base/shape.js'
import { checkAttached, isArray, show } from '../base/validate.js'
import { zeroedBuffer } from '../memory/arrays.js'

/** A number, or nested arrays of numbers; arrays at one level have equal lengths. */
export type Nested = number | Nested[]

/** Deeper nesting is a mistake, such as an array that holds itself. */
const MAX_DIMENSIONS = 64

/** Flattens nested arrays and finds their shape. The caller checks the leaves. */
export function flatten(nested: unknown, where: string): { leaves: unknown[]; shape: number[] } {
  const shape: number[] = []
  for (let level = nested; isArray(level); level = level[0]) {
    if (shape.push(level.length) > MAX_DIMENSIONS) {
      throw new ShapeError(`${where}: arrays are nested more than ${MAX_DIMENSIONS} levels deep, or contain themselves`)
    }
  }
  const leaves: unknown[] = []
  const path: number[] = []
  const walk = (value: unknown, dim: number): void => {
    const here = () => `${where}: ${at(path.slice(0, dim))} is`
    if (!isArray(value)) {
      // Fail at the first hole: an array with a huge `length` may be empty.
      if (value === undefined) throw new UsageError(`${here()} undefined, not a number`)
      if (dim === shape.length) leaves.push(value)
      else throw new ShapeError(`${here()} ${show(value)}, but others at this depth are arrays of length ${shape[dim]}`)
    } else if (value.length !== shape[dim]) {
      const expected = dim < shape.length ? `arrays of length ${shape[dim]}` : 'not arrays'
      throw new ShapeError(`${here()} an array of length ${value.length}, but others at this depth are ${expected}`)
    } else {
      // `forEach` would skip holes; a hole is a bad element.
      for (let i = 0; i < value.length; i++) {
        path[dim] = i
        walk(value[i], dim + 1)
      }
    }
  }
  walk(nested, 0)
  return { leaves, shape }
}

const at = (position: readonly number[]) => (position.length === 0 ? 'the value' : `the element at ${shown(position)}`)

/** The elements in order, as nested arrays of this shape; the element itself for a scalar. */
export function nested(shape: readonly number[], at: (i: number) => unknown): unknown {
  let next = 0
  const nest = (dim: number): unknown =>
    dim === shape.length ? at(next++) : Array.from({ length: shape[dim] }, () => nest(dim + 1))
  return nest(0)
}

/** An element as a JavaScript value: a boolean, a number, or a bigint if a number would be inexact. */
export function plainAt(data: TypedArray, dtype: DType, i: number): number | bigint | boolean {
  const value = elementAt(data, dtype, i)
  if (dtype === 'bool') return value !== 0
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value
}

/** Converts numbers to elements of a type; a number that the type cannot hold is an error. */
export function elementsOf(values: ArrayLike<unknown>, dtype: DType, where: string): TypedArray {
  if (ArrayBuffer.isView(values) && values.length === 0) checkAttached(values as TypedArray, where)
  const { array, bytes } = facts(dtype)
  const allocate = (length: number) => new array(zeroedBuffer(length * bytes), 0, length)
  if (kindName(values) === array.name && dtype !== 'float16' && dtype !== 'bfloat16' && dtype !== 'bool') {
    // `slice` would not copy: on a Buffer it gives a view.
    const copy = allocate(values.length)
    ;(copy as Uint8Array).set(values as Uint8Array)
    return copy
  }
  if (dtype === 'float16' || dtype === 'bfloat16') {
    const wide = elementsOf(values, 'float64', where)
    const narrow = allocate(wide.length)
    check(native.convertElements('float64', wide, dtype, narrow))
    return narrow
  }
  const elements = allocate(values.length)
  for (let i = 0; i < values.length; i++) elements[i] = element(values[i], dtype, where, i) as never
  return elements
}

/** One value in the form that the type's array takes. */
function element(value: unknown, dtype: DType, where: string, i: number): number | bigint {
  if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'boolean') {
    throw new UsageError(`${where}: element ${i} is ${show(value)}, not a number`)
  }
  if (dtype === 'bool') return value ? 1 : 0
  const { range } = facts(dtype)
  if (range === undefined) return Number(value)
  const number = typeof value === 'boolean' ? Number(value) : value
  const whole = typeof number === 'bigint' || Number.isInteger(number)
  if (!whole || number < range[0] || number > range[1])
    throw new DTypeError(`${where}: element ${i}: ${show(value)} is not a value of ${dtype}`)
  return dtype === 'int64' ? BigInt(number) : Number(number)
}
