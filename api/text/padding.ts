// Texts as rows of one length: the options, and the resulting tensors.

import type { DType } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { zeroed } from '../memory/arrays.js'
import { failureOf, native, type Operand } from '../native/native.js'
import { uninitialized } from '../tensor/allocate.js'
import { Tensor } from '../tensor/tensor.js'
import { checkBoolean, checkElements, checkSize, checkWord, show } from '../base/validate.js'

export interface TruncationOptions {
  /** The largest number of ids of a text; longer texts are cut. By default none is cut. */
  maxLength?: number
  /** The end at which long texts are cut; default 'right', or what the tokenizer's file says. */
  truncationSide?: 'right' | 'left'
  /**
   * Whether the rest of a text that is too long becomes further rows, default false. The result has `samples` then, the
   * number of the text of each row. `return_overflowing_tokens`.
   */
  overflow?: boolean
  /** How many ids of its text a further row repeats from the row before; default 0. Needs `overflow`. */
  stride?: number
}

export interface PaddingOptions {
  /** The length of the rows: that of the longest in the batch, or `maxLength`. */
  padding: 'longest' | 'maxLength'
  /** The end at which short rows are padded; default 'right', or what the tokenizer's file says. */
  paddingSide?: 'right' | 'left'
  /** The id that pads rows; default `tokenizer.paddingId`. */
  paddingId?: number
  /** The length of the rows is rounded up to a multiple of this number; default 1. */
  padToMultipleOf?: number
}

/** The ids of texts, end to end. */
export interface EncodedBatch {
  ids: Uint32Array
  /** Where each row begins, and where the last one ends. */
  offsets: Uint32Array
}

/** The number of the text of each row, where a text may have several. */
export interface Samples {
  samples: Uint32Array
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

export const PADDING_OPTIONS = [
  'maxLength',
  'truncationSide',
  'overflow',
  'stride',
  'padding',
  'paddingSide',
  'paddingId',
  'padToMultipleOf',
]

type Options = TruncationOptions & Partial<PaddingOptions>

const SIDES = ['right', 'left'] as const

/** Where and how texts are cut, as the native side takes it; `left` is the default side. */
export function cutting(
  options: Options,
  left: boolean,
  where: string,
): { maxLength: number | undefined; cutLeft: boolean; overlap: number | undefined } {
  const { maxLength, truncationSide, overflow = false, stride } = options
  if (maxLength !== undefined) checkSize(maxLength, `${where}: maxLength`, 1)
  checkBoolean(overflow, `${where}: overflow`)
  if (stride !== undefined) checkSize(stride, `${where}: stride`)
  if (stride !== undefined && !overflow)
    throw new UsageError(`${where}: stride needs overflow: true, without which a text has one row`)
  const side = truncationSide === undefined ? null : checkWord(truncationSide, SIDES, `${where}: truncationSide`)
  const needs = overflow ? 'overflow' : side === null ? null : 'truncationSide'
  if (maxLength === undefined && needs !== null)
    throw new UsageError(`${where}: ${needs} needs maxLength, without which nothing is truncated`)
  return { maxLength, cutLeft: side === null ? left : side === 'left', overlap: overflow ? (stride ?? 0) : undefined }
}

/** How rows are padded, or null if they are not; `own` holds the tokenizer's defaults. */
export function padding(
  options: Options,
  own: { left: boolean; id: number | undefined },
  rows: number,
  where: string,
): { length: number | undefined; multiple: number; id: number; left: boolean } | null {
  const { maxLength, padding: how, paddingSide, paddingId, padToMultipleOf = 1 } = options
  if (how === undefined) {
    for (const name of ['paddingSide', 'paddingId', 'padToMultipleOf'] as const) {
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
  const multiple = checkSize(padToMultipleOf, `${where}: padToMultipleOf`, 1)
  const length = how === 'maxLength' ? maxLength : undefined
  // This is checked before anything is encoded.
  const least = Math.ceil((length ?? 1) / multiple) * multiple
  checkElements(rows * least, 4, where, [rows, least])
  return { length, multiple, id, left }
}

/**
 * A native call that writes into memory which it requests. It calls `room` once it knows the size, the number of rows,
 * and of how many rows it tells the text; and returns whether all went well.
 */
type Write<Room> = (room: (size: number, rows: number, told: number) => Room | null) => boolean

/**
 * Returns what `make` allocates once `write` knows the size. Each element is written once, at its final place.
 *
 * An error of `make` must not pass through native code, so it is thrown after the call has ended.
 */
function written<Made extends object, Room>(
  make: (size: number, rows: number, told: number) => Made,
  roomOf: (made: Made) => Room,
  write: Write<Room>,
): Made {
  const kept: { made?: Made; failure?: unknown } = {}
  const done = write((...sizes) => {
    try {
      return roomOf((kept.made = make(...sizes)))
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

/** The result without `samples`, unless a text may have several rows. */
export function told<T extends Samples>(made: T, tells: boolean): Omit<T, 'samples'> {
  if (tells) return made
  const { samples: _, ...rest } = made
  return rest
}

/** The ids of texts end to end, as `write` writes them. */
export function joinedBatch(
  tells: boolean,
  write: Write<{ ids: Operand; offsets: Operand; samples: Operand }>,
): EncodedBatch {
  const make = (ids: number, rows: number, named: number) => ({
    ids: zeroed(Uint32Array, ids),
    offsets: zeroed(Uint32Array, rows + 1),
    samples: zeroed(Uint32Array, named),
  })
  return told(
    written(make, (made) => made, write),
    tells,
  )
}

/** Texts as rows of one length, as `write` writes them. */
export function paddedBatch(
  tells: boolean,
  write: Write<{ ids: Operand; mask: Operand; lengths: Operand; samples: Operand }>,
): PaddedBatch {
  const make = (length: number, rows: number, named: number): PaddedBatch & Samples => {
    const over = (dtype: DType) => uninitialized(dtype, [rows, length])
    const [lengths, samples] = [zeroed(Uint32Array, rows), zeroed(Uint32Array, named)]
    const ids = over('int32')
    try {
      return { ids, mask: over('bool'), lengths, samples }
    } catch (error) {
      ids.dispose()
      throw error
    }
  }
  const roomOf = ({ ids, mask, lengths, samples }: PaddedBatch & Samples) => ({
    ids: ids.operand(),
    mask: mask.operand(),
    lengths,
    samples,
  })
  return told(written(make, roomOf, write), tells)
}
