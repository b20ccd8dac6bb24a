// Ops that move elements and compute nothing: copies, parts, repetitions.

import { facts, promote } from '../base/dtype.js'
import { ShapeError } from '../base/errors.js'
import { broadcastStrides, shown, stridesOf } from '../base/shape.js'
import { check, native } from '../native/native.js'
import { Elements, withType, type Borrowed } from './elements.js'

const f64 = (values: readonly number[]) => Float64Array.from(values)

/** Copies a block of `shape` between layouts. */
function copy(
  shape: readonly number[],
  from: Borrowed,
  fromAt: number,
  fromStrides: number[],
  to: Borrowed,
  toAt: number,
  toStrides: number[],
): void {
  const source = { elements: from.operand(), offset: fromAt, strides: f64(fromStrides) }
  const target = { elements: to.operand(), offset: toAt, strides: f64(toStrides) }
  check(native.copyElements(facts(from.dtype).bytes, f64(shape), source, target))
}

/** A copy. */
export function clone(x: Borrowed, where: string): Elements {
  const out = Elements.uninitialized(x.dtype, x.shape, where)
  write(x, out, 0)
  return out
}

/** The elements of `from` into `to` at `offset`, counted in elements; both of one type. */
export function write(from: Borrowed, to: Borrowed, offset: number): void {
  check(native.copyRun(facts(from.dtype).bytes, from.size, from.operand(), 0, to.operand(), offset))
}

/** The part `start .. start + length` along `dim`. */
export function narrow(x: Borrowed, dim: number, start: number, length: number): Elements {
  const shape = x.shape.map((n, d) => (d === dim ? length : n))
  const out = Elements.uninitialized(x.dtype, shape, 'narrow')
  const strides = stridesOf(x.shape)
  copy(shape, x, start * strides[dim], strides, out, 0, stridesOf(shape))
  return out
}

/** Zeros of a shape, with `x` as the part `start ..` along `dim`. */
export function widen(x: Borrowed, shape: readonly number[], dim: number, start: number): Elements {
  const out = Elements.zeroed(x.dtype, shape, 'narrow')
  const strides = stridesOf(shape)
  copy(x.shape, x, 0, stridesOf(x.shape), out, start * strides[dim], strides)
  return out
}

/** `x` repeated along dimensions of one, or that it lacks in front, to a shape. */
export function expand(x: Borrowed, shape: readonly number[], where: string): Elements {
  const out = Elements.uninitialized(x.dtype, shape, where)
  copy(shape, x, 0, broadcastStrides(x.shape, shape), out, 0, stridesOf(shape))
  return out
}

/** Two dimensions swapped. */
export function transpose(x: Borrowed, a: number, b: number): Elements {
  const swap = <T>(list: readonly T[]) => list.map((value, dim) => (dim === a ? list[b] : dim === b ? list[a] : value))
  const out = Elements.uninitialized(x.dtype, swap(x.shape), 'transpose')
  copy(out.shape, x, 0, swap(stridesOf(x.shape)), out, 0, stridesOf(out.shape))
  return out
}

/** Tensors one after the other along `dim`, in the type they become together. */
export function concat(tensors: readonly Borrowed[], dim: number): Elements {
  const [first, ...rest] = tensors
  const shape = [...first.shape]
  for (const x of rest) {
    if (x.shape.length !== shape.length || x.shape.some((n, d) => d !== dim && n !== shape[d])) {
      throw new ShapeError(`concat: ${shown(first.shape)} and ${shown(x.shape)} differ in more than dimension ${dim}`)
    }
    shape[dim] += x.shape[dim]
  }
  const dtype = tensors.map((x) => x.dtype).reduce(promote)
  const out = Elements.uninitialized(dtype, shape, 'concat')
  const strides = stridesOf(shape)
  let start = 0
  for (const x of tensors) {
    withType(x, dtype, 'concat', (x) => copy(x.shape, x, 0, stridesOf(x.shape), out, start * strides[dim], strides))
    start += x.shape[dim]
  }
  return out
}
