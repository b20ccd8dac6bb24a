// Whether what is computed is being recorded for gradients.

import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { sameShape, shown } from '../base/shape.js'
import type { Tensor } from '../tensor/tensor.js'
import { checkFunction, checkNoPromise, isObject, show } from '../base/validate.js'

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

/** The gradient with which `backward` begins at a result: the one that was given, or `one` where the result is one element. @internal */
export function gradOf(result: Tensor, given: Tensor | undefined, where: string, one: () => Tensor): Tensor {
  if (given === undefined) {
    if (result.size === 1) return one()
    throw new UsageError(`${where}: of ${shown(result.shape)} elements it needs the gradient of each: give it, or sum() first`)
  }
  if (!isObject(given) || !(given instanceof (result.constructor as typeof Tensor))) throw new UsageError(`${where}: gradOutput is a tensor, not ${show(given)}`)
  if (!sameShape(given.shape, result.shape)) {
    throw new ShapeError(`${where}: a gradient of ${shown(given.shape)} for a tensor of ${shown(result.shape)}`)
  }
  if (given.dtype !== result.dtype) throw new DTypeError(`${where}: a gradient of ${given.dtype} for a tensor of ${result.dtype}`)
  return given.detach()
}
