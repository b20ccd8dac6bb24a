// Who owns a tensor's bytes: V8 (activations) or Rust (tables and mapped files). Tensors that share bytes share one of
// these and count as its holders; the bytes go with the last of them.

import { constants } from 'node:buffer'
import { facts, type DType, type IntArray, type TypedArray } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { binary, call, check, liveBuffer, native, type Handle, type OnBadId } from '../native/native.js'
import { Parts } from './parts.js'
import { giveBack, take, takeZeroed } from './pool.js'
import { zeroed } from './arrays.js'

/** What keeps elements behind what they should be, and brings them up to date: an optimizer that leaves rows behind. */
export interface Lag {
  /** All of them. */
  settle(): void
  /** The rows that ids name; whether that went well. `bad` says what is done about an id without a row. */
  catchUp(ids: IntArray, bad: OnBadId): boolean
}

/** Bytes that one or more tensors hold. */
export abstract class Storage {
  #holders = 0
  #readers = 0
  /** What is called before the bytes change. */
  #watchers: Set<() => void> | null = null
  #version = 0
  #lag: Lag | null = null

  /** `value instanceof Storage`, in less time, and of proxies too: each new tensor asks it. */
  static is(value: unknown): value is Storage {
    return typeof value === 'object' && value !== null && #holders in value
  }

  /** Whatever keeps its elements behind; who reads or writes them calls it first. */
  get lag(): Lag | null {
    return this.#lag
  }

  set lag(lag: Lag | null) {
    this.#lag = lag
  }

  /** How often its bytes were changed in place, as far as this package did it. */
  get version(): number {
    return this.#version
  }

  /** Whether one tensor alone holds it. */
  get held(): boolean {
    return this.#holders === 1
  }

  /** Its bytes are about to be changed. @throws UsageError while work off the thread reads them. */
  beginWrite(where: string): void {
    this.checkWritable(where)
    this.changing()
    this.#version++
  }

  /**
   * Calls `run` once, before the bytes change; what ends that. null where they could be changed unseen: read them now.
   */
  watch(run: () => void): (() => void) | null {
    if (!this.seen) return null
    const watchers = (this.#watchers ??= new Set())
    watchers.add(run)
    return () => void watchers.delete(run)
  }

  /** Whether all changes go through here. */
  protected get seen(): boolean {
    return false
  }

  /** The bytes change now, or may from now on. */
  protected changing(): void {
    const watchers = this.#watchers
    this.#watchers = null
    watchers?.forEach((run) => run())
  }

  /** One more holder. */
  retain(): this {
    this.#holders++
    return this
  }

  /** One holder less; the last one frees the bytes. */
  release(): void {
    if (--this.#holders === 0) this.free()
  }

  /** Work off the thread begins to read the bytes; what ends that, once. */
  lend(): () => void {
    this.#readers++
    return () => void this.#readers--
  }

  /** @throws UsageError while work off the thread reads the bytes. */
  checkWritable(where: string): void {
    if (this.#readers === 0) return
    const lookups = this.#readers === 1 ? 'a forwardAsync' : `${this.#readers} forwardAsync`
    throw new UsageError(`${where}: ${lookups} under way still read this tensor: await them before it is changed`)
  }

  /** Says that somebody may keep an array over the bytes. */
  show(): void {}

  /** The same for all whose bytes are the same. */
  get base(): Storage {
    return this
  }

  /**
   * The same bytes in Rust's memory, which other threads may read: where they are V8's they move there, and arrays over
   * them have length 0 afterwards.
   */
  abstract native(): NativeStorage
  /**
   * Whether others than this thread may write the bytes: threads that share them, or whoever writes the file they are
   * of.
   */
  abstract readonly open: boolean
  /** Whether `native` moves what somebody may be looking at. */
  abstract readonly shown: boolean

  /** Ends the sharing that this thread began, if it did. */
  unshare(): void {}

  protected abstract free(): void
  /** Elements as an array: live, or a fresh copy where the host forbids live views of Rust's memory. */
  abstract view(dtype: DType, offset: number, size: number): TypedArray
  /** The same elements as the native side borrows them, by a handle; null where `view` is what it borrows. */
  abstract handle(dtype: DType, offset: number, size: number): Handle | null
  /** Whether a view of so many bytes is live. */
  abstract live(bytes: number): boolean

  /** After elements were read from an array. @throws FileError where they are of a mapped file that has lost bytes. */
  checkWhole(): void {}

  /** Elements to look at once: a copy where that costs less than a view. */
  peek(dtype: DType, offset: number, size: number): TypedArray {
    return this.view(dtype, offset, size)
  }
}

/** In the place of a buffer that was given back. */
const NONE = new ArrayBuffer(0)

/** V8's memory, from the pool, until it has to be Rust's. */
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

  /** Bytes whose contents are unspecified: for results that are written whole. */
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
    // As if shown: tensors keep arrays over it.
    giveBack(buffer, true)
    return moved
  }

  override unshare(): void {
    this.#moved?.unshare()
  }

  protected free(): void {
    if (this.#moved !== null) return this.#moved.release()
    const buffer = this.#buffer
    // Forgotten first: what the pool has, it may lend to others.
    this.#buffer = NONE
    giveBack(buffer, this.#shown)
  }

  view(dtype: DType, offset: number, size: number): TypedArray {
    if (this.#moved !== null) return this.#moved.view(dtype, offset, size)
    if (this.#buffer.byteLength === 0 && size > 0) {
      throw new UsageError('the memory of this tensor was transferred away: clone() it before you transfer its buffer')
    }
    return new (facts(dtype).array)(this.#buffer, offset, size)
  }

  handle(dtype: DType, offset: number, size: number): Handle | null {
    return this.#moved === null ? null : this.#moved.handle(dtype, offset, size)
  }
}

/** Rust's memory, behind a handle. */
export class NativeStorage extends Storage {
  readonly shown = false
  readonly open = true
  readonly #handle: Handle
  readonly #bytes: number
  /** The live view of all bytes, made at the first look and kept; null where the host forbids it, or one so long. */
  #buffer: ArrayBuffer | null | undefined
  /** Live views of parts, where one of all is too long. */
  readonly #parts = new Parts()

  /** Its number among what threads share. */
  #number: number | null = null
  #freed = false

  /** Whether it lies in a mapped file. */
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

  /** What this thread shares or opened, by number: in one thread all tensors over it are holders of one storage. */
  static readonly #shared = new Map<number, WeakRef<NativeStorage>>()

  /** Numbers of what this thread began to share. */
  static readonly #begun = new Set<number>()

  /** The shared storage of a number; null where nothing is shared under it. */
  static open(number: number): NativeStorage | null {
    if (!call(native.storageIsShared(number))) return null
    const known = NativeStorage.#shared.get(number)?.deref()
    if (known !== undefined && !known.#freed) return known
    const { handle, bytes, mapped } = call(native.storageOpen(number))
    const storage = new NativeStorage(handle, bytes, mapped)
    // What shared it here may have been collected: then this ends it.
    if (NativeStorage.#begun.has(number)) storage.#number = number
    NativeStorage.#enter(number, storage)
    return storage
  }

  static #enter(number: number, storage: NativeStorage): void {
    for (const [other, ref] of NativeStorage.#shared) if (ref.deref() === undefined) NativeStorage.#shared.delete(other)
    NativeStorage.#shared.set(number, new WeakRef(storage))
  }

  /** How many there are. */
  get bytes(): number {
    return this.#bytes
  }

  /** The number by which threads open it, until `unshare` or `free`. */
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

  /** A zeroed table. */
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

  /** Whether a buffer over all bytes would be longer than Node makes one. */
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
        `an array of ${size} ${dtype} is longer than the ${constants.MAX_LENGTH} bytes that this Node makes: narrow(0, start, length) shows a part`,
      )
    }
    const whole = this.#look()
    if (whole !== null) {
      if (whole.byteLength === 0 && size > 0) {
        throw new UsageError('the memory of this table was transferred away: clone() it before you transfer its buffer')
      }
      return new array(whole, offset, size)
    }
    const part = this.#isLong() ? this.#parts.take(this.handle(dtype, offset, size), offset, size * bytes) : null
    return part === null ? this.peek(dtype, offset, size) : new array(part, 0, size)
  }

  override peek(dtype: DType, offset: number, size: number): TypedArray {
    const { array, bytes } = facts(dtype)
    const copy = new array(zeroed(ArrayBuffer, size * bytes), 0, size)
    check(native.copyRun(bytes, size, this.handle(dtype, offset, size), 0, copy, 0))
    return copy
  }

  handle(dtype: DType, offset: number, size: number): Handle {
    const bytes = size * facts(dtype).bytes
    if (offset === 0 && bytes === this.#bytes) return this.#handle
    return call(native.storageView(this.#handle, offset, bytes))
  }
}
