/// <reference lib="esnext.disposable" preserve="true" />
// The tensor: elements with a shape and a type, and the methods that users call.

import { Collected } from '../autograd/leaf.js'
import * as derivatives from '../autograd/derivatives.js'
import { gradOf, noGrad } from '../autograd/no-grad.js'
import { TableGradient } from '../autograd/table-gradient.js'
import {
  isDense,
  record,
  runBackward,
  type Backward,
  type Gradient,
  type GradNode,
  type Hook,
  type Save,
  type Showing,
} from '../autograd/tape.js'
import { checkDType, facts, isFloat, type DType, type TypedArray } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { guardReceivers, isInstance, OFTEN, stranger } from '../base/receivers.js'
import { checkDim, inferredShape, sameShape, shown, sizeOf } from '../base/shape.js'
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkNoPromise,
  checkOptions,
  checkSize,
  show,
} from '../base/validate.js'
import { untrack } from '../memory/scope.js'
import type { Storage } from '../memory/storage.js'
import * as ops from '../ops/arithmetic.js'
import { convert, Elements } from '../ops/elements.js'
import { matmul } from '../ops/matmul.js'
import * as movement from '../ops/movement.js'
import { assign } from './assign.js'
import { CONTENTS, jsonOf, printed } from './contents.js'
import { elementAt } from './halves.js'
import { Operations } from './operations.js'
import { open, share, type SharedTable } from './sharing.js'
import { SparseGrad } from './sparse-grad.js'
import { nested, plainAt } from './values.js'

/**
 * An array of numbers with a shape, contiguous and row-major. `tensor`, `zeros`, `randn` and other functions make
 * tensors, and so do layers and a tensor's methods.
 *
 * `reshape`, `detach`, `to` of the same type, and `narrow` along dimension 0 share memory with their origin; everything
 * else makes new memory. The memory is freed with the last tensor that shares it: by the garbage collector, or at once
 * by `dispose()`, `using` or `scope()`.
 */
export class Tensor extends Operations<Tensor> {
  #requiresGrad = false
  /** Hooks on the gradient of a leaf; null until the first, as lookups make millions of these objects. */
  #hooks: Hook[] | null = null
  /** The op that made this tensor, if that was recorded. */
  #node: GradNode | null = null
  #collected: Collected | null = null
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  private constructor(storage: Storage, offset: number, dtype: DType, shape: readonly number[]) {
    super(storage, offset, dtype, shape)
  }

  /** A tensor over a storage, from byte `offset` on. @internal */
  static over(storage: Storage, dtype: DType, shape: readonly number[], offset = 0): Tensor {
    return new Tensor(storage, offset, dtype, shape)
  }

  /** A tensor that takes over the elements `made`; `made` itself if it is a tensor. @internal */
  static of(made: Elements): Tensor {
    if (Tensor.is(made)) return made
    const tensor = new Tensor(made.storage, made.storageOffset, made.dtype, made.shape)
    made.dispose()
    return tensor
  }

  /** `Tensor.of` for modules that have a tensor and do not import the class. @internal */
  override over(made: Elements): Tensor {
    return Tensor.of(made)
  }

  /** The result of an op on `inputs`. With `name` and `backward`, the op is recorded for gradients. @internal */
  static result(
    made: Elements,
    inputs: readonly (Tensor | number)[] = [],
    name?: string,
    backward?: (save: Save) => Backward,
  ): Tensor {
    const tensor = Tensor.of(made)
    return name === undefined ? tensor : record(tensor, name, inputs, backward!)
  }

  /** The op that made this tensor; null for a leaf. @internal */
  get node(): GradNode | null {
    return this.#node
  }

  /** Marks this tensor as the result of an op. @internal */
  from(node: GradNode): void {
    this.#requiresGrad = true
    this.#node = node.retain()
  }

  /** Detaches this tensor from the graph, because its elements are about to be overwritten. @internal */
  forget(): void {
    this.#requiresGrad = false
    this.#node?.release()
    this.#node = null
  }

  /**
   * The elements in order, as a live and writable array: writing to it changes the tensor. float16 and bfloat16 are
   * given as their bits in a Uint16Array, bool as 0 and 1 in a Uint8Array. The buffer behind the array may be longer
   * than the array.
   *
   * Where the host forbids live views of native memory (Electron; `capabilities().liveData` is false), a table's array
   * is a copy; `set` writes everywhere.
   *
   * @throws UsageError after `dispose()`, and if the array would be longer than Node allows (Node 20: 4 GiB): then
   * `narrow(0, start, length).data` shows a part.
   */
  get data(): TypedArray {
    this.storage.show()
    return this.borrow()
  }

  /**
   * A handle for the same memory, without a copy. Other threads of this process open it with `Tensor.fromShared`. It is
   * a plain object for `postMessage` or `workerData`; a tensor itself cannot be posted.
   *
   * The memory is shared until `unshare()`, until `dispose()` of the last tensor over it in this thread, or until this
   * thread ends; a tensor opened before then keeps the memory until it is freed itself. Threads see each other's writes
   * in no promised order: write before you share, or synchronise with a message.
   *
   * V8's memory (of tensors made by `tensor`, `zeros`, ops ...) moves to native memory first: an array that `data` gave
   * before then has length 0.
   */
  share(): SharedTable {
    this.lag?.settle()
    return share(this.storage, this.dtype, this.shape, this.storageOffset)
  }

  /**
   * Ends the sharing that `share()` of any tensor over this memory began in this thread: its handles no longer open.
   */
  unshare(): void {
    this.storage.unshare()
  }

  /**
   * A tensor over memory that another thread shares. `dispose()` frees it in this thread alone.
   *
   * @throws UsageError for a handle whose sharing has ended, or that belongs to another process.
   */
  static fromShared(handle: SharedTable): Tensor {
    const { storage, dtype, shape, offset } = open(handle)
    return Tensor.over(storage, dtype, shape, offset)
  }

  /**
   * Whether the tensor needs gradients: it is a parameter, or was computed from one. Only floats can.
   *
   * @throws UsageError if set to false on the result of an op: `detach()` gives a tensor without gradients.
   */
  get requiresGrad(): boolean {
    if (!Tensor.is(this)) throw stranger(this, 'Tensor', 'requiresGrad')
    return this.#requiresGrad
  }

  set requiresGrad(value: boolean) {
    if (typeof value !== 'boolean') throw new UsageError(`requiresGrad must be true or false, not ${show(value)}`)
    void this.storage // throws after dispose()
    if (value && !isFloat(this.dtype))
      throw new DTypeError(`requiresGrad: only a tensor of floats can have a gradient, not one of ${this.dtype}`)
    if (!value && this.#node !== null) {
      throw new UsageError(
        'requiresGrad: this tensor was computed from tensors that require gradients, so it requires one too: detach() gives a tensor that does not',
      )
    }
    this.#requiresGrad = value
  }

  /** The op that made this tensor, by PyTorch's name (`EmbeddingBackward`); null for a leaf. */
  get gradFn(): string | null {
    return this.#node?.name ?? null
  }

  /**
   * The gradient of a leaf that requires it: the sum over all calls of `backward` since it was null. It is null before
   * the first. It is a dense tensor of this tensor's shape and type, or a SparseGrad for the weight of a layer made
   * with `sparse: true`. The gradient of a table is built when it is read. The leaf drops it when it is set to null or
   * this tensor is disposed; a gradient that you hold stays valid.
   */
  get grad(): Tensor | SparseGrad | null {
    return (this.#collected?.look(SHOWING) ?? null) as Tensor | SparseGrad | null
  }

  set grad(grad: Tensor | SparseGrad | null) {
    const where = 'grad'
    if (grad === null) {
      this.#collected?.replace(null, false)
      return
    }
    if (!(grad instanceof Tensor) && !(grad instanceof SparseGrad))
      throw new UsageError(`${where} must be a tensor, a SparseGrad or null, not ${show(grad)}`)
    if (!sameShape(grad.shape, this.shape))
      throw new ShapeError(`${where} must have the shape of the tensor, ${shown(this.shape)}, not ${shown(grad.shape)}`)
    if (grad.dtype !== this.dtype)
      throw new DTypeError(`${where} must have the dtype of the tensor, ${this.dtype}, not ${grad.dtype}`)
    this.#leaf().replace(grad instanceof Tensor ? grad : TableGradient.of(grad), true)
  }

  #leaf(): Collected {
    return (this.#collected ??= new Collected())
  }

  /** The collected gradient in its internal form. Use it at once and do not keep it. @internal */
  get collected(): Gradient | null {
    return this.#collected?.kept ?? null
  }

  /** Adds to the collected gradient; takes over `grad`. @internal */
  collect(grad: Gradient): void {
    this.#leaf().add(grad)
  }

  /**
   * Computes the gradients of all leaves that this tensor was computed from, and adds them to the `grad` of those that
   * require it. `torch.Tensor.backward`.
   *
   * @param gradOutput the gradient of this tensor, of its shape and type; default: 1, for a tensor of one element.
   * @param options `retainGraph`: keep the graph, so that `backward` can run again; by default it is freed at once.
   * @throws UsageError if no input requires gradients, for several elements without `gradOutput`, if the graph was
   * freed, and if a tensor that the graph needs was changed in place since; ShapeError and DTypeError for a
   * `gradOutput` that does not fit. On an error nothing has changed.
   */
  backward(gradOutput?: Tensor, options?: { retainGraph?: boolean }): void {
    const where = 'backward'
    const { retainGraph = false } = checkOptions(options, ['retainGraph'], where)
    checkBoolean(retainGraph, `${where}: retainGraph`)
    if (!this.#requiresGrad) {
      throw new UsageError(
        `${where}: this tensor was not computed from any tensor that requires gradients: set requiresGrad on a leaf, and compute outside noGrad`,
      )
    }
    if (gradOutput !== undefined && !((gradOutput as unknown) instanceof Tensor))
      throw new UsageError(`${where}: gradOutput must be a tensor, not ${show(gradOutput)}`)
    const grad = gradOf(this, gradOutput, where)
    if (this.#node === null) this.collect(this.hooked(grad))
    else runBackward(this.#node, grad, retainGraph)
  }

  /**
   * Writes values into the elements from `offset` on, converted to the tensor's type.
   *
   * @throws ShapeError if they do not fit, DTypeError for a value that the type cannot hold.
   */
  set(values: Tensor | ArrayLike<number>, offset = 0): this {
    assign(this, values, offset)
    return this
  }

  /** The elements as nested arrays of numbers, or one number for a scalar; int64 values beyond 2^53 are bigints. */
  toArray(): any {
    const data = this.borrow()
    return this.checkWhole(nested(this.shape, (i) => plainAt(data, this.dtype, i)))
  }

  /** The only element. @throws ShapeError if there is not exactly one. */
  item(): number {
    if (this.size !== 1)
      throw new ShapeError(`item: the tensor must have exactly one element, but has the shape ${shown(this.shape)}`)
    return this.checkWhole(Number(elementAt(this.borrow(), this.dtype, 0)))
  }

  /** The tensor as PyTorch prints it: four decimals, aligned, large tensors summarised. */
  override toString(): string {
    if (this.disposed) return `tensor(disposed, shape=${shown(this.shape)})`
    return printed(
      this,
      this.#node !== null ? [`gradFn=<${this.#node.name}>`] : this.#requiresGrad ? ['requiresGrad=true'] : [],
    )
  }

  /**
   * `toArray()`, for `JSON.stringify`. @throws UsageError for NaN, infinities, integers that no number holds, and over
   * 2^20 elements.
   */
  toJSON(): any {
    return jsonOf(this)
  }

  /** The same elements in another shape, in the same memory. One size may be -1; it is computed from the others. */
  override reshape(...shape: number[]): Tensor {
    const sizes = inferredShape(shape, this.size)
    if (sizeOf(sizes) !== this.size)
      throw new ShapeError(`reshape: ${shown(this.shape)} has ${this.size} elements, not ${shown(shape)}`)
    return record(this.#sharing(sizes, this.storageOffset), 'ReshapeBackward', [this], () => derivatives.reshape(this))
  }

  #sharing(shape: readonly number[], offset: number): Tensor {
    return new Tensor(this.storage, offset, this.dtype, shape)
  }

  /**
   * The part `start .. start + length` along a dimension. Along dimension 0 it shares memory; otherwise it is a copy.
   */
  override narrow(dim: number, start: number, length: number): Tensor {
    const at = checkDim(dim, this.shape.length, 'narrow')
    const n = this.shape[at]
    const from = checkInteger(start, 'narrow: start') < 0 ? start + n : start
    checkSize(length, 'narrow: length')
    if (from < 0 || from + length > n) {
      throw new ShapeError(
        `narrow: start ${start} and length ${length} exceed dimension ${at} of shape ${shown(this.shape)}`,
      )
    }
    const row = sizeOf(this.shape.slice(1)) * facts(this.dtype).bytes
    const part =
      at > 0
        ? Tensor.of(movement.narrow(this, at, from, length))
        : this.#sharing([length, ...this.shape.slice(1)], this.storageOffset + from * row)
    return record(part, 'NarrowBackward', [this], () => derivatives.narrow(this, at, from))
  }

  /** The tensor with dimensions `a` and `b` swapped, in new memory. */
  transpose(a: number, b: number): Tensor {
    const rank = this.shape.length
    const [p, q] = [checkDim(a, rank, 'transpose'), checkDim(b, rank, 'transpose')]
    return Tensor.result(movement.transpose(this, p, q), [this], 'TransposeBackward', () => derivatives.transpose(p, q))
  }

  /**
   * The elements in another type; if the type is the same, in the same memory. Floats are rounded to nearest even;
   * floats become integers by cutting towards zero; integers wrap; as bool, every value but 0 is true.
   */
  to(dtype: DType): Tensor {
    if (checkDType(dtype, 'to') === this.dtype) {
      return record(this.#sharing(this.shape, this.storageOffset), 'ToBackward', [this], () => derivatives.identity)
    }
    const made = convert(this, dtype, 'to')
    // Integers have no gradients.
    return isFloat(dtype) ? Tensor.result(made, [this], 'ToBackward', () => derivatives.convert(this)) : Tensor.of(made)
  }

  /** A copy in new memory. */
  clone(): Tensor {
    return Tensor.result(movement.clone(this, 'clone'), [this], 'CloneBackward', () => derivatives.identity)
  }

  /** A tensor over the same memory that takes no part in gradients. */
  detach(): Tensor {
    return this.#sharing(this.shape, this.storageOffset)
  }

  #binary(op: 'add' | 'sub' | 'mul' | 'div', x: Tensor | number): Tensor {
    if (!(x instanceof Tensor) && typeof x !== 'number')
      throw new UsageError(`${op}: the operand must be a tensor or a number, not ${show(x)}`)
    const made = ops.binary(op, this, x)
    if (op === 'mul') return Tensor.result(made, [this, x], 'MulBackward', (save) => derivatives.product(this, x, save))
    if (op === 'add') return Tensor.result(made, [this, x], 'AddBackward', () => derivatives.sum(this, x, 1))
    if (op === 'sub') return Tensor.result(made, [this, x], 'SubBackward', () => derivatives.sum(this, x, -1))
    const result = Tensor.of(made)
    return record(result, 'DivBackward', [this, x], (save) => derivatives.quotient(this, x, result, save))
  }

  /** Sum with broadcasting, in the common type of both operands (`torch.result_type`). `torch.add`. */
  add(x: Tensor | number): Tensor {
    return this.#binary('add', x)
  }

  /** Difference with broadcasting. `torch.sub`. */
  sub(x: Tensor | number): Tensor {
    return this.#binary('sub', x)
  }

  /** Product element by element, with broadcasting. `torch.mul`. */
  mul(x: Tensor | number): Tensor {
    return this.#binary('mul', x)
  }

  /** Quotient with broadcasting; the quotient of integers is float32. `torch.div`. */
  div(x: Tensor | number): Tensor {
    return this.#binary('div', x)
  }

  /** Matrix product of vectors, matrices, and batches of matrices, which are broadcast. `torch.matmul`. */
  matmul(x: Tensor): Tensor {
    if (!(x instanceof Tensor)) throw new UsageError(`matmul: the operand must be a tensor, not ${show(x)}`)
    return Tensor.result(matmul(this, x), [this, x], 'MatMulBackward', (save) => derivatives.matmul(this, x, save))
  }

  /**
   * Calls `hook` with the gradient of this tensor whenever `backward` computes it; what it returns, if anything, takes
   * the gradient's place. Hooks run in the order in which they were registered. `torch.Tensor.register_hook`.
   *
   * @returns a handle whose `remove()` ends that.
   * @throws UsageError if the tensor needs no gradient; from `backward`, for a returned value that is not a tensor of
   * the gradient's shape and type.
   */
  registerHook(hook: (grad: Tensor | SparseGrad) => Tensor | SparseGrad | void): { remove(): void } {
    const where = 'registerHook'
    checkFunction(hook, where)
    if (!this.#requiresGrad) throw new UsageError(`${where}: this tensor needs no gradient: set its requiresGrad first`)
    const run = (grad: Gradient) => changedBy(hook, grad)
    const hooks = this.#node === null ? (this.#hooks ??= []) : (this.#node.hooks ??= [])
    hooks.push(run)
    return {
      remove: () => {
        const at = hooks.indexOf(run)
        if (at >= 0) hooks.splice(at, 1)
      },
    }
  }

  /** The gradient of a leaf after its hooks; takes over `grad`. @internal */
  hooked(grad: Gradient): Gradient {
    return this.#hooks === null ? grad : this.#hooks.reduce((grad, hook) => hook(grad), grad)
  }

  /**
   * Frees the memory now. An array that `data` gave before has length 0 afterwards, unless another tensor shares the
   * memory; every other use of the elements is a UsageError. A second call does nothing.
   *
   * Another tensor that shares the memory still counts if it was dropped without `dispose()`; then the garbage
   * collector frees the memory. Before you call this, finish work on `data` that runs elsewhere, such as an
   * asynchronous write to a file.
   */
  override dispose(): void {
    if (!Tensor.is(this)) throw stranger(this, 'Tensor', 'dispose')
    super.dispose()
    this.#node?.release()
    this.#node = null
    this.#collected?.replace(null, false)
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @internal */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return Tensor.is(value) && isInstance(this, Tensor, value)
  }

  /** `value instanceof Tensor`, but faster, because every lookup asks it. @internal */
  static is(value: unknown): value is Tensor {
    return typeof value === 'object' && value !== null && #collected in value
  }

  static {
    Elements.resultsFrom((storage, dtype, shape) => new Tensor(storage, 0, dtype, shape))
    guardReceivers(this, (value) => #collected in value, OFTEN)
    CONTENTS.guard(this, (value) => #collected in value)
  }
}

/** Makes the gradients that users see; they belong to no scope. */
const SHOWING: Showing = { dense: seen, rows: (ids, rows, shape) => SparseGrad.over(seen(ids), seen(rows), shape) }

function seen(grad: Elements): Tensor {
  const tensor = Tensor.of(grad)
  untrack(tensor)
  return tensor
}

/** The gradient after a hook; takes over `grad`. */
function changedBy(hook: (grad: Tensor | SparseGrad) => Tensor | SparseGrad | void, grad: Gradient): Gradient {
  const where = 'a hook of registerHook'
  // The user may keep what the hook is given.
  const given = (isDense(grad) ? seen(grad.alias()) : grad.shown(SHOWING)) as Tensor | SparseGrad
  const made = noGrad(() => hook(given))
  checkNoPromise(made, where)
  if (made === undefined || made === given) return grad
  if (!(made instanceof Tensor) && !(made instanceof SparseGrad))
    throw new UsageError(`${where} must return a tensor, a SparseGrad or nothing, not ${show(made)}`)
  if (!sameShape(made.shape, grad.shape) || made.dtype !== grad.dtype) {
    throw new ShapeError(
      `${where} must return a gradient of shape ${shown(grad.shape)} and ${grad.dtype}, not of ${shown(made.shape)} and ${made.dtype}`,
    )
  }
  grad.dispose()
  return made instanceof Tensor ? made.detach() : TableGradient.of(made)
}
