// Whether what is computed is being recorded for gradients.

import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { sameShape, shown } from '../base/shape.js'
import { checkFunction, checkNoPromise } from '../base/validate.js'
import { convert, type Elements } from '../ops/elements.js'

let depth = 0

/** Whether results of ops would be recorded now. @internal */
export function gradEnabled(): boolean {
  return depth === 0
}

/**
 * Runs `fn` without recording for gradients, and returns what it returns; `torch.no_grad`. May be nested; recording is
 * back on when the outermost ends, also by an error.
 *
 * @throws UsageError for what is no function, and for an async one: its work would run after recording is back on.
 */
export function noGrad<T>(fn: () => T): T {
  checkFunction(fn, 'noGrad')
  depth++
  try {
    const result = fn()
    checkNoPromise(result, 'noGrad')
    return result
  } finally {
    depth--
  }
}

/**
 * The gradient with which `backward` begins at a result: the one that was given, or 1 where the result is one
 * element. @internal
 */
export function gradOf(result: Elements, given: Elements | undefined, where: string): Elements {
  const { dtype, shape, size } = result
  if (given === undefined) {
    if (size === 1) return convert({ dtype: 'float64', shape, size, operand: () => Float64Array.of(1) }, dtype, where)
    throw new UsageError(`${where}: of ${shown(shape)} elements it needs the gradient of each: give it, or sum() first`)
  }
  if (!sameShape(given.shape, shape)) {
    throw new ShapeError(`${where}: a gradient of ${shown(given.shape)} for a tensor of ${shown(shape)}`)
  }
  if (given.dtype !== dtype) throw new DTypeError(`${where}: a gradient of ${given.dtype} for a tensor of ${dtype}`)
  return given.alias()
}
