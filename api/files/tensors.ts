// Loading and saving files of tensors.

import { resolve } from 'node:path'
import type { DType } from '../base/dtype.js'
import { FormatError, UsageError } from '../base/errors.js'
import { call, check, native, type Handle } from '../native/native.js'
import {
  checkWhole,
  LoadedTensorMap,
  parseMetadata,
  storedTensors,
  type LoadedTensors,
  type StoredTensor,
} from './loaded-tensors.js'
import { entriesOf } from '../base/realm.js'
import { adopted } from '../tensor/allocate.js'
import { Tensor } from '../tensor/tensor.js'
import { DIGEST, verifyTensors } from './digest.js'
import {
  checkBoolean,
  checkOptions,
  checkPath,
  checkWellFormed,
  isObject,
  show,
  type FilePath,
} from '../base/validate.js'

/**
 * Loads the tensors of a safetensors file by name, in the order of the file, with its `metadata`. Tensors of a type
 * that no Tensor has (FP8, E8M0, U16, U32, U64, I16, C64 ...) are listed in `skipped`, and `get` of their names throws
 * a DTypeError. `inspectSafetensors` lists all tensors without reading any. Small files are read; larger ones (from 1
 * MiB on) are mapped: elements are read when first touched, writes stay in this process, and processes that map the
 * same file share its memory. `map` chooses one of the two.
 *
 * Replace a mapped file by renaming (as `saveSafetensors` does), never in place. If another program cuts it short, the
 * lost part reads as zeros, and every call that has read from it, or does so later, throws a FileError with its path;
 * `forwardAsync` rejects with it, and no file is written. Your own code that reads `data` gets the zeros and no error.
 * For this a handler of SIGBUS is installed with the first mapping, which passes all other addresses to the handler
 * that was there before; code that installs its own handler later must do the same. On Windows the system does not let
 * mapped files be cut short or replaced: saving over one is a FileError there, which leaves the file unchanged, until
 * its tensors are disposed.
 *
 * With `verify` every byte is read and compared with the file's own digest: `model.safetensors` of a model's folder and
 * checkpoints of a `Trainer` have one, files of `saveSafetensors` have none.
 *
 * @throws FileError if the file cannot be opened or read; FormatError, with the byte, if its header does not describe
 * its bytes, and for a file of another kind, which it names. With `verify` also FormatError if a byte differs from what
 * was saved, and for a file without a digest. DTypeError for an element type that tensors do not have.
 */
export function loadSafetensors(path: FilePath, options?: { map?: boolean; verify?: boolean }): LoadedTensors {
  const where = 'loadSafetensors'
  const file = resolve(checkPath(path, where))
  const { map, verify = false } = checkOptions(options, ['map', 'verify'], where)
  checkMap(map, where)
  if (!checkBoolean(verify, `${where}: verify`)) {
    const { tensors, skipped, metadata } = call(native.loadSafetensors(file, map))
    return new LoadedTensorMap(file, byName(tensors), storedTensors(skipped), parseMetadata(metadata))
  }
  const { mark, tensors: loaded, metadata } = call(native.loadMarked(file, DIGEST, undefined, map))
  if (!mark)
    throw new FormatError(
      `${file}: it has no digest to verify: only files of saveModel and checkpoints have one`,
      file,
      0,
    )
  const tensors = byName(loaded!)
  verifyTensors(tensors, mark, file)
  return new LoadedTensorMap(file, tensors, [], parseMetadata(metadata))
}

/** The header of a safetensors file. */
export interface SafetensorsInfo {
  /** Strings by name; empty if the file has none. */
  readonly metadata: Readonly<Record<string, string>>
  /** All tensors of any element type, in the order of the file. */
  readonly tensors: readonly StoredTensor[]
}

/**
 * Reads the header of a safetensors file: its metadata, and the name, type, shape and size of every tensor. The
 * elements are not read, whatever the file's size.
 *
 * @throws FileError if the file cannot be opened or read; FormatError, with the byte, if its header does not describe
 * its bytes, and for a file of another kind, which it names.
 */
export function inspectSafetensors(path: FilePath): SafetensorsInfo {
  const { tensors, metadata } = call(native.inspectSafetensors(resolve(checkPath(path, 'inspectSafetensors'))))
  return { metadata: parseMetadata(metadata), tensors: storedTensors(tensors) }
}

/** Checks an option that may be left out. @internal */
export function checkMap(map: unknown, where: string): void {
  if (map !== undefined) checkBoolean(map, `${where}: map`)
}

type Loaded = NonNullable<ReturnType<typeof native.loadSafetensors>>['tensors']

/** @internal */
export const byName = (loaded: Loaded) => new Map(loaded.map((one) => [one.name, tensorOf(one)]))

/**
 * Reads the file's own digest, and its tensors if the digest is the wanted one. Both come from one opened file, even if
 * its name is replaced meanwhile. @internal
 */
export function loadMarked(path: string, wanted: string): { digest: string; value: Map<string, Tensor> | null } {
  const { mark, tensors } = call(native.loadMarked(path, DIGEST, wanted))
  return { digest: mark ?? '', value: tensors ? byName(tensors) : null }
}

/** @internal */
export function tensorOf({
  dtype,
  shape,
  handle,
  mapped,
}: {
  dtype: DType
  shape: number[]
  handle: Handle
  mapped: boolean
}): Tensor {
  return adopted(handle, dtype, shape, mapped)
}

/**
 * Loads the array of an .npy file. It is mapped or read as by `loadSafetensors` if its elements have a tensor's layout.
 * Other arrays are converted, in new memory: those in Fortran order or big endian, and types without a tensor type of
 * their own, which go to one that holds all their values (int16 and uint16 to int32, uint32 to int64).
 *
 * @throws FileError if the file cannot be opened or read; FormatError, with the byte, if it is not an .npy file or not
 * complete; DTypeError, with NumPy's name of the type, for elements that no tensor can hold: uint64, complex numbers,
 * strings, objects, fields.
 */
export function loadNpy(path: FilePath, options?: { map?: boolean }): Tensor {
  const where = 'loadNpy'
  const file = resolve(checkPath(path, where))
  const { map } = checkOptions(options, ['map'], where)
  checkMap(map, where)
  return tensorOf(call(native.loadNpy(file, map)))
}

/**
 * Writes tensors to a safetensors file. The file appears whole or not at all: it is written under another name, synced,
 * and renamed. Its bytes depend only on names, tensors and metadata.
 *
 * @throws UsageError for names and metadata that readers refuse: with a lone surrogate, or with so much text that the
 * header has more than 100,000,000 bytes; also for a Map of `loadSafetensors` that skipped tensors, which the new file
 * would lack. ShapeError for sizes whose product exceeds any memory. FileError if the file cannot be written; an
 * existing file is unchanged then.
 */
export function saveSafetensors(
  path: FilePath,
  tensors: Record<string, Tensor> | Map<string, Tensor>,
  options?: { metadata?: Record<string, string> },
): void {
  const where = 'saveSafetensors'
  const { metadata = {} } = checkOptions(options, ['metadata'], where)
  const entries = namedTensors(tensors, where)
  checkNamed(entries, where)
  const texts = checkMetadata(metadata, where)
  check(
    native.saveSafetensors(
      resolve(checkPath(path, where)),
      entries.map(operandOf),
      texts.map(([key, text]) => ({ key, text })),
    ),
  )
}

/**
 * Reads tensors by name, once. The values are not checked yet. @throws UsageError for something without entries.
 * @internal
 */
export function namedTensors(tensors: unknown, where: string): [name: string, tensor: Tensor][] {
  const entries = isObject(tensors) && !(tensors instanceof Tensor) ? entriesOf(tensors) : null
  if (entries === null)
    throw new UsageError(`${where}: expected an object or a Map of tensors by name, not ${show(tensors)}`)
  checkWhole(tensors as object, where)
  return entries as [string, Tensor][]
}

/** Checks names and values of tensors that are to be saved. @internal */
export function checkNamed(
  entries: readonly [unknown, unknown][],
  where: string,
): asserts entries is [string, Tensor][] {
  for (const [name, tensor] of entries) {
    if (typeof name !== 'string') throw new UsageError(`${where}: names must be strings, not ${show(name)}`)
    checkWellFormed(name, `${where}: the name ${show(name)}`)
    if (!(tensor instanceof Tensor)) throw new UsageError(`${where}: "${name}" is ${show(tensor)}, not a tensor`)
  }
}

/** A tensor and its name, as the native side takes them. @internal */
export const operandOf = ([name, tensor]: readonly [string, Tensor]) => ({
  name,
  dtype: tensor.dtype,
  shape: [...tensor.shape],
  data: tensor.operand(),
})

/** Reads and checks strings by name, once. @internal */
export function checkMetadata(metadata: unknown, where: string): [key: string, text: string][] {
  const texts = isObject(metadata) ? entriesOf(metadata) : null
  if (texts === null)
    throw new UsageError(`${where}: metadata must be an object of strings by name, not ${show(metadata)}`)
  for (const [key, value] of texts) {
    if (typeof key !== 'string') throw new UsageError(`${where}: names of metadata must be strings, not ${show(key)}`)
    if (typeof value !== 'string') throw new UsageError(`${where}: metadata "${key}" is ${show(value)}, not a string`)
    for (const text of [key, value]) checkWellFormed(text, `${where}: metadata ${show(key)}`)
  }
  return texts as [string, string][]
}

/**
 * Writes a tensor to an .npy file, byte for byte as `numpy.save` does. The file appears whole or not at all.
 *
 * @throws DTypeError for bfloat16, which the format does not have; ShapeError for a shape that NumPy does not read:
 * more than 64 dimensions, or sizes whose product, without zeros, exceeds any memory; FileError if the file cannot be
 * written; an existing file is unchanged then.
 */
export function saveNpy(path: FilePath, tensor: Tensor): void {
  const where = 'saveNpy'
  const target = resolve(checkPath(path, where))
  if (!(tensor instanceof Tensor)) throw new UsageError(`${where}: expected a tensor, not ${show(tensor)}`)
  check(native.saveNpy(target, tensor.dtype, [...tensor.shape], tensor.operand()))
}
