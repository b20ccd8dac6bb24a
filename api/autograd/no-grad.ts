// Switches the recording of ops for gradients on and off.

import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { sameShape, shown } from '../base/shape.js'
import { checkFunction, checkNoPromise } from '../base/validate.js'
import { convert, type Elements } from '../ops/elements.js'

let depth = 0

/** Whether ops are recorded now. @internal */
export function gradEnabled(): boolean {
  return depth === 0
}

/**
 * Runs `fn` without recording for gradients and returns its result; `torch.no_grad`. Calls may be nested: recording
 * resumes when the outermost one returns or throws.
 *
 * @throws UsageError if `fn` is not a function, or is async: its work would run after recording has resumed.
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

/** The gradient of `result` from which `backward` starts: the given one, or 1 if `result` has one element. @internal */
export function gradOf(result: Elements, given: Elements | undefined, where: string): Elements {
  const { dtype, shape, size } = result
  if (given === undefined) {
    if (size === 1) return convert({ dtype: 'float64', shape, size, operand: () => Float64Array.of(1) }, dtype, where)
    throw new UsageError(
      `${where}: a tensor of shape ${shown(shape)} has more than one element: give gradOutput, or reduce the tensor with sum() first`,
    )
  }
  if (!sameShape(given.shape, shape)) {
    throw new ShapeError(
      `${where}: gradOutput has shape ${shown(given.shape)}, but the tensor has shape ${shown(shape)}`,
    )
  }
  if (given.dtype !== dtype) throw new DTypeError(`${where}: gradOutput is ${given.dtype}, but the tensor is ${dtype}`)
  return given.alias()
}
