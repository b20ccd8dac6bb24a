// A digest of tensors: of all their names, types, shapes and elements. It is kept in the metadata of their file, and
// shows whether they are still the tensors that were saved.

import { FormatError } from '../base/errors.js'
import { ended, readingAll, resultTensor } from '../layers/async.js'
import { untrack } from '../memory/scope.js'
import { call, check, failureOf, native } from '../native/native.js'
import { zeroTable } from '../tensor/allocate.js'
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

/** Tensors that are gathered for work off the thread, which takes them. @internal */
export type HeldTensors = NonNullable<ReturnType<typeof native.heldTensors>>

/**
 * Runs work that reads tensors off the thread; `held` gathers them for one piece of it. Tensors in V8's memory move to
 * native memory first, or are copied there if a caller may hold their `data`. @internal
 */
export async function readingTensors<T>(
  tensors: ReadonlyMap<string, Tensor>,
  run: (held: () => HeldTensors) => Promise<T>,
): Promise<T> {
  const copies: Tensor[] = []
  const entries = [...tensors].map(([name, tensor]): [string, Tensor] => {
    if (tensor.lendable) return [name, tensor]
    const copy = zeroTable(tensor.dtype, [...tensor.shape]).set(tensor)
    untrack(copy)
    copies.push(copy)
    return [name, copy]
  })
  try {
    return await readingAll(
      entries.map(([, tensor]) => tensor),
      (handles) =>
        run(() => {
          const list = call(native.heldTensors())
          entries.forEach(([name, { dtype, shape }], i) =>
            check(native.holdTensor(list, name, dtype, [...shape], handles[i])),
          )
          return list
        }),
    )
  } finally {
    for (const copy of copies) copy.dispose()
  }
}

/** `digestOfTensors`, off the thread. @internal */
export async function digestAsync(held: HeldTensors): Promise<string> {
  const { handles, failure } = await ended(call(native.digestWork(held)), undefined)
  if (!handles) throw failureOf(failure)
  const bytes = resultTensor(handles[0], 'uint8', [DIGITS])
  untrack(bytes)
  const digest = Buffer.from(bytes.data as Uint8Array).toString('latin1')
  bytes.dispose()
  return digest
}

/** Number of digits of a digest. */
const DIGITS = 64

/** Reads every element and compares the digest. @throws FormatError if the digests differ. */
export function verifyTensors(tensors: ReadonlyMap<string, Tensor>, digest: string, path: string): void {
  checkDigest(digestOfTensors(tensors), digest, path)
}

/** Compares the digest of tensors with the one that was saved. @throws FormatError if they differ. @internal */
export function checkDigest(found: string, digest: string, path: string): void {
  if (found === digest) return
  throw new FormatError(
    `${path}: the digest of its tensors is not the one that was saved: the file is damaged`,
    path,
    0,
  )
}
