// Arrays in V8's memory. If V8 has no memory left it throws a bare RangeError; here that becomes a MemoryError.

import { MemoryError } from '../base/errors.js'
import { isRangeError } from '../base/realm.js'

/** A class whose objects are made from a length. */
interface Kind<A> {
  new (length: number): A
  readonly BYTES_PER_ELEMENT?: number
}

/** The result of `make`, which allocates `bytes` bytes. */
export function allocating<T>(bytes: number, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw refused(bytes, cause)
  }
}

/** What to throw if an allocation of `bytes` bytes threw `cause`: a MemoryError if V8 had no memory. */
function refused(bytes: number, cause: unknown): unknown {
  if (!isRangeError(cause)) return cause
  return new MemoryError(`cannot allocate ${bytes} bytes: dispose() tensors that you no longer need`, bytes, {
    cause,
  })
}

/** A buffer of `bytes` zeros. Every result of an op is made here, so no function is passed on. */
export function zeroedBuffer(bytes: number): ArrayBuffer {
  try {
    return new ArrayBuffer(bytes)
  } catch (cause) {
    throw refused(bytes, cause)
  }
}

/** A typed array of `length` zeros. */
export function zeroed<A>(kind: Kind<A>, length: number): A {
  return allocating(length * (kind.BYTES_PER_ELEMENT ?? 1), () => new kind(length))
}

/**
 * A uint32 array whose elements are unspecified; the caller writes all of them. Zeros would take V8 half a millisecond
 * for a megabyte, at once.
 */
export function unwritten(length: number): Uint32Array {
  const bytes = length * Uint32Array.BYTES_PER_ELEMENT
  const { buffer, byteOffset } = allocating(bytes, () => Buffer.allocUnsafeSlow(bytes))
  return new Uint32Array(buffer, byteOffset, length)
}
