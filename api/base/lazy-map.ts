// A map whose values are made when they are asked for.

import { guardReceivers } from './receivers.js'

/**
 * A ReadonlyMap whose keys are known, and whose values are read anew whenever they are asked for: nothing is kept, so
 * that a large value costs memory only where it is used. @internal
 */
export class LazyMap<V> implements ReadonlyMap<string, V> {
  readonly #places: ReadonlyMap<string, number>
  #read: (place: number) => V

  /** `read` gives the value of the key at a place; keys are all different. */
  constructor(keys: readonly string[], read: (place: number) => V) {
    this.#places = new Map(keys.map((key, place) => [key, place]))
    this.#read = read
  }

  get size(): number {
    return this.#places.size
  }

  has(key: string): boolean {
    return this.#places.has(key)
  }

  get(key: string): V | undefined {
    const place = this.#places.get(key)
    return place === undefined ? undefined : this.#read(place)
  }

  keys(): MapIterator<string> {
    return this.#places.keys()
  }

  *values(): MapIterator<V> {
    for (const place of this.#places.values()) yield this.#read(place)
  }

  *entries(): MapIterator<[string, V]> {
    for (const [key, place] of this.#places) yield [key, this.#read(place)]
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries()
  }

  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void, receiver?: unknown): void {
    for (const [key, value] of this.entries()) callback.call(receiver, value, key, this)
  }

  /** Makes every later reading throw an error. */
  close(refuse: () => Error): void {
    this.#read = () => {
      throw refuse()
    }
  }

  /** What is known without reading anything: the keys. */
  toString(): string {
    return `LazyMap(${this.size})`
  }

  static {
    guardReceivers(this, (value) => #places in value)
  }
}
