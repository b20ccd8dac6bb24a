// Groups of parameters with their options.

import { Contents } from '../base/contents.js'
import { isFloat } from '../base/dtype.js'
import { DTypeError, UsageError } from '../base/errors.js'
import { guardReceivers } from '../base/receivers.js'
import { Tensor } from '../tensor/tensor.js'
import { checkOptions, eachOf, isArray, isObject, show } from '../base/validate.js'

/** The options that every optimizer has. */
export interface Rates {
  lr: number
}

/** A learned tensor: a leaf that requires its gradient. */
export type Param = Tensor

/** Parameters with their own options, as constructors take them. Options that are left out are the optimizer's. */
export type ParamGroup<O = { lr: number; weightDecay: number }> = { params: Tensor[] } & Partial<O>

/** Checks all options of an optimizer, none of which may be missing. */
// The type is that of a method, so that an optimizer with particular options is assignable to `Optimizer`.
export type Check<O> = { check(options: O, where: string): void }['check']

const CONTENTS = new Contents<ParameterGroup<any>>('A group of parameters', {
  instead: 'use its params and options',
})

/** Parameters that share options. */
export class ParameterGroup<O extends Rates> {
  /** The parameters. */
  readonly params: readonly Tensor[]
  #options: Readonly<O>
  readonly #check: Check<O>
  readonly #where: string
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /** @internal */
  constructor(params: readonly Tensor[], options: O, check: Check<O>, where: string) {
    check(options, where)
    this.params = Object.freeze([...params])
    this.#options = Object.freeze({ ...options })
    this.#check = check
    this.#where = where
  }

  /** The learning rate. */
  get lr(): number {
    return this.#options.lr
  }

  set lr(lr: number) {
    this.set({ lr } as Partial<O>)
  }

  /** All options of the group. */
  get options(): Readonly<O> {
    return this.#options
  }

  /** Changes options, from the next step on. @throws UsageError for an invalid one; none has changed then. */
  set(options: Partial<O>): this {
    this.#options = Object.freeze(this.checked(options))
    return this
  }

  /** The options with some replaced, checked. @internal */
  checked(options: Partial<O>): O {
    const changed = { ...this.#options, ...checkOptions(options, Object.keys(this.#options), this.#where) }
    this.#check(changed, this.#where)
    return changed
  }

  static {
    guardReceivers(this, (value) => #options in value)
    CONTENTS.guard(this, (value) => #options in value)
  }
}

/** Makes groups of the tensors, or groups of tensors, that a constructor is given. */
export function groupsOf<O extends Rates>(
  given: unknown,
  defaults: O,
  check: Check<O>,
  where: string,
): ParameterGroup<O>[] {
  if (!isArray(given))
    throw new UsageError(
      `${where}: parameters must be an array of tensors or of groups { params, lr, ... }, not ${show(given)}`,
    )
  const all = eachOf(given, (one, i) => {
    if (isObject(one)) return one
    throw new UsageError(`${where}: element ${i} must be a tensor or a group { params, lr, ... }, not ${show(one)}`)
  })
  const plain = all.every((one) => one instanceof Tensor)
  const groups = plain ? [{ params: all }] : all
  const seen = new Set<Tensor>()
  const made = groups.map((group, i) => {
    const place = plain ? where : `${where}: group ${i}`
    if (group instanceof Tensor) {
      throw new UsageError(`${place}: give either tensors or groups { params, lr, ... }, not both: ${show(group)}`)
    }
    const { params, ...options } = checkOptions(group as ParamGroup<O>, ['params', ...Object.keys(defaults)], place)
    if (!isArray(params)) throw new UsageError(`${place}: params must be an array of tensors, not ${show(params)}`)
    const checked = eachOf(params, (param, k) => checkParameter(param, seen, `${place}: parameter ${k}`))
    return new ParameterGroup<O>(checked, { ...defaults, ...options }, check, place)
  })
  if (seen.size === 0)
    throw new UsageError(`${where}: there are no parameters: give those of a layer, layer.parameters()`)
  return made
}

function checkParameter(param: unknown, seen: Set<Tensor>, where: string): Tensor {
  if (!(param instanceof Tensor)) throw new UsageError(`${where} must be a tensor, not ${show(param)}`)
  if (param.disposed) throw new UsageError(`${where} was disposed`)
  if (seen.has(param)) throw new UsageError(`${where} is listed twice: each step would change it twice`)
  if (param.node !== null) {
    throw new UsageError(
      `${where} is the result of ${param.gradFn}: an optimizer takes only leaves, which are not results of ops`,
    )
  }
  if (!param.requiresGrad) {
    throw new UsageError(
      `${where} does not require gradients: set its requiresGrad, or make its layer with freeze: false`,
    )
  }
  checkType(param, where)
  seen.add(param)
  return param
}

function checkType({ dtype }: Tensor, where: string): void {
  if (dtype === 'float32' || dtype === 'float64') return
  const advice = isFloat(dtype)
    ? `small steps would round to 0. Train in float32, and look up with forward(ids, { dtype: '${dtype}' })`
    : "convert it with to('float32')"
  throw new DTypeError(`${where} must be float32 or float64, not ${dtype}: ${advice}`)
}
