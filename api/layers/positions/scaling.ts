// How rotary frequencies are scaled: what users write, as the native side takes it.

import { UsageError } from '../../base/errors.js'
import { checkBoolean, checkNumber, checkOptions, isObject, show } from '../../base/validate.js'

/**
 * How the frequencies of a rotation are changed for contexts longer than the `originalContext` that a model was trained
 * with; `factor` is how many times longer they become. With `f = base^(-2p / dim)`:
 *
 * - `linear`: f / factor (Chen et al. 2023, position interpolation);
 * - `dynamic`: for sequences of length L beyond the original context C the base becomes `base * (factor * L / C - (factor -
 *   1))^(dim / (dim - 2))` (dynamic NTK); L is the largest position of a call, plus 1, so that what was rotated in a
 *   shorter call has other angles, and decoding token by token is the whole only up to C;
 * - `yarn`: pairs that turn more than `betaFast` times (default 32) within C keep f, those that turn less than `betaSlow`
 *   times (default 1) get f / factor, a ramp between; cosines and sines are multiplied by `attentionFactor`, by default
 *   `0.1 ln(factor) + 1` (Peng et al. 2023). `truncate` (default true) rounds the ends of the ramp outwards to pairs;
 * - `llama3`: wavelengths below C / highFreqFactor keep f, those above C / lowFreqFactor get f / factor, a ramp between
 *   (Llama 3.1).
 *
 * As Transformers' `ROPE_INIT_FUNCTIONS`, in float64.
 */
export type RotaryScaling =
  | { type: 'linear'; factor: number }
  | { type: 'dynamic'; factor: number; originalContext: number }
  | {
      type: 'yarn'; factor: number; originalContext: number; betaFast?: number; betaSlow?: number
      attentionFactor?: number; truncate?: boolean
    }
  | { type: 'llama3'; factor: number; originalContext: number; lowFreqFactor: number; highFreqFactor: number }

/** What each kind is called, the native side's number for it, and what it needs. */
const KINDS: Record<RotaryScaling['type'], { code: number; needs: readonly string[]; may: readonly string[] }> = {
  linear: { code: 1, needs: ['factor'], may: [] },
  dynamic: { code: 2, needs: ['factor', 'originalContext'], may: [] },
  yarn: { code: 3, needs: ['factor', 'originalContext'], may: ['betaFast', 'betaSlow', 'attentionFactor', 'truncate'] },
  llama3: { code: 4, needs: ['factor', 'originalContext', 'lowFreqFactor', 'highFreqFactor'], may: [] },
}

/** The scaling as a number of its kind and those that it needs, in order. */
export function readScaling(scaling: RotaryScaling | undefined, dim: number, where: string): { kind: number; numbers: number[] } {
  if (scaling === undefined) return { kind: 0, numbers: [] }
  const type = isObject(scaling) ? scaling.type : undefined
  if (type === undefined || !Object.hasOwn(KINDS, type)) {
    const known = Object.keys(KINDS).map((kind) => `"${kind}"`).join(', ')
    throw new UsageError(`${where}: scaling is { type, factor, ... } with a type of ${known}, not ${show(scaling)}`)
  }
  const { code, needs, may } = KINDS[type]
  const name = `${where}: scaling "${type}"`
  const given = checkOptions(scaling, ['type', ...needs, ...may], name) as Record<string, unknown>
  const numbers = needs.map((need) => positive(given, need, name))
  if (given.factor !== undefined && (given.factor as number) < 1) {
    throw new UsageError(`${name}: factor is how many times longer the context becomes: at least 1, not ${show(given.factor)}`)
  }
  if (type === 'dynamic' && dim === 2) throw new UsageError(`${name} needs a dim of at least 4: of one pair the base does not matter`)
  if (type === 'llama3' && numbers[2] >= numbers[3]) {
    throw new UsageError(`${name}: lowFreqFactor ${numbers[2]} must be below highFreqFactor ${numbers[3]}`)
  }
  if (type !== 'yarn') return { kind: code, numbers }
  const { betaFast = 32, betaSlow = 1, attentionFactor, truncate = true } = given
  const [fast, slow] = [positive({ betaFast }, 'betaFast', name), positive({ betaSlow }, 'betaSlow', name)]
  if (slow >= fast) throw new UsageError(`${name}: betaSlow ${slow} must be below betaFast ${fast}`)
  const attention = attentionFactor === undefined ? NaN : positive(given, 'attentionFactor', name)
  return { kind: code, numbers: [...numbers, fast, slow, attention, checkBoolean(truncate, `${name}: truncate`) ? 1 : 0] }
}

function positive(given: Record<string, unknown>, name: string, where: string): number {
  if (given[name] === undefined) throw new UsageError(`${where} needs ${name}: a positive number`)
  const value = checkNumber(given[name], `${where}: ${name}`)
  if (value <= 0) throw new UsageError(`${where}: ${name} must be positive, not ${value}`)
  return value
}
