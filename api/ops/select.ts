// Ops that choose elements: by a condition, by their indices, and by their order.

import { facts, promote, type DType } from '../base/dtype.js'
import { DTypeError, ShapeError } from '../base/errors.js'
import { around, broadcast, sameShape, shown } from '../base/shape.js'
import { check, native, type Operand } from '../native/native.js'
import { convert, Elements, inClass, temporary, withType, type Borrowed } from './elements.js'
import { expand } from './movement.js'

/** Runs `run` with `x` broadcast to a shape, or with `x` itself if it has that shape. */
function inShape<T>(x: Borrowed, shape: readonly number[], where: string, run: (x: Borrowed) => T): T {
  return sameShape(x.shape, shape) ? run(x) : temporary(expand(x, shape, where), run)
}

/** Elements of `a` where the condition is true, else of `b`, in their common type; all are broadcast. */
export function where(condition: Borrowed, a: Borrowed, b: Borrowed): Elements {
  const name = 'where'
  if (condition.dtype !== 'bool') throw new DTypeError(`${name}: the condition must be bool, not ${condition.dtype}`)
  const dtype = promote(a.dtype, b.dtype)
  const shape = broadcast(broadcast(condition.shape, a.shape), b.shape)
  return inShape(condition, shape, name, (condition) =>
    withType(a, dtype, name, (a) =>
      inShape(a, shape, name, (a) =>
        withType(b, dtype, name, (b) =>
          inShape(b, shape, name, (b) => {
            const out = Elements.uninitialized(dtype, shape, name)
            const { bytes } = facts(dtype)
            check(native.chooseElements(bytes, condition.operand(), a.operand(), b.operand(), out.operand()))
            return out
          }),
        ),
      ),
    ),
  )
}

/** Indices into a dimension. */
export interface Picks {
  readonly indices: Operand
  /** The shape of the indices, which locates a bad one. */
  readonly shape: readonly number[]
  /** How many are taken from the dimension. */
  readonly count: number
  /** Whether there is an index for each result, rather than the same ones for all places. */
  readonly each: boolean
}

const dimOf = (shape: readonly number[], dim: number) => (shape.length === 0 ? { n: 1, inner: 1 } : around(shape, dim))

/** The elements at the indices along `dim`, in a result of the given shape. */
export function take(x: Borrowed, dim: number, picks: Picks, shape: readonly number[], name: string): Elements {
  const { n, inner } = dimOf(x.shape, dim)
  const out = Elements.uninitialized(x.dtype, shape, name)
  check(native.takeElements(facts(x.dtype).bytes, { n, inner }, picks, x.operand(), out.operand()), picks.shape)
  return out
}

/** Zeros of the given shape, to which `grad` is added at the indices along `dim`: the way back of `take`. */
export function put(grad: Borrowed, dim: number, picks: Picks, shape: readonly number[], name: string): Elements {
  const cls = facts(grad.dtype).class
  const { n, inner } = dimOf(shape, dim)
  return withType(grad, cls, name, (y) => {
    const out = Elements.zeroed(cls, shape, name)
    check(native.putElements(cls, { n, inner }, picks, y.operand(), out.operand()), picks.shape)
    return cls === grad.dtype ? out : temporary(out, () => convert(out, grad.dtype, name))
  })
}

/** The order in which `top` looks for elements. */
export type Extreme = Parameters<typeof native.topElements>[0]

/** The first `k` elements along `dim` in an order, and their int32 indices. Of equal elements, the first come first. */
export function top(
  extreme: Extreme,
  x: Borrowed,
  dim: number,
  k: number,
  name: string,
): { values: Elements; indices: Elements } {
  const { n, inner } = dimOf(x.shape, dim)
  if (k > n) throw new ShapeError(`${name}: dimension ${dim} of shape ${shown(x.shape)} has ${n} elements, not ${k}`)
  const shape = x.shape.map((size, d) => (d === dim ? k : size))
  const indices = Elements.uninitialized('int32', shape, name)
  const values = withType(x, facts(x.dtype).class, name, (y) =>
    inClass(x.dtype, shape, name, (out: Elements, cls: DType) =>
      check(
        native.topElements(extreme, cls, k, { n, inner }, y.operand(), {
          values: out.operand(),
          indices: indices.operand(),
        }),
      ),
    ),
  )
  return { values, indices }
}
