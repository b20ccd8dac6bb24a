// Tensors made inside a function go when it returns, but those it returns.

import { checkNoPromise } from './validate.js'

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
 * @throws UsageError for an async function: its tensors would be gone before it is done.
 */
export function scope<T>(fn: () => T): T {
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

/** All objects in a result. */
function reachable(result: unknown, seen = new Set<unknown>()): ReadonlySet<unknown> {
  if (typeof result !== 'object' || result === null || seen.has(result)) return seen
  seen.add(result)
  if ('parameters' in result && typeof result.parameters === 'function') reachable(result.parameters(), seen)
  else if (result instanceof Map) result.forEach((value, key) => [reachable(key, seen), reachable(value, seen)])
  else if (Array.isArray(result) || result instanceof Set) result.forEach((value) => reachable(value, seen))
  else if (isPlain(result)) Object.values(result).forEach((value) => reachable(value, seen))
  return seen
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
