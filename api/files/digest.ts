// What tells whether tensors are those that were saved: a digest of all their names, types, shapes and elements, kept
// in the metadata of their file.

import { FormatError } from '../base/errors.js'
import { call, native } from '../native/native.js'
import type { Tensor } from '../tensor/tensor.js'

/** The entry of the metadata. Checkpoints have it too: the native side writes it by this name. */
export const DIGEST = 'tokenbed.digest'

/** SHA-256 over all tensors, in the order of their names. */
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

/** Reads every element. @throws FormatError where they are not those of the digest. */
export function verifyTensors(tensors: ReadonlyMap<string, Tensor>, digest: string, path: string): void {
  if (digestOfTensors(tensors) === digest) return
  throw new FormatError(
    `${path}: its tensors are not the ones that were saved, by their digest: the file is damaged`,
    path,
    0,
  )
}
