// The tape: which op made a tensor from what, and the way back through it.
//
// A node belongs to the result of an op and to the nodes of ops on that result. It holds what its op needs on the way
// back: storage of its own, so that a scope or `dispose` takes nothing from under it. It lets go after `backward`, or
// when the last that belongs to it is disposed; else all goes with the garbage collector, as any object.

import type { DType } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { gradEnabled, noGrad } from './no-grad.js'
import { scope, untrack } from '../memory/scope.js'
import { binary } from '../ops/arithmetic.js'
import type { Elements } from '../ops/elements.js'

/** Rows of a table's gradient as their user sees them. @internal */
export interface ShownRows {
  readonly ids: Elements
  readonly rows: Elements
  readonly shape: readonly number[]
  readonly dtype: DType
}

/** Makes what users see of gradients. Both methods take over the elements they are given. @internal */
export interface Showing {
  dense(grad: Elements): Elements
  rows(ids: Elements, rows: Elements, shape: readonly number[]): ShownRows
}

/**
 * Rows of a table's gradient, not yet a tensor: nothing is built until somebody looks. It lives with the leaf that
 * collects it, so what it holds is no scope's (`untrack`). @internal
 */
export interface RowsGradient {
  readonly shape: readonly number[]
  readonly dtype: DType
  /** The sum of the two, which takes both over: rows, or dense where `more` is. */
  plus(more: Gradient): Gradient
  /** What `grad` shows: the same object each time. */
  shown(as: Showing): Elements | ShownRows
  /** Lets go of its memory, but of what was shown: that is its viewer's. */
  dispose(): void
}

/** What flows back, and what a leaf collects. @internal */
export type Gradient = Elements | RowsGradient

/** Elements that may learn. A tensor is one; only here it is spelled out what the tape asks of it. @internal */
export interface Learner extends Elements {
  readonly requiresGrad: boolean
  /** The op that it is the result of; null for a leaf. */
  readonly node: GradNode | null
  /** Makes it the result of an op. */
  from(node: GradNode): void
  /** Adds to what a leaf has collected; `grad` is taken over. */
  collect(grad: Gradient): void
}

/**
 * The gradients of an op's inputs from that of its result, each of its input's shape and type; null for an input that
 * takes none, as `wanted` says. They are the engine's then, each its own object: `grad` itself may be one of them,
 * once, and `grad.alias()` where it goes to a second. Elements made on the way need no dispose. @internal
 */
export type Backward = (grad: Elements, wanted: readonly boolean[]) => readonly (Gradient | null)[]

/** Keeps elements for the way back; what gives them there. @internal */
export type Save = (x: Elements) => () => Elements

/** Elements as they were saved. */
interface Saved {
  readonly elements: Elements
  readonly version: number
}

/** Where the gradient of an input goes: to the node that made it, or to itself where nothing did; null to nowhere. */
type Target = GradNode | Learner | null

let made = 0

/** An op that was done, and how its gradient goes back. @internal */
export class GradNode {
  /** Nodes are numbered as they are made: inputs before results. */
  readonly number = made++
  readonly targets: readonly Target[]
  readonly wanted: readonly boolean[]
  readonly #saved: Saved[] = []
  #backward: Backward | null
  #holders = 0

  constructor(
    /** As `gradFn` shows it. */
    readonly name: string,
    inputs: readonly (Learner | number)[],
    backward: (save: Save) => Backward,
  ) {
    this.targets = inputs.map(targetOf)
    this.wanted = this.targets.map((target) => target !== null)
    this.#backward = backward((x) => this.#save(x))
    for (const target of this.targets) if (target instanceof GradNode) target.retain()
  }

  #save(x: Elements): () => Elements {
    const kept = x.alias()
    // It outlives the scope that the op is in.
    untrack(kept)
    this.#saved.push({ elements: kept, version: kept.version })
    return () => kept
  }

  /** One more that belongs to it: its result, or a node of an op on that. */
  retain(): this {
    this.#holders++
    return this
  }

  /** One less; with the last it lets go of all that it holds. */
  release(): void {
    if (--this.#holders === 0) this.free()
  }

  /** Lets go of what it holds: there is no way back through it any more. */
  free(): void {
    if (this.#backward === null) return
    this.#backward = null
    for (const { elements } of this.#saved) elements.dispose()
    this.#saved.length = 0
    for (const target of this.targets) if (target instanceof GradNode) target.release()
  }

  /** @throws UsageError where there is no way back, as `run` would. */
  check(): void {
    if (this.#backward === null) {
      throw new UsageError(
        `backward: the graph was freed at ${this.name}: run forward again, or give the first backward { retainGraph: true }`,
      )
    }
    for (const { elements, version } of this.#saved) {
      if (elements.version === version) continue
      throw new UsageError(
        `backward: a tensor of shape [${elements.shape}] that ${this.name} needs was changed in place after forward: clone() it before it is changed, or run backward first`,
      )
    }
    for (const target of this.targets) {
      if (target !== null && !(target instanceof GradNode) && target.disposed) {
        throw new UsageError(
          `backward: an input of ${this.name} that learns was disposed: keep it until backward is done`,
        )
      }
    }
  }

  /** The gradients of the inputs. What the op makes on the way is gone when it returns. */
  run(grad: Elements): readonly (Gradient | null)[] {
    return scope(() => this.#backward!(grad, this.wanted))
  }
}

function targetOf(input: Learner | number): Target {
  if (typeof input === 'number' || !input.requiresGrad) return null
  return input.node ?? input
}

/**
 * Makes `result` the result of an op on `inputs`, if one of them learns and recording is on. `backward` is called then,
 * with what saves tensors, and gives the way back; the name is PyTorch's, in full. @internal
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

/** Whether an op on `inputs` would be recorded. @internal */
export function recorded(inputs: readonly (Learner | number)[]): boolean {
  if (!gradEnabled()) return false
  for (const x of inputs) if (typeof x !== 'number' && x.requiresGrad) return true
  return false
}

/** What is to be done on the way back from a tensor: nodes, last made first, and the leaves that they reach. */
function wayBack(root: GradNode): GradNode[] {
  const found = new Set([root])
  for (const node of found) {
    node.check()
    for (const target of node.targets) if (target instanceof GradNode) found.add(target)
  }
  return [...found].sort((a, b) => b.number - a.number)
}

/** Gradients by where they have arrived, each sum in the order of arrival. */
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

  /** What is left: that of leaves. */
  *rest(): Iterable<[Learner, Gradient]> {
    for (const [target, grad] of this.#at) yield [target as Learner, grad]
  }
}

/** The sum of two gradients; both are taken over. @internal */
export function plus(a: Gradient, b: Gradient): Gradient {
  if (!isDense(a)) return a.plus(b)
  if (!isDense(b)) return b.plus(a)
  const sum = binary('add', a, b)
  a.dispose()
  b.dispose()
  return sum
}

/** Whether it is dense rather than rows. @internal */
export function isDense(grad: Gradient): grad is Elements {
  return !('shown' in grad)
}

/**
 * Gradients of all leaves that `root` was made from, given that of `root`, which is taken over. All is checked before
 * anything runs; leaves collect when all is computed, so that an error leaves them as they were. @internal
 */
export function runBackward(root: GradNode, grad: Elements, retain: boolean): void {
  const nodes = wayBack(root)
  // A node lets go of those before it, which may be nobody else's, before their turn.
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
    if (arrived !== undefined) step(node, arrived as Elements, arrivals)
    // At once, so that what comes next finds the memory in the pool.
    if (!retain) node.free()
  }
  for (const [leaf, grad] of arrivals.rest()) leaf.collect(grad)
}

/** From a node's result to its inputs. */
function step(node: GradNode, grad: Elements, arrivals: Arrivals): void {
  const grads = node.run(grad)
  if (!grads.includes(grad)) grad.dispose()
  grads.forEach((grad, i) => {
    if (grad === null) return
    if (node.wanted[i]) arrivals.add(node.targets[i], grad)
    else grad.dispose()
  })
}
