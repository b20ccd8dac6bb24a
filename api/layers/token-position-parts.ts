// The parts of an input layer: their options, and the rows that are added to vectors from elsewhere.

import type { IntArray } from '../base/dtype.js'
import { TokenIndexError, UsageError } from '../base/errors.js'
import { checkNumber, checkOptions, isObject, show } from '../base/validate.js'
import type { Tensor } from '../tensor/tensor.js'
import type { Embedding } from './embedding.js'
import { checkInit, type Init } from './init.js'

/** The default of torch.nn.LayerNorm. */
const DEFAULT_EPS = 1e-5

/** What stands for ids where vectors are given in their place. */
export const NO_IDS = new Int32Array(0)

/** Rows of a table of positions or segments; errors say which of the two is out of range. */
export function rowsOf(
  table: Embedding,
  ids: IntArray,
  shape: readonly number[],
  what: 'position' | 'segment',
): Tensor {
  try {
    return table.forward(ids, { shape: [...shape] })
  } catch (error) {
    throw error instanceof TokenIndexError ? new TokenIndexError(what, { ...error, value: String(error.value) }) : error
  }
}

const PARTS = ['token', 'position', 'segment'] as const

/** How each table is drawn. All options are checked before the first table is made. */
export function partsOf(
  init: unknown,
  there: Record<(typeof PARTS)[number], boolean>,
  where: string,
): Partial<Record<(typeof PARTS)[number], Init>> {
  const byName = isObject(init) && PARTS.some((name) => name in init)
  const parts = byName
    ? { ...checkOptions(init as Partial<Record<(typeof PARTS)[number], Init>>, PARTS, where) }
    : Object.fromEntries(PARTS.map((name) => [name, init as Init]))
  for (const name of PARTS) {
    if (parts[name] === undefined) continue
    checkInit(parts[name], byName ? `${where}.${name}` : where)
    if (byName && !there[name]) throw new UsageError(`${where}.${name}: the layer has no such table`)
  }
  return parts
}

/** The eps of the normalization; null if there is none. */
export function checkEps(layerNorm: unknown, where: string): number | null {
  if (layerNorm === undefined || layerNorm === false) return null
  if (layerNorm === true) return DEFAULT_EPS
  if (!isObject(layerNorm)) {
    throw new UsageError(`${where}: layerNorm must be true, false or { eps }, not ${show(layerNorm)}`)
  }
  const { eps } = checkOptions(layerNorm as { eps: number }, ['eps'], `${where}: layerNorm`)
  if (checkNumber(eps, `${where}: layerNorm.eps`) < 0)
    throw new UsageError(`${where}: layerNorm.eps must not be negative, not ${eps}`)
  return eps!
}

/** The padding row, counted from the front; -1 if there is none. The table checks the range. */
export function checkPadding(paddingIdx: number | undefined, rows: number): number {
  if (paddingIdx === undefined) return -1
  return paddingIdx < 0 ? paddingIdx + rows : paddingIdx
}
