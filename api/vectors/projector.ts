// The files of TensorBoard's projector, which draws vectors in a page.

import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { FileError, UsageError } from '../base/errors.js'
import { check, native } from '../native/native.js'
import { Vectors } from './vectors.js'
import { checkPath, show } from '../base/validate.js'

/**
 * Writes `vectors.tsv` and `metadata.tsv` into a folder, which is made if it is not there: the files that TensorBoard's
 * projector loads (projector.tensorflow.org reads them, too). A line of the first is a row, numbers with tabs between
 * them; a line of the second is its token, without a line that names the column. In tokens, what would end a line or a
 * column, and white space at the ends, is written as `\t`, `\n` or `\u0020`. Each file appears whole or not at all.
 *
 * @throws UsageError for something other than Vectors; FileError if a file cannot be written.
 */
export function saveProjector(folder: string, vectors: Vectors): void {
  const where = 'saveProjector'
  const target = resolve(checkPath(folder, where))
  if (!(vectors instanceof Vectors)) throw new UsageError(`${where}: expected Vectors, not ${show(vectors)}`)
  try {
    mkdirSync(target, { recursive: true })
  } catch (cause) {
    throw new FileError(`cannot make the folder ${target}: ${(cause as Error).message}`, target, cause)
  }
  check(native.saveProjector(target, vectors.tokens(), vectors.weight.operand(), vectors.dim))
}
