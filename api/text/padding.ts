// Texts as rows of one length: the options, and the resulting tensors.

import type { DType } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { zeroed } from '../memory/arrays.js'
import { failureOf, native, type Operand } from '../native/native.js'
import { uninitialized } from '../tensor/allocate.js'
import { Tensor } from '../tensor/tensor.js'
import { checkElements, checkSize, checkWord, show } from '../base/validate.js'

export interface TruncationOptions {
  /** The largest number of ids of a text; longer texts are cut. By default none is cut. */
  maxLength?: number
  /** The end at which long texts are cut; default 'right', or what the tokenizer's file says. */
  truncationSide?: 'right' | 'left'
}

export interface PaddingOptions {
  /** The length of the rows: that of the longest in the batch, or `maxLength`. */
  padding: 'longest' | 'maxLength'
  /** The end at which short rows are padded; default 'right', or what the tokenizer's file says. */
  paddingSide?: 'right' | 'left'
  /** The id that pads rows; default `tokenizer.paddingId`. */
  paddingId?: number
}

/** Texts as rows of one length. */
export interface PaddedBatch {
  /** int32 (batch, length), as layers take it. The caller's to keep or dispose. */
  ids: Tensor
  /** bool (batch, length): true for a token, false for padding. The caller's to keep or dispose. */
  mask: Tensor
  /** Number of ids of each row without padding. */
  lengths: Uint32Array
}

export const PADDING_OPTIONS = ['maxLength', 'truncationSide', 'padding', 'paddingSide', 'paddingId']

type Options = TruncationOptions & Partial<PaddingOptions>

const SIDES = ['right', 'left'] as const

/** Where and how texts are cut, as the native side takes it; `left` is the default side. */
export function cutting(
  options: Options,
  left: boolean,
  where: string,
): { maxLength: number | undefined; cutLeft: boolean } {
  const { maxLength, truncationSide } = options
  if (maxLength !== undefined) checkSize(maxLength, `${where}: maxLength`, 1)
  if (truncationSide === undefined) return { maxLength, cutLeft: left }
  const side = checkWord(truncationSide, SIDES, `${where}: truncationSide`)
  if (maxLength === undefined)
    throw new UsageError(`${where}: truncationSide needs maxLength, without which nothing is truncated`)
  return { maxLength, cutLeft: side === 'left' }
}

/** How rows are padded, or null if they are not; `own` holds the tokenizer's defaults. */
export function padding(
  options: Options,
  own: { left: boolean; id: number | undefined },
  rows: number,
  where: string,
): { length: number | undefined; id: number; left: boolean } | null {
  const { maxLength, padding: how, paddingSide, paddingId } = options
  if (how === undefined) {
    for (const name of ['paddingSide', 'paddingId'] as const) {
      if (options[name] !== undefined) {
        throw new UsageError(
          `${where}: ${name} needs padding: 'longest' or 'maxLength', without which nothing is padded`,
        )
      }
    }
    return null
  }
  checkWord(how, ['longest', 'maxLength'], `${where}: padding`)
  if (how === 'maxLength' && maxLength === undefined)
    throw new UsageError(`${where}: padding: 'maxLength' needs maxLength`)
  const left = paddingSide === undefined ? own.left : checkWord(paddingSide, SIDES, `${where}: paddingSide`) === 'left'
  if (paddingId === undefined && own.id === undefined) {
    throw new UsageError(`${where}: this tokenizer has no padding token: give the id of one as paddingId`)
  }
  const id = checkSize(paddingId ?? own.id, `${where}: paddingId`)
  if (id >= 2 ** 31) throw new UsageError(`${where}: paddingId ${show(id)} does not fit in an int32`)
  const length = how === 'maxLength' ? maxLength : undefined
  // This is checked before anything is encoded.
  if (length !== undefined) checkElements(rows * length, 4, where, [rows, length])
  return { length, id, left }
}

/**
 * A native call that writes into memory which it requests. It calls `room` once it knows the size, and returns whether
 * all went well.
 */
type Write<Room> = (room: (size: number) => Room | null) => boolean

/**
 * Returns what `make` allocates once `write` knows the size. Each element is written once, at its final place.
 *
 * An error of `make` must not pass through native code, so it is thrown after the call has ended.
 */
function written<Made extends object, Room>(
  make: (size: number) => Made,
  roomOf: (made: Made) => Room,
  write: Write<Room>,
): Made {
  const kept: { made?: Made; failure?: unknown } = {}
  const done = write((size) => {
    try {
      return roomOf((kept.made = make(size)))
    } catch (failure) {
      kept.failure = failure
      return null
    }
  })
  if (done && kept.made !== undefined) return kept.made
  if (kept.made !== undefined) for (const part of Object.values(kept.made)) if (part instanceof Tensor) part.dispose()
  if ('failure' in kept) throw kept.failure
  throw failureOf(native.takeFailure())
}

/** The ids of texts end to end, as `write` writes them. */
export function joinedBatch(
  texts: number,
  write: Write<{ ids: Operand; offsets: Operand }>,
): { ids: Uint32Array; offsets: Uint32Array } {
  const make = (ids: number) => ({ ids: zeroed(Uint32Array, ids), offsets: zeroed(Uint32Array, texts + 1) })
  return written(make, (made) => made, write)
}

/** Texts as rows of one length, as `write` writes them. */
export function paddedBatch(
  texts: number,
  write: Write<{ ids: Operand; mask: Operand; lengths: Operand }>,
): PaddedBatch {
  const over = (length: number, dtype: DType) => uninitialized(dtype, [texts, length])
  const make = (length: number): PaddedBatch => {
    const lengths = zeroed(Uint32Array, texts)
    const ids = over(length, 'int32')
    try {
      return { ids, mask: over(length, 'bool'), lengths }
    } catch (error) {
      ids.dispose()
      throw error
    }
  }
  return written(make, ({ ids, mask, lengths }) => ({ ids: ids.operand(), mask: mask.operand(), lengths }), write)
}
