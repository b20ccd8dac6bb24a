// Values of other realms: a context of `vm`, where Jest and Vitest run tests, has Maps, arrays and errors of its own,
// and may lack what Node gives to its first realm. `instanceof` and prototypes tell nothing of them; what is asked here
// holds in each.

import { types } from 'node:util'
import { runInThisContext } from 'node:vm'

/** Node's own, where this realm has none: jsdom's. */
export const structuredClone: typeof globalThis.structuredClone =
  globalThis.structuredClone ?? runInThisContext('structuredClone')

const PROTOTYPE = Object.getPrototypeOf(Uint8Array.prototype) as object
/** What a typed array itself answers to one of its properties, whatever a subclass or its user wrote over it. */
const ownAnswer = <T>(property: string | symbol) => {
  const { get } = Object.getOwnPropertyDescriptor(PROTOTYPE, property)!
  return (array: unknown): T => get!.call(array) as T
}
/**
 * The kind of a typed array: `Float32Array`, also of one that extends it, as Buffer does Uint8Array; undefined of all
 * else.
 */
export const kindName = ownAnswer<string | undefined>(Symbol.toStringTag)
export const bufferOf = ownAnswer<ArrayBufferLike>('buffer')
export const offsetOf = ownAnswer<number>('byteOffset')
export const lengthOf = ownAnswer<number>('length')

/** Whether it was written `{}`, or has no prototype. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    prototype === null ||
    (typeof prototype === 'object' && !types.isProxy(prototype) && Object.getPrototypeOf(prototype) === null)
  )
}

/**
 * The entries of a Map or of an object by name; null of what holds values in some other way: a Set, a promise, a list.
 */
export function entriesOf(value: object): [unknown, unknown][] | null {
  if (types.isMap(value)) return Array.from(value)
  const entries = Array.isArray(value) ? [] : Object.entries(value)
  return isPlain(value) || entries.length > 0 ? entries : null
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return types.isNativeError(thrown) ? thrown.message : String(thrown)
}

/** Whether V8 had no room for what was asked of it. */
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
 * A value of another realm as one of this: arrays over the same memory; lists, objects and promises of such. Whoever
 * has asked for it compares it with what this realm makes.
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
