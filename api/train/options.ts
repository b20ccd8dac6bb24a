// The options of a trainer: checked, kept with a checkpoint, and passed to the native side.

import { isWrongUse, UsageError } from '../base/errors.js'
import { checkAll, checkFields, type Fields, type Words } from '../base/fields.js'
import {
  checkBoolean,
  checkOptions,
  checkSize,
  checkText,
  checkWord,
  isArray,
  isObject,
  show,
} from '../base/validate.js'
import type { Json } from '../base/json.js'
import { Tokenizer } from '../text/tokenizer.js'
import {
  FIELDS,
  MAX_RATIO,
  OBJECTIVES,
  type CommonOptions,
  type Objective,
  type PairTrainerOptions,
  type TrainerOptions,
} from './objectives.js'
import { checkStart, START, type Start } from './start.js'

/**
 * The options with their defaults: how the corpus is read, those that every objective has, and the objective's own by
 * name.
 */
export interface CheckedOptions extends Required<Omit<CommonOptions, 'tokenizer' | 'lowercase' | 'tokenPattern'>> {
  objective: Objective
  /** Only where the caller gave them. */
  lowercase?: boolean
  tokenPattern?: string
  [option: string]: unknown
}

const READING = ['objective', 'tokenizer', 'invalidUtf8', 'maxRatio', 'lowercase', 'tokenPattern']
const INVALID = ['throw', 'replace'] as const

const WORDS: Words = {
  tooSmall: (value, least) => `must be a number of at least ${least}, not ${value}`,
  betas: 'must be',
}

/** Checks all options of a trainer. */
export function checkTrainer(
  options: TrainerOptions,
  where: string,
): { checked: CheckedOptions; tokenizer: Tokenizer | null; start: Start | null } {
  const objective = checkWord((isObject(options) ? options : undefined)?.objective, OBJECTIVES, `${where}: objective`)
  const fields = FIELDS[objective]
  const given = {
    ...checkOptions<TrainerOptions>(
      options,
      [...READING, ...START, ...Object.keys(fields)],
      `${where} of ${objective}`,
    ),
  }
  const tokenizer = checkTokenizer(given.tokenizer, where)
  const checked = {
    objective,
    ...checkFields(fields, { ...given, vocabSize: given.vocabSize ?? tokenizer?.vocabSize ?? 0 }, where, WORDS),
    invalidUtf8: checkWord(given.invalidUtf8 ?? 'throw', INVALID, `${where}: invalidUtf8`),
    maxRatio: checkSize(given.maxRatio ?? MAX_RATIO, `${where}: maxRatio`, 1),
    ...checkWords(given, tokenizer, where),
  }
  const whole = checked as unknown as CheckedOptions & { dim: number }
  return { checked: whole, tokenizer, start: checkStart(given as Partial<PairTrainerOptions>, whole, where) }
}

/** How words are read, where that is asked for. */
function checkWords(
  { objective, lowercase, tokenPattern }: Partial<TrainerOptions>,
  tokenizer: Tokenizer | null,
  where: string,
): { lowercase?: boolean; tokenPattern?: string } {
  if (lowercase === undefined && tokenPattern === undefined) return {}
  const name = lowercase === undefined ? 'tokenPattern' : 'lowercase'
  if (tokenizer !== null)
    throw new UsageError(
      `${where}: ${name} is for words, but the tokenizer divides the texts: leave one of the two out`,
    )
  if (objective === 'classify')
    throw new UsageError(
      `${where}: ${name} is not for classify, whose models read texts as they are: change the texts before`,
    )
  return {
    ...(lowercase !== undefined && { lowercase: checkBoolean(lowercase, `${where}: lowercase`) }),
    ...(tokenPattern !== undefined && { tokenPattern: checkText(tokenPattern, `${where}: tokenPattern`) }),
  }
}

function checkTokenizer(tokenizer: unknown, where: string): Tokenizer | null {
  if (tokenizer === undefined) return null
  if (tokenizer instanceof Tokenizer) return tokenizer
  throw new UsageError(`${where}: tokenizer must be a Tokenizer, not ${show(tokenizer)}`)
}

/** Whether a value has the type of an option; bounds are not checked. */
function isOfKind(value: unknown, field: Fields[string]): boolean {
  if (field.kind === 'flag') return typeof value === 'boolean'
  if (field.kind === 'betas') return isArray(value) && value.length === 2 && value.every(Number.isFinite)
  if (field.kind !== 'wordOr') return Number.isFinite(value)
  if (value === field.word) return true
  return (
    isObject(value) &&
    Object.entries(field.options).every(([name, its]) => isOfKind((value as Record<string, unknown>)[name], its))
  )
}

/** Options that were read from a checkpoint; null if the value does not hold options. Other entries are dropped. */
export function keptOptions(kept: unknown): CheckedOptions | null {
  const { objective, invalidUtf8, maxRatio, lowercase, tokenPattern, ...its } = (kept ?? {}) as Partial<CheckedOptions>
  if (!OBJECTIVES.includes(objective as Objective) || !INVALID.includes(invalidUtf8!) || !Number.isFinite(maxRatio))
    return null
  if (!['undefined', 'boolean'].includes(typeof lowercase) || !['undefined', 'string'].includes(typeof tokenPattern))
    return null
  const fields = Object.entries(FIELDS[objective!])
  if (!fields.every(([name, field]) => isOfKind(its[name], field))) return null
  return {
    objective,
    ...Object.fromEntries(fields.map(([name]) => [name, its[name]])),
    invalidUtf8,
    maxRatio,
    ...(lowercase !== undefined && { lowercase }),
    ...(tokenPattern !== undefined && { tokenPattern }),
  } as CheckedOptions
}

/** Says what in a checkpoint's options is out of bounds, and so cannot be what a caller gave; null if nothing is. */
export function beyondBounds(kept: CheckedOptions): string | null {
  try {
    checkAll(FIELDS[kept.objective], kept, 'its config', WORDS)
    checkSize(kept.maxRatio, 'its config: maxRatio', 1)
    return null
  } catch (error) {
    if (!isWrongUse(error)) throw error
    return error.message
  }
}

/** The options that the caller gave for the objective, for the record of the training. */
export function hyperParameters({
  objective: _,
  vocabSize: _size,
  invalidUtf8: _invalid,
  maxRatio: _ratio,
  ...its
}: CheckedOptions): Record<string, Json> {
  return its as Record<string, Json>
}
