// What a leaf has collected of its gradient, and who else may hold it.

import { isTensor, plus, type Gradient } from './tape.js'
import type { SparseGrad } from './table-gradient.js'
import { untrack } from '../memory/scope.js'
import type { Tensor } from '../tensor/tensor.js'

/** The gradient of one leaf. */
export class Collected {
  #grad: Gradient | null = null
  #seen = false

  /** As it is kept: for who does not keep it. */
  get kept(): Gradient | null {
    return this.#grad
  }

  /** As its user sees and may keep it. */
  look(): Tensor | SparseGrad | null {
    if (this.#grad === null) return null
    this.#seen = true
    return isTensor(this.#grad) ? this.#grad : this.#grad.shown()
  }

  /** Puts another in its place: what `given` holds is its giver's too. */
  replace(grad: Gradient | null, given: boolean): void {
    const before = this.#grad
    this.#grad = grad
    // What somebody may hold is theirs.
    if (before !== null && before !== grad && !(this.#seen && isTensor(before))) before.dispose()
    this.#seen = given
  }

  /** Adds one, which is taken over. */
  add(grad: Gradient): void {
    const before = this.#grad
    if (before === null) this.replace(grad, false)
    else {
      // A tensor that somebody may hold stays as it is.
      const kept = isTensor(before) && this.#seen ? before.detach() : before
      this.#grad = null
      this.replace(plus(kept, grad), false)
    }
    // It outlives the scope that it came from.
    if (this.#grad !== null && isTensor(this.#grad)) untrack(this.#grad)
  }
}
