// Resizes the state of an optimizer when the rows of its parameters change.

import { UsageError } from '../base/errors.js'
import { copyRows, emptied, type Mapping } from './rows.js'
import { structuredClone } from '../base/realm.js'
import { Tensor } from '../tensor/tensor.js'
import { isArray, show, isObject } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'

/** Parameters that share options, as an optimizer's constructor takes them. */
export type ParameterGroupLike = { params: Tensor[] } & Record<string, any>

/** The result of `Optimizer.stateDict()`. */
export interface OptimizerStateLike {
  state: Record<string, any>
  groups: any[]
}

/** The part of an optimizer that holds its state. */
export interface OptimizerLike {
  readonly groups: readonly { readonly params: readonly Tensor[] }[]
  stateDict(): OptimizerStateLike
}

/** An optimizer's groups and state as they were read. */
export interface StateToResize {
  readonly params: readonly Tensor[]
  readonly written: OptimizerStateLike
}

export function stateOf(optimizer: OptimizerLike, where: string): StateToResize {
  const isOptimizer = isObject(optimizer) && isArray(optimizer.groups) && typeof optimizer.stateDict === 'function'
  if (!isOptimizer)
    throw new UsageError(`${where}: optimizer must be an optimizer such as AdamW, not ${show(optimizer)}`)
  const params = optimizer.groups.flatMap(({ params }) => [...params])
  const written = optimizer.stateDict()
  const numbered = written.groups.flatMap(({ params }: { params: number[] }) => params)
  if (numbered.length !== params.length || numbered.some((number: number, i: number) => number !== i))
    throw new UsageError(`${where}: the state of the optimizer must number its parameters in the order of its groups`)
  return { params, written }
}

/** The groups and state after the rows have changed; `replaced` gives the new tensor of a parameter that changes. */
export function resizedState(
  { params, written }: StateToResize,
  replaced: (param: Tensor) => Tensor | undefined,
  mapping: Mapping,
): { groups: ParameterGroupLike[]; optimizerState: OptimizerStateLike } {
  const renewed = params.map((param) => replaced(param))
  const groups = written.groups.map(({ params: numbers, ...options }) => ({
    ...structuredClone(options),
    params: numbers.map((number: number) => renewed[number] ?? params[number]),
  }))
  const state: Record<string, any> = {}
  for (const [number, of] of Object.entries(written.state)) {
    const at = Number(number)
    if (renewed[at] === undefined) {
      state[number] = of
      continue
    }
    const options = written.groups.find(({ params: numbers }) => numbers.includes(at))
    const entries = Object.entries(of as Record<string, unknown>).map(([name, value]) => [
      name,
      // Adafactor's state of columns has no rows of the table, even where that has one row.
      value instanceof Tensor && value.shape[0] === params[at].shape[0] && name !== 'colVar'
        ? rows(value, initialOf(name, options), mapping)
        : value,
    ])
    state[number] = Object.fromEntries(entries)
  }
  return { groups, optimizerState: { state, groups: structuredClone(written.groups) } }
}

/** The state value of a new row: for Adagrad's sums the one that its options set. */
const initialOf = (name: string, options: Record<string, unknown> | undefined) =>
  name === 'sum' && typeof options?.initialAccumulatorValue === 'number' ? options.initialAccumulatorValue : 0

function rows(state: Tensor, initial: number, { kept, oldIds }: Mapping): Tensor {
  const made = emptied(state, oldIds.length)
  copyRows(state, kept, made)
  const row = state.shape[0] === 0 ? 0 : state.size / state.shape[0]
  const fresh = (oldIds.length - kept.length) * row
  if (initial !== 0 && fresh > 0) made.set(zeroed(Float64Array, fresh).fill(initial), kept.length * row)
  return made
}
