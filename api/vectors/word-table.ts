// Tables of words with more of them, or with fewer.

import { ShapeError, UsageError } from '../base/errors.js'
import { shown } from '../base/shape.js'
import { eachOf, isArray, show } from '../base/validate.js'
import { checkTable } from '../layers/table.js'
import { zeroed } from '../memory/arrays.js'
import { zeroTable } from '../tensor/allocate.js'
import { Tensor } from '../tensor/tensor.js'
import { WordNames, type Names } from './names.js'
import { numbersOf, type VectorLike } from './query.js'

/** Words, and their vectors. @internal */
export interface WordTable {
  readonly words: readonly string[]
  /** (words, dim), float32. */
  readonly weight: Tensor
  readonly ids: Names
}

/** A table of its own, and its words. */
interface Changed {
  readonly table: Tensor
  readonly words: readonly string[]
}

/** The table with more words. One that is there already keeps its vector unless `replace` is true. @internal */
export function withMore(
  { words, weight, ids }: WordTable,
  more: readonly string[],
  vectors: Tensor | readonly VectorLike[],
  replace: boolean,
  where: string,
): Changed {
  const dim = weight.shape[1]
  if (!isArray(more)) throw new UsageError(`${where}: expected an array of words, not ${show(more)}`)
  const given = WordNames.checked(more, where)
  const rows = rowsOf(vectors, given.size, dim, where)
  const fresh = given.words.filter((word) => !ids.has(word))
  const table = zeroTable('float32', [words.length + fresh.length, dim])
  table.set(weight, 0)
  let next = words.length
  for (const [i, word] of given.words.entries()) {
    const isKnown = ids.has(word)
    if (isKnown && !replace) continue
    table.set(rows.subarray(i * dim, (i + 1) * dim), (isKnown ? ids.idOf(word, where) : next++) * dim)
  }
  return { table, words: [...words, ...fresh] }
}

/** The table without some rows; the others keep their order. @internal */
export function withFewer({ words, weight }: WordTable, gone: ReadonlySet<number>): Changed {
  const [rows, dim] = weight.shape
  const table = zeroTable('float32', [rows - gone.size, dim])
  let to = 0
  for (let from = 0; from < rows;) {
    let end = from
    while (end < rows && !gone.has(end)) end++
    if (end > from) {
      const kept = weight.narrow(0, from, end - from)
      table.set(kept, to * dim)
      kept.dispose()
    }
    to += end - from
    from = end + 1
  }
  return { table, words: words.filter((_, id) => !gone.has(id)) }
}

/** Given vectors, end to end. */
function rowsOf(vectors: Tensor | readonly VectorLike[], count: number, dim: number, where: string): Float32Array {
  if (vectors instanceof Tensor) {
    const { shape } = checkTable(vectors, where)
    if (shape[0] !== count || shape[1] !== dim)
      throw new ShapeError(
        `${where}: for ${count} words the vectors must have the shape [${count}, ${dim}], not ${shown(shape)}`,
      )
    return Float32Array.from(vectors.to('float32').borrow() as Float32Array)
  }
  if (!isArray(vectors))
    throw new UsageError(`${where}: the vectors must be a tensor or an array of vectors, not ${show(vectors)}`)
  if (vectors.length !== count)
    throw new ShapeError(`${where}: there are ${count} words but ${vectors.length} vectors: each word needs one`)
  const rows = zeroed(Float32Array, count * dim)
  eachOf(vectors, (vector, i) => rows.set(numbersOf(vector as VectorLike, dim, where), i * dim))
  return rows
}
