// Handles for memory shared between threads: plain objects that `postMessage` can carry.

import { checkDType, facts, type DType } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { call, native } from '../native/native.js'
import { shown, sizeOf } from '../base/shape.js'
import { NativeStorage, type Storage } from '../memory/storage.js'
import { eachOf, isArray, isObject, show } from '../base/validate.js'

/**
 * A handle that `Tensor.share()` gives and `Tensor.fromShared()` takes. Post it unchanged to threads of this process.
 */
export interface SharedTable {
  /** The process that owns the memory. */
  readonly process: string
  /** The number of the memory among all that threads share. */
  readonly id: number
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Byte offset of the first element. */
  readonly offset: number
}

const TOKEN = call(native.processToken())

/** Shares the storage and gives the handle of the elements in it. @internal */
export function share(storage: Storage, dtype: DType, shape: readonly number[], offset: number): SharedTable {
  return { process: TOKEN, id: storage.native().share(), dtype, shape: [...shape], offset }
}

/** The storage and layout that a handle refers to. @internal */
export function open(handle: unknown): { storage: NativeStorage; dtype: DType; shape: number[]; offset: number } {
  const where = 'Tensor.fromShared'
  const refused = () => new UsageError(`${where}: a handle must be a result of share(), not ${show(handle)}`)
  const { process, id, dtype, shape: sizes, offset } = (isObject(handle) ? handle : {}) as Partial<SharedTable>
  if (typeof process !== 'string' || !isSize(id) || !isSize(offset) || !isArray(sizes)) throw refused()
  // Read each size once, so that the checked value is the one used.
  const shape = eachOf(sizes, (size) => {
    if (isSize(size)) return size
    throw refused()
  })
  if (process !== TOKEN) {
    throw new UsageError(
      `${where}: the handle comes from another process: only threads share memory; between processes, use files (saveSafetensors)`,
    )
  }
  const type = checkDType(dtype, where)
  const storage = NativeStorage.open(id)
  if (storage === null) {
    throw new UsageError(
      `${where}: the memory is no longer shared: its tensors were disposed, its thread ended or unshare() was called; keep it until all threads have opened it`,
    )
  }
  const { bytes } = facts(type)
  if (offset % bytes !== 0 || offset + sizeOf(shape) * bytes > storage.bytes) {
    throw new UsageError(
      `${where}: ${type} ${shown(shape)} from byte ${offset} on does not fit in the ${storage.bytes} shared bytes: post handles unchanged`,
    )
  }
  return { storage, dtype: type, shape, offset }
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
