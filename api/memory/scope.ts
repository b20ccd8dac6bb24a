// Scopes: tensors made inside a function are disposed when it returns, except those it returns.

import { types } from 'node:util'
import { isPlain } from '../base/realm.js'
import { checkFunction, checkNoPromise, isArray, isObject } from '../base/validate.js'

/** An object that a scope keeps or disposes. */
interface Disposable {
  dispose(): void
}

/** The tensors made in the innermost scope; null outside of any scope. */
let current: Set<Disposable> | null = null

/** Adds a new tensor to the innermost scope. @internal */
export function track(made: Disposable): void {
  current?.add(made)
}

/** Removes a tensor from the innermost scope, which then does not dispose it. @internal */
export function untrack(gone: Disposable): void {
  current?.delete(gone)
}

/** Runs `fn` so that the tensors it makes belong to no scope. @internal */
export function scopeless<T>(fn: () => T): T {
  const outer = current
  current = null
  try {
    return fn()
  } finally {
    current = outer
  }
}

/**
 * Runs `fn` and disposes every tensor made inside, except those in its result: a tensor, a layer, or arrays, maps, sets
 * and plain objects of them. If `fn` throws, all are disposed. Scopes may be nested: the result of an inner one belongs
 * to the outer one.
 *
 * @throws UsageError if `fn` is not a function, or is async: its tensors would be disposed before it is done.
 */
export function scope<T>(fn: () => T): T {
  checkFunction(fn, 'scope')
  const outer = current
  const made = new Set<Disposable>()
  current = made
  let kept: ReadonlySet<unknown> = new Set()
  try {
    const result = fn()
    checkNoPromise(result, 'scope')
    kept = reachable(result)
    return result
  } finally {
    current = outer
    for (const tensor of made) {
      if (!kept.has(tensor)) tensor.dispose()
      else track(tensor)
    }
  }
}

/** All objects in a result; its containers may come from any realm. */
function reachable(result: unknown): ReadonlySet<unknown> {
  const seen = new Set<unknown>()
  // A list instead of recursion: a chain of objects may be longer than the stack is deep.
  const left = [result]
  while (left.length > 0) {
    const one = left.pop()
    if (!isObject(one) || seen.has(one)) continue
    seen.add(one)
    for (const part of partsOf(one)) if (typeof part === 'object') left.push(part)
  }
  return seen
}

function partsOf(one: object): readonly unknown[] {
  if ('parameters' in one && typeof one.parameters === 'function') return [one.parameters()]
  if (types.isMap(one)) return Array.from(one).flat()
  if (types.isSet(one)) return Array.from(one)
  // `Object.values` visits only elements that exist: an array may have a huge length and no elements.
  return isArray(one) || isPlain(one) ? Object.values(one) : []
}
