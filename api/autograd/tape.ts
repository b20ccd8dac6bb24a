// The tape: which op made each tensor, from which inputs, and how gradients flow back.
//
// A node is held by the result of its op and by the nodes of ops on that result. It keeps what its op needs for
// backward in storage that it holds itself, so that neither a scope nor `dispose` frees that. It frees everything after
// `backward`, or when its last holder is disposed; otherwise the garbage collector does.

import type { DType } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { gradEnabled, noGrad } from './no-grad.js'
import { scope, untrack } from '../memory/scope.js'
import { binary } from '../ops/arithmetic.js'
import type { Elements } from '../ops/elements.js'

/** Rows of a table's gradient in the form that users see. @internal */
export interface ShownRows {
  readonly ids: Elements
  readonly rows: Elements
  readonly shape: readonly number[]
  readonly dtype: DType
}

/** Makes the objects that users see as gradients. Both methods take over the elements they are given. @internal */
export interface Showing {
  dense(grad: Elements): Elements
  rows(ids: Elements, rows: Elements, shape: readonly number[]): ShownRows
}

/**
 * Rows of a table's gradient, which become a tensor only when somebody reads it. They live as long as the leaf that
 * collects them, so what they hold belongs to no scope (`untrack`). @internal
 */
export interface RowsGradient {
  readonly shape: readonly number[]
  readonly dtype: DType
  /** The sum of both, which takes both over: rows, or dense elements if `more` is dense. */
  plus(more: Gradient): Gradient
  /** The object that `grad` shows; the same one each time. */
  shown(as: Showing): Elements | ShownRows
  /** Frees the memory, except what was shown: that belongs to its viewer. */
  dispose(): void
}

/** A gradient that flows back or that a leaf collects. @internal */
export type Gradient = Elements | RowsGradient

/** Elements that may require gradients, with what the tape needs of them. Tensors implement it. @internal */
export interface Learner extends Elements {
  readonly requiresGrad: boolean
  /** The op that made these elements; null for a leaf. */
  readonly node: GradNode | null
  /** Marks these elements as the result of an op. */
  from(node: GradNode): void
  /** Adds to the gradient of a leaf; takes over `grad`. */
  collect(grad: Gradient): void
  /** The gradient of a leaf after its hooks; takes over `grad`. */
  hooked(grad: Gradient): Gradient
}

/** What a user does with a gradient on its way; takes it over. @internal */
export type Hook = (grad: Gradient) => Gradient

/**
 * Computes the gradients of an op's inputs from the gradient of its result. Each has the shape and type of its input,
 * or is null if `wanted` says that the input needs none. The engine takes them over; each must be a different object.
 * `grad` itself may be returned once; for a second input return `grad.alias()`. Intermediate elements need no
 * `dispose`. @internal
 */
export type Backward = (grad: Elements, wanted: readonly boolean[]) => readonly (Gradient | null)[]

/** Saves elements for backward; returns a function that gives them then. @internal */
export type Save = (x: Elements) => () => Elements

/** Saved elements, and their version at that time. */
interface Saved {
  readonly elements: Elements
  readonly version: number
}

/**
 * Where the gradient of an input goes: to the node that made the input, to the input itself if it is a leaf, or nowhere
 * (null).
 */
type Target = GradNode | Learner | null

let made = 0

/** A recorded op and its backward function. @internal */
export class GradNode {
  /** Nodes are numbered in the order in which they are made: inputs come before results. */
  readonly number = made++
  readonly targets: readonly Target[]
  readonly wanted: readonly boolean[]
  /** What happens to the gradient of the result before it goes on. */
  hooks: Hook[] | null = null
  readonly #saved: Saved[] = []
  #backward: Backward | null
  #holders = 0

  constructor(
    /** The name that `gradFn` shows. */
    readonly name: string,
    inputs: readonly (Learner | number)[],
    backward: (save: Save) => Backward,
  ) {
    const [targets, wanted]: [Target[], boolean[]] = [[], []]
    for (const input of inputs) {
      const target = targetOf(input)
      targets.push(target)
      wanted.push(target !== null)
    }
    this.targets = targets
    this.wanted = wanted
    this.#backward = backward((x) => this.#save(x))
    for (const target of targets) if (target instanceof GradNode) target.retain()
  }

  #save(x: Elements): () => Elements {
    const kept = x.alias()
    // Saved elements outlive the scope in which the op ran.
    untrack(kept)
    this.#saved.push({ elements: kept, version: kept.version })
    return () => kept
  }

  /** Adds a holder: the result of the op, or the node of an op on that result. */
  retain(): this {
    this.#holders++
    return this
  }

  /** Removes a holder; the last one frees everything that the node holds. */
  release(): void {
    if (--this.#holders === 0) this.free()
  }

  /** Frees everything that the node holds; backward can no longer run through it. */
  free(): void {
    if (this.#backward === null) return
    this.#backward = null
    for (const { elements } of this.#saved) elements.dispose()
    this.#saved.length = 0
    for (const target of this.targets) if (target instanceof GradNode) target.release()
  }

  /** @throws UsageError if backward cannot run through this node. */
  check(): void {
    if (this.#backward === null) {
      throw new UsageError(
        `backward: an earlier backward freed the graph at ${this.name}: run forward again, or pass { retainGraph: true } to the first backward`,
      )
    }
    for (const { elements, version } of this.#saved) {
      if (elements.version === version) continue
      throw new UsageError(
        `backward: a tensor of shape [${elements.shape}] that ${this.name} needs was changed in place after forward: clone() it before you change it, or run backward first`,
      )
    }
    for (const target of this.targets) {
      if (target !== null && !(target instanceof GradNode) && target.disposed) {
        throw new UsageError(
          `backward: an input of ${this.name} that requires a gradient was disposed: keep it until backward is done`,
        )
      }
    }
  }

  /** The gradients of the inputs. Intermediate elements are freed before it returns. */
  run(grad: Elements): readonly (Gradient | null)[] {
    return scope(() => this.#backward!(grad, this.wanted))
  }
}

function targetOf(input: Learner | number): Target {
  if (typeof input === 'number' || !input.requiresGrad) return null
  return input.node ?? input
}

/**
 * Records `result` as the result of an op on `inputs`, if one of them requires gradients and recording is on. Only then
 * is `backward` called, with a function that saves elements, to make the op's backward function. `name` is PyTorch's
 * full name of the op. @internal
 */
export function record<T extends Learner>(
  result: T,
  name: string,
  inputs: readonly (Learner | number)[],
  backward: (save: Save) => Backward,
): T {
  if (recorded(inputs)) result.from(new GradNode(name, inputs, backward))
  return result
}

/** Whether an op on `inputs` would be recorded now. @internal */
export function recorded(inputs: readonly (Learner | number)[]): boolean {
  if (!gradEnabled()) return false
  for (const x of inputs) if (typeof x !== 'number' && x.requiresGrad) return true
  return false
}

/** All nodes that backward visits from `root`, those made last first. Every one is checked. */
function wayBack(root: GradNode): GradNode[] {
  const found = new Set([root])
  for (const node of found) {
    node.check()
    for (const target of node.targets) if (target instanceof GradNode) found.add(target)
  }
  return [...found].sort((a, b) => b.number - a.number)
}

/** Gradients that have arrived at each target, summed in the order of arrival. */
class Arrivals {
  readonly #at = new Map<Target, Gradient>()

  add(target: Target, grad: Gradient): void {
    const before = this.#at.get(target)
    this.#at.set(target, before === undefined ? grad : plus(before, grad))
  }

  take(target: Target): Gradient | undefined {
    const grad = this.#at.get(target)
    this.#at.delete(target)
    return grad
  }

  /** The remaining gradients, which are those of leaves. */
  *rest(): Iterable<[Learner, Gradient]> {
    for (const [target, grad] of this.#at) yield [target as Learner, grad]
  }
}

/** The sum of two gradients; takes both over. @internal */
export function plus(a: Gradient, b: Gradient): Gradient {
  if (!isDense(a)) return a.plus(b)
  if (!isDense(b)) return b.plus(a)
  const sum = binary('add', a, b)
  a.dispose()
  b.dispose()
  return sum
}

/** Whether the gradient is dense rather than rows. @internal */
export function isDense(grad: Gradient): grad is Elements {
  return !('shown' in grad)
}

/**
 * Computes the gradients of all leaves that `root` was computed from; `grad` is the gradient of `root` and is taken
 * over. Everything is checked before anything runs, and leaves collect after everything is computed, so that an error
 * leaves them unchanged. @internal
 */
export function runBackward(root: GradNode, grad: Elements, retain: boolean): void {
  const nodes = wayBack(root)
  // Hold all nodes: a node that is freed releases its inputs' nodes, which may have no other holder, before their turn.
  for (const node of nodes) node.retain()
  try {
    noGrad(() => scope(() => goBack(nodes, root, grad, retain)))
  } finally {
    for (const node of nodes) node.release()
  }
}

function goBack(nodes: readonly GradNode[], root: GradNode, grad: Elements, retain: boolean): void {
  const arrivals = new Arrivals()
  arrivals.add(root, grad)
  for (const node of nodes) {
    const arrived = arrivals.take(node)
    if (arrived !== undefined)
      step(node, (node.hooks?.reduce((grad, hook) => hook(grad), arrived) ?? arrived) as Elements, arrivals)
    // Free the node at once, so that the next one finds its memory in the pool.
    if (!retain) node.free()
  }
  // Hooks may throw: leaves collect when all have run.
  const all = [...arrivals.rest()].map(([leaf, grad]) => [leaf, leaf.hooked(grad)] as const)
  for (const [leaf, grad] of all) leaf.collect(grad)
}

/** Runs one node: from the gradient of its result to those of its inputs. */
function step(node: GradNode, grad: Elements, arrivals: Arrivals): void {
  const grads = node.run(grad)
  if (!grads.includes(grad)) grad.dispose()
  grads.forEach((grad, i) => {
    if (grad === null) return
    if (node.wanted[i]) arrivals.add(node.targets[i], grad)
    else grad.dispose()
  })
}
