// Storage: the owner of a tensor's bytes, which is V8 (activations) or Rust (tables and mapped files). Tensors that
// share bytes share one storage and count as its holders; the bytes are freed with the last holder.

import { constants } from 'node:buffer'
import { facts, type DType, type IntArray, type TypedArray } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { binary, call, check, liveBuffer, native, type Handle, type OnBadId } from '../native/native.js'
import { Parts } from './parts.js'
import { giveBack, take, takeZeroed } from './pool.js'
import { zeroedBuffer } from './arrays.js'

/** Rows that an optimizer has yet to update, and the ways to update them before they are read. */
export interface Lag {
  /** Updates all rows. */
  settle(): void
  /** Updates the rows that ids name; returns whether it succeeded. `bad` says how to treat an id without a row. */
  catchUp(ids: IntArray, bad: OnBadId): boolean
}

/** Bytes that one or more tensors hold. */
export abstract class Storage {
  #holders = 0
  #readers = 0
  /** Functions to call before the bytes change. */
  #watchers: Set<() => void> | null = null
  #version = 0
  #lag: Lag | null = null

  /** `value instanceof Storage`, but faster and correct for proxies; it runs for each new tensor. */
  static is(value: unknown): value is Storage {
    return typeof value === 'object' && value !== null && #holders in value
  }

  /** The lag of the elements, if any; readers and writers must call it first. */
  get lag(): Lag | null {
    return this.#lag
  }

  set lag(lag: Lag | null) {
    this.#lag = lag
  }

  /** How often this package changed the bytes in place. */
  get version(): number {
    return this.#version
  }

  /** Whether the storage has exactly one holder. */
  get held(): boolean {
    return this.#holders === 1
  }

  /** Announces a change of the bytes. @throws UsageError while work off the thread reads them. */
  beginWrite(where: string): void {
    this.checkWritable(where)
    this.changing()
    this.#version++
  }

  /**
   * Calls `run` once before the bytes change, and returns a function that ends the watch. It is null if they could
   * change unnoticed; then read them now.
   */
  watch(run: () => void): (() => void) | null {
    if (!this.seen) return null
    const watchers = (this.#watchers ??= new Set())
    watchers.add(run)
    return () => void watchers.delete(run)
  }

  /** Whether every change of the bytes is announced here. */
  protected get seen(): boolean {
    return false
  }

  /** Notifies the watchers: the bytes change now, or may change from now on. */
  protected changing(): void {
    const watchers = this.#watchers
    this.#watchers = null
    watchers?.forEach((run) => run())
  }

  /** Adds a holder. */
  retain(): this {
    this.#holders++
    return this
  }

  /** Removes a holder; the last one frees the bytes. */
  release(): void {
    if (--this.#holders === 0) this.free()
  }

  /** Announces that work off the thread reads the bytes; returns a function to call once when it is done. */
  lend(): () => void {
    this.#readers++
    return () => void this.#readers--
  }

  /** @throws UsageError while work off the thread reads the bytes. */
  checkWritable(where: string): void {
    if (this.#readers === 0) return
    const lookups =
      this.#readers === 1 ? 'a forwardAsync still reads' : `${this.#readers} calls of forwardAsync still read`
    throw new UsageError(`${where}: ${lookups} this tensor: wait for the result before you change it`)
  }

  /** Records that a user may keep an array over the bytes. */
  show(): void {}

  /** The storage that owns the bytes now; the same for all storages of the same bytes. */
  get base(): Storage {
    return this
  }

  /**
   * The same bytes in Rust's memory, which other threads may read. Bytes in V8's memory move there, and arrays over
   * them then have length 0.
   */
  abstract native(): NativeStorage
  /**
   * Whether the bytes may change outside this thread: other threads share them, or a process writes the file that they
   * are mapped from.
   */
  abstract readonly open: boolean
  /** Whether `native` would empty an array that a user may hold. */
  abstract readonly shown: boolean

  /** Ends sharing, if this thread began it. */
  unshare(): void {}

  protected abstract free(): void
  /** Elements as an array: live, or a new copy if the host forbids live views of Rust's memory. */
  abstract view(dtype: DType, offset: number, size: number): TypedArray
  /** The same elements as a handle for the native side; null if the native side borrows `view` instead. */
  abstract handle(dtype: DType, offset: number, size: number): Handle | null
  /** Whether a view of `bytes` bytes is live. */
  abstract live(bytes: number): boolean

  /**
   * Call this after reading elements from an array. @throws FileError if they lie in a mapped file that has lost bytes.
   */
  checkWhole(): void {}

  /** Elements to read once, as a copy if that costs less than a view. */
  peek(dtype: DType, offset: number, size: number): TypedArray {
    return this.view(dtype, offset, size)
  }
}

/** Replaces a buffer that was returned to the pool. */
const NONE = new ArrayBuffer(0)

/** V8's memory from the pool; `native` moves it to Rust's memory if needed. */
export class PooledStorage extends Storage {
  readonly #bytes: number
  #buffer: ArrayBuffer
  #shown = false
  #moved: NativeStorage | null = null

  private constructor(buffer: ArrayBuffer, bytes: number) {
    super()
    this.#buffer = buffer
    this.#bytes = bytes
  }

  /** Bytes whose contents are unspecified, for results that are written whole. */
  static uninitialized(bytes: number): PooledStorage {
    return new PooledStorage(take(bytes), bytes)
  }

  static zeroed(bytes: number): PooledStorage {
    return new PooledStorage(takeZeroed(bytes), bytes)
  }

  live(bytes: number): boolean {
    return this.#moved === null || this.#moved.live(bytes)
  }

  override show(): void {
    if (this.#shown) return
    this.changing()
    this.#shown = true
  }

  protected override get seen(): boolean {
    return !this.#shown && this.#moved === null
  }

  override get base(): Storage {
    return this.#moved ?? this
  }

  override get lag(): Lag | null {
    return this.#moved === null ? super.lag : this.#moved.lag
  }

  override set lag(lag: Lag | null) {
    if (this.#moved === null) super.lag = lag
    else this.#moved.lag = lag
  }

  override lend(): () => void {
    return this.native().lend()
  }

  override checkWritable(where: string): void {
    this.#moved?.checkWritable(where)
  }

  get shown(): boolean {
    return this.#shown && this.#moved === null
  }

  get open(): boolean {
    return this.#moved !== null
  }

  override peek(dtype: DType, offset: number, size: number): TypedArray {
    return this.#moved === null ? this.view(dtype, offset, size) : this.#moved.peek(dtype, offset, size)
  }

  native(): NativeStorage {
    if (this.#moved !== null) return this.#moved
    this.changing()
    const bytes = this.#bytes
    const source = this.view('uint8', 0, bytes)
    const moved = NativeStorage.zeroed(bytes).retain()
    moved.lag = this.lag
    check(native.copyRun(1, bytes, source, 0, moved.handle('uint8', 0, bytes), 0))
    const buffer = this.#buffer
    this.#buffer = NONE
    this.#moved = moved
    // Treat the buffer as shown, because tensors keep arrays over it.
    giveBack(buffer, true)
    return moved
  }

  override unshare(): void {
    this.#moved?.unshare()
  }

  protected free(): void {
    if (this.#moved !== null) return this.#moved.release()
    const buffer = this.#buffer
    // Forget the buffer first: the pool may lend it to others.
    this.#buffer = NONE
    giveBack(buffer, this.#shown)
  }

  view(dtype: DType, offset: number, size: number): TypedArray {
    if (this.#moved !== null) return this.#moved.view(dtype, offset, size)
    if (this.#buffer.byteLength === 0 && size > 0) {
      throw new UsageError(
        'the memory of this tensor was transferred: clone() the tensor before you transfer its buffer',
      )
    }
    return new (facts(dtype).array)(this.#buffer, offset, size)
  }

  handle(dtype: DType, offset: number, size: number): Handle | null {
    return this.#moved === null ? null : this.#moved.handle(dtype, offset, size)
  }
}

/** Rust's memory, which a handle refers to. */
export class NativeStorage extends Storage {
  readonly shown = false
  readonly open = true
  readonly #handle: Handle
  readonly #bytes: number
  /**
   * The live buffer over all bytes, made on first use and kept; null if the host forbids it or it would be too long.
   */
  #buffer: ArrayBuffer | null | undefined
  /** Live buffers over parts, if one over all bytes would be too long. */
  readonly #parts = new Parts()

  /** The number under which threads share it; null if it is not shared. */
  #number: number | null = null
  #freed = false

  /** Whether the bytes lie in a mapped file. */
  readonly #mapped: boolean

  constructor(handle: Handle, bytes: number, mapped = false) {
    super()
    this.#handle = handle
    this.#bytes = bytes
    this.#mapped = mapped
  }

  override checkWhole(): void {
    if (this.#mapped) check(native.storageIsWhole(this.#handle))
  }

  /**
   * Storages that this thread shares or opened, by number. In one thread, all tensors over the same memory hold one
   * storage.
   */
  static readonly #shared = new Map<number, WeakRef<NativeStorage>>()

  /** Numbers of the storages whose sharing this thread began. */
  static readonly #begun = new Set<number>()

  /** The storage that is shared under a number; null if there is none. */
  static open(number: number): NativeStorage | null {
    if (!call(native.storageIsShared(number))) return null
    const known = NativeStorage.#shared.get(number)?.deref()
    if (known !== undefined && !known.#freed) return known
    const { handle, bytes, mapped } = call(native.storageOpen(number))
    const storage = new NativeStorage(handle, bytes, mapped)
    // The storage that began sharing in this thread may have been collected; then this one ends the sharing.
    if (NativeStorage.#begun.has(number)) storage.#number = number
    NativeStorage.#enter(number, storage)
    return storage
  }

  static #enter(number: number, storage: NativeStorage): void {
    for (const [other, ref] of NativeStorage.#shared) if (ref.deref() === undefined) NativeStorage.#shared.delete(other)
    NativeStorage.#shared.set(number, new WeakRef(storage))
  }

  /** Number of bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** The number by which threads open the storage, until `unshare` or `free`. */
  share(): number {
    if (this.#number === null) {
      this.#number = call(native.storageShare(this.#handle))
      NativeStorage.#begun.add(this.#number)
      NativeStorage.#enter(this.#number, this)
    }
    return this.#number
  }

  override unshare(): void {
    if (this.#number === null) return
    NativeStorage.#shared.delete(this.#number)
    NativeStorage.#begun.delete(this.#number)
    check(native.storageUnshare(this.#number))
    this.#number = null
  }

  /** A storage of zeros. */
  static zeroed(bytes: number): NativeStorage {
    return new NativeStorage(call(native.storageZeroed(bytes)), bytes)
  }

  live(bytes: number): boolean {
    return this.#look() !== null || (bytes <= constants.MAX_LENGTH && this.#isLong() && binary.liveData)
  }

  native(): this {
    return this
  }

  protected free(): void {
    this.unshare()
    check(native.storageRelease(this.#handle, this.#buffer || undefined))
    this.#parts.release()
    this.#buffer = null
    this.#freed = true
  }

  /** Whether a buffer over all bytes would be longer than Node allows. */
  #isLong(): boolean {
    return this.#bytes > constants.MAX_LENGTH
  }

  #look(): ArrayBuffer | null {
    if (this.#buffer === undefined) {
      if (this.#bytes === 0) this.#buffer = new ArrayBuffer(0)
      else this.#buffer = this.#isLong() ? null : liveBuffer(this.#handle)
    }
    return this.#buffer
  }

  view(dtype: DType, offset: number, size: number): TypedArray {
    const { array, bytes } = facts(dtype)
    if (size * bytes > constants.MAX_LENGTH) {
      throw new UsageError(
        `an array of ${size} ${dtype} is longer than the ${constants.MAX_LENGTH} bytes that this Node allows: use narrow(0, start, length) for a part of it`,
      )
    }
    const whole = this.#look()
    if (whole !== null) {
      if (whole.byteLength === 0 && size > 0) {
        throw new UsageError(
          'the memory of this table was transferred: clone() the table before you transfer its buffer',
        )
      }
      return new array(whole, offset, size)
    }
    const part = this.#isLong() ? this.#parts.take(this.handle(dtype, offset, size), offset, size * bytes) : null
    return part === null ? this.peek(dtype, offset, size) : new array(part, 0, size)
  }

  override peek(dtype: DType, offset: number, size: number): TypedArray {
    const { array, bytes } = facts(dtype)
    const copy = new array(zeroedBuffer(size * bytes), 0, size)
    check(native.copyRun(bytes, size, this.handle(dtype, offset, size), 0, copy, 0))
    return copy
  }

  handle(dtype: DType, offset: number, size: number): Handle {
    const bytes = size * facts(dtype).bytes
    if (offset === 0 && bytes === this.#bytes) return this.#handle
    return call(native.storageView(this.#handle, offset, bytes))
  }
}
