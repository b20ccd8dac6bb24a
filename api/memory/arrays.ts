// Arrays in V8's memory. V8 says that there is none by a bare RangeError; here it is an error of this package.

import { MemoryError } from '../base/errors.js'
import { isRangeError } from '../base/realm.js'

/** What can be made of a length. */
interface Kind<A> {
  new (length: number): A
  readonly BYTES_PER_ELEMENT?: number
}

/** What `make` makes, of so many bytes. */
export function allocating<T>(bytes: number, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    if (isRangeError(cause))
      throw new MemoryError(`cannot allocate ${bytes} bytes: dispose() of tensors that are no longer needed`, bytes, {
        cause,
      })
    throw cause
  }
}

/** A typed array of so many zeros, or an ArrayBuffer of so many bytes. */
export function zeroed<A>(kind: Kind<A>, length: number): A {
  return allocating(length * (kind.BYTES_PER_ELEMENT ?? 1), () => new kind(length))
}
