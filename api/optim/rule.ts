// What an optimizer is, as the steps that all share need it.

import { UsageError } from '../base/errors.js'
import { checkNumber, isArray, show } from '../base/validate.js'

/** An optimizer's own: which it is, its numbers, its state. */
export interface Rule<O> {
  /** As the native side numbers it. */
  readonly kind: number
  /** Its numbers, as the native side orders them. */
  numbers(options: O): readonly number[]
  /** The names of its state, as `stateDict` has them: none, one, or two, each of the parameter's shape. */
  state(options: O): readonly string[]
  /** Whether state is one number a row. */
  readonly byRow?: boolean
  /** What state begins with; default 0. */
  initial?(options: O): number
  /** Of gradients in rows alone: rows that got none stay; dense ones are refused. */
  readonly rowsAlone?: boolean
  /** Rows without a gradient move, and may catch up later. */
  readonly catchesUp?: boolean
}

/** A number that is not negative, finite. */
export function checkRate(value: unknown, where: string): number {
  const number = checkNumber(value, where)
  if (number < 0) throw new UsageError(`${where} must not be negative, not ${number}`)
  return number
}

/** Two numbers from 0 on, below 1. */
export function checkBetas(betas: unknown, where: string): void {
  const good = (beta: unknown) => typeof beta === 'number' && beta >= 0 && beta < 1
  if (isArray(betas) && betas.length === 2 && betas.every(good)) return
  throw new UsageError(`${where}: betas are two numbers from 0 to below 1, not ${show(betas)}`)
}
