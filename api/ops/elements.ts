// Elements: a shape and a type over bytes that a storage holds. Ops read and write them, gradients are made of them,
// and a tensor is elements that its user sees.

import { facts, isFloat, type DType, type TypedArray } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { guardReceivers } from '../base/receivers.js'
import { sizeOf } from '../base/shape.js'
import { checkElements } from '../base/validate.js'
import { track, untrack } from '../memory/scope.js'
import { PooledStorage, Storage, type Lag } from '../memory/storage.js'
import { check, native, type Handle, type Operand } from '../native/native.js'

/** What an op reads: elements, or a constant. */
export interface Borrowed {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly size: number
  /** As the native side borrows them. */
  operand(): Operand
}

/** What every op calls of elements; a tensor checks for itself where users call it. */
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

/**
 * Numbers in a shape, contiguous and row-major. Several may share one storage, whose bytes go with the last of them.
 */
export class Elements implements Borrowed {
  // Declared, so that each is written once: lookups make these objects by the million.
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

  /** Over a storage, from a byte on. They belong to the innermost scope. @internal */
  constructor(storage: Storage, offset: number, dtype: DType, shape: readonly number[]) {
    if (!Storage.is(storage))
      throw new UsageError('a Tensor is made by tensor(), zeros(), randn() and the like, not by new')
    this.shape = Object.freeze(shape)
    this.dtype = dtype
    this.size = sizeOf(shape)
    this.#storage = storage.retain()
    this.#offset = offset
    track(this)
  }

  /**
   * Fresh ones, to be written whole: their values are unspecified. With `where`, checked to fit in this
   * machine. @internal
   */
  static uninitialized(dtype: DType, shape: readonly number[], where?: string): Elements {
    return new Elements(PooledStorage.uninitialized(bytesOf(dtype, shape, where)), 0, dtype, shape)
  }

  /** The same, all 0. @internal */
  static zeroed(dtype: DType, shape: readonly number[], where?: string): Elements {
    return new Elements(PooledStorage.zeroed(bytesOf(dtype, shape, where)), 0, dtype, shape)
  }

  /** The bytes that they lie in. @throws UsageError after `dispose`. @internal */
  get storage(): Storage {
    return this.#alive()
  }

  #alive(): Storage {
    if (this.#storage === null) throw new UsageError('use of a disposed tensor')
    return this.#storage
  }

  /** The byte of the storage where they begin. @internal */
  get storageOffset(): number {
    return this.#offset
  }

  /** Whether they were disposed. */
  get disposed(): boolean {
    return this.#storage === null
  }

  /** Gives the memory back, unless others share it. A second call does nothing. */
  dispose(): void {
    const storage = this.#storage
    untrack(this)
    this.#storage = this.#data = this.#handle = null
    storage?.release()
  }

  /** The same elements, in another shape where one is given: another holder of the memory. @internal */
  alias(shape: readonly number[] = this.shape): Elements {
    return new Elements(this.#alive(), this.#offset, this.dtype, shape)
  }

  /**
   * The same elements without a hold on the memory: valid while some tensor holds it, never to be disposed. Nothing of
   * the memory is kept, so that no array outlives its last holder. @internal
   */
  follow(): Elements {
    const storage = this.#alive()
    const it = new Unheld(storage, this.#offset, this.dtype, this.shape)
    untrack(it)
    storage.release()
    return it
  }

  /** The elements as an array, for use within a call: nobody keeps it. @internal */
  borrow(): TypedArray {
    this.#alive().lag?.settle()
    return this.#view()
  }

  /**
   * The elements, to be read several times as they are now: as `borrow` gives them, or a copy where others may write
   * them meanwhile. @internal
   */
  steady(): TypedArray {
    const data = this.borrow()
    const storage = this.#alive()
    return storage.open && storage.live(data.byteLength) ? storage.peek(this.dtype, this.#offset, this.size) : data
  }

  /**
   * What was made of the elements that `borrow` gave. @throws FileError where a mapped file has lost bytes. @internal
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

  /** The elements as the native side borrows them. @internal */
  operand(): Operand {
    this.#alive().lag?.settle()
    return this.rawOperand()
  }

  /**
   * The same, rows that were left behind as they are: for a caller that has brought up to date what it reads. @internal
   */
  rawOperand(): Operand {
    this.#handle ??= this.#alive().handle(this.dtype, this.#offset, this.size)
    return this.#handle ?? this.#view()
  }

  /** What keeps elements of the memory behind. @internal */
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

  /** Whether nobody else holds the memory. @internal */
  get held(): boolean {
    return this.#alive().held
  }

  /**
   * Whether nobody else can change the elements: the memory is theirs, and no array over it was given away. @internal
   */
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

  /** Whether the two have bytes in common. @internal */
  overlaps(other: Elements): boolean {
    const end = (x: Elements) => x.#offset + x.size * facts(x.dtype).bytes
    return this.#storage?.base === other.#storage?.base && this.#offset < end(other) && other.#offset < end(this)
  }

  /** An object with no more than the prototype has no elements. @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #storage in value
  }

  static {
    // Users meet them as tensors.
    guardReceivers({ name: 'Tensor', prototype: this.prototype }, (value) => #storage in value, OFTEN)
  }
}

/** Elements that hold no memory. */
class Unheld extends Elements {
  override rawOperand(): Operand {
    const { storage, storageOffset, dtype, size } = this
    return storage.handle(dtype, storageOffset, size) ?? storage.view(dtype, storageOffset, size)
  }
}

/** The bytes of elements of a shape; with `where`, checked to fit in this machine. */
export function bytesOf(dtype: DType, shape: readonly number[], where?: string): number {
  const { bytes } = facts(dtype)
  const size = sizeOf(shape)
  if (where !== undefined) checkElements(size, bytes, where, shape)
  return size * bytes
}

/** Runs `run` with a step on the way to a result, which is freed when the work is done. */
export function temporary<T>(step: Elements, run: (step: Elements) => T): T {
  try {
    return run(step)
  } finally {
    step.dispose()
  }
}

/** Runs `run` with the elements of `x` in another type, in `x` itself where they are that already. */
export function withType<T>(x: Borrowed, dtype: DType, where: string, run: (x: Borrowed) => T): T {
  return x.dtype === dtype ? run(x) : temporary(convert(x, dtype, where), run)
}

/**
 * Runs `run` with `x` in the type that arithmetic of `dtype` runs in. On the way, integers and wider floats are rounded
 * to a 16-bit `dtype`, as in PyTorch, which casts operands to the common type before it widens them.
 */
export function asOperand<T>(x: Borrowed, dtype: DType, where: string, run: (x: Borrowed) => T): T {
  const cls = facts(dtype).class
  if (!isFloat(dtype)) return withType(x, cls, where, run)
  return withType(x, dtype, where, (x) => withType(x, cls, where, run))
}

/** The result of `compute`, which writes in the type that arithmetic of `dtype` runs in. */
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

/** The elements in another type, in new memory. */
export function convert(x: Borrowed, dtype: DType, where: string): Elements {
  const out = Elements.uninitialized(dtype, x.shape, where)
  check(native.convertElements(x.dtype, x.operand(), dtype, out.operand()))
  return out
}

/** The elements in another type; in the same memory where it is that already. */
export function cast(x: Elements, dtype: DType): Elements {
  return x.dtype === dtype ? x.alias() : convert(x, dtype, 'to')
}
