// Scaling of rotary frequencies: checks the user's options and converts them for the native side.

import { UsageError } from '../../base/errors.js'
import type { RotaryScale } from '../../native/native.js'
import { checkBoolean, checkNumber, checkOptions, isObject, show } from '../../base/validate.js'

/**
 * How rotary frequencies are scaled for contexts longer than the `originalContext` that a model was trained with;
 * `factor` says how many times longer they become. With `f = base^(-2p / dim)`:
 *
 * - `linear`: f / factor (Chen et al. 2023, position interpolation);
 * - `dynamic`: for sequences of length L beyond the original context C the base becomes
 *   `base * (factor * L / C - (factor - 1))^(dim / (dim - 2))` (dynamic NTK). L is one more than the largest position
 *   of a call. So a shorter call uses other angles, and decoding token by token equals one call on the whole sequence
 *   only up to C;
 * - `yarn`: pairs that turn more than `betaFast` times (default 32) within C keep f, those that turn less than
 *   `betaSlow` times (default 1) get f / factor, with a ramp between; cosines and sines are multiplied by
 *   `attentionFactor`, by default `0.1 ln(factor) + 1` (Peng et al. 2023). `truncate` (default true) rounds the ends of
 *   the ramp outwards to whole pairs;
 * - `llama3`: wavelengths below C / highFreqFactor keep f, those above C / lowFreqFactor get f / factor, with a ramp
 *   between (Llama 3.1).
 *
 * Computed in float64, as in Transformers' `ROPE_INIT_FUNCTIONS`.
 */
export type RotaryScaling =
  | { type: 'linear'; factor: number }
  | { type: 'dynamic'; factor: number; originalContext: number }
  | {
      type: 'yarn'
      factor: number
      originalContext: number
      betaFast?: number
      betaSlow?: number
      attentionFactor?: number
      truncate?: boolean
    }
  | { type: 'llama3'; factor: number; originalContext: number; lowFreqFactor: number; highFreqFactor: number }

/** The options that each type of scaling needs, and those that it may have. */
const KINDS: Record<RotaryScaling['type'], { needs: readonly string[]; may: readonly string[] }> = {
  linear: { needs: ['factor'], may: [] },
  dynamic: { needs: ['factor', 'originalContext'], may: [] },
  yarn: { needs: ['factor', 'originalContext'], may: ['betaFast', 'betaSlow', 'attentionFactor', 'truncate'] },
  llama3: { needs: ['factor', 'originalContext', 'lowFreqFactor', 'highFreqFactor'], may: [] },
}

/** Checks a scaling and fills in its defaults. */
export function readScaling(scaling: RotaryScaling | undefined, dim: number, where: string): RotaryScale {
  if (scaling === undefined) return { type: 'none' }
  const type = isObject(scaling) ? scaling.type : undefined
  if (type === undefined || !Object.hasOwn(KINDS, type)) {
    const known = Object.keys(KINDS)
      .map((kind) => `"${kind}"`)
      .join(', ')
    throw new UsageError(
      `${where}: scaling must be { type, factor, ... } with one of the types ${known}, not ${show(scaling)}`,
    )
  }
  const { needs, may } = KINDS[type]
  const name = `${where}: scaling "${type}"`
  const given = checkOptions(scaling, ['type', ...needs, ...may], name) as Record<string, unknown>
  const numbers = Object.fromEntries(needs.map((need) => [need, positive(given, need, name)]))
  if (given.factor !== undefined && (given.factor as number) < 1) {
    throw new UsageError(
      `${name}: factor, by which the context becomes longer, must be at least 1, not ${show(given.factor)}`,
    )
  }
  if (type === 'dynamic' && dim === 2)
    throw new UsageError(`${name} needs a dim of at least 4: with a single pair the base has no effect`)
  if (type === 'llama3' && numbers.lowFreqFactor >= numbers.highFreqFactor) {
    throw new UsageError(
      `${name}: lowFreqFactor ${numbers.lowFreqFactor} must be below highFreqFactor ${numbers.highFreqFactor}`,
    )
  }
  if (type !== 'yarn') return { type, ...numbers } as RotaryScale
  const { betaFast = 32, betaSlow = 1, attentionFactor, truncate = true } = given
  const [fast, slow] = [positive({ betaFast }, 'betaFast', name), positive({ betaSlow }, 'betaSlow', name)]
  if (slow >= fast) throw new UsageError(`${name}: betaSlow ${slow} must be below betaFast ${fast}`)
  const attention = attentionFactor === undefined ? undefined : positive(given, 'attentionFactor', name)
  const { factor, originalContext } = numbers
  return {
    type,
    factor,
    originalContext,
    betaFast: fast,
    betaSlow: slow,
    attentionFactor: attention,
    truncate: checkBoolean(truncate, `${name}: truncate`),
  }
}

function positive(given: Record<string, unknown>, name: string, where: string): number {
  if (given[name] === undefined) throw new UsageError(`${where} needs ${name}: a positive number`)
  const value = checkNumber(given[name], `${where}: ${name}`)
  if (value <= 0) throw new UsageError(`${where}: ${name} must be positive, not ${value}`)
  return value
}
