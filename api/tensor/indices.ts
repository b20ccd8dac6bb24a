// Indices and dimensions that ops of tensors are given, in the form that they need.

import { isFloat, type IntArray } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { sameShape, shown } from '../base/shape.js'
import { isArray, show } from '../base/validate.js'
import { Elements, temporary } from '../ops/elements.js'
import * as movement from '../ops/movement.js'
import { elementsOf, flatten } from './values.js'

/** Indices as elements of an integer type, which are new unless a tensor was given. */
export interface Indices {
  readonly of: Elements
  readonly isNew: boolean
}

/** The elements of all `dims` as one dimension, which is the last one where they are not neighbours. */
export function gathered(x: Elements, dims: readonly number[]): { x: Elements; dim: number } {
  const kept = x.shape.map((_, d) => d).filter((d) => !dims.includes(d))
  const first = dims[0]
  const isRun = dims.every((d, i) => d === first + i)
  const n = dims.reduce((size, d) => size * x.shape[d], 1)
  if (isRun) {
    const after = x.shape.slice(first + dims.length)
    return { x: x.alias([...x.shape.slice(0, first), n, ...after]), dim: first }
  }
  const turned = movement.permute(x, [...kept, ...dims], 'permute')
  return { x: temporary(turned, () => turned.alias([...kept.map((d) => x.shape[d]), n])), dim: kept.length }
}

/** Indices as elements of an integer type, which `take` borrows; new ones unless a tensor was given. */
export function indicesOf(index: unknown, where: string): Indices {
  if (index instanceof Elements) {
    if (isFloat(index.dtype) || index.dtype === 'bool')
      throw new DTypeError(`${where}: indices must be integers, not ${index.dtype}: write index.to('int32')`)
    return { of: index, isNew: false }
  }
  const isList = ArrayBuffer.isView(index)
  if (!isList && !isArray(index))
    throw new UsageError(`${where}: indices must be a tensor or an array of integers, not ${show(index)}`)
  const { leaves, shape } = isList
    ? // oxlint-disable-next-line typescript/no-unnecessary-type-assertion -- the compiler asks for it
      { leaves: index as unknown as unknown[], shape: [(index as IntArray).length] }
    : flatten(index, where)
  const array = elementsOf(leaves, 'int64', where)
  const of = Elements.uninitialized('int64', shape)
  ;(of.borrow() as BigInt64Array).set(array as BigInt64Array)
  return { of, isNew: true }
}

/** The places where a mask of the first dimension is true. */
export function placesOf(mask: Elements, of: readonly number[], where: string): Indices {
  if (!sameShape(mask.shape, of.slice(0, 1)))
    throw new ShapeError(`${where}: a mask must have the shape ${shown(of.slice(0, 1))}, not ${shown(mask.shape)}`)
  const array = mask.borrow()
  const places: number[] = []
  for (let i = 0; i < array.length; i++) if (array[i] !== 0) places.push(i)
  const found = Elements.uninitialized('int32', [places.length])
  ;(found.borrow() as Int32Array).set(places)
  return { of: found, isNew: true }
}

/** Indices of which negative ones count from the end, as those that count from the front. */
export function fromEnd({ of, isNew }: Indices, n: number): Indices {
  const array = of.steady()
  let isNegative = false
  for (let i = 0; i < array.length && !isNegative; i++) isNegative = array[i] < 0
  if (!isNegative) return { of, isNew }
  const whole = Elements.uninitialized('int64', of.shape)
  const to = whole.borrow() as BigInt64Array
  // An index that is too small stays as it is, and is an error.
  for (let i = 0; i < array.length; i++) {
    const index = BigInt(array[i])
    to[i] = index < 0n && index >= -BigInt(n) ? index + BigInt(n) : index
  }
  if (isNew) of.dispose()
  return { of: whole, isNew: true }
}
