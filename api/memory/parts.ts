// Live buffers over parts of a storage that is too long for one.

import { check, liveBuffer, native, type Handle } from '../native/native.js'

interface Part {
  readonly handle: Handle
  /** Not held: who has an array over it holds it. */
  readonly buffer: WeakRef<ArrayBuffer>
}

/** Parts are forgotten when nobody looks at them any more, which is looked into when there are twice as many. */
const FEW = 64

/** The parts of one storage that somebody looks at. */
export class Parts {
  readonly #parts = new Map<string, Part>()
  #many = FEW

  /** The buffer over a part, whose handle is given; null where the host forbids it. */
  take(handle: Handle, offset: number, bytes: number): ArrayBuffer | null {
    if (bytes === 0) return new ArrayBuffer(0)
    const key = `${offset}+${bytes}`
    const known = this.#parts.get(key)?.buffer.deref()
    // One that its user transferred away is made anew.
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

  /** Detaches all, when the storage has been given up. */
  release(): void {
    for (const { handle, buffer } of this.#parts.values()) {
      const shown = buffer.deref()
      if (shown !== undefined) check(native.storageRelease(handle, shown))
    }
    this.#parts.clear()
  }
}
