// What objects hold is in private fields, which the language's own ways of copying, comparing, printing and counting do
// not see: they would take an object for empty, and two for the same. Here each of them gets an error, or what is
// there.

import { inspect, type InspectOptions } from 'node:util'
import { UsageError } from './errors.js'
import { stranger, type Class, type Test } from './receivers.js'

/** What is known of a class' objects. */
interface Facts<T> {
  /** Where what they hold is to be had. */
  readonly instead: string
  /** A text that two of them have in common where they hold the same. Without it each is equal to itself alone. */
  readonly equal?: (it: T) => string
  /** Whether it has a length of its own. */
  readonly isCounted?: boolean
  /** What it is in arithmetic and in texts, where that is not as of every object. */
  readonly primitive?: (it: T, hint: Hint) => unknown
}

/** What an object is asked to become: a number, a text, or whichever it will. */
export type Hint = 'default' | 'number' | 'string'

type Printed = (this: unknown) => string

/** The contents of a class' objects. */
export class Contents<T extends object> {
  readonly #kind: string
  readonly #facts: Facts<T>
  /** Numbers of objects that are equal to themselves alone. */
  readonly #numbers = new WeakMap<T, number>()
  #next = 0
  /**
   * For an own property, which `structuredClone`, `postMessage` and `v8.serialize` come upon. No copy is made of a
   * Symbol: they throw a DataCloneError, whose message has its description.
   */
  readonly uncloneable: symbol

  /** `kind` is what one is called. */
  constructor(kind: string, facts: Facts<T>) {
    this.#kind = kind
    this.#facts = facts
    this.uncloneable = Symbol(`${kind} is neither cloned nor posted: ${facts.instead}`)
  }

  /** To be called by the class with itself, and with what asks for a private field. */
  guard(kind: Class, test: Test): void {
    const { prototype } = kind
    const isOwn = (value: unknown) => typeof value === 'object' && value !== null && test(value)
    const define = (key: PropertyKey, described: PropertyDescriptor) => {
      if (!Object.hasOwn(prototype, key)) Object.defineProperty(prototype, key, { configurable: true, ...described })
    }
    const contents = this
    define('toJSON', {
      writable: true,
      value: function toJSON(this: T): never {
        throw isOwn(this)
          ? contents.#refusal(this, 'toJSON', 'there is no JSON of one')
          : stranger(this, kind.name, 'toJSON')
      },
    })
    // Arrays are made of whatever has a length, and of what has none as if that were 0.
    if (!this.#facts.isCounted)
      define('length', {
        get(this: T): never {
          throw isOwn(this)
            ? contents.#refusal(this, 'length', 'there is none, nor are there elements by number')
            : stranger(this, kind.name, 'length')
        },
        set(this: T, value: unknown): void {
          Object.defineProperty(this, 'length', { value, enumerable: true })
        },
      })
    // By these, besides own properties, objects are compared: by `assert.deepStrictEqual` and those of test runners,
    // who ask for the tag, and by some that take the value for all.
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
    // What `console.log` shows: as the class has it, or else what a plain object would.
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

  /** That of a class which extends it, if one does. */
  #nameOf(it: T): string {
    return it.constructor?.name || this.#kind
  }

  /** The text that those who hold the same have in common. */
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
