// NumPy's archives of arrays.

import { resolve } from 'node:path'
import { call, check, native } from '../native/native.js'
import { LoadedTensorMap, storedTensors, type LoadedTensors } from './loaded-tensors.js'
import { byName, checkMap, checkNamed, namedTensors, operandOf } from './tensors.js'
import type { Tensor } from '../tensor/tensor.js'
import { checkOptions, checkPath, checkSize, type FilePath } from '../base/validate.js'

export interface LoadNpzOptions {
  /** Whether elements are mapped; by default files from 1 MiB on are. */
  map?: boolean
  /** How many times the file's size its compressed arrays may become, beyond 16 MB that every file may; default 200. */
  maxRatio?: number
}

/**
 * Loads the arrays of an .npz file by name, in the order of the file; `numpy.savez` and `savez_compressed` write such
 * files. Elements are converted as by `loadNpy`. Arrays that are not compressed are mapped where their elements are
 * aligned; NumPy aligns few, so most are copied. Arrays that no tensor can hold (texts, complex numbers, uint64) are in
 * `skipped`, and `get` of their names throws a DTypeError; objects of Python are among them, because no pickle is ever
 * read.
 *
 * @throws FileError if the file cannot be opened or read; FormatError, with the byte, if it is not such a file, if it is
 * damaged, and if its arrays become more than `maxRatio` allows.
 */
export function loadNpz(path: FilePath, options?: LoadNpzOptions): LoadedTensors {
  const where = 'loadNpz'
  const file = resolve(checkPath(path, where))
  const { map, maxRatio } = checkOptions(options, ['map', 'maxRatio'], where)
  checkMap(map, where)
  if (maxRatio !== undefined) checkSize(maxRatio, `${where}: maxRatio`, 1)
  const { tensors, skipped } = call(native.loadNpz(file, map, maxRatio))
  return new LoadedTensorMap(file, byName(tensors), storedTensors(skipped), {})
}

/**
 * Writes tensors to an .npz file, byte for byte as `numpy.savez` does. The file appears whole or not at all.
 *
 * @throws DTypeError for bfloat16, which the format does not have; UsageError for names with a lone surrogate or of more
 * than 65,531 bytes, and for a Map that was loaded only in part; ShapeError as `saveNpy`; FileError if the file cannot
 * be written; an existing file is unchanged then.
 */
export function saveNpz(path: FilePath, tensors: Record<string, Tensor> | Map<string, Tensor>): void {
  const where = 'saveNpz'
  const target = resolve(checkPath(path, where))
  const entries = namedTensors(tensors, where)
  checkNamed(entries, where)
  check(native.saveNpz(target, entries.map(operandOf)))
}
