// Checks that a value is valid JSON before it is written, so that nothing is lost.

import { UsageError } from './errors.js'
import { isPlain } from './realm.js'
import { isArray, isObject, show } from './validate.js'

/** A value that is the same after a round trip through JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined }

/**
 * @throws UsageError, which says where, for values that JSON would drop or change: NaN, undefined in an array, a
 * function ...
 */
export function checkJson(value: unknown, where: string, depth = 0): asserts value is Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number' && Number.isFinite(value)) return
  if (depth > 64) throw new UsageError(`${where}: the value is nested too deeply for JSON, or contains itself`)
  if (isArray(value)) {
    for (let i = 0; i < value.length; i++) checkJson(value[i], `${where}[${i}]`, depth + 1)
    return
  }
  if (!isObject(value) || !isPlain(value))
    throw new UsageError(
      `${where} is ${show(value)}, which JSON cannot represent: it must be a finite number, string, boolean or null, or an array or plain object of these`,
    )
  for (const [name, its] of Object.entries(value)) if (its !== undefined) checkJson(its, `${where}.${name}`, depth + 1)
}
