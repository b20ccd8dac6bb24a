// Ends a training when what it learned does not become better over something that it does not learn from.

import { UsageError } from '../base/errors.js'
import { checkFunction, checkNumber, checkOptions, checkSize, show } from '../base/validate.js'
import type { Corpus } from './corpus.js'
import type { TrainResult } from './result.js'

/** Text that a run does not learn from, and over which its loss is computed now and then. */
export interface HeldOutOptions {
  /**
   * The text, in any form that the trainer's corpus may have, read as that is. Words, and classes, that are not learned
   * are left out.
   */
  corpus: Corpus
  /** Number of batches from one evaluation to the next; default 1000. The end of the training is evaluated, too. */
  every?: number
}

/**
 * When to stop, by a value over text that is held out, as `EarlyStopping` of PyTorch Lightning with its defaults and
 * mode `min`. Evaluations take place after fixed numbers of batches, so that where a training stops does not depend on
 * time.
 */
export interface EarlyStopping {
  /**
   * Says how good what was learned so far is, as a number of which lower is better: a loss over held-out text, or an
   * accuracy with a minus before it. The result holds copies; they are freed afterwards, unless they are the best.
   * With `heldOut`, leave it out: its loss is the value then.
   */
  evaluate?: (result: TrainResult) => number | Promise<number>
  /**
   * Number of batches from one evaluation to the next; default 1000. The end of the training is evaluated, too. With
   * `heldOut`, leave it out.
   */
  every?: number
  /** Number of evaluations in sequence without a better value after which the training stops; default 3. */
  patience?: number
  /** How much lower than the best a value must be to be better; default 0. */
  minDelta?: number
}

/** The evaluations of a run. */
export class Watch {
  /** Gives the value: the caller's, or the loss over what is held out. */
  readonly #evaluate: EarlyStopping['evaluate'] | null
  /** Whether the training may be stopped. */
  readonly #stops: boolean
  readonly #every: number
  readonly #patience: number
  readonly #minDelta: number
  readonly #where: string
  #best: { value: number; result: TrainResult } | null = null
  #waited = 0
  /** Pairs of a step and the value there. */
  readonly values: [step: number, value: number][] = []

  /** @throws UsageError for options that cannot be used. */
  constructor(options: EarlyStopping | undefined, heldOut: HeldOutOptions | undefined, run: string) {
    const where = `${run}: ${options === undefined ? 'heldOut' : 'earlyStopping'}`
    const known = ['evaluate', 'every', 'patience', 'minDelta']
    const { evaluate, every, patience = 3, minDelta = 0 } = checkOptions(options, known, where)
    if (heldOut === undefined) checkFunction(evaluate, `${where}: evaluate`)
    else if (evaluate !== undefined || every !== undefined)
      throw new UsageError(
        `${where}: with heldOut its loss is followed, every heldOut.every batches: leave ${evaluate === undefined ? 'every' : 'evaluate'} out`,
      )
    this.#evaluate = evaluate ?? null
    this.#stops = options !== undefined
    this.#every = checkSize(heldOut?.every ?? every ?? 1000, `${where}: every`, 1)
    this.#patience = checkSize(patience, `${where}: patience`, 1)
    this.#minDelta = checkNumber(minDelta, `${where}: minDelta`)
    if (minDelta < 0) throw new UsageError(`${where}: minDelta must be at least 0, not ${minDelta}`)
    this.#where = where
  }

  /** What was learned where the value was best; null before the first evaluation. */
  get best(): TrainResult | null {
    return this.#best?.result ?? null
  }

  /** The number of batches from a step to the next evaluation. */
  until(step: number): number {
    return this.#every - (step % this.#every)
  }

  isDue(step: number): boolean {
    return step % this.#every === 0 && this.values.at(-1)?.[0] !== step
  }

  /** Whether the value is the loss over what is held out. */
  get isOfHeldOut(): boolean {
    return this.#evaluate === null
  }

  /** Takes a loss over what is held out; `result` gives what was learned. Returns whether the training should stop. */
  follow(step: number, loss: number, result: () => TrainResult): boolean {
    this.values.push([step, loss])
    if (!this.#stops) return false
    if (!this.#isBetter(loss)) return ++this.#waited >= this.#patience
    this.#keep(loss, result())
    return false
  }

  #isBetter(value: number): boolean {
    return this.#best === null || value < this.#best.value - this.#minDelta
  }

  #keep(value: number, result: TrainResult): void {
    if (this.#best !== null) free(this.#best.result)
    this.#best = { value, result }
    this.#waited = 0
  }

  /** Evaluates what was learned, by the caller's function. Returns whether the training should stop. */
  async look(step: number, result: TrainResult): Promise<boolean> {
    let isKept = false
    try {
      const value: unknown = await this.#evaluate!(result)
      if (typeof value !== 'number' || !Number.isFinite(value))
        throw new UsageError(`${this.#where}: evaluate must give a finite number, not ${show(value)} at step ${step}`)
      this.values.push([step, value])
      isKept = this.#isBetter(value)
      if (!isKept) return ++this.#waited >= this.#patience
      this.#keep(value, result)
      return false
    } finally {
      if (!isKept) free(result)
    }
  }
}

function free({ tensors, embedding }: TrainResult): void {
  embedding.dispose()
  for (const table of Object.values(tensors)) table.dispose()
}
