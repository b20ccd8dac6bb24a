// Elements: a shape and a type over the bytes of a storage. Ops read and write them, gradients consist of them, and a
// tensor is the elements that a user sees.

import { facts, isFloat, type DType, type TypedArray } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { guardReceivers, stranger } from '../base/receivers.js'
import { sizeOf } from '../base/shape.js'
import { checkElements } from '../base/validate.js'
import { track, untrack } from '../memory/scope.js'
import { PooledStorage, Storage, type Lag } from '../memory/storage.js'
import { check, native, type Handle, type Operand } from '../native/native.js'

/** What an op reads: elements or a constant. */
export interface Borrowed {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly size: number
  /** The operand in the form that the native side borrows. */
  operand(): Operand
}

/** Members that every op uses. Their receivers are not checked here; a tensor checks its own where users call it. */
const OFTEN = [
  'disposed',
  'dispose',
  'storage',
  'storageOffset',
  'alias',
  'operand',
  'rawOperand',
  'borrow',
  'lag',
  'beginWrite',
  'checkWritable',
  'watch',
]

/** The shape that was frozen last. */
let lastFrozen: readonly number[] = []

/**
 * Freezes a shape. To freeze it again would take longer than a small lookup's kernel, and loops use one again and
 * again.
 */
function frozen(shape: readonly number[]): readonly number[] {
  if (shape !== lastFrozen) lastFrozen = Object.freeze(shape)
  return shape
}

/** Makes elements of a type and a shape over a new storage. */
type Make = (storage: Storage, dtype: DType, shape: readonly number[]) => Elements
/**
 * Makes the results of ops. The class of tensors puts its own constructor here, so that a result is the very tensor
 * that the user gets: two objects for each op would take a tenth longer.
 */
let make: Make = (storage, dtype, shape) => new Elements(storage, 0, dtype, shape)

/**
 * An array of numbers with a shape, contiguous and row-major. Several may share one storage, whose bytes are freed with
 * the last of them.
 *
 * They are `Borrowed`, which the declaration does not say: published types lack its internal `operand`.
 */
export class Elements {
  // `declare` avoids initialising each field twice: lookups make millions of these objects.
  /** Sizes of the dimensions, outermost first; frozen. */
  declare readonly shape: readonly number[]
  /** The type of the elements. */
  declare readonly dtype: DType
  /** The number of elements. */
  declare readonly size: number
  #storage: Storage | null
  readonly #offset: number
  #data: TypedArray | null = null
  #handle: Handle | null = null

  /** Elements over a storage, from byte `offset` on. They belong to the innermost scope. @internal */
  constructor(storage: Storage, offset: number, dtype: DType, shape: readonly number[]) {
    if (!Storage.is(storage))
      throw new UsageError('a Tensor comes from functions such as tensor(), zeros() and randn(), not from new')
    this.shape = frozen(shape)
    this.dtype = dtype
    this.size = sizeOf(shape)
    this.#storage = storage.retain()
    this.#offset = offset
    track(this)
  }

  /**
   * New elements whose values are unspecified; the caller writes all of them. If `where` is given, the size is checked
   * against what this machine can hold. @internal
   */
  static uninitialized(dtype: DType, shape: readonly number[], where?: string): Elements {
    return make(PooledStorage.uninitialized(bytesOf(dtype, shape, where)), dtype, shape)
  }

  /** New elements that are all 0. @internal */
  static zeroed(dtype: DType, shape: readonly number[], where?: string): Elements {
    return make(PooledStorage.zeroed(bytesOf(dtype, shape, where)), dtype, shape)
  }

  /** Lets a class above make the results of ops. @internal */
  static resultsFrom(above: Make): void {
    make = above
  }

  /** The storage that holds the bytes. @throws UsageError after `dispose`. @internal */
  get storage(): Storage {
    return this.#alive()
  }

  #alive(): Storage {
    if (this.#storage === null) throw new UsageError('use of a disposed tensor')
    return this.#storage
  }

  /** Byte offset of the first element in the storage. @internal */
  get storageOffset(): number {
    return this.#offset
  }

  /** Whether the tensor was disposed. */
  get disposed(): boolean {
    if (!Elements.made(this)) throw stranger(this, 'Tensor', 'disposed')
    return this.#storage === null
  }

  /** Frees the memory, unless others share it. A second call does nothing. */
  dispose(): void {
    const storage = this.#storage
    untrack(this)
    this.#storage = this.#data = this.#handle = null
    storage?.release()
  }

  /** Another holder of the same memory, with the same elements, in another shape if one is given. @internal */
  alias(shape: readonly number[] = this.shape): Elements {
    return new Elements(this.#alive(), this.#offset, this.dtype, shape)
  }

  /**
   * The same elements as a non-owning view, valid while some tensor holds the memory; it must never be disposed. The
   * view caches no array, so that no array outlives the last holder. @internal
   */
  follow(): Elements {
    const storage = this.#alive()
    const it = new Unheld(storage, this.#offset, this.dtype, this.shape)
    untrack(it)
    storage.release()
    return it
  }

  /** The elements as an array, for use within one call; it must not be kept. @internal */
  borrow(): TypedArray {
    this.#alive().lag?.settle()
    return this.#view()
  }

  /**
   * The elements as an array that does not change while it is read several times: the array of `borrow`, or a copy if
   * others may write the memory meanwhile. @internal
   */
  steady(): TypedArray {
    const data = this.borrow()
    const storage = this.#alive()
    return storage.open && storage.live(data.byteLength) ? storage.peek(this.dtype, this.#offset, this.size) : data
  }

  /**
   * Returns `made`, which was computed from the array of `borrow`. @throws FileError if a mapped file has lost
   * bytes. @internal
   */
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

  /** The elements in the form that the native side borrows. @internal */
  operand(): Operand {
    this.#alive().lag?.settle()
    return this.rawOperand()
  }

  /**
   * Like `operand`, without updating rows that an optimizer left behind: the caller has updated those that it
   * reads. @internal
   */
  rawOperand(): Operand {
    this.#handle ??= this.#alive().handle(this.dtype, this.#offset, this.size)
    return this.#handle ?? this.#view()
  }

  /** The lag of the memory: an optimizer that has yet to update some rows. @internal */
  get lag(): Lag | null {
    return this.#alive().lag
  }

  /** @internal */
  set lag(lag: Lag | null) {
    this.#alive().lag = lag
  }

  /** @throws UsageError while work off the thread reads the memory. @internal */
  checkWritable(where: string): void {
    this.#alive().checkWritable(where)
  }

  /** Announces a change of the elements. @throws UsageError as `checkWritable`. @internal */
  beginWrite(where: string): void {
    this.#alive().beginWrite(where)
  }

  /** How often elements in this memory were changed in place. @internal */
  get version(): number {
    return this.#alive().version
  }

  /**
   * Calls `run` once before the elements change, and returns a function that ends the watch; null if they could change
   * unnoticed. @internal
   */
  watch(run: () => void): (() => void) | null {
    return this.#alive().watch(run)
  }

  /** Whether these elements alone hold the memory. @internal */
  get held(): boolean {
    return this.#alive().held
  }

  /**
   * Whether nobody else can change the elements: they alone hold the memory, and no array over it was given to a
   * user. @internal
   */
  get alone(): boolean {
    const storage = this.#alive()
    return storage.held && !storage.shown
  }

  /** Whether `lend` would leave every array that a user holds intact. @internal */
  get lendable(): boolean {
    return !this.#alive().shown
  }

  /**
   * The elements for work off the thread, and a function to call when the work is done. Elements in V8's memory move to
   * native memory; arrays over them then have length 0. @internal
   */
  lend(): { handle: Handle; done: () => void } {
    const storage = this.#alive()
    storage.native()
    return { handle: this.rawOperand() as Handle, done: storage.lend() }
  }

  /** Whether the two share any bytes. @internal */
  overlaps(other: Elements): boolean {
    const end = (x: Elements) => x.#offset + x.size * facts(x.dtype).bytes
    return this.#storage?.base === other.#storage?.base && this.#offset < end(other) && other.#offset < end(this)
  }

  /** Whether the constructor made the value; an object that only inherits the prototype has no elements. */
  private static made(value: unknown): boolean {
    return typeof value === 'object' && value !== null && #storage in value
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return Elements.made(value)
  }

  static {
    // Errors say Tensor, the class that users know.
    guardReceivers({ name: 'Tensor', prototype: this.prototype }, Elements.made, OFTEN)
  }
}

/** Elements that do not hold the memory; see `follow`. */
class Unheld extends Elements {
  override rawOperand(): Operand {
    const { storage, storageOffset, dtype, size } = this
    return storage.handle(dtype, storageOffset, size) ?? storage.view(dtype, storageOffset, size)
  }
}

/**
 * Size in bytes of elements of this shape. If `where` is given, the size is checked against what this machine can hold.
 */
export function bytesOf(dtype: DType, shape: readonly number[], where?: string): number {
  const { bytes } = facts(dtype)
  const size = sizeOf(shape)
  if (where !== undefined) checkElements(size, bytes, where, shape)
  return size * bytes
}

/** Runs `run` with an intermediate result and frees that afterwards. */
export function temporary<T>(step: Elements, run: (step: Elements) => T): T {
  try {
    return run(step)
  } finally {
    step.dispose()
  }
}

/** Runs `run` with the elements of `x` converted to `dtype`, or with `x` itself if it has that type. */
export function withType<T>(x: Borrowed, dtype: DType, where: string, run: (x: Borrowed) => T): T {
  return x.dtype === dtype ? run(x) : temporary(convert(x, dtype, where), run)
}

/**
 * Runs `run` with `x` in the type that arithmetic of `dtype` runs in. Integers and wider floats are first rounded to a
 * 16-bit `dtype`: PyTorch too casts operands to the common type before it widens them.
 */
export function asOperand<T>(x: Borrowed, dtype: DType, where: string, run: (x: Borrowed) => T): T {
  const cls = facts(dtype).class
  if (!isFloat(dtype)) return withType(x, cls, where, run)
  return withType(x, dtype, where, (x) => withType(x, cls, where, run))
}

/** The result of `compute` in `dtype`; `compute` writes it in the type that arithmetic of `dtype` runs in. */
export function inClass(
  dtype: DType,
  shape: readonly number[],
  where: string,
  compute: (out: Elements, cls: DType) => void,
): Elements {
  const cls = facts(dtype).class
  const out = Elements.uninitialized(cls, shape, where)
  compute(out, cls)
  return cls === dtype ? out : temporary(out, () => convert(out, dtype, where))
}

/** The elements converted to `dtype`, in new memory. */
export function convert(x: Borrowed, dtype: DType, where: string): Elements {
  const out = Elements.uninitialized(dtype, x.shape, where)
  check(native.convertElements(x.dtype, x.operand(), dtype, out.operand()))
  return out
}

/** The elements converted to `dtype`, or another holder of the same memory if they have that type. */
export function cast(x: Elements, dtype: DType): Elements {
  return x.dtype === dtype ? x.alias() : convert(x, dtype, 'to')
}
