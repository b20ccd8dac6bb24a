// Live buffers over parts of a storage that is too long for one buffer.

import { check, liveBuffer, native, type Handle } from '../native/native.js'

interface Part {
  readonly handle: Handle
  /** A weak reference: only users' arrays keep the buffer alive. */
  readonly buffer: WeakRef<ArrayBuffer>
}

/**
 * Number of parts from which collected ones are looked for and forgotten; later it is twice the number of parts in use.
 */
const FEW = 64

/** The buffers over parts of one storage that users hold. */
export class Parts {
  readonly #parts = new Map<string, Part>()
  #many = FEW

  /** The buffer over the part that `handle` refers to; null if the host forbids live buffers. */
  take(handle: Handle, offset: number, bytes: number): ArrayBuffer | null {
    if (bytes === 0) return new ArrayBuffer(0)
    const key = `${offset}+${bytes}`
    const known = this.#parts.get(key)?.buffer.deref()
    // A buffer that its user transferred away is replaced.
    if (known !== undefined && known.byteLength > 0) return known
    const buffer = liveBuffer(handle)
    if (buffer === null) return null
    if (this.#parts.size >= this.#many) this.#forget()
    this.#parts.set(key, { handle, buffer: new WeakRef(buffer) })
    return buffer
  }

  #forget(): void {
    for (const [key, { buffer }] of this.#parts) if (buffer.deref() === undefined) this.#parts.delete(key)
    this.#many = Math.max(FEW, 2 * this.#parts.size)
  }

  /** Detaches all buffers when the storage is freed. */
  release(): void {
    for (const { handle, buffer } of this.#parts.values()) {
      const shown = buffer.deref()
      if (shown !== undefined) check(native.storageRelease(handle, shown))
    }
    this.#parts.clear()
  }
}
