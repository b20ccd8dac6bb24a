/// <reference lib="esnext.disposable" preserve="true" />
// The tensor: a shape and a type over bytes that somebody owns.

import { isTensor, record, runBackward, type Backward, type Gradient, type GradNode, type Save } from '../autograd/tape.js'
import { Collected } from '../autograd/leaf.js'
import * as derivatives from '../autograd/derivatives.js'
import { facts, isFloat, checkDType, type DType, type TypedArray } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { formatTensor } from './format.js'
import { gradOf } from '../autograd/no-grad.js'
import { elementAt } from './halves.js'
import type { Handle, Operand } from '../native/native.js'
import * as ops from '../ops/arithmetic.js'
import { matmul } from '../ops/matmul.js'
import { guardReceivers, isInstance, OFTEN, stranger } from '../base/receivers.js'
import { track, untrack } from '../memory/scope.js'
import { SparseGrad, TableGradient } from '../autograd/table-gradient.js'
import { checkDim, inferredShape, sameShape, shown, sizeOf } from '../base/shape.js'
import { open, share, type SharedTable } from './sharing.js'
import { Followed, PooledStorage, Storage, type Lag } from '../memory/storage.js'
import { CONTENTS, jsonOf } from './contents.js'
import { elementsOf, nested, plainAt } from './values.js'
import { checkBoolean, checkInteger, checkOptions, checkSize, isObject, show } from '../base/validate.js'

/**
 * Numbers in a shape, contiguous and row-major. Made by `tensor`, `zeros`, `randn` ..., by layers and by its own methods.
 *
 * `reshape`, `detach`, `to` of the same type, and `narrow` along dimension 0 share memory with their origin; everything
 * else makes new memory. Memory goes with the last tensor that shares it: collected as any object, or at once by
 * `dispose()`, `using` or `scope()`.
 */
export class Tensor {
  /** Sizes of the dimensions, outermost first; frozen. */
  readonly shape: readonly number[]
  /** The type of the elements. */
  readonly dtype: DType
  /** The number of elements. */
  readonly size: number
  #storage: Storage | null
  readonly #offset: number
  #data: TypedArray | null = null
  #handle: Handle | null = null
  #requiresGrad = false
  /** The op that it is the result of, where that is recorded. */
  #node: GradNode | null = null
  #collected: Collected | null = null
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  private constructor(storage: Storage, offset: number, dtype: DType, shape: readonly number[]) {
    if (!isObject(storage) || !(storage instanceof Storage)) {
      throw new UsageError('a Tensor is made by tensor(), zeros(), randn() and the like, not by new')
    }
    this.shape = Object.freeze(shape)
    this.dtype = dtype
    this.size = sizeOf(shape)
    this.#storage = storage.retain()
    this.#offset = offset
    track(this)
  }

  /** A tensor over a storage, from a byte on. @internal */
  static over(storage: Storage, dtype: DType, shape: readonly number[], offset = 0): Tensor {
    return new Tensor(storage, offset, dtype, shape)
  }

  /** The result of an op on `inputs`, recorded under a name where it is one that gradients flow through. @internal */
  static result(made: ops.Made, inputs: readonly (Tensor | number)[] = [], name?: string, backward?: (save: Save) => Backward): Tensor {
    const tensor = new Tensor(made.storage, 0, made.dtype, made.shape)
    return name === undefined ? tensor : record(tensor, name, inputs, backward!)
  }

  /** The op that it is the result of; null for a leaf. @internal */
  get node(): GradNode | null {
    return this.#node
  }

  /** Makes it the result of an op. @internal */
  from(node: GradNode): void {
    this.#requiresGrad = true
    this.#node = node.retain()
  }

  /** It is written anew and learns nothing from what it was. @internal */
  forget(): void {
    this.#requiresGrad = false
    this.#node?.release()
    this.#node = null
  }

  #alive(): Storage {
    if (this.#storage === null) throw new UsageError('use of a disposed tensor')
    return this.#storage
  }

  /** Whether it was disposed. */
  get disposed(): boolean {
    if (!Tensor.is(this)) throw stranger(this, 'Tensor', 'disposed')
    return this.#storage === null
  }

  /**
   * The elements in order, live and writable: writing here changes the tensor. float16 and bfloat16 as their bits in a
   * Uint16Array, bool as 0 and 1 in a Uint8Array. The buffer behind it may be longer than the array.
   *
   * Where the host forbids live views of native memory (Electron; `capabilities().liveData` is false) a table's is a
   * copy: `set` writes everywhere.
   *
   * @throws UsageError after `dispose()`, and where the array would be longer than Node makes one (Node 20: 4 GiB): then
   * `narrow(0, start, length).data` shows a part.
   */
  get data(): TypedArray {
    this.#alive().show()
    return this.borrow()
  }

  /** `data`, for use within a call: nobody keeps it. @internal */
  borrow(): TypedArray {
    this.#alive().lag?.settle()
    return this.#view()
  }

  /**
   * The elements, to be read several times as they are now: as `borrow` gives them, or a copy where others may write them
   * meanwhile. @internal
   */
  steady(): TypedArray {
    const data = this.borrow()
    const storage = this.#alive()
    return storage.open && storage.live(data.byteLength) ? storage.peek(this.dtype, this.#offset, this.size) : data
  }

  /** What was made of the elements that `borrow` gave. @throws FileError where a mapped file has lost bytes. @internal */
  checkWhole<T>(made?: T): T {
    this.#alive().checkWhole()
    return made as T
  }

  #view(): TypedArray {
    const storage = this.#alive()
    if (this.#data !== null && this.#data.length === this.size) return this.#data
    const data = storage.view(this.dtype, this.#offset, this.size)
    if (storage.live(data.byteLength)) this.#data = data
    return data
  }

  /** The elements as the native side borrows them. @internal */
  operand(): Operand {
    this.#alive().lag?.settle()
    return this.rawOperand()
  }

  /** The same, rows that were left behind as they are: for who has brought up to date what it reads. @internal */
  rawOperand(): Operand {
    this.#handle ??= this.#alive().handle(this.dtype, this.#offset, this.size)
    return this.#handle ?? this.#view()
  }

  /** Its elements without a hold on them. @internal */
  follow(): Followed {
    return new Followed(this.#alive(), this.dtype, this.#offset, this.size)
  }

  /** What keeps elements of its memory behind. @internal */
  get lag(): Lag | null {
    return this.#alive().lag
  }

  /** @throws UsageError while work off the thread reads the memory. @internal */
  checkWritable(where: string): void {
    this.#alive().checkWritable(where)
  }

  /** The elements are about to be changed. @throws UsageError as `checkWritable`. @internal */
  beginWrite(where: string): void {
    this.#alive().beginWrite(where)
  }

  /** How often the elements, or others in their memory, were changed in place. @internal */
  get version(): number {
    return this.#alive().version
  }

  /** Calls `run` once, before the elements change; what ends that. null where they could change unseen. @internal */
  watch(run: () => void): (() => void) | null {
    return this.#alive().watch(run)
  }

  /** Whether nobody else can change the elements: no tensor shares them, and no array over them was given away. @internal */
  get alone(): boolean {
    const storage = this.#alive()
    return storage.held && !storage.shown
  }

  /** Whether `lend` empties nobody's array. @internal */
  get lendable(): boolean {
    return !this.#alive().shown
  }

  /**
   * The elements for work off the thread, and what ends its reading. Those in V8's memory move to native memory; arrays
   * over them have length 0 then. @internal
   */
  lend(): { handle: Handle; done: () => void } {
    const storage = this.#alive()
    storage.native()
    return { handle: this.rawOperand() as Handle, done: storage.lend() }
  }

  /**
   * A handle that other threads of this process open with `Tensor.fromShared`, for the same memory without a copy. It is
   * a plain object for `postMessage` or `workerData`; a tensor itself cannot be posted.
   *
   * The memory is shared until `unshare()`, until `dispose()` of the last tensor over it in this thread, or until this
   * thread ends; tensors opened before keep it until they go themselves. Threads see each other's writes, in no promised
   * order: write before you share, or tell by a message of your own.
   *
   * Memory of V8's (tensors made by `tensor`, `zeros`, ops ...) moves to native memory first: an array that `data` gave
   * before has length 0 then.
   */
  share(): SharedTable {
    this.#alive().lag?.settle()
    return share(this.#alive(), this.dtype, this.shape, this.#offset)
  }

  /** Ends what `share()` of this or another tensor over the memory began in this thread: no handle opens any more. */
  unshare(): void {
    this.#alive().unshare()
  }

  /**
   * A tensor over memory that another thread shares. Its `dispose()` lets go of it in this thread alone.
   *
   * @throws UsageError for a handle whose sharing has ended, or that is another process's.
   */
  static fromShared(handle: SharedTable): Tensor {
    const { storage, dtype, shape, offset } = open(handle)
    return Tensor.over(storage, dtype, shape, offset)
  }

  /** Whether the two have bytes in common. @internal */
  overlaps(other: Tensor): boolean {
    const end = (x: Tensor) => x.#offset + x.size * facts(x.dtype).bytes
    return this.#storage?.base === other.#storage?.base && this.#offset < end(other) && other.#offset < end(this)
  }

  /**
   * Whether gradients are wanted for it (a parameter), or flow through it (a result of one). Floats only.
   *
   * @throws UsageError where it is switched off for the result of an op: `detach()` gives one without.
   */
  get requiresGrad(): boolean {
    if (!Tensor.is(this)) throw stranger(this, 'Tensor', 'requiresGrad')
    return this.#requiresGrad
  }

  set requiresGrad(value: boolean) {
    if (typeof value !== 'boolean') throw new UsageError(`requiresGrad is true or false, not ${show(value)}`)
    this.#alive()
    if (value && !isFloat(this.dtype)) throw new DTypeError(`requiresGrad: floats can learn, ${this.dtype} cannot`)
    if (!value && this.#node !== null) {
      throw new UsageError('requiresGrad: this is the result of an op on what learns: detach() gives a tensor that is not')
    }
    this.#requiresGrad = value
  }

  /** The op that it is the result of, as PyTorch names it (`EmbeddingBackward`); null for a leaf. */
  get gradFn(): string | null {
    return this.#node?.name ?? null
  }

  /**
   * What `backward` collected, the sum over all calls since it was null; of leaves that require it. null before. A dense
   * tensor of this one's shape and type; a SparseGrad for the weight of a layer made with `sparse: true`. That of a table
   * is built when it is looked at. It lives until it is set to null, or this tensor is disposed, but for those who hold it.
   */
  get grad(): Tensor | SparseGrad | null {
    return this.#collected?.look() ?? null
  }

  set grad(grad: Tensor | SparseGrad | null) {
    const where = 'grad'
    if (grad === null) {
      this.#collected?.replace(null, false)
      return
    }
    if (!(grad instanceof Tensor) && !(grad instanceof SparseGrad)) throw new UsageError(`${where}: a tensor, a SparseGrad or null, not ${show(grad)}`)
    if (!sameShape(grad.shape, this.shape)) throw new ShapeError(`${where}: ${shown(grad.shape)} for a tensor of ${shown(this.shape)}`)
    if (grad.dtype !== this.dtype) throw new DTypeError(`${where}: ${grad.dtype} for a tensor of ${this.dtype}`)
    this.#leaf().replace(grad instanceof Tensor ? grad : TableGradient.of(grad), true)
  }

  #leaf(): Collected {
    return (this.#collected ??= new Collected())
  }

  /** What was collected, as it is kept: nobody keeps it. @internal */
  get collected(): Gradient | null {
    return this.#collected?.kept ?? null
  }

  /** Adds to what was collected; `grad` is taken over. @internal */
  collect(grad: Gradient): void {
    this.#leaf().add(isTensor(grad) ? grad.#own() : grad)
  }

  /** Itself, or a copy where other tensors share the memory. */
  #own(): Tensor {
    if (this.#alive().held) return this
    const copy = this.clone()
    this.dispose()
    return copy
  }

  /**
   * Computes gradients of all that this tensor was made from, and adds them to `grad` of the leaves that require it.
   * `torch.Tensor.backward`.
   *
   * @param gradOutput that of this tensor, of its shape and type; without it: for one element, with gradient 1.
   * @param options `retainGraph`: keep what the way back needs, to go it again; else it is freed at once.
   * @throws UsageError where nothing here learns, for several elements without `gradOutput`, where the graph was freed, and
   * where a tensor that is needed was changed in place since; ShapeError and DTypeError for a `gradOutput` that does not
   * fit. Nothing has changed then.
   */
  backward(gradOutput?: Tensor, options?: { retainGraph?: boolean }): void {
    const where = 'backward'
    const { retainGraph = false } = checkOptions(options, ['retainGraph'], where)
    checkBoolean(retainGraph, `${where}: retainGraph`)
    if (!this.#requiresGrad) {
      throw new UsageError(`${where}: nothing that this tensor was made from learns: set requiresGrad of a leaf, and leave noGrad`)
    }
    const grad = gradOf(this, gradOutput, where, () => Tensor.over(PooledStorage.zeroed(facts(this.dtype).bytes), this.dtype, this.shape).set([1]))
    if (this.#node === null) this.collect(grad)
    else runBackward(this.#node, grad, retainGraph)
  }

  /**
   * Writes values into the elements from `offset` on, in the tensor's own type.
   *
   * @throws ShapeError where they do not fit, DTypeError for a value that the type cannot hold.
   */
  set(values: Tensor | ArrayLike<number>, offset = 0): this {
    const where = 'Tensor.set'
    this.checkWritable(where)
    checkSize(offset, `${where}: offset`)
    const source = values instanceof Tensor ? values : null
    const length = source ? source.size : checkSize(isObject(values) ? (values as ArrayLike<number>).length : undefined, `${where}: length of the values`)
    if (offset + length > this.size) {
      throw new ShapeError(`${where}: ${length} values from ${offset} on do not fit in ${this.size} elements`)
    }
    this.beginWrite(where)
    if (source && source.dtype === this.dtype) this.#write(source, offset)
    else if (source) {
      const converted = Tensor.result(ops.convert(source, this.dtype, where))
      ops.write(converted, this, offset)
      converted.dispose()
    } else {
      const data = elementsOf(values as ArrayLike<number>, this.dtype, where)
      ops.write({ dtype: this.dtype, shape: [length], size: length, operand: () => data }, this, offset)
    }
    return this
  }

  #write(source: Tensor, offset: number): void {
    if (source.#alive().base !== this.#alive().base) return ops.write(source, this, offset)
    if (source.#offset === this.#offset + offset * facts(this.dtype).bytes) return
    // Parts of one memory may overlap.
    const copy = Tensor.result(ops.clone(source, 'Tensor.set'))
    ops.write(copy, this, offset)
    copy.dispose()
  }

  /** The elements as nested arrays of numbers, or one number; int64 beyond 2^53 as bigint. */
  toArray(): any {
    const data = this.borrow()
    return this.checkWhole(nested(this.shape, (i) => plainAt(data, this.dtype, i)))
  }

  /** The one element. @throws ShapeError where there is not exactly one. */
  item(): number {
    if (this.size !== 1) throw new ShapeError(`item: of a tensor with one element, not of ${shown(this.shape)}`)
    return this.checkWhole(Number(elementAt(this.borrow(), this.dtype, 0)))
  }

  /** As PyTorch prints tensors: four decimals, aligned, long ones summarised. */
  toString(): string {
    if (this.#storage === null) return `tensor(disposed, shape=${shown(this.shape)})`
    const suffixes = this.#node !== null ? [`gradFn=<${this.#node.name}>`] : this.#requiresGrad ? ['requiresGrad=true'] : []
    const { dtype, shape } = this
    this.#storage.lag?.settle()
    const { bytes } = facts(dtype)
    const data = this.#storage.live(this.size * bytes) ? this.borrow() : null
    // Where `data` would be a copy of all, only the elements that are shown are read.
    const at = (i: number) => (data ? elementAt(data, dtype, i) : elementAt(this.#alive().peek(dtype, this.#offset + i * bytes, 1), dtype, 0))
    return this.checkWhole(formatTensor({ data: data ?? [], at, shape, dtype, suffixes }))
  }

  /** `toArray()`, for `JSON.stringify`. @throws UsageError for NaN, infinities, what no number holds, and over 2^20 elements. */
  toJSON(): any {
    return jsonOf(this)
  }

  /** The same elements in another shape, in the same memory; one size may be -1: whatever is left. */
  reshape(...shape: number[]): Tensor {
    const sizes = inferredShape(shape, this.size)
    if (sizeOf(sizes) !== this.size) throw new ShapeError(`reshape: ${shown(this.shape)} has ${this.size} elements, not ${shown(shape)}`)
    return record(this.#sharing(sizes, this.#offset), 'ReshapeBackward', [this], () => derivatives.reshape(this))
  }

  #sharing(shape: readonly number[], offset: number): Tensor {
    return new Tensor(this.#alive(), offset, this.dtype, shape)
  }

  /** The part `start .. start + length` along a dimension; along dimension 0 in the same memory, else a copy. */
  narrow(dim: number, start: number, length: number): Tensor {
    const at = checkDim(dim, this.shape.length, 'narrow')
    const n = this.shape[at]
    const from = checkInteger(start, 'narrow: start') < 0 ? start + n : start
    checkSize(length, 'narrow: length')
    if (from < 0 || from + length > n) {
      throw new ShapeError(`narrow: ${length} from ${start} on do not fit in dimension ${at} of ${shown(this.shape)}`)
    }
    const row = sizeOf(this.shape.slice(1)) * facts(this.dtype).bytes
    const part =
      at > 0
        ? Tensor.result(ops.narrow(this, at, from, length))
        : this.#sharing([length, ...this.shape.slice(1)], this.#offset + from * row)
    return record(part, 'NarrowBackward', [this], () => derivatives.narrow(this, at, from))
  }

  /** Two dimensions swapped, in new memory. */
  transpose(a: number, b: number): Tensor {
    const rank = this.shape.length
    const [p, q] = [checkDim(a, rank, 'transpose'), checkDim(b, rank, 'transpose')]
    return Tensor.result(ops.transpose(this, p, q), [this], 'TransposeBackward', () => derivatives.transpose(p, q))
  }

  /**
   * The elements in another type; in the same memory where it is that already. Floats round to nearest even, go to
   * integers cut towards zero; integers wrap; anything but 0 is true.
   */
  to(dtype: DType): Tensor {
    if (checkDType(dtype, 'to') === this.dtype) {
      return record(this.#sharing(this.shape, this.#offset), 'ToBackward', [this], () => derivatives.identity)
    }
    const made = ops.convert(this, dtype, 'to')
    // Integers do not learn.
    return isFloat(dtype) ? Tensor.result(made, [this], 'ToBackward', () => derivatives.convert(this)) : Tensor.result(made)
  }

  /** A copy. */
  clone(): Tensor {
    return Tensor.result(ops.clone(this, 'clone'), [this], 'CloneBackward', () => derivatives.identity)
  }

  /** The same memory, without gradients. */
  detach(): Tensor {
    return this.#sharing(this.shape, this.#offset)
  }

  #binary(op: 'add' | 'sub' | 'mul' | 'div', x: Tensor | number): Tensor {
    if (!(x instanceof Tensor) && typeof x !== 'number') throw new UsageError(`${op}: of a tensor or a number, not ${show(x)}`)
    const made = ops.binary(op, this, x)
    if (op === 'mul') return Tensor.result(made, [this, x], 'MulBackward', (save) => derivatives.product(this, x, save))
    if (op === 'add') return Tensor.result(made, [this, x], 'AddBackward', () => derivatives.sum(this, x, 1))
    if (op === 'sub') return Tensor.result(made, [this, x], 'SubBackward', () => derivatives.sum(this, x, -1))
    const result = Tensor.result(made)
    return record(result, 'DivBackward', [this, x], (save) => derivatives.quotient(this, x, result, save))
  }

  /** Sum, with broadcasting, in the type that both become together (`torch.result_type`). `torch.add`. */
  add(x: Tensor | number): Tensor {
    return this.#binary('add', x)
  }

  /** Difference, with broadcasting. `torch.sub`. */
  sub(x: Tensor | number): Tensor {
    return this.#binary('sub', x)
  }

  /** Product element by element, with broadcasting. `torch.mul`. */
  mul(x: Tensor | number): Tensor {
    return this.#binary('mul', x)
  }

  /** Quotient, with broadcasting; of integers in float32. `torch.div`. */
  div(x: Tensor | number): Tensor {
    return this.#binary('div', x)
  }

  /** Matrix product: vectors, matrices, and batches of matrices, which are broadcast. `torch.matmul`. */
  matmul(x: Tensor): Tensor {
    if (!(x instanceof Tensor)) throw new UsageError(`matmul: of a tensor, not ${show(x)}`)
    return Tensor.result(matmul(this, x), [this, x], 'MatMulBackward', (save) => derivatives.matmul(this, x, save))
  }

  #dim(dim: number, where: string): number {
    // As PyTorch's: a scalar has dimensions 0 and -1.
    return checkDim(dim, Math.max(this.shape.length, 1), where)
  }

  /** The sum along a dimension, or of all; floats are summed in float64 and rounded once, integers give int64. */
  sum(dim?: number): Tensor {
    return this.#reduce('sum', 'SumBackward', dim)
  }

  /** The mean along a dimension, or of all; summed in float64 and rounded once. */
  mean(dim?: number): Tensor {
    return this.#reduce('mean', 'MeanBackward', dim)
  }

  #reduce(op: 'sum' | 'mean', name: string, dim: number | undefined): Tensor {
    const along = dim === undefined ? undefined : this.#dim(dim, op)
    const at = this.shape.length === 0 ? undefined : along
    return Tensor.result(ops.reduce(op, this, at), [this], name, () => derivatives.reduction(op, this, at))
  }

  #unary(op: ops.Unary, name: string): Tensor {
    const result = Tensor.result(ops.unary(op, this))
    return record(result, name, [this], (save) => derivatives.unary(op, op === 'gelu' ? this : result, save))
  }

  /** `max(x, 0)`. */
  relu(): Tensor {
    return this.#unary('relu', 'ReluBackward')
  }

  /** `x * Phi(x)`, exact (by erf). Hendrycks and Gimpel 2016; `torch.nn.functional.gelu`. */
  gelu(): Tensor {
    return this.#unary('gelu', 'GeluBackward')
  }

  /** Hyperbolic tangent. */
  tanh(): Tensor {
    return this.#unary('tanh', 'TanhBackward')
  }

  /** `1 / (1 + exp(-x))`. */
  sigmoid(): Tensor {
    return this.#unary('sigmoid', 'SigmoidBackward')
  }

  /** The square root, rounded correctly; NaN of what is below 0. The derivative is `0.5 / sqrt(x)`. */
  sqrt(): Tensor {
    return this.#unary('sqrt', 'SqrtBackward')
  }

  #softmax(log: boolean, name: string, dim: number): Tensor {
    const result = Tensor.result(ops.softmax(log, this, dim))
    return record(result, name, [this], (save) => derivatives.softmax(log, result, dim, save))
  }

  /** `exp(x) / sum(exp(x))` along a dimension. `torch.softmax`. */
  softmax(dim: number): Tensor {
    return this.#softmax(false, 'SoftmaxBackward', this.#dim(dim, 'softmax'))
  }

  /** The logarithm of `softmax`, computed without it. `torch.log_softmax`. */
  logSoftmax(dim: number): Tensor {
    return this.#softmax(true, 'LogSoftmaxBackward', this.#dim(dim, 'logSoftmax'))
  }

  /**
   * Gives the memory back now. A `data` taken before has length 0 afterwards, unless another tensor shares the memory;
   * every other use of its elements is a UsageError. A second call does nothing.
   *
   * A tensor that shares the memory and was dropped undisposed still counts: then the garbage collector frees. End work on
   * `data` that runs elsewhere, such as an asynchronous write to a file, before.
   */
  dispose(): void {
    if (!Tensor.is(this)) throw stranger(this, 'Tensor', 'dispose')
    const storage = this.#storage
    untrack(this)
    this.#storage = this.#data = this.#handle = null
    this.#node?.release()
    this.#node = null
    this.#collected?.replace(null, false)
    storage?.release()
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return Tensor.is(value) && isInstance(this, Tensor, value)
  }

  /** `value instanceof Tensor`, in less time: lookups ask it. @internal */
  static is(value: unknown): value is Tensor {
    return typeof value === 'object' && value !== null && #storage in value
  }

  static {
    guardReceivers(this, (value) => #storage in value, OFTEN)
    CONTENTS.guard(this, (value) => #storage in value)
  }
}
