// Searches on another thread, with several results.

import { throwIfAborted } from '../base/abortable.js'
import { checkSignal, ended, readingAll } from '../layers/async.js'
import { untrack } from '../memory/scope.js'
import { call, failureOf, type Handle, type Work } from '../native/native.js'
import { zeroTable } from '../tensor/allocate.js'
import type { Tensor } from '../tensor/tensor.js'

/**
 * Runs work on the rows on a thread of libuv's pool, and returns the handles of its results. Rows in V8's memory move
 * to native memory first, or are copied there if a caller may hold their `data`.
 */
export async function offThread(
  where: string,
  signal: unknown,
  rows: Tensor,
  work: (rows: Handle) => Work | null,
): Promise<Handle[]> {
  const stop = checkSignal(signal, where)
  throwIfAborted(stop, where)
  const copy = rows.lendable ? null : zeroTable(rows.dtype, [...rows.shape]).set(rows)
  if (copy !== null) untrack(copy)
  try {
    const { handles, failure } = await readingAll([copy ?? rows], ([handle]) => ended(call(work(handle)), stop))
    throwIfAborted(stop, where)
    if (!handles) throw failureOf(failure)
    return handles
  } finally {
    copy?.dispose()
  }
}
