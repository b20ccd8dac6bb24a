// What all layers have in common.

import { UsageError, ShapeError } from '../base/errors.js'
import { sameShape, shown } from '../base/shape.js'
import { Tensor } from '../tensor/tensor.js'
import { isObject, show } from '../base/validate.js'

/** An object whose tensors can be learned, saved and loaded. */
export interface Layer {
  /** The tensors that are learned. */
  parameters(): Tensor[]
  /** All tensors by name, sharing the layer's memory. */
  stateDict(): Record<string, Tensor>
  /** Copies values in by name; every name must be given, and no other. */
  loadStateDict(state: Record<string, Tensor>): this
}

/** Copies the tensors of `state` into those of `into`. Everything is checked before anything is written. */
export function loadInto(into: Record<string, Tensor>, state: Record<string, Tensor>, where: string): void {
  if (!isObject(state)) throw new UsageError(`${where}: expected an object of tensors by name, not ${show(state)}`)
  const [names, given] = [Object.keys(into), Object.keys(state)]
  const missing = names.filter((name) => !given.includes(name))
  const unknown = given.filter((name) => !names.includes(name))
  if (missing.length > 0 || unknown.length > 0) {
    const parts = [
      missing.length > 0 && `missing tensors: ${missing.join(', ')}`,
      unknown.length > 0 && `unknown tensors: ${unknown.join(', ')}`,
    ]
    throw new UsageError(`${where}: ${parts.filter(Boolean).join('; ')}`)
  }
  for (const name of names) {
    const value = state[name]
    if (!(value instanceof Tensor)) throw new UsageError(`${where}: "${name}" is ${show(value)}, not a tensor`)
    if (!sameShape(value.shape, into[name].shape)) {
      throw new ShapeError(
        `${where}: "${name}" must have the shape ${shown(into[name].shape)}, not ${shown(value.shape)}`,
      )
    }
    // These calls throw before the first write if a tensor was disposed or is being read.
    value.operand()
    into[name].operand()
    into[name].checkWritable(where)
  }
  for (const name of names) into[name].set(state[name])
}
