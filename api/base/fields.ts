// Options that are defined in Rust: the form of their tables, which `scripts/options.mjs` generates, and the checks of
// their values.

import { UsageError } from './errors.js'
import { checkBoolean, checkNumber, checkOptions, checkSize, checkWord, isArray, isObject, show } from './validate.js'

/** Names another option, whose value is the default of this one. */
interface Like {
  readonly like: string
}

/**
 * The values that an option may have, and its default. An option without a default must be given, or its reader works
 * it out.
 */
type Field =
  /**
   * True or false. If it is true, the option that `needs` names must not be 0, and the one that `forbids` names must.
   */
  | { readonly kind: 'flag'; readonly needs?: string; readonly forbids?: string; readonly usual: boolean }
  /** A whole number. */
  | { readonly kind: 'size'; readonly least: number; readonly most: number; readonly usual?: number | Like }
  /** A finite number; `missing` says what to give if it has no default. */
  | {
      readonly kind: 'number'
      readonly least?: number
      readonly most?: number
      readonly usual?: number | Like
      readonly missing?: string
    }
  /** Two numbers from 0 to below 1. */
  | { readonly kind: 'betas'; readonly usual: readonly [number, number] }
  /** Two numbers that are not negative, of which the first may be null. */
  | { readonly kind: 'epsilons'; readonly usual: readonly [number | null, number] }
  /** Three numbers. */
  | { readonly kind: 'triple'; readonly usual: readonly [number, number, number] }
  /** One of some words, or null for the first. */
  | { readonly kind: 'word'; readonly words: readonly string[]; readonly usual: string }
  /** The word, which is the default, or an object of options. */
  | { readonly kind: 'wordOr'; readonly word: string; readonly options: Fields }

/** Options by name, in order. */
export type Fields = Readonly<Record<string, Field>>

/** Wording of errors, which differs between optimizers and trainers. */
export interface Words {
  /** The message for a number below `least`. */
  tooSmall(value: number, least: number): string
  readonly betas: 'are' | 'must be'
}

/** The default of an option, given the values known already; undefined if it has none. */
function usualOf(field: Field, values: Readonly<Record<string, unknown>>): unknown {
  if (field.kind === 'wordOr') return field.word
  const { usual } = field
  if (typeof usual === 'object' && 'like' in usual) return values[usual.like]
  return isArray(usual) ? [...usual] : usual
}

/** All options with their defaults, unchecked; an option without a default is NaN. */
export function defaultsOf<O>(fields: Fields): O {
  const defaults: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) defaults[name] = usualOf(field, defaults) ?? NaN
  return defaults as O
}

/** Throws if an option without a default is missing. */
export function checkPresent(options: unknown, fields: Fields, where: string): void {
  for (const [name, field] of Object.entries(fields)) {
    if (field.kind !== 'number' || field.missing === undefined) continue
    const isMissing =
      options === undefined ||
      options === null ||
      (isObject(options) && (options as Record<string, unknown>)[name] === undefined)
    if (isMissing)
      throw new UsageError(`${where}: ${name} is missing: give ${field.missing}, for example { ${name}: 0.1 }`)
  }
}

/** Checks the value of one option and returns a copy; `values` holds the values of all options. */
function checkField(
  name: string,
  field: Field,
  values: Readonly<Record<string, unknown>>,
  where: string,
  words: Words,
): unknown {
  const value = values[name]
  const named = `${where}: ${name}`
  switch (field.kind) {
    case 'flag':
      if (checkBoolean(value, named) && field.needs !== undefined && values[field.needs] === 0)
        throw new UsageError(`${named} needs a ${field.needs}`)
      if (value === true && field.forbids !== undefined && values[field.forbids] !== 0)
        throw new UsageError(`${named} needs a ${field.forbids} of 0, not ${show(values[field.forbids])}`)
      return value
    case 'size':
      return checkSize(value, named, field.least, field.most)
    case 'number': {
      const number = checkNumber(value, named)
      if (number < (field.least ?? -Infinity)) throw new UsageError(`${named} ${words.tooSmall(number, field.least!)}`)
      if (number > (field.most ?? Infinity))
        throw new UsageError(`${named} must be at most ${field.most}, not ${number}`)
      return number
    }
    case 'betas':
      return checkBetas(value, named, words)
    case 'epsilons':
      return checkEpsilons(value, named)
    case 'triple':
      return checkTriple(value, named)
    case 'word':
      return value === null ? value : checkWord(value, field.words, named)
    case 'wordOr': {
      if (value === field.word) return value
      const own = Object.keys(field.options)
      if (!isObject(value))
        throw new UsageError(`${named} must be "${field.word}" or { ${own[0]} }, not ${show(value)}`)
      return checkFields(field.options, checkOptions(value, own, named) as Record<string, unknown>, named, words)
    }
  }
}

function checkBetas(betas: unknown, named: string, words: Words): [number, number] {
  const isBeta = (beta: unknown) => typeof beta === 'number' && beta >= 0 && beta < 1
  if (isArray(betas) && betas.length === 2 && betas.every(isBeta)) return [betas[0], betas[1]]
  throw new UsageError(`${named} ${words.betas} two numbers from 0 to below 1, not ${show(betas)}`)
}

function checkEpsilons(epsilons: unknown, named: string): [number | null, number] {
  const isEpsilon = (epsilon: unknown) => typeof epsilon === 'number' && epsilon >= 0 && epsilon < Infinity
  if (isArray(epsilons) && epsilons.length === 2) {
    const [one, other] = epsilons
    if ((one === null || isEpsilon(one)) && isEpsilon(other)) return [one, other]
  }
  throw new UsageError(
    `${named} must be two numbers that are not negative, the first of which may be null, not ${show(epsilons)}`,
  )
}

function checkTriple(triple: unknown, named: string): [number, number, number] {
  if (isArray(triple) && triple.length === 3 && triple.every((one) => Number.isFinite(one)))
    return [triple[0], triple[1], triple[2]]
  throw new UsageError(`${named} must be three numbers, not ${show(triple)}`)
}

/** Checks options, fills in defaults for those that are undefined, and returns all of them. */
export function checkFields(
  fields: Fields,
  given: Readonly<Record<string, unknown>>,
  where: string,
  words: Words,
): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) values[name] = given[name] ?? usualOf(field, values)
  for (const [name, field] of Object.entries(fields)) values[name] = checkField(name, field, values, where, words)
  return values
}

/** Checks options that are all given. */
export function checkAll(fields: Fields, values: object, where: string, words: Words): void {
  for (const [name, field] of Object.entries(fields))
    checkField(name, field, values as Record<string, unknown>, where, words)
}
