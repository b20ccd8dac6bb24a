// Learning rates that change during training.

import { Contents } from '../base/contents.js'
import { UsageError } from '../base/errors.js'
import { Optimizer } from './optimizer.js'
import { guardReceivers } from '../base/receivers.js'
import { checkNumber, checkOptions, checkSize, checkWord, isArray, show } from '../base/validate.js'

export interface ScheduleOptions {
  /** `constant`; `linear` falls to `minLr` at `totalSteps`; `cosine` falls to it along half a cosine. */
  type: 'constant' | 'linear' | 'cosine'
  /** Number of steps in which rates rise from 0 to those of the optimizer; default 0. */
  warmupSteps?: number
  /** The step from which on rates stay at `minLr`; not for `constant`. */
  totalSteps?: number
  /** The rate at the end; default 0. */
  minLr?: number
}

/** The state of a schedule. */
export interface ScheduleState {
  step: number
  /** The rates of the optimizer's groups when the schedule was made. */
  baseLrs: number[]
}

const TYPES = ['constant', 'linear', 'cosine'] as const

const CONTENTS = new Contents<LRSchedule>('LRSchedule', {
  instead: 'save stateDict() and restore it with loadStateDict()',
})

/**
 * Sets the learning rates of an optimizer step by step: the rate that each group has now is multiplied by the factor of
 * the schedule. The rates are those of `get_constant_schedule_with_warmup`, `get_linear_schedule_with_warmup` and
 * `get_cosine_schedule_with_warmup` of transformers, and of PyTorch's `CosineAnnealingLR` with `minLr` as `eta_min`;
 * after `totalSteps` they stay at the last value.
 *
 * ```ts
 * const schedule = new LRSchedule(optimizer, { type: 'cosine', warmupSteps: 100, totalSteps: 5000 })
 * for (...) { ...; optimizer.step(); schedule.step() }
 * ```
 */
export class LRSchedule {
  readonly #optimizer: Optimizer<{ lr: number }>
  readonly #type: 'constant' | 'linear' | 'cosine'
  readonly #warmup: number
  readonly #total: number
  readonly #minLr: number
  #base: number[]
  #step = 0
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /** Sets the rates of step 0. @throws UsageError for invalid options. */
  constructor(optimizer: Optimizer<any>, options: ScheduleOptions) {
    const where = 'LRSchedule'
    if (!(optimizer instanceof Optimizer))
      throw new UsageError(`${where}: expected an optimizer, not ${show(optimizer)}`)
    const {
      type,
      warmupSteps = 0,
      totalSteps,
      minLr = 0,
    } = checkOptions(options, ['type', 'warmupSteps', 'totalSteps', 'minLr'], where)
    this.#type = checkWord(type, TYPES, `${where}: type`)
    this.#warmup = checkSize(warmupSteps, `${where}: warmupSteps`)
    if (this.#type === 'constant' && (totalSteps !== undefined || minLr !== 0)) {
      throw new UsageError(`${where}: type "constant" takes neither totalSteps nor minLr`)
    }
    this.#total = this.#type === 'constant' ? Infinity : checkSize(totalSteps, `${where}: totalSteps`, 1)
    if (this.#total <= this.#warmup)
      throw new UsageError(`${where}: warmupSteps ${this.#warmup} must be less than totalSteps ${this.#total}`)
    this.#optimizer = optimizer
    this.#base = optimizer.groups.map(({ lr }) => lr)
    this.#minLr = checkNumber(minLr, `${where}: minLr`)
    const least = Math.min(...this.#base)
    if (minLr < 0 || minLr > least)
      throw new UsageError(`${where}: minLr must be from 0 to the smallest rate of the groups, ${least}, not ${minLr}`)
    this.#set()
  }

  /** The step whose rates are set, from 0 on. */
  get current(): number {
    return this.#step
  }

  /** The rate of the first group. */
  get lr(): number {
    return this.#optimizer.lr
  }

  /** The rate at any step of a group that starts from `base`. */
  at(step: number, base = this.#base[0]): number {
    checkSize(step, 'LRSchedule.at: step')
    checkNumber(base, 'LRSchedule.at: base')
    if (step < this.#warmup) return base * (step / this.#warmup)
    if (this.#type === 'constant') return base
    const done = Math.min(1, (step - this.#warmup) / (this.#total - this.#warmup))
    const share =
      this.#type === 'linear'
        ? (this.#total - Math.min(step, this.#total)) / (this.#total - this.#warmup)
        : 0.5 * (1 + Math.cos(Math.PI * done))
    return this.#minLr + (base - this.#minLr) * share
  }

  /** Sets the rates of the next step. Call it after the optimizer's `step`. */
  step(): void {
    this.#step++
    this.#set()
  }

  #set(): void {
    this.#optimizer.groups.forEach((group, i) => {
      group.lr = this.at(this.#step, this.#base[i])
    })
  }

  /** The state of the schedule, as a small JSON value. */
  stateDict(): ScheduleState {
    return { step: this.#step, baseLrs: [...this.#base] }
  }

  /** Restores a state and sets the rates. @throws UsageError for a state of other groups; nothing has changed then. */
  loadStateDict(state: ScheduleState): this {
    const where = 'LRSchedule.loadStateDict'
    const { step, baseLrs } = checkOptions(state, ['step', 'baseLrs'], where)
    checkSize(step, `${where}: step`)
    if (!isArray(baseLrs) || baseLrs.length !== this.#base.length) {
      throw new UsageError(
        `${where}: baseLrs must be an array of the rates of ${this.#base.length} groups, not ${show(baseLrs)}`,
      )
    }
    for (const lr of baseLrs) {
      if (checkNumber(lr, `${where}: baseLrs`) < this.#minLr)
        throw new UsageError(`${where}: a rate of ${lr} is below minLr ${this.#minLr}`)
    }
    this.#step = step!
    this.#base = [...baseLrs]
    this.#set()
    return this
  }

  static {
    guardReceivers(this, (value) => #optimizer in value)
    CONTENTS.guard(this, (value) => #optimizer in value)
  }
}
