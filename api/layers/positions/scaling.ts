// Scaling of rotary frequencies: checks the user's options and converts them for the native side.

import { UsageError } from '../../base/errors.js'
import { kindName } from '../../base/realm.js'
import type { RotaryScale } from '../../native/native.js'
import { checkBoolean, checkNumber, checkOptions, eachOf, isArray, isObject, show } from '../../base/validate.js'

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
 *   `attentionFactor`, by default `(0.1 mscale ln(factor) + 1) / (0.1 mscaleAllDim ln(factor) + 1)`. With the defaults
 *   1 and 0 that is `0.1 ln(factor) + 1` (Peng et al. 2023); DeepSeek's configurations give `mscale` and
 *   `mscale_all_dim`, and their attention multiplies its scores by `(0.1 mscaleAllDim ln(factor) + 1)^2` besides.
 *   `truncate` (default true) rounds the ends of the ramp outwards to whole pairs;
 * - `llama3`: wavelengths below C / highFreqFactor keep f, those above C / lowFreqFactor get f / factor, with a ramp
 *   between (Llama 3.1);
 * - `longrope`: 1 / (shortFactor[p] * base^(2p / dim)) for sequences within the original context, and longFactor[p] in
 *   its place for longer ones; the length is that of a call, as for `dynamic`. Cosines and sines are multiplied by
 *   `attentionFactor`, by default `sqrt(1 + ln(factor) / ln(originalContext))` (Ding et al. 2024; Phi-3, whose
 *   `original_max_position_embeddings` and `max_position_embeddings` give originalContext and factor);
 * - `proportional`: the first `partialRotaryFactor * dim / 2` pairs (default: all) get f / factor (default 1), with the
 *   powers of the whole head, and the others do not turn (Gemma 4). `dim` is the whole head.
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
      mscale?: number
      mscaleAllDim?: number
      truncate?: boolean
    }
  | { type: 'llama3'; factor: number; originalContext: number; lowFreqFactor: number; highFreqFactor: number }
  | {
      type: 'longrope'
      factor: number
      originalContext: number
      shortFactor: ArrayLike<number>
      longFactor: ArrayLike<number>
      attentionFactor?: number
    }
  | { type: 'proportional'; partialRotaryFactor?: number; factor?: number }

/** The numbers that each type of scaling needs, and the other options that it has. */
const KINDS: Record<RotaryScaling['type'], { needs: readonly string[]; has: readonly string[] }> = {
  linear: { needs: ['factor'], has: [] },
  dynamic: { needs: ['factor', 'originalContext'], has: [] },
  yarn: {
    needs: ['factor', 'originalContext'],
    has: ['betaFast', 'betaSlow', 'attentionFactor', 'mscale', 'mscaleAllDim', 'truncate'],
  },
  llama3: { needs: ['factor', 'originalContext', 'lowFreqFactor', 'highFreqFactor'], has: [] },
  longrope: { needs: ['factor', 'originalContext'], has: ['shortFactor', 'longFactor', 'attentionFactor'] },
  proportional: { needs: [], has: ['partialRotaryFactor', 'factor'] },
}

type Given = Record<string, unknown>

/** Arrays that a list of factors may be, besides a plain one. */
const FLOATS: readonly (string | undefined)[] = ['Float32Array', 'Float64Array']

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
  const { needs, has } = KINDS[type]
  const name = `${where}: scaling "${type}"`
  const given = checkOptions(scaling, ['type', ...needs, ...has], name) as Given
  const numbers = Object.fromEntries(needs.map((need) => [need, positive(given, need, name)]))
  if (given.factor !== undefined && positive(given, 'factor', name) < 1) {
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
  const { factor, originalContext } = numbers
  if (type === 'yarn') return { type, factor, originalContext, ...readYarn(given, name) }
  if (type === 'longrope') return { type, factor, originalContext, ...readLong(given, originalContext, dim, name) }
  if (type === 'proportional') {
    const part = given.partialRotaryFactor === undefined ? 1 : positive(given, 'partialRotaryFactor', name)
    if (part > 1)
      throw new UsageError(`${name}: partialRotaryFactor, a part of the pairs, must be at most 1, not ${part}`)
    return { type, factor: (given.factor as number | undefined) ?? 1, partialRotaryFactor: part }
  }
  return { type, ...numbers } as RotaryScale
}

function readYarn(given: Given, name: string) {
  const { betaFast = 32, betaSlow = 1, truncate = true, mscale = 1, mscaleAllDim = 0 } = given
  const [fast, slow] = [positive({ betaFast }, 'betaFast', name), positive({ betaSlow }, 'betaSlow', name)]
  if (slow >= fast) throw new UsageError(`${name}: betaSlow ${slow} must be below betaFast ${fast}`)
  const scales = { mscale, mscaleAllDim }
  for (const [key, value] of Object.entries(scales)) {
    if (checkNumber(value, `${name}: ${key}`) < 0)
      throw new UsageError(`${name}: ${key} must not be negative, not ${show(value)}`)
    if (given[key] !== undefined && given.attentionFactor !== undefined)
      throw new UsageError(`${name}: give either attentionFactor or ${key}, from which it is computed, not both`)
  }
  return {
    betaFast: fast,
    betaSlow: slow,
    attentionFactor: attentionOf(given, name),
    mscale: mscale as number,
    mscaleAllDim: mscaleAllDim as number,
    truncate: checkBoolean(truncate, `${name}: truncate`),
  }
}

function readLong(given: Given, originalContext: number, dim: number, name: string) {
  const attentionFactor = attentionOf(given, name)
  if (attentionFactor === undefined && originalContext <= 1) {
    throw new UsageError(
      `${name}: attentionFactor is computed from ln(originalContext): originalContext must be more than 1, not ${originalContext}, unless you give attentionFactor`,
    )
  }
  const [shortFactor, longFactor] = ['shortFactor', 'longFactor'].map((key) => {
    const list = given[key]
    if (!isArray(list) && !FLOATS.includes(kindName(list)))
      throw new UsageError(`${name} needs ${key}: an array with a number for each pair, not ${show(list)}`)
    if ((list as ArrayLike<unknown>).length !== dim / 2) {
      throw new UsageError(
        `${name}: ${key} must have a number for each of the ${dim / 2} pairs of dim ${dim}, not ${(list as ArrayLike<unknown>).length}`,
      )
    }
    return eachOf(list as ArrayLike<unknown>, (value, p) => positive({ [`${key}[${p}]`]: value }, `${key}[${p}]`, name))
  })
  return { shortFactor, longFactor, attentionFactor }
}

function attentionOf(given: Given, name: string): number | undefined {
  return given.attentionFactor === undefined ? undefined : positive(given, 'attentionFactor', name)
}

function positive(given: Given, name: string, where: string): number {
  if (given[name] === undefined) throw new UsageError(`${where} needs ${name}: a positive number`)
  const value = checkNumber(given[name], `${where}: ${name}`)
  if (value <= 0) throw new UsageError(`${where}: ${name} must be positive, not ${value}`)
  return value
}
