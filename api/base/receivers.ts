// Receivers that no constructor made: `Object.create(Tensor.prototype)`, a proxy of a tensor, or a method called
// without its object. Reading their private fields would throw a bare TypeError.

import { types } from 'node:util'
import { UsageError } from './errors.js'
import { show } from './validate.js'

/** Tests whether an object has the private field of a class. */
export type Test = (value: object) => boolean
type Method = (this: unknown, ...args: unknown[]) => unknown
export interface Class {
  readonly name: string
  readonly prototype: object
}

/** Members of a tensor that every op uses; they are internal or check their receiver themselves. */
export const OFTEN: readonly PropertyKey[] = ['disposed', 'requiresGrad', 'dispose', 'node', 'collected', 'forget']

/**
 * Makes the methods and accessors of a class throw a UsageError if `this` is not an object of the class. `isOwn` tests
 * for a private field. Members in `except`, which the package calls all the time, check their receiver themselves;
 * their setters are still guarded.
 *
 * If objects of the class can be disposed, `isGone` tests whether one was: then all but `dispose` throw.
 */
export function guardReceivers(kind: Class, isOwn: Test, except: readonly PropertyKey[] = [], isGone?: Test): void {
  for (const key of Reflect.ownKeys(kind.prototype)) {
    if (key === 'constructor') continue
    // Where `Symbol.dispose` does not exist, the method is named 'undefined': Node 20 gives the symbol to its first
    // realm only.
    if (key === 'undefined') {
      delete (kind.prototype as Record<string, unknown>)[key]
      continue
    }
    const parts = except.includes(key) ? (['set'] as const) : (['value', 'get', 'set'] as const)
    const described = Object.getOwnPropertyDescriptor(kind.prototype, key)!
    for (const part of parts) {
      const method: unknown = described[part]
      if (typeof method === 'function')
        described[part] = guarded(method as Method, kind, key, isOwn, ALWAYS.includes(key) ? undefined : isGone)
    }
    Object.defineProperty(kind.prototype, key, described)
  }
}

/** Members that an object has after it was disposed. */
const ALWAYS: readonly PropertyKey[] = ['dispose', Symbol.dispose, 'toString']

function guarded(method: Method, kind: Class, key: PropertyKey, isOwn: Test, isGone?: Test): Method {
  // An async generator gives its iterator at once.
  const isAsync = types.isAsyncFunction(method) && !types.isGeneratorFunction(method)
  const refuse = (error: UsageError): unknown => {
    if (isAsync) return Promise.reject(error)
    throw error
  }
  const isReceiver = (value: unknown) => typeof value === 'object' && value !== null && isOwn(value)
  // Lookups pass through here: what cannot be disposed is not asked whether it was.
  const guard =
    isGone === undefined
      ? function (this: unknown, ...args: unknown[]): unknown {
          if (typeof this === 'object' && this !== null && isOwn(this)) return Reflect.apply(method, this, args)
          return refuse(stranger(this, kind.name, key))
        }
      : function (this: unknown, ...args: unknown[]): unknown {
          if (!isReceiver(this)) return refuse(stranger(this, kind.name, key))
          return isGone(this as object) ? refuse(disposed(kind.name, key)) : Reflect.apply(method, this, args)
        }
  Object.defineProperty(guard, 'name', { value: method.name, configurable: true })
  Object.defineProperty(guard, 'length', { value: method.length, configurable: true })
  return guard
}

/** The error for a call on a receiver that is not an object of the class. */
export function stranger(value: unknown, kind: string, key: PropertyKey): UsageError {
  const what =
    typeof value === 'object' && value !== null ? 'an object that no constructor of this class made' : show(value)
  return new UsageError(
    `${kind}.${typeof key === 'symbol' ? `[${key.description}]` : String(key)} was called on ${what}, not on a ${kind}`,
  )
}

/** The error for a call on an object that was disposed. */
export function disposed(kind: string, key: PropertyKey): UsageError {
  const name = typeof key === 'symbol' ? `[${key.description}]` : String(key)
  return new UsageError(`${kind}.${name}: use of a disposed ${kind}`)
}

const below = Function.prototype[Symbol.hasInstance]

/**
 * The answer of `instanceof` for a class of this package: whether its constructor made the value and, for a subclass,
 * whether that class did. An object that only inherits the prototype lacks what methods need.
 */
export function isInstance(asked: unknown, kind: unknown, value: object): boolean {
  return asked === kind || below.call(asked as never, value)
}
