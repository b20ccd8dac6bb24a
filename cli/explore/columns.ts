// Columns of values by which points are coloured, and files of them.

import { readFileSync } from 'node:fs'
import { WorkFailed, WrongUse, isSystemError, reasonOf } from '../terminal/failure.js'
import { visibleName } from '../terminal/pieces.js'

interface Numbers {
  readonly name: string
  readonly kind: 'number'
  /** A number for each row; NaN for none. */
  readonly values: Float32Array
  /** Whether colours follow the logarithm. */
  readonly log?: boolean
}

export interface Categories {
  readonly name: string
  readonly kind: 'category'
  /** The category of each row. */
  readonly codes: Uint16Array
  /** Their names, the most frequent one first. */
  readonly categories: readonly string[]
}

/** A value for each row. */
export type Column = Numbers | Categories

/** The largest number of categories that a column may have. */
const MOST = 65_535

/**
 * Reads a file of columns: its first line has their names, and each of the others the values of a row, in the order of
 * the rows, with tabs between them.
 */
export function readColumns(path: string, rows: number, option: string): Column[] {
  const lines = textOf(path, option).split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  if (lines.length !== rows + 1)
    throw new WorkFailed(
      `${option} ${path}: it has ${lines.length} lines; a line with the names of the columns and one for each of the ${rows} rows make ${rows + 1}`,
    )
  const names = lines[0].split('\t')
  const cells: string[][] = names.map(() => [])
  for (let i = 1; i < lines.length; i++) {
    const values = lines[i].split('\t')
    if (values.length !== names.length)
      throw new WorkFailed(
        `${option} ${path}: line ${i + 1} has ${values.length} values, and the first line ${names.length} names: they are separated by tabs`,
      )
    values.forEach((value, column) => cells[column].push(value))
  }
  return names.map((name, i) => columnOf(visibleName(name.trim() || `column ${i + 1}`), cells[i], `${option} ${path}`))
}

function textOf(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/^\ufeff/, '')
  } catch (error) {
    if (!isSystemError(error)) throw new WorkFailed(`${option} ${path}: larger than a text may be`, { cause: error })
    throw new WorkFailed(`${option} ${path}: ${reasonOf(error)}`, { cause: error })
  }
}

/** A column of numbers, if all that it says are numbers, or of categories. */
function columnOf(name: string, cells: readonly string[], where: string): Column {
  const numbers = cells.map((cell) => (cell.trim() === '' ? NaN : Number(cell)))
  const isNumber =
    cells.some((cell) => cell.trim() !== '') &&
    cells.every((cell, i) => cell.trim() === '' || Number.isFinite(numbers[i]))
  const few = new Set(cells).size <= 12 && numbers.every((value) => Number.isInteger(value))
  // Whole numbers of few kinds are the numbers of classes.
  if (isNumber && !few) return { name, kind: 'number', values: Float32Array.from(numbers) }
  return categoriesOf(name, cells.map(visibleName), where)
}

export function categoriesOf(name: string, cells: readonly string[], where = ''): Categories {
  const counts = new Map<string, number>()
  for (const cell of cells) counts.set(cell, (counts.get(cell) ?? 0) + 1)
  if (counts.size > MOST)
    throw new WrongUse(
      `${where}: the column ${JSON.stringify(name)} has ${counts.size} different values, and ${MOST} categories are the most: leave it out`,
    )
  const categories = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([category]) => category)
  const codes = new Map(categories.map((category, code) => [category, code]))
  return { name, kind: 'category', codes: Uint16Array.from(cells, (cell) => codes.get(cell)!), categories }
}
