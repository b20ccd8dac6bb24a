// How tables are filled before they learn.

import { UsageError } from '../base/errors.js'
import type { Operand } from '../native/native.js'
import type { Generator } from '../tensor/random.js'
import { checkNumber, checkOptions, isArray, isObject, show } from '../base/validate.js'

/**
 * How a table is drawn: `{ std, mean }` from the normal distribution (`torch.nn.init.normal_`), `{ uniform: bound }`
 * from [-bound, bound), `{ uniform: [low, high] }` from [low, high) (`torch.nn.init.uniform_`). With `'zeros'` nothing
 * is drawn.
 */
export type Init =
  | 'zeros'
  | {
      std: number
      /** Default 0. */
      mean?: number
    }
  | { uniform: number | readonly [low: number, high: number] }

/** Fills zeroed float32 memory. */
export type Fill = (generator: Generator, out: Operand) => void

/** N(0, 1), as PyTorch draws its tables. */
const STANDARD: Fill = (generator, out) => generator.normal(out)
const FORMS = "{ std }, { uniform } or 'zeros'"

/** The fill that an `init` option asks for; without the option it is `otherwise`, which is N(0, 1) by default. */
export function checkInit(init: unknown, where: string, otherwise = STANDARD): Fill {
  if (init === undefined) return otherwise
  if (init === 'zeros') return () => {}
  if (!isObject(init) || isArray(init)) throw new UsageError(`${where} must be ${FORMS}, not ${show(init)}`)
  const { std, mean, uniform } = checkOptions(
    init as { std?: unknown; mean?: unknown; uniform?: unknown },
    ['std', 'mean', 'uniform'],
    where,
  )
  if ((std === undefined) === (uniform === undefined))
    throw new UsageError(`${where} must be ${FORMS}, not ${show(init)}`)
  if (uniform !== undefined) {
    if (mean !== undefined)
      throw new UsageError(`${where}: mean works only with std: for { uniform } write [low, high]`)
    const [low, high] = bounds(uniform, `${where}.uniform`)
    return (generator, out) => generator.uniform(out, low, high)
  }
  const [spread, center] = [float(std, `${where}.std`), mean === undefined ? 0 : float(mean, `${where}.mean`)]
  if (spread < 0) throw new UsageError(`${where}.std must not be negative, not ${spread}`)
  return (generator, out) => generator.normal(out, center, spread)
}

/** The bounds of a uniform distribution, low and high. */
function bounds(uniform: unknown, where: string): [low: number, high: number] {
  if (!isArray(uniform)) {
    const bound = float(uniform, where)
    if (bound < 0)
      throw new UsageError(`${where} must not be negative, not ${bound}: values are drawn from -bound to bound`)
    return [-bound, bound]
  }
  if (uniform.length !== 2) throw new UsageError(`${where} must be a number or [low, high], not ${show(uniform)}`)
  const [low, high] = [float(uniform[0], `${where}[0]`), float(uniform[1], `${where}[1]`)]
  if (low > high) throw new UsageError(`${where}: in [low, high], low must not exceed high: [${low}, ${high}]`)
  if (!Number.isFinite(Math.fround(high - low)))
    throw new UsageError(`${where}: the range from ${low} to ${high} does not fit in a float32`)
  return [low, high]
}

/** Checks that a number fits in a float32. */
function float(value: unknown, where: string): number {
  const number = checkNumber(value, where)
  if (Number.isFinite(Math.fround(number))) return number
  throw new UsageError(`${where}: ${number} does not fit in a float32`)
}
