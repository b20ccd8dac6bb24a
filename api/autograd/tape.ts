// The tape: which op made a tensor from what, and the way back through it.
//
// A node belongs to the result of an op and to the nodes of ops on that result. It holds what its op needs on the way
// back: storage of its own, so that a scope or `dispose` takes nothing from under it. It lets go after `backward`, or
// when the last that belongs to it is disposed; else all goes with the garbage collector, as any object.

import type { DType } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { gradEnabled, noGrad } from './no-grad.js'
import { scope, untrack } from '../memory/scope.js'
import type { SparseGrad } from './table-gradient.js'
import type { Tensor } from '../tensor/tensor.js'

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
  shown(): Tensor | SparseGrad
  /** Lets go of its memory, but of what was shown: that is its viewer's. */
  dispose(): void
}

/** What flows back, and what a leaf collects. @internal */
export type Gradient = Tensor | RowsGradient

/**
 * The gradients of an op's inputs from that of its result, each of its input's shape and type; null for an input that
 * takes none, as `wanted` says. They are the engine's then, each its own object: `grad` itself may be one of them, once, and
 * `grad.detach()` where it goes to a second. Tensors made on the way need no dispose. @internal
 */
export type Backward = (grad: Tensor, wanted: readonly boolean[]) => readonly (Gradient | null)[]

/** Keeps a tensor's elements for the way back; what gives them there. @internal */
export type Save = (tensor: Tensor) => () => Tensor

/** A tensor as it was saved. */
interface Saved {
  readonly tensor: Tensor
  readonly version: number
}

/** Where the gradient of an input goes: to the node that made it, or to itself where nothing did; null to nowhere. */
type Target = GradNode | Tensor | null

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
    inputs: readonly (Tensor | number)[],
    backward: (save: Save) => Backward,
  ) {
    this.targets = inputs.map(targetOf)
    this.wanted = this.targets.map((target) => target !== null)
    this.#backward = backward((tensor) => this.#save(tensor))
    for (const target of this.targets) if (target instanceof GradNode) target.retain()
  }

  #save(tensor: Tensor): () => Tensor {
    const kept = tensor.detach()
    // It outlives the scope that the op is in.
    untrack(kept)
    this.#saved.push({ tensor: kept, version: kept.version })
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
    for (const { tensor } of this.#saved) tensor.dispose()
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
    for (const { tensor, version } of this.#saved) {
      if (tensor.version === version) continue
      throw new UsageError(
        `backward: a tensor of shape [${tensor.shape}] that ${this.name} needs was changed in place after forward: clone() it before it is changed, or run backward first`,
      )
    }
    for (const target of this.targets) {
      if (target !== null && !(target instanceof GradNode) && target.disposed) {
        throw new UsageError(`backward: an input of ${this.name} that learns was disposed: keep it until backward is done`)
      }
    }
  }

  /** The gradients of the inputs. What the op makes on the way is gone when it returns. */
  run(grad: Tensor): readonly (Gradient | null)[] {
    return scope(() => this.#backward!(grad, this.wanted))
  }
}

function targetOf(input: Tensor | number): Target {
  if (typeof input === 'number' || !input.requiresGrad) return null
  return input.node ?? input
}

/**
 * Makes `result` the result of an op on `inputs`, if one of them learns and recording is on. `backward` is called then,
 * with what saves tensors, and gives the way back; the name is PyTorch's, in full. @internal
 */
export function record(result: Tensor, name: string, inputs: readonly (Tensor | number)[], backward: (save: Save) => Backward): Tensor {
  if (recorded(inputs)) result.from(new GradNode(name, inputs, backward))
  return result
}

/** Whether an op on `inputs` would be recorded. @internal */
export function recorded(inputs: readonly (Tensor | number)[]): boolean {
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
  *rest(): Iterable<[Tensor, Gradient]> {
    for (const [target, grad] of this.#at) yield [target as Tensor, grad]
  }
}

/** The sum of two gradients; both are taken over. @internal */
export function plus(a: Gradient, b: Gradient): Gradient {
  if (!isTensor(a)) return a.plus(b)
  if (!isTensor(b)) return b.plus(a)
  const sum = a.add(b)
  a.dispose()
  b.dispose()
  return sum
}

/** Whether it is a tensor rather than rows of one. @internal */
export function isTensor(grad: Gradient): grad is Tensor {
  return !('shown' in grad)
}

/**
 * Gradients of all leaves that `root` was made from, given that of `root`, which is taken over. All is checked before
 * anything runs; leaves collect when all is computed, so that an error leaves them as they were. @internal
 */
export function runBackward(root: GradNode, grad: Tensor, retain: boolean): void {
  const nodes = wayBack(root)
  // A node lets go of those before it, which may be nobody else's, before their turn.
  for (const node of nodes) node.retain()
  try {
    noGrad(() => scope(() => goBack(nodes, root, grad, retain)))
  } finally {
    for (const node of nodes) node.release()
  }
}

function goBack(nodes: readonly GradNode[], root: GradNode, grad: Tensor, retain: boolean): void {
  const arrivals = new Arrivals()
  arrivals.add(root, grad)
  for (const node of nodes) {
    const arrived = arrivals.take(node)
    if (arrived !== undefined) step(node, arrived as Tensor, arrivals)
    // At once, so that what comes next finds the memory in the pool.
    if (!retain) node.free()
  }
  for (const [leaf, grad] of arrivals.rest()) leaf.collect(grad)
}

/** From a node's result to its inputs. */
function step(node: GradNode, grad: Tensor, arrivals: Arrivals): void {
  const grads = node.run(grad)
  if (!grads.includes(grad)) grad.dispose()
  grads.forEach((grad, i) => {
    if (grad === null) return
    if (node.wanted[i]) arrivals.add(node.targets[i], grad)
    else grad.dispose()
  })
}
