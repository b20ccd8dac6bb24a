// Where new tensors get their memory from: the one place that knows bytes of storage and elements of a shape.

import { facts, type DType } from '../base/dtype.js'
import { NativeStorage, PooledStorage } from '../memory/storage.js'
import type { Handle } from '../native/native.js'
import { bytesOf } from '../ops/elements.js'
import { Tensor } from './tensor.js'

/**
 * A tensor in V8's memory, to be written whole: its elements are unspecified. With `where`, checked to fit in this
 * machine. The shape is frozen.
 */
export function uninitialized(dtype: DType, shape: readonly number[], where?: string): Tensor {
  return Tensor.over(PooledStorage.uninitialized(bytesOf(dtype, shape, where)), dtype, shape)
}

/** A tensor of zeros in V8's memory. */
export function zeroFilled(dtype: DType, shape: readonly number[]): Tensor {
  return Tensor.over(PooledStorage.zeroed(bytesOf(dtype, shape)), dtype, shape)
}

/** A tensor of zeros in native memory, as tables and what optimizers keep are. */
export function zeroTable(dtype: DType, shape: readonly number[]): Tensor {
  return Tensor.over(NativeStorage.zeroed(bytesOf(dtype, shape)), dtype, shape)
}

/** A tensor over native memory that the native side made; `mapped` says that it is a file's. */
export function adopted(handle: Handle, dtype: DType, shape: readonly number[], mapped = false): Tensor {
  return Tensor.over(new NativeStorage(handle, bytesOf(dtype, shape), mapped), dtype, shape)
}

/** The bytes of a tensor's elements, as uint8 in the same memory. */
export function asBytes(x: Tensor): Tensor {
  return Tensor.over(x.storage, 'uint8', [x.size * facts(x.dtype).bytes], x.storageOffset)
}
