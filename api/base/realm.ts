// Values of other realms. A context of `vm`, in which Jest and Vitest run tests, has its own Map, Array and Error, and
// may lack what Node gives to its first realm. `instanceof` and prototypes do not recognise its values; the tests here
// work in every realm.

import { types } from 'node:util'
import { runInThisContext } from 'node:vm'

/** Node's `structuredClone` if this realm has none, as in jsdom. */
export const structuredClone: typeof globalThis.structuredClone =
  globalThis.structuredClone ?? runInThisContext('structuredClone')

const PROTOTYPE = Object.getPrototypeOf(Uint8Array.prototype) as object
/** Reads a built-in property of a typed array, even if a subclass or a user has overridden it. */
const ownAnswer = <T>(property: string | symbol) => {
  const { get } = Object.getOwnPropertyDescriptor(PROTOTYPE, property)!
  return (array: unknown): T => get!.call(array) as T
}
/**
 * The name of a typed array's built-in class, such as `Float32Array`, also for subclasses such as Buffer; undefined for
 * other values.
 */
export const kindName = ownAnswer<string | undefined>(Symbol.toStringTag)
export const bufferOf = ownAnswer<ArrayBufferLike>('buffer')
export const offsetOf = ownAnswer<number>('byteOffset')
export const lengthOf = ownAnswer<number>('length')

// Lookups ask the next two each time. `instanceof` of this realm's classes stays in compiled code, which neither
// `Object.getPrototypeOf` nor the host's tests do, so it comes first.

/** Whether the array is of the class Int32Array or Uint32Array of this realm, and of no subclass. */
export const isPlainInts = (array: ArrayBufferView): boolean =>
  (array instanceof Int32Array && array.constructor === Int32Array) ||
  (array instanceof Uint32Array && array.constructor === Uint32Array)

/** Whether the buffer is an ArrayBuffer, of any realm, and so not shared with other threads. */
export const isArrayBuffer = (buffer: ArrayBufferLike): buffer is ArrayBuffer =>
  buffer instanceof ArrayBuffer || types.isArrayBuffer(buffer)

/** Whether it is a plain object, of any realm: written `{}`, or without a prototype. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    prototype === null ||
    (typeof prototype === 'object' && !types.isProxy(prototype) && Object.getPrototypeOf(prototype) === null)
  )
}

/** The entries of a Map or an object; null for an object that holds values in another way: a Set, a promise, a list. */
export function entriesOf(value: object): [unknown, unknown][] | null {
  if (types.isMap(value)) return Array.from(value)
  const entries = Array.isArray(value) ? [] : Object.entries(value)
  return isPlain(value) || entries.length > 0 ? entries : null
}

/** The message of a thrown value, which may be of any type. */
export function messageOf(thrown: unknown): string {
  return types.isNativeError(thrown) ? thrown.message : String(thrown)
}

/** Whether this is V8's RangeError for an allocation that failed. */
export function isRangeError(thrown: unknown): boolean {
  return types.isNativeError(thrown) && thrown.name === 'RangeError'
}

type View = new (buffer: ArrayBufferLike, offset: number, length: number) => ArrayBufferView
const VIEWS: Record<string, View | undefined> = {
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
}

/**
 * Converts a value of another realm to this realm: arrays over the same memory, and lists, objects and promises of such
 * values. Callers compare them with values that this realm makes.
 */
export function ours<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (types.isPromise(value)) return Promise.resolve(value).then(ours) as T
  if (types.isTypedArray(value)) {
    const kind = VIEWS[kindName(value)!]!
    return (value instanceof kind ? value : new kind(bufferOf(value), offsetOf(value), lengthOf(value))) as T
  }
  if (Array.isArray(value)) return Array.from(value, ours) as T
  if (types.isExternal(value) || !isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, its]) => [name, ours(its)])) as T
}
