// Ops that only move elements: copies, parts, repetitions, joins.

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

/** A copy in new memory. */
export function clone(x: Borrowed, where: string): Elements {
  const out = Elements.uninitialized(x.dtype, x.shape, where)
  write(x, out, 0)
  return out
}

/** Writes the elements of `from` into `to`, from element `offset` on; both have the same type. */
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

/** Zeros of the given shape, with `x` as the part from `start` on along `dim`. The gradient of `narrow`. */
export function widen(x: Borrowed, shape: readonly number[], dim: number, start: number): Elements {
  const out = Elements.zeroed(x.dtype, shape, 'narrow')
  const strides = stridesOf(shape)
  copy(x.shape, x, 0, stridesOf(x.shape), out, start * strides[dim], strides)
  return out
}

/** `x` broadcast to a shape: repeated along dimensions of size 1 and along missing leading dimensions. */
export function expand(x: Borrowed, shape: readonly number[], where: string): Elements {
  const out = Elements.uninitialized(x.dtype, shape, where)
  copy(shape, x, 0, broadcastStrides(x.shape, shape), out, 0, stridesOf(shape))
  return out
}

/** `x` with dimensions `a` and `b` swapped. */
export function transpose(x: Borrowed, a: number, b: number): Elements {
  const swap = <T>(list: readonly T[]) => list.map((value, dim) => (dim === a ? list[b] : dim === b ? list[a] : value))
  const out = Elements.uninitialized(x.dtype, swap(x.shape), 'transpose')
  copy(out.shape, x, 0, swap(stridesOf(x.shape)), out, 0, stridesOf(out.shape))
  return out
}

/** `x` with its dimensions in another order: dimension `d` of the result is dimension `order[d]` of `x`. */
export function permute(x: Borrowed, order: readonly number[], where: string): Elements {
  const strides = stridesOf(x.shape)
  const out = Elements.uninitialized(
    x.dtype,
    order.map((dim) => x.shape[dim]),
    where,
  )
  copy(
    out.shape,
    x,
    0,
    order.map((dim) => strides[dim]),
    out,
    0,
    stridesOf(out.shape),
  )
  return out
}

/** Every `step`-th element along `dim`, from `start` on, `length` of them. */
export function stepped(x: Borrowed, dim: number, start: number, length: number, step: number): Elements {
  const shape = x.shape.map((n, d) => (d === dim ? length : n))
  const out = Elements.uninitialized(x.dtype, shape, 'slice')
  const strides = stridesOf(x.shape)
  const from = strides.map((stride, d) => (d === dim ? stride * step : stride))
  copy(shape, x, start * strides[dim], from, out, 0, stridesOf(shape))
  return out
}

/** Zeros of the given shape, with `x` as what `stepped` takes there. */
export function spread(x: Borrowed, shape: readonly number[], dim: number, start: number, step: number): Elements {
  const out = Elements.zeroed(x.dtype, shape, 'slice')
  const strides = stridesOf(shape)
  const to = strides.map((stride, d) => (d === dim ? stride * step : stride))
  copy(x.shape, x, 0, stridesOf(x.shape), out, start * strides[dim], to)
  return out
}

/** The tensors joined along `dim`, in their common type. */
export function concat(tensors: readonly Borrowed[], dim: number): Elements {
  const [first, ...rest] = tensors
  const shape = [...first.shape]
  for (const x of rest) {
    if (x.shape.length !== shape.length || x.shape.some((n, d) => d !== dim && n !== shape[d])) {
      throw new ShapeError(
        `concat: shapes ${shown(first.shape)} and ${shown(x.shape)} may differ only in dimension ${dim}`,
      )
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
