// What an optimizer keeps of a parameter.

import { facts } from '../base/dtype.js'
import { scopeless } from '../memory/scope.js'
import { NativeStorage } from '../memory/storage.js'
import { Tensor } from '../tensor/tensor.js'
import type { Catching } from './catching.js'
import type { Rule } from './rule.js'

/** Of one parameter: made at its first step, in native memory. */
export interface State {
  /** Steps taken. */
  step: number
  /** As the rule names them. */
  readonly tensors: readonly Tensor[]
  /** Where rows are left behind and catch up. */
  catching: Catching | null
}

/** The shape of a parameter's state. */
export function stateShape({ shape }: Tensor, byRow: boolean): number[] {
  return byRow ? [rowsOf(shape)] : [...shape]
}

/** The rows of a shape: along dimension 0. */
export function rowsOf(shape: readonly number[]): number {
  return shape.length === 0 ? 1 : shape[0]
}

/** State before the first step. */
export function newState({ state, byRow, initial }: Rule, param: Tensor): State {
  const shape = stateShape(param, byRow)
  const tensors = state.map(() => stateTensor(param, shape, initial))
  return { step: 0, tensors, catching: null }
}

/** A tensor in native memory that belongs to no scope. */
export function stateTensor({ dtype }: Tensor, shape: number[], initial: number): Tensor {
  const size = shape.reduce((size, n) => size * n, 1)
  const made = scopeless(() => Tensor.over(NativeStorage.zeroed(size * facts(dtype).bytes), dtype, shape))
  if (initial !== 0) fill(made, initial)
  return made
}

/** Elements that are written at once. */
const PIECE = 1 << 16

function fill(tensor: Tensor, value: number): void {
  const piece = new Float64Array(Math.min(PIECE, tensor.size)).fill(value)
  for (let at = 0; at < tensor.size; at += PIECE) tensor.set(piece.subarray(0, tensor.size - at), at)
}
