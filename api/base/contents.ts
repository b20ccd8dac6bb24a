// Classes of this package keep their contents in private fields. JavaScript's ways of copying, comparing, printing and
// counting do not see those: they would treat an object as empty and any two as equal. Here each of these ways either
// gets the contents or throws an error.

import { inspect, type InspectOptions } from 'node:util'
import { COPY, OWN_COPY } from './copy.js'
import { UsageError } from './errors.js'
import { stranger, type Class, type Test } from './receivers.js'

/** Facts about the objects of a class. */
interface Facts<T> {
  /** How to get the contents instead, for error messages. */
  readonly instead: string
  /** A text that is equal for objects of equal contents. Without it, each object equals only itself. */
  readonly equal?: (it: T) => string
  /** Whether the class defines `length`. */
  readonly isCounted?: boolean
  /** The primitive value in arithmetic and in text, if it differs from that of ordinary objects. */
  readonly primitive?: (it: T, hint: Hint) => unknown
}

/** The kind of primitive that JavaScript asks for: a number, a text, or either. */
export type Hint = 'default' | 'number' | 'string'

type Printed = (this: unknown) => string

/** Makes the contents of a class's objects visible to JavaScript, or makes access to them an error. */
export class Contents<T extends object> {
  readonly #kind: string
  readonly #facts: Facts<T>
  /** Numbers that identify objects which equal only themselves. */
  readonly #numbers = new WeakMap<T, number>()
  #next = 0
  /**
   * The value of a property `structuredClone` on each object, where `structuredClone`, `postMessage` and `v8.serialize`
   * find it. A Symbol cannot be cloned: they throw a DataCloneError, whose message contains its description.
   */
  readonly uncloneable: symbol

  /** `kind` is the name of an object of the class. */
  constructor(kind: string, facts: Facts<T>) {
    this.#kind = kind
    this.#facts = facts
    this.uncloneable = Symbol(`${kind} cannot be cloned or posted: ${facts.instead}`)
  }

  /** Each class calls this with itself and with a function that tests for a private field. */
  guard(kind: Class, test: Test): void {
    const { prototype } = kind
    const isOwn = (value: unknown) => typeof value === 'object' && value !== null && test(value)
    const define = (key: PropertyKey, described: PropertyDescriptor) => {
      if (!Object.hasOwn(prototype, key)) Object.defineProperty(prototype, key, { configurable: true, ...described })
    }
    const contents = this
    define(COPY, OWN_COPY)
    define('toJSON', {
      writable: true,
      value: function toJSON(this: T): never {
        throw isOwn(this)
          ? contents.#refusal(this, 'toJSON', 'it has no JSON form')
          : stranger(this, kind.name, 'toJSON')
      },
    })
    // Array functions accept any object with a length, and take a missing length as 0.
    if (!this.#facts.isCounted)
      define('length', {
        get(this: T): never {
          throw isOwn(this)
            ? contents.#refusal(this, 'length', 'it has neither a length nor elements by index')
            : stranger(this, kind.name, 'length')
        },
        set(this: T, value: unknown): void {
          Object.defineProperty(this, 'length', { value, enumerable: true })
        },
      })
    // Comparisons use these besides own properties: `assert.deepStrictEqual` and test runners read the tag, and some
    // use `valueOf`.
    define(Symbol.toStringTag, {
      get(this: T): string {
        return isOwn(this) ? `${contents.#nameOf(this)} ${contents.equal(this)}` : kind.name
      },
    })
    define('valueOf', {
      writable: true,
      value: function valueOf(this: T): T {
        return this
      },
    })
    const { primitive } = this.#facts
    if (primitive) {
      define(Symbol.toPrimitive, {
        writable: true,
        value: function toPrimitive(this: T, hint: Hint): unknown {
          if (!isOwn(this)) throw stranger(this, kind.name, Symbol.toPrimitive)
          return primitive(this, hint)
        },
      })
    }
    // `console.log` shows the class's text, or else what it shows of a plain object.
    const printed = [inspect.custom, 'toString']
      .map((key) => Object.getOwnPropertyDescriptor(prototype, key)?.value)
      .find(Boolean) as Printed | undefined
    Object.defineProperty(prototype, inspect.custom, {
      configurable: true,
      writable: true,
      value: function shown(this: T, depth: number, options: InspectOptions): string {
        if (printed && isOwn(this)) return printed.call(this)
        const { structuredClone: _, ...rest } = this as { structuredClone?: unknown }
        const name = isOwn(this) ? contents.#nameOf(this) : kind.name
        return depth < 0 ? `[${name}]` : `${name} ${inspect(rest, { ...options, depth })}`
      },
    })
  }

  /** The name of the object's class, which may be a subclass. */
  #nameOf(it: T): string {
    return it.constructor?.name || this.#kind
  }

  /** A text that is equal for objects of equal contents. */
  equal(it: T): string {
    if (this.#facts.equal) return this.#facts.equal(it)
    const number = this.#numbers.get(it) ?? ++this.#next
    this.#numbers.set(it, number)
    return `#${number}`
  }

  #refusal(it: T, where: string, why: string): UsageError {
    return new UsageError(`${this.#nameOf(it)}.${where}: ${why}: ${this.#facts.instead}`)
  }
}
