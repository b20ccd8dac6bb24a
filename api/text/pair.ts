// Two texts as one list of ids, as models that compare texts take them.

import { UsageError } from '../base/errors.js'
import { checkSize, checkWord } from '../base/validate.js'
import { zeroed } from '../memory/arrays.js'
import { call, native } from '../native/native.js'
import type { EncodedPair, LocatedIds, PairOptions } from './encode-options.js'

/** What two texts become together. */
type Frame = ReturnType<typeof native.tokenizerPair> & object

/** How two texts are cut. */
interface Cut {
  readonly maxLength: number | undefined
  readonly truncation: 'longestFirst' | 'onlyFirst' | 'onlySecond'
  readonly left: boolean
}

/** The options that only pairs have. @internal */
export const PAIR_OPTIONS = ['maxLength', 'truncation', 'truncationSide']

/** How two texts are cut; `left` is the tokenizer's own side. @internal */
export function cutOf(options: Partial<PairOptions>, left: boolean, where: string): Cut {
  const { maxLength, truncation, truncationSide } = options
  const how = checkWord(
    truncation ?? 'longestFirst',
    ['longestFirst', 'onlyFirst', 'onlySecond'],
    `${where}: truncation`,
  )
  const side =
    truncationSide === undefined ? null : checkWord(truncationSide, ['right', 'left'], `${where}: truncationSide`)
  if (maxLength !== undefined) checkSize(maxLength, `${where}: maxLength`, 1)
  else if (truncation !== undefined || side !== null)
    throw new UsageError(`${where}: truncation needs maxLength, without which nothing is truncated`)
  return { maxLength, truncation: how, left: side === null ? left : side === 'left' }
}

/** Puts two texts together, each without the tokens around it. @internal */
export function paired(
  tokenizer: Parameters<typeof native.tokenizerPair>[0],
  framed: boolean,
  [first, second]: readonly [LocatedIds, LocatedIds],
  cut: Cut,
  where: string,
): EncodedPair {
  const frame = call(native.tokenizerPair(tokenizer, framed))
  const lengths = lengthsOf([first.ids.length, second.ids.length], frame.ids.length - 2, cut, where)
  return together(frame, [shortened(first, lengths[0], cut.left), shortened(second, lengths[1], cut.left)])
}

/** How many ids of each text are kept. */
function lengthsOf([first, second]: [number, number], around: number, cut: Cut, where: string): [number, number] {
  if (cut.maxLength === undefined) return [first, second]
  const room = cut.maxLength - around
  if (room < 0)
    throw new UsageError(
      `${where}: maxLength ${cut.maxLength} has no room for the ${around} tokens that the file puts around two texts: give at least ${around}, or addSpecialTokens: false`,
    )
  // The library leaves nothing of either text then, whichever is to be cut.
  if (room === 0) return [0, 0]
  const excess = first + second - room
  if (excess <= 0) return [first, second]
  if (cut.truncation === 'longestFirst') {
    // The longer text is cut to what the shorter one leaves, but not below half of the room.
    const [least, most] = first <= second ? [first, second] : [second, first]
    const half = Math.floor(room / 2)
    const kept: [number, number] = least <= half ? [least, Math.min(most, room - least)] : [half, half + (room % 2)]
    return first <= second ? kept : [kept[1], kept[0]]
  }
  const isFirst = cut.truncation === 'onlyFirst'
  const length = isFirst ? first : second
  if (length <= excess)
    throw new UsageError(
      `${where}: ${excess} ids are too many, but the ${isFirst ? 'first' : 'second'} text has only ${length}: raise maxLength, or cut the other text`,
    )
  return isFirst ? [first - excess, second] : [first, second - excess]
}

function shortened(text: LocatedIds, length: number, left: boolean): LocatedIds {
  const from = left ? text.ids.length - length : 0
  const part = <A extends Uint32Array | Int32Array>(array: A) => array.subarray(from, from + length) as A
  return { ids: part(text.ids), starts: part(text.starts), ends: part(text.ends), wordIds: part(text.wordIds) }
}

function together(frame: Frame, texts: readonly [LocatedIds, LocatedIds]): EncodedPair {
  const count = frame.ids.length - 2 + texts[0].ids.length + texts[1].ids.length
  const all: EncodedPair = {
    ids: zeroed(Uint32Array, count),
    typeIds: zeroed(Uint32Array, count),
    starts: zeroed(Uint32Array, count),
    ends: zeroed(Uint32Array, count),
    wordIds: zeroed(Int32Array, count).fill(-1),
    sequenceIds: zeroed(Int8Array, count).fill(-1),
  }
  let at = 0
  for (const [i, id] of frame.ids.entries()) {
    const sequence = i === frame.first ? 0 : i === frame.second ? 1 : null
    if (sequence === null) {
      all.ids[at] = id
      all.typeIds[at++] = frame.types[i]
      continue
    }
    const text = texts[sequence]
    for (const name of ['ids', 'starts', 'ends', 'wordIds'] as const) all[name].set(text[name], at)
    all.sequenceIds.fill(sequence, at, at + text.ids.length)
    all.typeIds.fill(frame.types[i], at, at + text.ids.length)
    at += text.ids.length
  }
  return all
}
