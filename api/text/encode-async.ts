// Encoding off the thread. The texts are copied out of JavaScript a few at a time, other threads encode them, and the
// ids are copied back a few at a time, so that the event loop never waits long.

import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../base/abortable.js'
import type { DType } from '../base/dtype.js'
import { sizeOf } from '../base/shape.js'
import { checkText } from '../base/validate.js'
import { ended } from '../layers/async.js'
import { unwritten } from '../memory/arrays.js'
import { untrack } from '../memory/scope.js'
import { notAwaitedAtExit } from '../native/leaving.js'
import { binary, call, check, failureOf, native, type Handle, type Operand } from '../native/native.js'
import { adopted, uninitialized } from '../tensor/allocate.js'
import type { Tensor } from '../tensor/tensor.js'
import { told, type EncodedBatch, type PaddedBatch } from './padding.js'

/** What is to be encoded, with its options as the native side takes them. @internal */
export interface Encoding {
  readonly where: string
  /** The texts. If they are one text and no batch, errors do not number it. */
  readonly texts: readonly string[]
  readonly isOne: boolean
  readonly tokenizer: Parameters<typeof native.encodeWork>[1]
  readonly rows: Parameters<typeof native.encodeWork>[2]
  readonly signal: AbortSignal | undefined
}

type Held = ReturnType<typeof native.textsNew> & object
type Filler = NonNullable<Parameters<typeof native.encodeWork>[3]>

/** For at most so many milliseconds copying keeps other work of this thread waiting. */
const TURN = 5
/** Largest number of UTF-16 code units that are copied in one native call, and of texts. */
const UNITS = 1 << 18
const TEXTS = 256
/** Largest number of bytes that are copied back in one native call. */
const BYTES = 1 << 22

/** Lets the event loop run after each turn, and notices a signal that was aborted meanwhile. */
class Turns {
  #end = performance.now() + TURN

  constructor(
    private readonly signal: AbortSignal | undefined,
    private readonly where: string,
  ) {
    throwIfAborted(signal, where)
  }

  get isOver(): boolean {
    return performance.now() > this.#end
  }

  async next(): Promise<void> {
    await setImmediate()
    throwIfAborted(this.signal, this.where)
    this.#end = performance.now() + TURN
  }
}

/** The ids of texts end to end. @internal */
export async function encodedBatch(encoding: Encoding): Promise<EncodedBatch> {
  const turns = new Turns(encoding.signal, encoding.where)
  const [forOffsets, forIds, forRows, forSamples] = await results(encoding, null, turns)
  const [rows] = await copied(forRows, unwritten(1), turns)
  const offsets = await copied(forOffsets, unwritten(rows + 1), turns)
  const ids = await copied(forIds, unwritten(offsets[rows]), turns)
  const samples = await samplesOf(encoding, forSamples, rows, turns)
  return told({ ids, offsets, samples }, tells(encoding))
}

const tells = ({ rows }: Encoding) => rows.overlap !== undefined

/** The text of each row, which is told if a text may have several. */
function samplesOf(encoding: Encoding, handle: Handle, rows: number, turns: Turns): Promise<Uint32Array> {
  return copied(handle, unwritten(tells(encoding) ? rows : 0), turns)
}

/** Texts as rows of one length. @internal */
export async function encodedRows(encoding: Encoding, filler: Filler): Promise<PaddedBatch> {
  const turns = new Turns(encoding.signal, encoding.where)
  const [forNumbers, forIds, forMask, forRows, forSamples] = await results(encoding, filler, turns)
  const [count] = await copied(forRows, unwritten(1), turns)
  const samples = await samplesOf(encoding, forSamples, count, turns)
  const numbers = await copied(forNumbers, unwritten(count + 1), turns)
  const shape = [count, numbers[count]]
  const ids = await tensor(forIds, 'int32', shape, turns)
  try {
    const mask = await tensor(forMask, 'bool', shape, turns)
    return told({ ids, mask, lengths: numbers.slice(0, count), samples }, tells(encoding))
  } catch (error) {
    ids.dispose()
    throw error
  }
}

/** The results of the work, in memory of the native side. */
async function results(encoding: Encoding, filler: Filler | null, turns: Turns): Promise<Handle[]> {
  const { tokenizer, rows, signal, where } = encoding
  const texts = await held(encoding, turns)
  notAwaitedAtExit()
  const work = call(native.encodeWork(texts, tokenizer, rows, filler))
  const { handles, failure } = await ended(work, signal, true)
  throwIfAborted(signal, where)
  if (!handles) throw failureOf(failure)
  return handles
}

/**
 * Copies texts out of JavaScript, for other work than encoding. @throws AbortedError as soon as the signal is
 * aborted. @internal
 */
export function heldTexts(
  texts: readonly string[],
  isOne: boolean,
  where: string,
  signal: AbortSignal | undefined,
): Promise<Held> {
  return held({ texts, isOne, where }, new Turns(signal, where))
}

/** Copies the texts out of JavaScript. */
async function held({ texts, isOne, where }: Pick<Encoding, 'texts' | 'isOne' | 'where'>, turns: Turns): Promise<Held> {
  const held = call(native.textsNew(isOne))
  for (let i = 0; i < texts.length;) {
    let units = 0
    let end = i
    while (end < texts.length && end - i < TEXTS && units < UNITS) {
      const text = texts[end++]
      if (typeof text !== 'string') checkText(text, `${where}: text ${end - 1}`)
      // A long text has calls of its own.
      if (text.length > UNITS && end - i > 1) {
        end--
        break
      }
      units += text.length
    }
    if (units > UNITS && end - i === 1) await addLong(held, texts[i], turns)
    else check(native.textsAdd(held, texts.slice(i, end), false))
    i = end
    if (turns.isOver) await turns.next()
  }
  return held
}

/** Copies a long text part by part. A part of a flat string is made without copying it. */
async function addLong(held: Held, text: string, turns: Turns): Promise<void> {
  for (let start = 0; start < text.length;) {
    let end = Math.min(start + UNITS, text.length)
    // A pair of surrogates is not divided.
    if (end < text.length && isLow(text.charCodeAt(end)) && isHigh(text.charCodeAt(end - 1))) end++
    check(native.textsAdd(held, [text.slice(start, end)], start > 0))
    start = end
    if (turns.isOver) await turns.next()
  }
}

const isHigh = (unit: number) => unit >= 0xd800 && unit < 0xdc00
const isLow = (unit: number) => unit >= 0xdc00 && unit < 0xe000

/** Copies a result into V8's memory, and frees it. */
async function copied(handle: Handle, to: Uint32Array, turns: Turns): Promise<Uint32Array> {
  await copy(handle, to, to.length, to.BYTES_PER_ELEMENT, turns)
  return to
}

async function copy(handle: Handle, to: Operand, count: number, width: number, turns: Turns): Promise<void> {
  const most = BYTES / width
  for (let at = 0; at < count; at += most) {
    check(native.copyRun(width, Math.min(most, count - at), handle, at, to, at))
    if (turns.isOver) await turns.next()
  }
  check(native.storageRelease(handle))
}

/** The tensor of a result: over its memory, or over a copy if the host forbids live views of native memory. */
async function tensor(handle: Handle, dtype: DType, shape: readonly number[], turns: Turns): Promise<Tensor> {
  // No result of an asynchronous call belongs to a scope.
  if (binary.liveData) {
    const made = adopted(handle, dtype, shape)
    untrack(made)
    return made
  }
  const made = uninitialized(dtype, shape)
  untrack(made)
  try {
    await copy(handle, made.operand(), sizeOf(shape), dtype === 'bool' ? 1 : 4, turns)
    return made
  } catch (error) {
    made.dispose()
    throw error
  }
}
