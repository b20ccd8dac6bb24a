// Rows of a file that is mapped. The system's pages are the larger cache: those of a batch are asked for together.

import { isResultType, type ResultType } from '../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../base/errors.js'
import { shown } from '../base/shape.js'
import { checkPath, checkText } from '../base/validate.js'
import { loadNpy, loadSafetensors } from '../files/tensors.js'
import { Embedding } from '../layers/embedding.js'
import { asBytes } from '../tensor/allocate.js'
import type { Tensor } from '../tensor/tensor.js'
import type { RowReader } from './reader.js'

/** A table in a file. */
export interface FileRows {
  /** An `.npy`, or a safetensors file. */
  readonly file: string
  /** The name of the tensor; needed where a file has several. */
  readonly tensor?: string
}

export function openFile({ file, tensor }: FileRows, where: string): RowReader & { dtype: ResultType } {
  const path = checkPath(file, `${where}: file`)
  const table = tableIn(path, tensor, where)
  if (table.shape.length !== 2 || table.shape[1] === 0)
    throw new ShapeError(`${where}: ${path} must have a table [rows, dim], not ${shown(table.shape)}`)
  const { dtype } = table
  if (!isResultType(dtype))
    throw new DTypeError(`${where}: the rows of ${path} must be float32, float16 or bfloat16, not ${dtype}`)
  const [rows, dim] = table.shape
  const layer = Embedding.fromPretrained(table)
  return {
    rows,
    dim,
    dtype,
    async read(ids) {
      const found = await layer.forwardAsync(ids, { dtype })
      const bytes = new Uint8Array(asBytes(found).data as Uint8Array)
      found.dispose()
      const each = bytes.length / ids.length
      return Array.from(ids, (_, i) => bytes.subarray(i * each, (i + 1) * each))
    },
    close: () => table.dispose(),
  }
}

function tableIn(path: string, tensor: unknown, where: string): Tensor {
  if (/\.npy$/i.test(path)) {
    if (tensor !== undefined) throw new UsageError(`${where}: an .npy file has one array, so tensor names nothing`)
    return loadNpy(path)
  }
  const tensors = loadSafetensors(path)
  if (tensor === undefined && tensors.size === 1) return [...tensors.values()][0]
  const found = tensor === undefined ? undefined : tensors.get(checkText(tensor, `${where}: tensor`))
  if (found === undefined)
    throw new UsageError(
      `${where}: tensor must name one of ${[...tensors.keys()].slice(0, 10).join(', ')}, which ${path} has`,
    )
  return found
}
