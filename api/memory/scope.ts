// Tensors made inside a function go when it returns, but those it returns.

import { types } from 'node:util'
import { isPlain } from '../base/realm.js'
import { checkFunction, checkNoPromise, isArray, isObject } from '../base/validate.js'

/** What a scope keeps or disposes. */
interface Disposable {
  dispose(): void
}

/** Tensors made in the innermost scope. */
let current: Set<Disposable> | null = null

/** Enters a new tensor into the innermost scope. @internal */
export function track(made: Disposable): void {
  current?.add(made)
}

/** A tensor that was disposed needs no scope to do it. @internal */
export function untrack(gone: Disposable): void {
  current?.delete(gone)
}

/** Runs `fn`, whose tensors belong to no scope. @internal */
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
 * Runs `fn` and disposes every tensor made inside, but those in what it returns: a tensor, a layer, or arrays, maps,
 * sets and plain objects of them. If `fn` throws, all are disposed. Scopes may be nested: what an inner one returns
 * belongs to the outer one.
 *
 * @throws UsageError for what is no function, and for an async one: its tensors would be gone before it is done.
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

/** All objects in a result, of whatever realm its containers are. */
function reachable(result: unknown): ReadonlySet<unknown> {
  const seen = new Set<unknown>()
  // A list of what is left, not a call for each: a chain of objects may be longer than the stack is deep.
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
  // By what is there, not by length: of an array there may be nothing but that.
  return isArray(one) || isPlain(one) ? Object.values(one) : []
}
