// Lets an optimizer leave rows behind, and brings them up to date when they are needed.

import type { IntArray } from '../base/dtype.js'
import {
  call,
  check,
  native,
  type GradOperand,
  type LazyRows,
  type OnBadId,
  type ParameterOperand,
} from '../native/native.js'
import type { Lag } from '../memory/storage.js'
import type { Elements } from '../ops/elements.js'
import type { Tensor } from '../tensor/tensor.js'
import type { NativeRule } from './rule.js'

/** A table and its moments, of which some rows may be behind. The references do not keep the tensors alive. */
export class Catching implements Lag {
  readonly #rows: LazyRows
  readonly #elements: readonly Elements[]
  /** Whether some rows are behind. */
  #behind = false

  /** `fresh` means that no row of the table has ever had a gradient. */
  constructor(tensors: readonly [table: Tensor, first: Tensor, second: Tensor], fresh: boolean) {
    const [rows, dim] = tensors[0].shape
    this.#rows = call(native.lazyNew(rows, dim, fresh))
    this.#elements = tensors.map((tensor) => tensor.follow())
    for (const elements of this.#elements) elements.lag = this
  }

  #all(): ParameterOperand {
    const [param, first, second] = this.#elements
    return { param: param.rawOperand(), first: first.rawOperand(), second: second.rawOperand() }
  }

  /** Takes a step on some rows; the others are behind afterwards. */
  step(rule: NativeRule, at: number, grad: GradOperand): void {
    this.#behind = true
    check(native.lazyStep(this.#rows, rule, at, this.#all(), grad))
  }

  catchUp(ids: IntArray, bad: OnBadId): boolean {
    if (!this.#behind) return true
    const [param, first, second] = this.#elements
    param.checkWritable('a lookup of rows that an optimizer has yet to bring up to date')
    return native.lazyCatchUp(this.#rows, param.rawOperand(), first.rawOperand(), second.rawOperand(), ids, bad)
  }

  settle(): void {
    this.#flush(false)
  }

  /** Does what `settle` does, before all rows take a step. */
  settleForAll(): void {
    this.#flush(true)
  }

  #flush(all: boolean): void {
    if (!this.#behind && !all) return
    this.#elements[0].checkWritable('bringing rows up to date')
    check(native.lazyFlush(this.#rows, this.#all(), all))
    this.#behind = false
  }
}
