// What an optimizer is to the steps that all share, as Rust says it.

import { checkAll, type Words } from '../base/fields.js'
import { call, native } from '../native/native.js'
import { OPTIMIZERS } from './definitions.js'

/** The name of an optimizer. */
export type OptimizerName = keyof typeof OPTIMIZERS

/** An optimizer with the options of a step: how it treats a parameter, and what the native side knows it by. */
export type Rule = NonNullable<ReturnType<typeof native.optimizerNew>>

/** The rule for options, which are the same object as long as they do not change. */
// As a method: an optimizer of some options is an `Optimizer`, too.
export type RuleOf<O> = { of(options: Readonly<O>): Rule }['of']

/** Makes the rules of an optimizer, one for each object of options. */
export function rulesOf<O extends object>(name: OptimizerName): RuleOf<O> {
  const made = new WeakMap<object, Rule>()
  return (options) => {
    const known = made.get(options)
    if (known !== undefined) return known
    const rule = call(native.optimizerNew(name, options))
    made.set(options, rule)
    return rule
  }
}

const WORDS: Words = { tooSmall: (value) => `must not be negative, not ${value}`, betas: 'are' }

/** Checks all options of an optimizer. */
export function checkRule(name: OptimizerName, options: object, where: string): void {
  checkAll(OPTIMIZERS[name], options, where, WORDS)
}
