// Texts as rows of one length: the options, and the tensors that come of them.

import type { DType } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { zeroed } from '../memory/arrays.js'
import { failureOf, native, type Operand } from '../native/native.js'
import { uninitialized } from '../tensor/allocate.js'
import { Tensor } from '../tensor/tensor.js'
import { checkElements, checkSize, checkWord, show } from '../base/validate.js'

export interface TruncationOptions {
  /** Ids that a text may have; longer ones are cut. Default: none is cut. */
  maxLength?: number
  /** Which end of a text that is too long goes; default 'right', or what the file says. */
  truncationSide?: 'right' | 'left'
}

export interface PaddingOptions {
  /** How long rows are: as the longest of the batch, or `maxLength`. */
  padding: 'longest' | 'maxLength'
  /** Which end of a short row is filled up; default 'right', or what the file says. */
  paddingSide?: 'right' | 'left'
  /** What fills it up; default `tokenizer.paddingId`. */
  paddingId?: number
}

/** Texts as a rectangle. */
export interface PaddedBatch {
  /** int32 (batch, length): what layers take. The caller's to keep or dispose. */
  ids: Tensor
  /** bool (batch, length): true where a token stands, false where the row is filled up. The caller's, too. */
  mask: Tensor
  /** Ids of each row that are not filled up. */
  lengths: Uint32Array
}

export const PADDING_OPTIONS = ['maxLength', 'truncationSide', 'padding', 'paddingSide', 'paddingId']

type Options = TruncationOptions & Partial<PaddingOptions>

const SIDES = ['right', 'left'] as const

/** Where and how texts are cut, as the native side takes it; `left`: where nothing is said. */
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
    throw new UsageError(`${where}: truncationSide says where to cut, and nothing is: give maxLength, too`)
  return { maxLength, cutLeft: side === 'left' }
}

/** How rows are filled up, or null where they are not; `own`: what the tokenizer does where nothing is said. */
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
          `${where}: ${name} says how to fill rows up, and none is: give padding: 'longest' or 'maxLength', too`,
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
    throw new UsageError(`${where}: this tokenizer has no token to fill rows up with: give paddingId, the id of one`)
  }
  const id = checkSize(paddingId ?? own.id, `${where}: paddingId`)
  if (id >= 2 ** 31) throw new UsageError(`${where}: paddingId ${show(id)} does not fit an int32`)
  const length = how === 'maxLength' ? maxLength : undefined
  // Told before anything is encoded.
  if (length !== undefined) checkElements(rows * length, 4, where, [rows, length])
  return { length, id, left }
}

/**
 * What a native call writes into, which asks for it by `room` once it knows how large that is, and says whether all
 * went well.
 */
type Write<Room> = (room: (size: number) => Room | null) => boolean

/**
 * What `make` makes once `write` knows its size. Each element is written once, where it stays.
 *
 * No error passes through native code: that of `make` waits here until the call has ended.
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

/** The ids of texts, end to end, as `write` writes them. */
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
