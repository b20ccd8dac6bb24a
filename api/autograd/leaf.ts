// The gradient that a leaf has collected, and whether a user may hold it.

import { isDense, plus, type Gradient, type Showing, type ShownRows } from './tape.js'
import { untrack } from '../memory/scope.js'
import type { Elements } from '../ops/elements.js'
import { clone } from '../ops/movement.js'

/** The gradient of one leaf. */
export class Collected {
  #grad: Gradient | null = null
  /** Whether a user may hold the gradient. */
  #seen = false

  /** The gradient in its internal form. Never keep it, as the leaf may free it. */
  get kept(): Gradient | null {
    return this.#grad
  }

  /**
   * The gradient as users see it; they may keep it. Each call gives the same object, which is the gradient from then
   * on.
   */
  look(as: Showing): Elements | ShownRows | null {
    const grad = this.#grad
    if (grad === null) return null
    const isNew = !this.#seen
    this.#seen = true
    if (!isDense(grad)) return grad.shown(as)
    return isNew ? (this.#grad = as.dense(grad)) : grad
  }

  /** Replaces the gradient; `given` says that a user gave `grad` and may still hold it. */
  replace(grad: Gradient | null, given: boolean): void {
    const before = this.#grad
    this.#grad = grad
    // Never dispose what a user may still hold.
    if (before !== null && before !== grad && !(this.#seen && isDense(before))) before.dispose()
    this.#seen = given
  }

  /** Adds a gradient and takes it over. */
  add(grad: Gradient): void {
    const before = this.#grad
    const more = isDense(grad) ? own(grad) : grad
    if (before === null) this.replace(more, false)
    else {
      // Elements that a user may hold stay unchanged.
      const kept = isDense(before) && this.#seen ? before.alias() : before
      this.#grad = null
      this.replace(plus(kept, more), false)
    }
    // The gradient outlives the scope in which it was computed.
    if (this.#grad !== null && isDense(this.#grad)) untrack(this.#grad)
  }
}

/** Elements that share no memory: `x` itself, or a copy if others hold its memory. */
function own(x: Elements): Elements {
  if (x.held) return x
  const copy = clone(x, 'clone')
  x.dispose()
  return copy
}
