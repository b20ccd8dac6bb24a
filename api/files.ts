// Files of tensors.

import { resolve } from 'node:path'
import { facts, fromCode } from './dtype.js'
import { UsageError } from './errors.js'
import { call, check, native, type Handle } from './native.js'
import { sizeOf } from './shape.js'
import { NativeStorage } from './storage.js'
import { Tensor } from './tensor.js'
import { checkOptions, checkPath, show } from './validate.js'

/**
 * The tensors of a safetensors file by name, in the order in which they lie there. The file is mapped: elements are read
 * when first touched, and writing to them stays in this process. Replace a file that is in use by renaming (as
 * `saveSafetensors` does), never in place: a mapping of a file that is cut short cannot be read.
 *
 * @throws FileError where the file cannot be opened; FormatError, with the byte, where its header does not describe its
 * bytes; DTypeError for an element type that tensors do not have.
 */
export function loadSafetensors(path: string): Map<string, Tensor> {
  const loaded = call(native.loadSafetensors(resolve(checkPath(path, 'loadSafetensors'))))
  return new Map(loaded.map((one) => [one.name, tensorOf(one)]))
}

function tensorOf({ dtype: code, shape, handle }: { dtype: number; shape: number[]; handle: Handle }): Tensor {
  const dtype = fromCode(code)
  return Tensor.over(new NativeStorage(handle, sizeOf(shape) * facts(dtype).bytes), dtype, shape)
}

/**
 * The array of an .npy file. Mapped as `loadSafetensors` does it, where its elements lie there as a tensor's do; what is in
 * Fortran order or big endian, and types that have no tensor of their own but one that holds their every value (int16 and
 * uint16: int32; uint32: int64), are converted, in memory of their own.
 *
 * @throws FileError where the file cannot be opened; FormatError, with the byte, where it is no .npy file or not a whole
 * one; DTypeError, with NumPy's name of the type, for elements that no tensor holds: uint64, complex numbers, strings,
 * objects, fields.
 */
export function loadNpy(path: string): Tensor {
  return tensorOf(call(native.loadNpy(resolve(checkPath(path, 'loadNpy')))))
}

/**
 * Writes tensors to a safetensors file, which appears whole or not at all: written beside, synced, renamed. Its bytes
 * depend on names, tensors and metadata alone.
 *
 * @throws FileError where it cannot be written; what was there before is untouched then.
 */
export function saveSafetensors(
  path: string,
  tensors: Record<string, Tensor> | Map<string, Tensor>,
  options?: { metadata?: Record<string, string> },
): void {
  const where = 'saveSafetensors'
  const { metadata = {} } = checkOptions(options, ['metadata'], where)
  if (typeof tensors !== 'object' || tensors === null || tensors instanceof Tensor) {
    throw new UsageError(`${where}: tensors by name, as an object or a Map, not ${show(tensors)}`)
  }
  const entries = tensors instanceof Map ? [...tensors] : Object.entries(tensors)
  for (const [name, tensor] of entries) {
    if (typeof name !== 'string') throw new UsageError(`${where}: names are strings, not ${show(name)}`)
    if (!(tensor instanceof Tensor)) throw new UsageError(`${where}: "${name}" is ${show(tensor)}, not a tensor`)
  }
  checkMetadata(metadata, where)
  check(
    native.saveSafetensors(
      resolve(checkPath(path, where)),
      entries.map(([name]) => name),
      entries.map(([, tensor]) => facts(tensor.dtype).code),
      entries.map(([, tensor]) => [...tensor.shape]),
      entries.map(([, tensor]) => tensor.operand()),
      Object.keys(metadata),
      Object.values(metadata),
    ),
  )
}

/** Strings by name. @internal */
export function checkMetadata(metadata: unknown, where: string): asserts metadata is Record<string, string> {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw new UsageError(`${where}: metadata are strings by name, not ${show(metadata)}`)
  }
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw new UsageError(`${where}: metadata "${key}" is ${show(value)}, not a string`)
  }
}

/**
 * Writes a tensor to an .npy file, byte for byte as `numpy.save` does. The file appears whole or not at all.
 *
 * @throws DTypeError for bfloat16, which the format does not have; FileError where the file cannot be written; what was
 * there before is untouched then.
 */
export function saveNpy(path: string, tensor: Tensor): void {
  const where = 'saveNpy'
  const target = resolve(checkPath(path, where))
  if (!(tensor instanceof Tensor)) throw new UsageError(`${where}: a tensor, not ${show(tensor)}`)
  check(native.saveNpy(target, facts(tensor.dtype).code, [...tensor.shape], tensor.operand()))
}
