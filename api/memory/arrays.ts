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
    if (isRangeError(cause))
      throw new MemoryError(`cannot allocate ${bytes} bytes: dispose() tensors that you no longer need`, bytes, {
        cause,
      })
    throw cause
  }
}

/** A typed array of `length` zeros, or an ArrayBuffer of `length` bytes. */
export function zeroed<A>(kind: Kind<A>, length: number): A {
  return allocating(length * (kind.BYTES_PER_ELEMENT ?? 1), () => new kind(length))
}
