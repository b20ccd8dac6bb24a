// PyTorch's schedules of learning rates, by the arithmetic of `torch.optim.lr_scheduler`: most change the rates that
// groups have now, so that several may be chained.

import { Contents } from '../base/contents.js'
import { UsageError } from '../base/errors.js'
import { guardReceivers } from '../base/receivers.js'
import {
  checkBoolean,
  checkFunction,
  checkNumber,
  checkOptions,
  checkSize,
  checkWord,
  eachOf,
  isArray,
  isObject,
  show,
} from '../base/validate.js'
import type { ParameterGroup } from './group.js'
import { Optimizer } from './optimizer.js'

/** The state of a schedule, as a small JSON value. */
export type SchedulerState = Record<string, unknown>

const CONTENTS = new Contents<LRScheduler>('A schedule', {
  instead: 'save stateDict() and restore it with loadStateDict()',
})

const PLATEAUS = new Contents<ReduceLROnPlateau>('A schedule', {
  instead: 'save stateDict() and restore it with loadStateDict()',
})
const CHAINS = new Contents<ChainedScheduler>('A schedule', {
  instead: 'save stateDict() and restore it with loadStateDict()',
})

type Group = ParameterGroup<{ lr: number }>

/**
 * Sets the learning rates of an optimizer step by step. `torch.optim.lr_scheduler.LRScheduler`.
 *
 * ```ts
 * const schedule = new StepLR(optimizer, { stepSize: 30, gamma: 0.1 })
 * for (...) { ...; optimizer.step(); schedule.step() }
 * ```
 */
export abstract class LRScheduler {
  readonly #optimizer: Optimizer<{ lr: number }>
  readonly #name: string
  #base: number[]
  #step = 0
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /** @internal */
  protected constructor(optimizer: Optimizer<any>, name: string) {
    if (new.target === LRScheduler)
      throw new UsageError('LRScheduler is what schedules have in common: make one of them, such as StepLR')
    if (!(optimizer instanceof Optimizer))
      throw new UsageError(`${name}: expected an optimizer, not ${show(optimizer)}`)
    this.#optimizer = optimizer
    this.#name = name
    this.#base = optimizer.groups.map(({ lr }) => lr)
  }

  /** The steps taken so far. */
  get current(): number {
    return this.#step
  }

  /** The present rate of the first group. */
  get lr(): number {
    return this.#optimizer.lr
  }

  /** The present rate of each group. `get_last_lr`. */
  getLastLr(): number[] {
    return this.#optimizer.groups.map(({ lr }) => lr)
  }

  /** The rate of a group for step `step`, from its present one and the one that it began with. @internal */
  protected abstract next(step: number, now: number, base: number, group: number): number

  /** The groups of the optimizer. @internal */
  protected get groups(): readonly Group[] {
    return this.#optimizer.groups
  }

  /** Sets the rates of the next step. Call it after the optimizer's `step`. */
  step(): void {
    this.#step++
    this.set()
  }

  /** Sets the rates of the present step. @internal */
  protected set(): void {
    const rates = this.groups.map(({ lr }, i) => this.next(this.#step, lr, this.#base[i] ?? lr, i))
    this.groups.forEach((group, i) => (group.lr = rates[i]))
  }

  /** What `stateDict` has besides the steps and rates. @internal */
  protected more(): SchedulerState {
    return {}
  }

  /** Checks what `more` gave, and returns a function that restores it. @internal */
  protected loadMore(_state: SchedulerState, _where: string): () => void {
    return () => {}
  }

  /** The state of the schedule, as a small JSON value; the rates themselves are the optimizer's. */
  stateDict(): SchedulerState {
    return { step: this.#step, baseLrs: [...this.#base], ...this.more() }
  }

  /**
   * Restores a state. The rates of the groups are in the optimizer's state: load that as well. @throws UsageError for a
   * state of other groups; nothing has changed then.
   */
  loadStateDict(state: SchedulerState): this {
    const where = `${this.#name}.loadStateDict`
    const known = Object.keys(this.stateDict())
    const { step, baseLrs, ...more } = checkOptions(state, known, where)
    checkSize(step, `${where}: step`)
    if (!isArray(baseLrs) || baseLrs.length !== this.#base.length)
      throw new UsageError(`${where}: baseLrs must be an array of ${this.#base.length} rates, not ${show(baseLrs)}`)
    const rates = eachOf(baseLrs, (lr) => checkNumber(lr, `${where}: baseLrs`))
    const apply = this.loadMore(more, where)
    this.#step = step as number
    this.#base = rates
    apply()
    return this
  }

  static {
    guardReceivers(this, (value) => #optimizer in value)
    CONTENTS.guard(this, (value) => #optimizer in value)
  }
}

/** A number above 0. */
function checkPositive(value: unknown, where: string): number {
  if (checkNumber(value, where) > 0) return value as number
  throw new UsageError(`${where} must be positive, not ${show(value)}`)
}

/** Multiplies the rates by `gamma` after every `stepSize` steps. `torch.optim.lr_scheduler.StepLR`. */
export class StepLR extends LRScheduler {
  readonly #size: number
  readonly #gamma: number

  /** `gamma` is 0.1 by default. */
  constructor(optimizer: Optimizer<any>, options: { stepSize: number; gamma?: number }) {
    super(optimizer, 'StepLR')
    const { stepSize, gamma = 0.1 } = checkOptions(options, ['stepSize', 'gamma'], 'StepLR')
    this.#size = checkSize(stepSize, 'StepLR: stepSize', 1)
    this.#gamma = checkPositive(gamma, 'StepLR: gamma')
  }

  /** @internal */
  protected override next(step: number, now: number): number {
    return step > 0 && step % this.#size === 0 ? now * this.#gamma : now
  }
}

/** Multiplies the rates by `gamma` at each milestone. `torch.optim.lr_scheduler.MultiStepLR`. */
export class MultiStepLR extends LRScheduler {
  readonly #milestones: readonly number[]
  readonly #gamma: number

  /** Milestones are numbers of steps; one that is listed twice counts twice. `gamma` is 0.1 by default. */
  constructor(optimizer: Optimizer<any>, options: { milestones: readonly number[]; gamma?: number }) {
    const where = 'MultiStepLR'
    super(optimizer, where)
    const { milestones, gamma = 0.1 } = checkOptions(options, ['milestones', 'gamma'], where)
    if (!isArray(milestones)) throw new UsageError(`${where}: milestones must be an array, not ${show(milestones)}`)
    this.#milestones = eachOf(milestones, (one, i) => checkSize(one, `${where}: milestone ${i}`))
    this.#gamma = checkPositive(gamma, `${where}: gamma`)
  }

  /** @internal */
  protected override next(step: number, now: number): number {
    return now * this.#gamma ** this.#milestones.filter((one) => one === step).length
  }
}

/** Multiplies the rates by `gamma` at every step. `torch.optim.lr_scheduler.ExponentialLR`. */
export class ExponentialLR extends LRScheduler {
  readonly #gamma: number

  constructor(optimizer: Optimizer<any>, options: { gamma: number }) {
    super(optimizer, 'ExponentialLR')
    const { gamma } = checkOptions(options, ['gamma'], 'ExponentialLR')
    this.#gamma = checkPositive(gamma, 'ExponentialLR: gamma')
  }

  /** @internal */
  protected override next(_step: number, now: number): number {
    return now * this.#gamma
  }
}

/**
 * Rates that fall to 0 in `totalIters` steps (default 5), along a power of what is left (default 1: a line).
 * `torch.optim.lr_scheduler.PolynomialLR`.
 */
export class PolynomialLR extends LRScheduler {
  readonly #total: number
  readonly #power: number

  constructor(optimizer: Optimizer<any>, options?: { totalIters?: number; power?: number }) {
    super(optimizer, 'PolynomialLR')
    const { totalIters = 5, power = 1 } = checkOptions(options, ['totalIters', 'power'], 'PolynomialLR')
    this.#total = checkSize(totalIters, 'PolynomialLR: totalIters', 1)
    this.#power = checkPositive(power, 'PolynomialLR: power')
  }

  /** @internal */
  protected override next(step: number, now: number): number {
    if (step > this.#total) return now
    const share = (1 - step / this.#total) / (1 - (step - 1) / this.#total)
    return now * share ** this.#power
  }
}

/** The rates of the beginning, times what a function makes of the step. `torch.optim.lr_scheduler.LambdaLR`. */
export class LambdaLR extends LRScheduler {
  readonly #factors: readonly ((step: number) => number)[]

  /** One function for all groups, or one for each. The rates of step 0 are set at once. */
  constructor(optimizer: Optimizer<any>, factor: ((step: number) => number) | readonly ((step: number) => number)[]) {
    const where = 'LambdaLR'
    super(optimizer, where)
    if (isArray(factor) && factor.length !== this.groups.length)
      throw new UsageError(`${where}: ${factor.length} functions are given for ${this.groups.length} groups`)
    const given = isArray(factor) ? eachOf(factor, (one) => one) : this.groups.map(() => factor)
    for (const one of given) checkFunction(one, where)
    this.#factors = given as ((step: number) => number)[]
    this.set()
  }

  /** @internal */
  protected override next(step: number, _now: number, base: number, group: number): number {
    return base * checkNumber(this.#factors[group](step), `LambdaLR: the factor of step ${step}`)
  }
}

/**
 * Half a cosine from the first rate to `etaMin` (default 0) in `t0` steps, and again from the start, each time `tMult`
 * (default 1) times as long. Loshchilov, Hutter 2017; `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`.
 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  readonly #first: number
  readonly #times: number
  readonly #least: number

  constructor(optimizer: Optimizer<any>, options: { t0: number; tMult?: number; etaMin?: number }) {
    const where = 'CosineAnnealingWarmRestarts'
    super(optimizer, where)
    const { t0, tMult = 1, etaMin = 0 } = checkOptions(options, ['t0', 'tMult', 'etaMin'], where)
    this.#first = checkSize(t0, `${where}: t0`, 1)
    this.#times = checkSize(tMult, `${where}: tMult`, 1)
    this.#least = checkNumber(etaMin, `${where}: etaMin`)
    if (etaMin < 0) throw new UsageError(`${where}: etaMin must not be negative, not ${etaMin}`)
    this.set()
  }

  /** @internal */
  protected override next(step: number, _now: number, base: number): number {
    let [length, at] = [this.#first, step]
    if (this.#times === 1) at %= length
    else while (at >= length) [at, length] = [at - length, length * this.#times]
    return this.#least + ((base - this.#least) * (1 + Math.cos((Math.PI * at) / length))) / 2
  }
}

/** A part of a cycle: it ends at a step, and rates and momenta go from one value to another. */
interface Phase {
  readonly end: number
  readonly rates: readonly [number, number]
  readonly momenta: readonly [number, number]
}

export interface OneCycleOptions {
  /** The highest rate. */ maxLr: number
  /** The steps of the whole cycle. */ totalSteps: number
  /** The share of steps in which rates rise; default 0.3. */ pctStart?: number
  /** default 'cos' */ annealStrategy?: 'cos' | 'linear'
  /** Whether momentum (or the first beta) falls while rates rise, and the other way round; default true. */
  cycleMomentum?: boolean
  /** default 0.85 */ baseMomentum?: number
  /** default 0.95 */ maxMomentum?: number
  /** The first rate is `maxLr / divFactor`; default 25. */ divFactor?: number
  /** The last rate is the first divided by it; default 1e4. */ finalDivFactor?: number
  /** Whether rates fall as they rose before they fall to the end; default false. */ threePhase?: boolean
}

/**
 * Rates that rise to `maxLr` and fall far below where they began. Smith, Topin 2019;
 * `torch.optim.lr_scheduler.OneCycleLR`. It needs `totalSteps`: a further step is an error.
 */
export class OneCycleLR extends LRScheduler {
  readonly #phases: readonly Phase[]
  readonly #isCosine: boolean
  readonly #cycles: boolean
  readonly #total: number

  constructor(optimizer: Optimizer<any>, options: OneCycleOptions) {
    const where = 'OneCycleLR'
    super(optimizer, where)
    const known = [
      'maxLr',
      'totalSteps',
      'pctStart',
      'annealStrategy',
      'cycleMomentum',
      'baseMomentum',
      'maxMomentum',
      'divFactor',
      'finalDivFactor',
      'threePhase',
    ]
    const {
      maxLr,
      totalSteps,
      pctStart = 0.3,
      annealStrategy = 'cos',
      cycleMomentum = true,
      baseMomentum = 0.85,
      maxMomentum = 0.95,
      divFactor = 25,
      finalDivFactor = 1e4,
      threePhase = false,
    } = checkOptions(options, known, where)
    const most = checkPositive(maxLr, `${where}: maxLr`)
    this.#total = checkSize(totalSteps, `${where}: totalSteps`, 1)
    if (checkNumber(pctStart, `${where}: pctStart`) < 0 || pctStart > 1)
      throw new UsageError(`${where}: pctStart must be from 0 to 1, not ${pctStart}`)
    this.#isCosine = checkWord(annealStrategy, ['cos', 'linear'], `${where}: annealStrategy`) === 'cos'
    this.#cycles = checkBoolean(cycleMomentum, `${where}: cycleMomentum`)
    checkBoolean(threePhase, `${where}: threePhase`)
    for (const momentum of [baseMomentum, maxMomentum]) {
      if (checkNumber(momentum, `${where}: momentum`) < 0 || momentum >= 1)
        throw new UsageError(`${where}: momenta must be from 0 to below 1, not ${momentum}`)
    }
    const first = most / checkPositive(divFactor, `${where}: divFactor`)
    const last = first / checkPositive(finalDivFactor, `${where}: finalDivFactor`)
    const rise = pctStart * this.#total - 1
    const up = { end: rise, rates: [first, most], momenta: [maxMomentum, baseMomentum] } as const
    const end = this.#total - 1
    this.#phases = threePhase
      ? [
          up,
          { end: 2 * rise, rates: [most, first], momenta: [baseMomentum, maxMomentum] },
          { end, rates: [first, last], momenta: [maxMomentum, maxMomentum] },
        ]
      : [up, { end, rates: [most, last], momenta: [baseMomentum, maxMomentum] }]
    if (this.#cycles) {
      for (const { options } of this.groups) {
        if (!('momentum' in options) && !('betas' in options))
          throw new UsageError(`${where}: the optimizer has neither momentum nor betas: set cycleMomentum: false`)
      }
    }
    this.set()
  }

  /** The place in the cycle: the phase of a step, and how much of it is done. */
  #at(step: number): { phase: Phase; done: number } {
    let start = 0
    const last = this.#phases.length - 1
    for (const [i, phase] of this.#phases.entries()) {
      if (step <= phase.end || i === last) return { phase, done: (step - start) / (phase.end - start) }
      start = phase.end
    }
    throw new UsageError('OneCycleLR: there is no phase')
  }

  #between([from, to]: readonly [number, number], done: number): number {
    return this.#isCosine ? to + ((from - to) / 2) * (Math.cos(Math.PI * done) + 1) : (to - from) * done + from
  }

  /** @internal */
  protected override next(step: number): number {
    if (step > this.#total) {
      throw new UsageError(`OneCycleLR: step ${step} is beyond the cycle of ${this.#total} steps: make a new schedule`)
    }
    const { phase, done } = this.#at(step)
    return this.#between(phase.rates, done)
  }

  /** @internal */
  protected override set(): void {
    super.set()
    if (!this.#cycles) return
    const { phase, done } = this.#at(this.current)
    const momentum = this.#between(phase.momenta, done)
    for (const group of this.groups as readonly ParameterGroup<any>[]) {
      const { betas } = group.options as { betas?: [number, number] }
      group.set(betas === undefined ? { momentum } : { betas: [momentum, betas[1]] })
    }
  }
}

export interface PlateauOptions {
  /** Whether the metric should fall or rise; default 'min'. */ mode?: 'min' | 'max'
  /** What rates are multiplied by, below 1; default 0.1. */ factor?: number
  /** Steps without a better metric that are tolerated; default 10. */ patience?: number
  /** What counts as better; default 1e-4. */ threshold?: number
  /** Whether the threshold is a share of the best metric or a difference; default 'rel'. */ thresholdMode?:
    | 'rel'
    | 'abs'
  /** Steps after a reduction in which nothing counts; default 0. */ cooldown?: number
  /** Rates fall no further; default 0. */ minLr?: number
  /** Smaller changes of a rate are left out; default 1e-8. */ eps?: number
}

/**
 * Reduces the rates when a metric, such as the loss of held-out data, gets no better. `step` takes the metric.
 * `torch.optim.lr_scheduler.ReduceLROnPlateau`.
 *
 * ```ts
 * const schedule = new ReduceLROnPlateau(optimizer, { patience: 3 })
 * schedule.step(heldOutLoss)
 * ```
 */
export class ReduceLROnPlateau {
  readonly #optimizer: Optimizer<{ lr: number }>
  readonly #options: Required<PlateauOptions>
  #best: number
  #bad = 0
  #cooling = 0
  #step = 0
  /** @internal */
  readonly structuredClone = PLATEAUS.uncloneable

  constructor(optimizer: Optimizer<any>, options?: PlateauOptions) {
    const where = 'ReduceLROnPlateau'
    if (!(optimizer instanceof Optimizer))
      throw new UsageError(`${where}: expected an optimizer, not ${show(optimizer)}`)
    const usual = {
      mode: 'min',
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: 'rel',
      cooldown: 0,
      minLr: 0,
      eps: 1e-8,
    } as const
    const all: Required<PlateauOptions> = { ...usual, ...checkOptions(options, Object.keys(usual), where) }
    checkWord(all.mode, ['min', 'max'], `${where}: mode`)
    checkWord(all.thresholdMode, ['rel', 'abs'], `${where}: thresholdMode`)
    if (checkPositive(all.factor, `${where}: factor`) >= 1)
      throw new UsageError(`${where}: factor must be below 1, not ${all.factor}`)
    checkSize(all.patience, `${where}: patience`)
    checkSize(all.cooldown, `${where}: cooldown`)
    for (const name of ['threshold', 'minLr', 'eps'] as const) {
      if (checkNumber(all[name], `${where}: ${name}`) < 0)
        throw new UsageError(`${where}: ${name} must not be negative, not ${all[name]}`)
    }
    this.#optimizer = optimizer
    this.#options = all
    this.#best = all.mode === 'min' ? Infinity : -Infinity
  }

  /** The present rate of the first group. */
  get lr(): number {
    return this.#optimizer.lr
  }

  /** The present rate of each group. */
  getLastLr(): number[] {
    return this.#optimizer.groups.map(({ lr }) => lr)
  }

  #isBetter(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options
    if (thresholdMode === 'abs')
      return mode === 'min' ? metric < this.#best - threshold : metric > this.#best + threshold
    // An infinite best is beaten by every number.
    return mode === 'min' ? metric < this.#best * (1 - threshold) : metric > this.#best * (1 + threshold)
  }

  /**
   * Reads the metric of one more step or epoch. @throws UsageError if it is not a number; NaN is no better than others.
   */
  step(metric: number): void {
    if (typeof metric !== 'number')
      throw new UsageError(`ReduceLROnPlateau.step takes the metric, a number, not ${show(metric)}`)
    const { patience, cooldown, factor, minLr, eps } = this.#options
    this.#step++
    if (this.#isBetter(metric)) {
      this.#best = metric
      this.#bad = 0
    } else this.#bad++
    if (this.#cooling > 0) {
      this.#cooling--
      this.#bad = 0
    }
    if (this.#bad <= patience) return
    for (const group of this.#optimizer.groups) {
      const lr = Math.max(group.lr * factor, minLr)
      if (group.lr - lr > eps) group.lr = lr
    }
    this.#cooling = cooldown
    this.#bad = 0
  }

  /** The state of the schedule; the rates themselves are the optimizer's. An infinite best is null. */
  stateDict(): SchedulerState {
    const best = Number.isFinite(this.#best) ? this.#best : null
    return { step: this.#step, best, badSteps: this.#bad, cooldown: this.#cooling }
  }

  /** Restores a state. @throws UsageError for another object; nothing has changed then. */
  loadStateDict(state: SchedulerState): this {
    const where = 'ReduceLROnPlateau.loadStateDict'
    const { step, best, badSteps, cooldown } = checkOptions(state, ['step', 'best', 'badSteps', 'cooldown'], where)
    const sizes = [step, badSteps, cooldown].map((size) => checkSize(size, `${where}: step, badSteps and cooldown`))
    const known = best === null ? null : checkNumber(best, `${where}: best`)
    ;[this.#step, this.#bad, this.#cooling] = sizes
    this.#best = known ?? (this.#options.mode === 'min' ? Infinity : -Infinity)
    return this
  }

  static {
    guardReceivers(this, (value) => #optimizer in value)
    PLATEAUS.guard(this, (value) => #optimizer in value)
  }
}

/**
 * Several schedules of one optimizer, each of which changes the rates that the one before left.
 * `torch.optim.lr_scheduler.ChainedScheduler`.
 */
export class ChainedScheduler {
  readonly #schedules: readonly LRScheduler[]
  /** @internal */
  readonly structuredClone = CHAINS.uncloneable

  constructor(schedules: readonly LRScheduler[]) {
    const where = 'ChainedScheduler'
    if (!isArray(schedules) || schedules.length === 0)
      throw new UsageError(`${where}: expected an array of schedules, not ${show(schedules)}`)
    this.#schedules = eachOf(schedules as LRScheduler[], (one) => {
      if (isObject(one) && one instanceof LRScheduler) return one
      throw new UsageError(`${where}: ${show(one)} is not a schedule such as StepLR`)
    })
  }

  /** The present rate of the first group. */
  get lr(): number {
    return this.#schedules[0].lr
  }

  /** The present rate of each group. */
  getLastLr(): number[] {
    return this.#schedules[0].getLastLr()
  }

  /** Steps all schedules, in order. */
  step(): void {
    for (const schedule of this.#schedules) schedule.step()
  }

  /** The states of all schedules. */
  stateDict(): SchedulerState {
    return { schedules: this.#schedules.map((schedule) => schedule.stateDict()) }
  }

  /** Restores the states. @throws UsageError for another number of them. */
  loadStateDict(state: SchedulerState): this {
    const where = 'ChainedScheduler.loadStateDict'
    const { schedules } = checkOptions(state, ['schedules'], where)
    if (!isArray(schedules) || schedules.length !== this.#schedules.length)
      throw new UsageError(
        `${where}: schedules must be an array of ${this.#schedules.length} states, not ${show(schedules)}`,
      )
    this.#schedules.forEach((schedule, i) => schedule.loadStateDict(schedules[i] as SchedulerState))
    return this
  }

  static {
    guardReceivers(this, (value) => #schedules in value)
    CHAINS.guard(this, (value) => #schedules in value)
  }
}
