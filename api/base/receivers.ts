// Objects that no constructor made: `Object.create(Tensor.prototype)`, a proxy of a tensor, a method torn off its
// object. Reading their private fields would be a bare TypeError of the language's.

import { types } from 'node:util'
import { UsageError } from './errors.js'
import { show } from './validate.js'

/** Asks for a private field. */
export type Test = (value: object) => boolean
type Method = (this: unknown, ...args: unknown[]) => unknown
export interface Class {
  readonly name: string
  readonly prototype: object
}

/** Of a tensor what every op calls: internal, or checked where it is written. */
export const OFTEN: readonly PropertyKey[] = ['disposed', 'requiresGrad', 'dispose', 'node', 'collected', 'forget']

/**
 * Makes the methods and accessors of a class refuse a `this` that is none of its objects, as a UsageError. `isOwn` asks
 * for a private field. Those in `except` are called by the package itself all the time, and check for themselves;
 * setters are not among them.
 */
export function guardReceivers(kind: Class, isOwn: Test, except: readonly PropertyKey[] = []): void {
  for (const key of Reflect.ownKeys(kind.prototype)) {
    if (key === 'constructor') continue
    // What `[Symbol.dispose]` names where that is not there: in contexts of Node 20, which gives it to its first realm
    // alone.
    if (key === 'undefined') {
      delete (kind.prototype as Record<string, unknown>)[key]
      continue
    }
    const parts = except.includes(key) ? (['set'] as const) : (['value', 'get', 'set'] as const)
    const described = Object.getOwnPropertyDescriptor(kind.prototype, key)!
    for (const part of parts) {
      const method: unknown = described[part]
      if (typeof method === 'function') described[part] = guarded(method as Method, kind, key, isOwn)
    }
    Object.defineProperty(kind.prototype, key, described)
  }
}

function guarded(method: Method, kind: Class, key: PropertyKey, isOwn: Test): Method {
  const isAsync = types.isAsyncFunction(method)
  const guard = function (this: unknown, ...args: unknown[]): unknown {
    if (typeof this === 'object' && this !== null && isOwn(this)) return Reflect.apply(method, this, args)
    const error = stranger(this, kind.name, key)
    if (isAsync) return Promise.reject(error)
    throw error
  }
  Object.defineProperty(guard, 'name', { value: method.name, configurable: true })
  Object.defineProperty(guard, 'length', { value: method.length, configurable: true })
  return guard
}

/** The error of a call on an object that is not of the class. */
export function stranger(value: unknown, kind: string, key: PropertyKey): UsageError {
  const what = typeof value === 'object' && value !== null ? 'an object that its constructor did not make' : show(value)
  return new UsageError(
    `${kind}.${typeof key === 'symbol' ? `[${key.description}]` : String(key)} was called on ${what}, not on a ${kind}`,
  )
}

const below = Function.prototype[Symbol.hasInstance]

/**
 * What `instanceof` answers for a class of this package: whether its constructor made the value, and for a class that
 * extends it whether that did. An object with no more than the prototype has none of what methods need.
 */
export function isInstance(asked: unknown, kind: unknown, value: object): boolean {
  return asked === kind || below.call(asked as never, value)
}
