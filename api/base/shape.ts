// Arithmetic of shapes.

import { ShapeError } from './errors.js'
import { checkSize, show } from './validate.js'

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1
  for (const n of shape) size *= n
  return size
}

/** The position of a flat index in a shape, one index per dimension. */
export function unravel(flat: number, shape: readonly number[]): number[] {
  const position: number[] = new Array(shape.length)
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    position[dim] = flat % shape[dim]
    flat = Math.floor(flat / shape[dim])
  }
  return position
}

/** Strides, in elements, of a dense row-major block. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides: number[] = new Array(shape.length)
  let step = 1
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    strides[dim] = step
    step *= shape[dim]
  }
  return strides
}

/** The broadcast shape of two shapes. From the right, sizes must be equal or one of them 1. */
export function broadcast(a: readonly number[], b: readonly number[]): readonly number[] {
  // A tensor's own shape is frozen, and need not be made and frozen again.
  if (sameShape(a, b)) return a
  const rank = Math.max(a.length, b.length)
  const shape: number[] = new Array(rank)
  for (let dim = 0; dim < rank; dim++) {
    const p = a[dim - rank + a.length] ?? 1
    const q = b[dim - rank + b.length] ?? 1
    if (p !== q && p !== 1 && q !== 1) {
      throw new ShapeError(
        `shapes ${shown(a)} and ${shown(b)} cannot be broadcast: dimension ${dim} has sizes ${p} and ${q}`,
      )
    }
    shape[dim] = p === 1 ? q : p
  }
  return shape
}

/** Strides that read a dense block of shape `from` as the broadcast shape `to`: 0 along repeated dimensions. */
export function broadcastStrides(from: readonly number[], to: readonly number[]): number[] {
  const dense = stridesOf(from)
  const lead = to.length - from.length
  return to.map((_, dim) => (dim < lead || from[dim - lead] === 1 ? 0 : dense[dim - lead]))
}

/** Checks a dimension and returns it counted from the front. */
export function checkDim(dim: unknown, rank: number, where: string): number {
  if (typeof dim === 'number' && Number.isInteger(dim) && dim >= -rank && dim < rank) return dim < 0 ? dim + rank : dim
  throw new ShapeError(`${where}: dimension ${show(dim)} is out of range for a tensor with ${rank} dimensions`)
}

/** Number of elements before (`outer`), along (`n`) and after (`inner`) a dimension. */
export function around(shape: readonly number[], dim: number): { outer: number; n: number; inner: number } {
  return { outer: sizeOf(shape.slice(0, dim)), n: shape[dim], inner: sizeOf(shape.slice(dim + 1)) }
}

/** Whether two shapes are the same. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false
  for (let dim = 0; dim < a.length; dim++) if (a[dim] !== b[dim]) return false
  return true
}

/** The text of a shape, as users write it. */
export function shown(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`
}

/** The sizes of a shape for `size` elements; one size may be -1 and is computed from the others. */
export function inferredShape(shape: readonly number[], size: number): number[] {
  const unknown = shape.indexOf(-1)
  const sizes = shape.map((n, dim) => (dim === unknown ? 1 : checkSize(n, `reshape: size ${dim}`)))
  if (unknown >= 0) {
    const known = sizeOf(sizes)
    if (known === 0 || size % known !== 0)
      throw new ShapeError(`reshape: ${size} elements do not fill shape ${shown(shape)}`)
    sizes[unknown] = size / known
  }
  return sizes
}
