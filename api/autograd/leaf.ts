// What a leaf has collected of its gradient, and who else may hold it.

import { isDense, plus, type Gradient, type Showing, type ShownRows } from './tape.js'
import { untrack } from '../memory/scope.js'
import type { Elements } from '../ops/elements.js'
import { clone } from '../ops/movement.js'

/** The gradient of one leaf. */
export class Collected {
  #grad: Gradient | null = null
  /** Whether somebody may hold it. */
  #seen = false

  /** As it is kept. Never keep it: the leaf may free it. */
  get kept(): Gradient | null {
    return this.#grad
  }

  /** As its user sees and may keep it: the same object each time, which is what counts from then on. */
  look(as: Showing): Elements | ShownRows | null {
    const grad = this.#grad
    if (grad === null) return null
    const isNew = !this.#seen
    this.#seen = true
    if (!isDense(grad)) return grad.shown(as)
    return isNew ? (this.#grad = as.dense(grad)) : grad
  }

  /** Puts another in its place: what `given` holds is its giver's too. */
  replace(grad: Gradient | null, given: boolean): void {
    const before = this.#grad
    this.#grad = grad
    // What somebody may hold is theirs.
    if (before !== null && before !== grad && !(this.#seen && isDense(before))) before.dispose()
    this.#seen = given
  }

  /** Adds one, which is taken over. */
  add(grad: Gradient): void {
    const before = this.#grad
    const more = isDense(grad) ? own(grad) : grad
    if (before === null) this.replace(more, false)
    else {
      // Elements that somebody may hold stay as they are.
      const kept = isDense(before) && this.#seen ? before.alias() : before
      this.#grad = null
      this.replace(plus(kept, more), false)
    }
    // It outlives the scope that it came from.
    if (this.#grad !== null && isDense(this.#grad)) untrack(this.#grad)
  }
}

/** Elements in memory of their own: the same, or a copy where others share the memory. */
function own(x: Elements): Elements {
  if (x.held) return x
  const copy = clone(x, 'clone')
  x.dispose()
  return copy
}
