// The state of an optimizer under PyTorch's names, flat, as safetensors files and `loadTorch` have tensors.

import { UsageError } from '../base/errors.js'
import { entriesOf } from '../base/realm.js'
import { checkOptions, isArray, isObject, show } from '../base/validate.js'
import { tensor } from '../tensor/create.js'
import { Tensor } from '../tensor/tensor.js'
import type { OptimizerState, ParameterState } from './state-dict.js'

/** State under PyTorch's names, in the form that `saveSafetensors` takes. */
export interface TorchOptimizerState {
  /** `state.0.exp_avg`, `state.0.step` ... by the parameter's number over all groups. */
  tensors: Record<string, Tensor>
  /** `param_groups`: PyTorch's list of groups, as JSON. */
  metadata: { param_groups: string }
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** Options of PyTorch's that say how it computes, not what. */
const HOW = ['foreach', 'capturable', 'differentiable', 'fused', 'decoupled_weight_decay', 'initial_lr', 'use_addmm']

/** The state under PyTorch's names. */
export function toTorch({ state, groups }: OptimizerState): TorchOptimizerState {
  const tensors: Record<string, Tensor> = {}
  for (const [number, of] of Object.entries(state)) {
    for (const [name, value] of Object.entries(of)) {
      tensors[`state.${number}.${snake(name)}`] = value instanceof Tensor ? value : tensor([value]).reshape()
    }
  }
  const written = groups.map((group) =>
    Object.fromEntries(Object.entries(group).map(([name, it]) => [snake(name), it])),
  )
  return { tensors, metadata: { param_groups: JSON.stringify(written) } }
}

/** The options of groups out of PyTorch's list of them, as JSON or as it is; `now` are the present ones. */
function groupsOf(given: unknown, now: OptimizerState['groups'], where: string): OptimizerState['groups'] {
  if (given === undefined) return now
  let list: unknown = given
  try {
    if (typeof given === 'string') list = JSON.parse(given)
  } catch (cause) {
    throw new UsageError(`${where}: param_groups is not JSON`, { cause })
  }
  if (!isArray(list) || list.length !== now.length)
    throw new UsageError(`${where}: param_groups must be a list of ${now.length} groups, not ${show(list)}`)
  return list.map((group: unknown, i) => {
    if (!isObject(group)) throw new UsageError(`${where}: group ${i} must be an object, not ${show(group)}`)
    const options = Object.entries(group).filter(([name]) => !HOW.includes(name))
    return { ...now[i], ...Object.fromEntries(options.map(([name, value]) => [camel(name), value])) } as never
  })
}

/** The state in the form of `loadStateDict`, out of PyTorch's tensors; `now` is the present state. */
export function fromTorch(
  given: { tensors: Record<string, Tensor> | ReadonlyMap<string, Tensor>; metadata?: { param_groups?: string } },
  now: OptimizerState,
  where: string,
): OptimizerState {
  const { tensors, metadata } = checkOptions(given, ['tensors', 'metadata'], where)
  const named = isObject(tensors) ? entriesOf(tensors) : null
  if (named === null) throw new UsageError(`${where}: tensors must be an object or a Map, not ${show(tensors)}`)
  const state: Record<string, ParameterState> = {}
  for (const [label, value] of named) {
    const key = String(label)
    const [, number, name] = /^(?:.*\.)?state\.(\d+)\.(\w+)$/.exec(key) ?? []
    if (number === undefined)
      throw new UsageError(`${where}: "${key}" is no state of an optimizer: state.0.exp_avg is one`)
    if (!(value instanceof Tensor)) throw new UsageError(`${where}: "${key}" is ${show(value)}, not a tensor`)
    // SGD of PyTorch counts no steps; a velocity says that there was one.
    const of = (state[number] ??= { step: 1 })
    of[camel(name)] = name === 'step' ? value.item() : value
  }
  return { state, groups: groupsOf(metadata?.param_groups, now.groups, where) }
}
