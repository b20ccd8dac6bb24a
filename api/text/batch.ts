// A batch of windows: what loaders and streams hand out.

import { UsageError } from '../base/errors.js'
import { TokenFolder } from '../files/token-folder.js'
import { call, check, native } from '../native/native.js'
import { uninitialized } from '../tensor/allocate.js'
import { type Tensor } from '../tensor/tensor.js'
import { Tokenizer } from './tokenizer.js'
import { checkBoolean, checkSize, show } from '../base/validate.js'

/** int32 (batch, maxLength) each; targets are inputs one id later. Fresh tensors: the caller's to keep or dispose. */
export interface Batch {
  inputs: Tensor
  targets: Tensor
}

export interface WindowOptions {
  /** Windows in a batch; default 4. */
  batchSize?: number
  /** Ids in a window; default 256. */
  maxLength?: number
  /** Ids from the start of one window to that of the next; default 128. */
  stride?: number
  /** Whether a last batch that is not full is left out; default true. */
  dropLast?: boolean
}

/** Options of windows with their defaults. */
export function checkWindows(options: WindowOptions, where: string): Required<WindowOptions> {
  const { batchSize = 4, maxLength = 256, stride = 128, dropLast = true } = options
  checkSize(batchSize, `${where}: batchSize`, 1)
  checkSize(maxLength, `${where}: maxLength`, 1)
  checkSize(stride, `${where}: stride`, 1)
  checkBoolean(dropLast, `${where}: dropLast`)
  return { batchSize, maxLength, stride, dropLast }
}

/** The tokenizer of an option: gpt2 where there is none. */
export function checkTokenizer(tokenizer: unknown, where: string): Tokenizer {
  if (tokenizer === undefined) return Tokenizer.load('gpt2')
  if (tokenizer instanceof Tokenizer) return tokenizer
  throw new UsageError(`${where}: tokenizer must be a Tokenizer, not ${show(tokenizer)}`)
}

/** Windows over so many ids, as the native side knows them. @internal */
export function windowsOver(ids: number, { maxLength, stride, batchSize, dropLast }: Required<WindowOptions>) {
  return call(native.windowsNew(ids, maxLength, stride, batchSize, dropLast))
}

/** The batch of the windows of these numbers, of ids in memory or in a folder. @internal */
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
