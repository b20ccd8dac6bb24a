// Converts an optimizer's state to plain objects and tensors, and back.

import { ShapeError, UsageError, DTypeError } from '../base/errors.js'
import { sameShape, shown } from '../base/shape.js'
import { structuredClone } from '../base/realm.js'
import { Tensor } from '../tensor/tensor.js'
import { checkOptions, checkSize, isArray, isObject, show } from '../base/validate.js'
import type { ParameterGroup, Rates } from './group.js'
import type { Rule, Rules } from './rule.js'
import { statesOf, stateTensor, type State } from './state.js'

/** The state of one parameter: its number of steps, and tensors by name. */
export type ParameterState = { step: number } & Record<string, Tensor | number>

/** The state that `stateDict` gives and `loadStateDict` takes. */
export interface OptimizerState {
  /** State by the parameter's number, counted over all groups. */
  state: Record<string, ParameterState>
  /** The options of each group, and the numbers of its parameters. */
  groups: ({ params: number[] } & Record<string, unknown>)[]
}

/** Converts the present state to a state dict. @internal */
export function writtenState<O extends Rates>(
  groups: readonly ParameterGroup<O>[],
  rules: Rules,
  states: ReadonlyMap<Tensor, State>,
): OptimizerState {
  let next = 0
  const state: Record<string, ParameterState> = {}
  const written = groups.map((group) => {
    const { params, options } = group
    const numbers = params.map((param) => {
      const of = states.get(param)
      if (of !== undefined) {
        const entry: ParameterState = { step: of.step }
        statesOf(rules.of(group), param).forEach(({ name }, i) => (entry[name] = of.tensors[i]))
        state[next] = entry
      }
      return next++
    })
    return { ...structuredClone(options), params: numbers }
  })
  return { state, groups: written }
}

/** Checks a state dict. The returned function sets the options and returns the state of each parameter. @internal */
export function readState<O extends Rates>(
  given: OptimizerState,
  groups: readonly ParameterGroup<O>[],
  rules: Rules,
  where: string,
): () => Map<Tensor, State> {
  const { state, groups: numbers } = checkOptions<OptimizerState>(given, ['state', 'groups'], where)
  if (!isArray(numbers)) throw new UsageError(`${where}: groups must be an array, not ${show(numbers)}`)
  if (!isObject(state)) throw new UsageError(`${where}: state must be an object, not ${show(state)}`)
  if (numbers.length !== groups.length)
    throw new UsageError(`${where}: the state has ${numbers.length} groups, but the optimizer has ${groups.length}`)
  const params: { param: Tensor; rule: Rule }[] = []
  const changes = groups.map((group, i) => {
    const place = `${where}: group ${i}`
    const known = Object.keys(group.options)
    const { params: its, ...rest } = checkOptions(numbers[i], ['params', ...known], place)
    const options = rest as Partial<O>
    if (!isArray(its) || its.length !== group.params.length) {
      throw new UsageError(
        `${place}: the state has ${isArray(its) ? its.length : 'no'} parameters, but the optimizer has ${group.params.length}`,
      )
    }
    const missing = known.filter((name) => !(name in options))
    if (missing.length > 0) throw new UsageError(`${place}: missing options: ${missing.join(', ')}`)
    const checked = group.checked(options)
    const rule = rules.with(checked)
    for (const param of group.params) params.push({ param, rule })
    return () => group.set(options)
  })
  const read = Object.entries(state).map(([key, of]) => {
    const at = params[Number(key)]
    if (at === undefined || String(Number(key)) !== key)
      throw new UsageError(`${where}: there is no parameter ${show(key)} among the ${params.length} of the optimizer`)
    return { ...at, of: readOne(of, at.param, at.rule, `${where}: parameter ${key}`) }
  })
  return () => {
    for (const change of changes) change()
    return new Map(
      read.map(({ param, rule, of: { step, sources } }) => [
        param,
        { step, tensors: copies(param, rule, sources), catching: null },
      ]),
    )
  }
}

function readOne(given: ParameterState, param: Tensor, rule: Rule, where: string): { step: number; sources: Tensor[] } {
  const states = statesOf(rule, param)
  const of: Partial<ParameterState> = checkOptions(given, ['step', ...states.map(({ name }) => name)], where)
  const step = checkSize(of.step, `${where}: step`)
  const sources = states.map(({ name, shape }) => {
    const tensor = of[name]
    if (!(tensor instanceof Tensor)) throw new UsageError(`${where}: ${name} must be a tensor, not ${show(tensor)}`)
    if (tensor.disposed) throw new UsageError(`${where}: ${name} was disposed`)
    if (!sameShape(tensor.shape, shape))
      throw new ShapeError(`${where}: ${name} must have the shape ${shown(shape)}, not ${shown(tensor.shape)}`)
    if (tensor.dtype !== param.dtype)
      throw new DTypeError(`${where}: ${name} must be ${param.dtype}, not ${tensor.dtype}`)
    return tensor
  })
  return { step, sources }
}

function copies(param: Tensor, rule: Rule, sources: readonly Tensor[]): Tensor[] {
  return statesOf(rule, param).map(({ shape }, i) => stateTensor(param, shape, 0).set(sources[i]))
}
