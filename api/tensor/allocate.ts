// Allocation of new tensors: the one place that turns a shape and a type into bytes of storage.

import { facts, type DType } from '../base/dtype.js'
import { NativeStorage, PooledStorage } from '../memory/storage.js'
import type { Handle } from '../native/native.js'
import { bytesOf } from '../ops/elements.js'
import { Tensor } from './tensor.js'

/**
 * A tensor in V8's memory whose elements are unspecified; the caller writes all of them. If `where` is given, the size
 * is checked against what this machine can hold. The shape is frozen.
 */
export function uninitialized(dtype: DType, shape: readonly number[], where?: string): Tensor {
  return Tensor.over(PooledStorage.uninitialized(bytesOf(dtype, shape, where)), dtype, shape)
}

/** A tensor of zeros in V8's memory. */
export function zeroFilled(dtype: DType, shape: readonly number[]): Tensor {
  return Tensor.over(PooledStorage.zeroed(bytesOf(dtype, shape)), dtype, shape)
}

/** A tensor of zeros in native memory, where tables and the state of optimizers live. */
export function zeroTable(dtype: DType, shape: readonly number[]): Tensor {
  return Tensor.over(NativeStorage.zeroed(bytesOf(dtype, shape)), dtype, shape)
}

/** A tensor over memory that the native side allocated; `mapped` says that it lies in a mapped file. */
export function adopted(handle: Handle, dtype: DType, shape: readonly number[], mapped = false): Tensor {
  return Tensor.over(new NativeStorage(handle, bytesOf(dtype, shape), mapped), dtype, shape)
}

/** A tensor's elements as uint8 bytes, in the same memory. */
export function asBytes(x: Tensor): Tensor {
  return Tensor.over(x.storage, 'uint8', [x.size * facts(x.dtype).bytes], x.storageOffset)
}
