// What all optimizers share: groups, steps and state.

import { isDense, type Gradient } from '../autograd/tape.js'
import { Contents } from '../base/contents.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { check as checked, native, type GradOperand } from '../native/native.js'
import { guardReceivers, isInstance } from '../base/receivers.js'
import { sameShape, shown } from '../base/shape.js'
import type { Tensor } from '../tensor/tensor.js'
import { checkPresent, defaultsOf } from '../base/fields.js'
import { checkOptions, show } from '../base/validate.js'
import { Catching } from './catching.js'
import { OPTIMIZERS } from './definitions.js'
import { groupsOf, type ParameterGroup, type ParamGroup, type Rates } from './group.js'
import { isSparse, steps, withDense } from './rows.js'
import { checkRule, Rules, type OptimizerName, type Rule } from './rule.js'
import { newState, rowsOf, statesOf, type State } from './state.js'
import { readState, writtenState, type OptimizerState } from './state-dict.js'
import { fromTorch, toTorch, type TorchOptimizerState } from './torch-state.js'

/** What a step does with one parameter. */
interface Work {
  readonly rule: Rule
  readonly param: Tensor
  readonly grad: Gradient
}

/** The names of all optimizers, listed as in `SGD, Adam or AdamW`. */
const NAMES = Object.keys(OPTIMIZERS)
  .join(', ')
  .replace(/, (?=\w+$)/, ' or ')

const CONTENTS = new Contents<Optimizer<any>>('An optimizer', {
  instead: 'save stateDict() and restore it with loadStateDict()',
})

/**
 * Updates parameters by their gradients. `torch.optim.Optimizer`.
 *
 * ```ts
 * const optimizer = new AdamW(layer.parameters(), { lr: 1e-3 })
 * for (...) {
 *   optimizer.zeroGrad()
 *   loss.backward()
 *   optimizer.step()
 * }
 * ```
 *
 * Results are those of PyTorch's single-tensor implementations with any number of threads, and equal to the bit
 * wherever PyTorch rounds square roots correctly. State is in native memory and is made at a parameter's first step.
 */
export abstract class Optimizer<O extends Rates = Rates> {
  #groups: readonly ParameterGroup<O>[]
  readonly #usual: O
  readonly #where: string
  readonly #rules: Rules
  readonly #state = new Map<Tensor, State>()
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /** @internal */
  protected constructor(name: OptimizerName, params: unknown, options: Partial<O> | undefined) {
    if (typeof name !== 'string' || !Object.hasOwn(OPTIMIZERS, name))
      throw new UsageError(`an Optimizer cannot be made with new Optimizer: use ${NAMES}`)
    const fields = OPTIMIZERS[name]
    checkPresent(options, fields, name)
    const check = (values: O, where: string) => checkRule(name, values, where)
    const given = { ...defaultsOf<O>(fields), ...checkOptions(options, Object.keys(fields), name) }
    check(given, name)
    this.#where = name
    this.#rules = new Rules(name)
    this.#usual = given
    this.#groups = Object.freeze(groupsOf(params, given, check, name))
    this.#checkShapes(this.#groups, name)
  }

  /** The parameters in groups, each with its own options, which `set` changes. */
  get groups(): readonly ParameterGroup<O>[] {
    return this.#groups
  }

  /**
   * Adds a group of parameters, for example of a layer that learns from now on; options that it leaves out are those of
   * the constructor. `torch.optim.Optimizer.add_param_group`.
   *
   * @throws UsageError for parameters that do not learn or are in a group already; nothing has changed then.
   */
  addParamGroup(group: ParamGroup<O>): void {
    const where = `${this.#where}.addParamGroup`
    const check = (values: O, place: string) => checkRule(this.#where as OptimizerName, values, place)
    const [made] = groupsOf([group], this.#usual, check, where)
    const known = new Set(this.groups.flatMap(({ params }) => params))
    if (made.params.some((param) => known.has(param)))
      throw new UsageError(`${where}: a parameter is in another group already: each step would change it twice`)
    this.#checkShapes([made], where)
    this.#groups = Object.freeze([...this.groups, made])
  }

  /** Throws if the optimizer steps on matrices alone and a parameter is none. */
  #checkShapes(groups: readonly ParameterGroup<O>[], where: string): void {
    for (const group of groups) {
      const { whole, factored } = this.#rules.of(group)
      const bad = whole && !factored ? group.params.find(({ shape }) => shape.length !== 2) : undefined
      if (bad !== undefined)
        throw new ShapeError(
          `${where}: a parameter of shape ${shown(bad.shape)} is no matrix, and ${this.#where} steps on matrices alone: use AdamW for it`,
        )
    }
  }

  /** The learning rate of the first group. Setting it sets the rate of every group. */
  get lr(): number {
    return this.groups[0].lr
  }

  set lr(lr: number) {
    for (const group of this.groups) group.lr = lr
  }

  /**
   * Takes one step on every parameter that has a gradient.
   *
   * @throws UsageError for a parameter that was disposed, that no longer learns, or that a running `forwardAsync`
   * reads, and for a gradient of a kind that this optimizer does not take. Nothing has changed then.
   */
  step(): void {
    const where = `${this.#where}.step`
    const work = this.#work(where)
    for (const { param } of work) param.beginWrite(where)
    for (const one of work) this.#stepOne(one)
  }

  #work(where: string): Work[] {
    const work: Work[] = []
    for (const group of this.groups) {
      for (const param of group.params) {
        if (param.disposed) throw new UsageError(`${where}: a parameter of shape ${shown(param.shape)} was disposed`)
        const grad = param.collected
        if (grad === null) continue
        const one = { rule: this.#rules.of(group), param, grad }
        this.#checkGrad(one, where)
        param.checkWritable(where)
        work.push(one)
      }
    }
    return work
  }

  #checkGrad({ rule, param, grad }: Work, where: string): void {
    if (!sameShape(grad.shape, param.shape))
      throw new ShapeError(
        `${where}: a parameter of shape ${shown(param.shape)} has a gradient of shape ${shown(grad.shape)}`,
      )
    if (grad.dtype !== param.dtype)
      throw new DTypeError(`${where}: a parameter of ${param.dtype} has a gradient of ${grad.dtype}`)
    if (isDense(grad) && grad.disposed)
      throw new UsageError(`${where}: the gradient of a parameter was disposed: set grad to null instead`)
    if (rule.rowsAlone && !isSparse(grad)) {
      throw new UsageError(
        `${where}: the gradient of a parameter of shape ${shown(param.shape)} is dense, but ${this.#where} takes only sparse ones: make the layer with sparse: true, or use Adam for this parameter`,
      )
    }
  }

  #stepOne({ rule, param, grad }: Work): void {
    const state = this.#stateOf(param, rule)
    const at = state.step + 1
    const by = steps(grad)
    if (by.rows !== null && by.sparse && rule.catchesUp) this.#stepBehind(state, param, by.rows, rule, at)
    else {
      if (state.catching !== null && param.lag === state.catching) state.catching.settleForAll()
      // Another optimizer may have left rows behind, so this brings them up to date.
      param.lag?.settle()
      const operands = state.tensors.map((tensor) => tensor.rawOperand())
      // A parameter without rows and columns has its state in the third place.
      const [first, second, third] =
        rule.factored && operands.length === 1 ? [undefined, undefined, operands[0]] : operands
      const rows = rowsOf(param.shape)
      const parameter = { param: param.rawOperand(), first, second, third }
      if (rule.whole)
        withDense(grad, (dense) =>
          checked(
            native.optimWhole(rule.rule, at, parameter, Float64Array.from(param.shape), dense.operand(), param.dtype),
          ),
        )
      else if (by.rows === null)
        checked(native.optimDense(rule.rule, at, parameter, rows, by.dense.operand(), param.dtype))
      else checked(native.optimRows(rule.rule, at, parameter, rows, by.rows))
    }
    state.step++
  }

  /** Takes a step on some rows and leaves the others behind. */
  #stepBehind(state: State, param: Tensor, rows: GradOperand, { rule }: Rule, at: number): void {
    if (state.catching === null || param.lag !== state.catching) {
      param.lag?.settle()
      const [first, second] = state.tensors
      state.catching = new Catching([param, first, second], state.step === 0)
    }
    state.catching.step(rule, at, rows)
  }

  #stateOf(param: Tensor, rule: Rule): State {
    const known = this.#state.get(param)
    // Momentum may be switched on or off between steps; without a velocity the state starts again.
    if (known !== undefined && known.tensors.length === statesOf(rule, param).length) return known
    known?.tensors.forEach((tensor) => tensor.dispose())
    const made = newState(rule, param)
    this.#state.set(param, made)
    return made
  }

  /** Clears the gradients of all parameters: `grad` becomes null. `torch.optim.Optimizer.zero_grad`. */
  zeroGrad(): void {
    for (const { params } of this.groups) for (const param of params) param.grad = null
  }

  /**
   * Brings rows up to date that were left behind while they had no gradient (Adam and AdamW on tables of `sparse: true`
   * layers). Everything that reads such a table through the API does so by itself; call this for arrays that `data`
   * gave before, and for threads that share the table.
   */
  flush(): void {
    for (const [param, { catching }] of this.#state) if (!param.disposed) catching?.settle()
  }

  /**
   * The state from which `loadStateDict` continues: the options of the groups, and for each parameter that took a step,
   * by its number over all groups, its step count and its state tensors, which share the optimizer's memory. It calls
   * `flush()` first.
   */
  stateDict(): OptimizerState {
    this.flush()
    return writtenState(this.groups, this.#rules, this.#state)
  }

  /**
   * Restores options and state, and copies the tensors. Everything is checked before anything changes.
   *
   * @throws UsageError, ShapeError or DTypeError for a state of other groups, parameters or optimizers.
   */
  loadStateDict(state: OptimizerState): this {
    const apply = readState(state, this.groups, this.#rules, `${this.#where}.loadStateDict`)
    this.flush()
    for (const param of this.#state.keys()) this.#forget(param)
    for (const [param, of] of apply()) this.#state.set(param, of)
    return this
  }

  /**
   * The state under PyTorch's names, flat, for files that both read: `saveSafetensors(path, state.tensors, { metadata:
   * state.metadata })`. The tensors share the optimizer's memory.
   */
  torchStateDict(): TorchOptimizerState {
    return toTorch(this.stateDict())
  }

  /**
   * Restores what `torchStateDict` gave, or the tensors of a file of PyTorch's: those that `loadTorch` finds in a saved
   * `optimizer.state_dict()`. Without `metadata` the options of the groups stay. Everything is checked before anything
   * changes.
   *
   * @throws UsageError, ShapeError or DTypeError for a state of other groups, parameters or optimizers.
   */
  loadTorchStateDict(state: {
    tensors: Record<string, Tensor> | ReadonlyMap<string, Tensor>
    metadata?: { param_groups?: string }
  }): this {
    const where = `${this.#where}.loadTorchStateDict`
    return this.loadStateDict(fromTorch(state, this.stateDict(), where))
  }

  #forget(param: Tensor): void {
    const state = this.#state.get(param)!
    if (!param.disposed && state.catching !== null && param.lag === state.catching) param.lag = null
    state.tensors.forEach((tensor) => tensor.dispose())
    this.#state.delete(param)
  }

  /** Frees the state, after `flush()`; a later step starts with new state. */
  dispose(): void {
    this.flush()
    for (const param of this.#state.keys()) this.#forget(param)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** The text that `console.log` shows. @internal */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const groups = this.groups.map(
      ({ params, options }) => `{ params: ${params.length}, ${show(options).replace(/^\{ | \}$/g, '')} }`,
    )
    return `${this.#where}(${groups.join(', ')})`
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #where in value && isInstance(this, Optimizer, value)
  }

  static {
    guardReceivers(this, (value) => #where in value)
    CONTENTS.guard(this, (value) => #where in value)
  }
}
