// Batches of windows, which loaders and streams give.

import { UsageError } from '../base/errors.js'
import { TokenFolder } from '../files/token-folder.js'
import { call, check, native } from '../native/native.js'
import { uninitialized } from '../tensor/allocate.js'
import { type Tensor } from '../tensor/tensor.js'
import { Tokenizer } from './tokenizer.js'
import { checkBoolean, checkSize, show } from '../base/validate.js'

/**
 * A batch of windows: two int32 tensors, (batch, maxLength) each. Targets are the inputs one id later. The tensors are
 * new, and the caller's to keep or dispose.
 */
export interface Batch {
  inputs: Tensor
  targets: Tensor
  /** With `perText`: (batch, maxLength) bool, true where an input is an id of the text and no padding. */
  mask?: Tensor
}

export interface WindowOptions {
  /** Number of windows in a batch; default 4. */
  batchSize?: number
  /** Number of ids in a window; default 256. */
  maxLength?: number
  /**
   * Number of ids from the start of one window to the start of the next; default 128, and at most `maxLength` with
   * `perText`.
   */
  stride?: number
  /** Whether a last batch that is not full is dropped; default true, and false with `perText`. */
  dropLast?: boolean
  /**
   * Whether windows begin anew in each text, so that none has ids of two, and cover all of it, so that no id is lost;
   * default false. The last window of a text is filled up: inputs with `paddingId`, targets with -100, which
   * `crossEntropy` ignores, as it does where nothing follows. Batches have a `mask`. A text is one of `{ texts }`, a
   * file, a list of ids or a document of a folder. Windows of a text of n ids start at 0, stride, 2 * stride ... until
   * one reaches its end.
   */
  perText?: boolean
  /** What fills up the inputs of windows with `perText`; default 0. */
  paddingId?: number
}

/** The options of windows, checked. */
export interface CheckedWindows extends Required<WindowOptions> {}

export const WINDOW_OPTIONS = ['batchSize', 'maxLength', 'stride', 'dropLast', 'perText', 'paddingId']

/** Checks the options of windows and fills in the defaults. */
export function checkWindows(options: WindowOptions, where: string): CheckedWindows {
  const { batchSize = 4, maxLength = 256, perText = false, paddingId = 0 } = options
  checkSize(batchSize, `${where}: batchSize`, 1)
  checkSize(maxLength, `${where}: maxLength`, 1)
  checkBoolean(perText, `${where}: perText`)
  const { stride = perText ? Math.min(128, maxLength) : 128, dropLast = !perText } = options
  checkSize(stride, `${where}: stride`, 1)
  checkBoolean(dropLast, `${where}: dropLast`)
  if (options.paddingId !== undefined && !perText)
    throw new UsageError(`${where}: paddingId is for perText: other windows are never filled up`)
  checkSize(paddingId, `${where}: paddingId`, 0, 2 ** 31 - 1)
  return { batchSize, maxLength, stride, dropLast, perText, paddingId }
}

/** Checks the tokenizer option; without one it is gpt2. */
export function checkTokenizer(tokenizer: unknown, where: string): Tokenizer {
  if (tokenizer === undefined) return Tokenizer.load('gpt2')
  if (tokenizer instanceof Tokenizer) return tokenizer
  throw new UsageError(`${where}: tokenizer must be a Tokenizer, not ${show(tokenizer)}`)
}

/** The windows over this number of ids, as the native side takes them. @internal */
export function windowsOver(ids: number, { maxLength, stride, batchSize, dropLast }: CheckedWindows) {
  return call(native.windowsNew(ids, maxLength, stride, batchSize, dropLast))
}

/** Cuts the batch of the windows with these numbers, from ids in memory or in a folder. @internal */
export function cutBatch(
  windows: ReturnType<typeof windowsOver>,
  numbers: Uint32Array,
  ids: Uint32Array | Int32Array | TokenFolder,
  maxLength: number,
): Batch {
  const rows = numbers.length
  const make = () => uninitialized('int32', [rows, maxLength])
  const [inputs, targets] = [make(), make()]
  if (ids instanceof TokenFolder) ids.fill(windows, numbers, inputs.operand(), targets.operand())
  else check(native.windowsFill(windows, numbers, ids, inputs.operand(), targets.operand()))
  return { inputs, targets }
}
