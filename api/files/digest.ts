// A digest of tensors: of all their names, types, shapes and elements. It is kept in the metadata of their file, and
// shows whether they are still the tensors that were saved.

import { FormatError } from '../base/errors.js'
import { call, native } from '../native/native.js'
import type { Tensor } from '../tensor/tensor.js'

/** The metadata entry with the digest. Checkpoints have it too: the native side writes it under the same name. */
export const DIGEST = 'tokenbed.digest'

/** The SHA-256 over all tensors, in the order of their names. */
export function digestOfTensors(tensors: ReadonlyMap<string, Tensor>): string {
  const entries = [...tensors]
  return call(
    native.digestTensors(
      entries.map(([name, tensor]) => ({
        name,
        dtype: tensor.dtype,
        shape: [...tensor.shape],
        data: tensor.operand(),
      })),
    ),
  )
}

/** Reads every element and compares the digest. @throws FormatError if the digests differ. */
export function verifyTensors(tensors: ReadonlyMap<string, Tensor>, digest: string, path: string): void {
  if (digestOfTensors(tensors) === digest) return
  throw new FormatError(
    `${path}: the digest of its tensors is not the one that was saved: the file is damaged`,
    path,
    0,
  )
}
