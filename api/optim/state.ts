// The state that an optimizer keeps for a parameter.

import { scopeless } from '../memory/scope.js'
import { zeroTable } from '../tensor/allocate.js'
import type { Tensor } from '../tensor/tensor.js'
import type { Catching } from './catching.js'
import type { Rule } from './rule.js'

/** The state of one parameter, made at its first step, in native memory. */
export interface State {
  /** Number of steps taken. */
  step: number
  /** The state tensors, in the order in which the rule names them. */
  readonly tensors: readonly Tensor[]
  /** Brings rows up to date that steps leave behind; null if none ever are. */
  catching: Catching | null
}

/** The names and shapes of a parameter's state tensors, in order. */
export function statesOf({ state, byRow, factored }: Rule, { shape }: Tensor): { name: string; shape: number[] }[] {
  if (!factored) return state.map((name) => ({ name, shape: byRow ? [rowsOf(shape)] : [...shape] }))
  const [row, column, whole] = state
  if (shape.length < 2) return [{ name: whole, shape: [...shape] }]
  return [
    { name: row, shape: [...shape.slice(0, -1), 1] },
    { name: column, shape: [...shape.slice(0, -2), 1, shape.at(-1)!] },
  ]
}

/** The rows of a shape, which run along dimension 0. */
export function rowsOf(shape: readonly number[]): number {
  return shape.length === 0 ? 1 : shape[0]
}

/** The state before the first step. */
export function newState(rule: Rule, param: Tensor): State {
  const tensors = statesOf(rule, param).map(({ shape }) => stateTensor(param, shape, rule.initial))
  return { step: 0, tensors, catching: null }
}

/** A tensor in native memory that belongs to no scope. */
export function stateTensor({ dtype }: Tensor, shape: number[], initial: number): Tensor {
  const made = scopeless(() => zeroTable(dtype, shape))
  if (initial !== 0) fill(made, initial)
  return made
}

/** Number of elements that are written at once. */
const PIECE = 1 << 16

function fill(tensor: Tensor, value: number): void {
  const piece = new Float64Array(Math.min(PIECE, tensor.size)).fill(value)
  for (let at = 0; at < tensor.size; at += PIECE) tensor.set(piece.subarray(0, tensor.size - at), at)
}
