// The rule of an optimizer, as Rust describes it: all that distinguishes it within the shared steps.

import { checkAll, type Words } from '../base/fields.js'
import { call, check, native } from '../native/native.js'
import { OPTIMIZERS } from './definitions.js'
import type { ParameterGroup, Rates } from './group.js'

/** The name of an optimizer. */
export type OptimizerName = keyof typeof OPTIMIZERS

/** The native side's form of an optimizer with its options. Opaque. */
export type NativeRule = NonNullable<ReturnType<typeof native.optimizerNew>>

/** How an optimizer treats a parameter: what state it keeps, and how it steps. */
type Manner = NonNullable<ReturnType<typeof native.optimizerManner>>

/** An optimizer with the options of one group. */
export interface Rule extends Manner {
  readonly rule: NativeRule
}

/** The rules of an optimizer, one for each group. A rule is made again when the group's options have changed. */
export class Rules {
  readonly #name: OptimizerName
  readonly #known = new WeakMap<ParameterGroup<any>, { readonly options: object; readonly rule: Rule }>()

  constructor(name: OptimizerName) {
    this.#name = name
  }

  /** The rule of a group, valid until its options change. */
  of<O extends Rates>(group: ParameterGroup<O>): Rule {
    const { options } = group
    const known = this.#known.get(group)
    if (known?.options === options) return known.rule
    if (known !== undefined) check(native.optimizerSet(known.rule.rule, this.#name, options))
    const rule = known === undefined ? this.with(options) : whole(known.rule.rule)
    this.#known.set(group, { options, rule })
    return rule
  }

  /** A rule with other options than those of a group. */
  with(options: object): Rule {
    return whole(call(native.optimizerNew(this.#name, options)))
  }
}

const whole = (rule: NativeRule): Rule => ({ ...call(native.optimizerManner(rule)), rule })

const WORDS: Words = {
  tooSmall: (value, least) =>
    least === 0 ? `must not be negative, not ${value}` : `must be at least ${least}, not ${value}`,
  betas: 'are',
}

/** Checks all options of an optimizer. */
export function checkRule(name: OptimizerName, options: object, where: string): void {
  checkAll(OPTIMIZERS[name], options, where, WORDS)
}
