// Opens the rows that a command searches or groups, and the texts that belong to them.

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { loadNpy, type Tensor } from '../../index.js'
import { WorkFailed } from '../terminal/failure.js'
import { openTensor, splitTable } from './tables.js'

export const ROWS_ARGUMENT = [
  '<vectors>',
  'vectors, one in a row: a .npy file, or a tensor in FILE.safetensors[:TENSOR]; uint8 rows are bits',
] as const

/** The rows of a file, (rows, dim), mapped where the file allows. */
export function openRows(said: string): Tensor {
  const { path } = splitTable(said)
  if (!existsSync(path)) throw new WorkFailed(`${path}: no such file or directory`)
  const { tensor, name } =
    extname(path).toLowerCase() === '.npy' ? { tensor: loadNpy(path), name: path } : openTensor(said)
  if (tensor.shape.length !== 2)
    throw new WorkFailed(
      `${name}: rows of vectors have two sizes, rows and numbers a row, not [${tensor.shape.join(', ')}]`,
    )
  return tensor.dtype === 'float64' ? tensor.to('float32') : tensor
}

/** The lines of a file of texts, one for each of so many rows. */
export async function linesOf(path: string, rows: number): Promise<string[]> {
  const lines = (await readFile(path, 'utf8')).split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  if (lines.length !== rows)
    throw new WorkFailed(
      `--texts ${path}: it has ${lines.length} lines, and there are ${rows} vectors: each has a line`,
    )
  return lines
}
