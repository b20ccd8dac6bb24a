// What tables learn from, as the native side gathers it: files, pieces of text, ids, or texts with their classes.

import { resolve } from 'node:path'
import { types } from 'node:util'
import { AbortedError, UsageError } from './errors.js'
import { plainInts } from './ids.js'
import { call, check, failureOf, native } from './native.js'
import { streamIds, type TextSource } from './stream.js'
import type { CheckedOptions } from './train-options.js'
import type { Tokenizer } from './tokenizer.js'
import { checkPath, checkText, isArray, isObject, show, eachOf } from './validate.js'

/** A text with its class. */
export interface LabelledText {
  text: string
  label: string
}

/**
 * What a trainer learns from: paths of files or pieces of one text, as `streamIds` takes them; ids; or, to classify, texts
 * with their classes. In files and pieces to classify, a line begins with its class, as in `__label__yes`.
 */
export type Corpus = TextSource | Uint32Array | Int32Array | readonly LabelledText[]

export type Gathered = ReturnType<typeof native.corpusOfWords> & object

/** What a corpus is gathered for. */
export interface Wanted {
  readonly options: CheckedOptions
  readonly tokenizer: Tokenizer | null
  readonly signal?: AbortSignal
  readonly where: string
}

/** A corpus that was gathered, and the names of classes that were given apart from it. */
export interface Found {
  readonly corpus: Gathered
  readonly labels: string[] | null
}

/** Gathers a corpus; files are read on another thread. */
export async function gather(source: Corpus, wanted: Wanted): Promise<Found> {
  const { options, tokenizer, where } = wanted
  if (types.isUint32Array(source) || types.isInt32Array(source)) return { corpus: ofIds(source, wanted), labels: null }
  if (isLabelled(source)) return ofTexts(source, wanted)
  const isWords = tokenizer === null
  if (options.objective === 'classify' || isWords) {
    const corpus = isWords ? call(native.corpusOfWords()) : call(native.corpusOfLines(tokenizer.forStream({}, where)[0]))
    await addText(corpus, source, wanted)
    return { corpus, labels: null }
  }
  const corpus = call(native.corpusOfIds())
  for await (const ids of streamIds(source as TextSource, { tokenizer, signal: wanted.signal, invalidUtf8: options.invalidUtf8, maxRatio: options.maxRatio, disallowedSpecial: new Set() })) {
    check(native.corpusIds(corpus, ids))
  }
  return { corpus, labels: null }
}

function ofIds(ids: Uint32Array | Int32Array, { options, where }: Wanted): Gathered {
  if (options.objective === 'classify') throw new UsageError(`${where}: to classify, give texts with their labels, not ids`)
  if (options.vocabulary === 0) throw new UsageError(`${where}: of a corpus of ids, say vocabSize: how many ids there may be`)
  // A copy where other threads may write it: the native side checks its own.
  const own = plainInts(ids, where) as Uint32Array | Int32Array
  const bad = types.isInt32Array(own) ? own.findIndex((id) => id < 0) : -1
  if (bad >= 0) throw new UsageError(`${where}: id ${own[bad]} at [${bad}] is negative`)
  const corpus = call(native.corpusOfIds())
  check(native.corpusIds(corpus, own))
  return corpus
}

function isLabelled(source: Corpus): source is readonly LabelledText[] {
  return isArray(source) && source.length > 0 && typeof source[0] === 'object' && source[0] !== null
}

/** Texts with classes become lines that begin with a number for their class. */
function ofTexts(source: readonly LabelledText[], { options, tokenizer, where }: Wanted): Found {
  if (options.objective !== 'classify') throw new UsageError(`${where}: texts with labels are for the objective "classify"`)
  const corpus = tokenizer === null ? call(native.corpusOfWords()) : call(native.corpusOfLines(tokenizer.forStream({}, where)[0]))
  const numbers = new Map<string, number>()
  // Not `forEach`, which would skip the holes of an array.
  eachOf(source, (example, i) => {
    const { text: itsText, label: itsLabel } = (isObject(example) ? example : {}) as Partial<LabelledText>
    const text = checkText(itsText, `${where}: text of example ${i}`)
    const label = checkText(itsLabel, `${where}: label of example ${i}`)
    if (!numbers.has(label)) numbers.set(label, numbers.size)
    // A line is an example, and a word of the text is never a label.
    const line = text.replace(/[\r\n\u2028\u2029\v\f]+/g, ' ').replaceAll('__label__', '_label_')
    check(native.corpusText(corpus, `__label__${numbers.get(label)} ${line}`))
    check(native.corpusEnd(corpus))
  })
  return { corpus, labels: [...numbers.keys()] }
}

async function addText(corpus: Gathered, source: unknown, { options, signal, where }: Wanted): Promise<void> {
  const aborted = () => new AbortedError(`${where} was aborted`, { cause: signal!.reason })
  if (isArray(source)) {
    // Some of it at a time, so that a signal is heard in between.
    for (const [i, path] of source.entries()) {
      const file = call(native.corpusFile(corpus, resolve(checkPath(path, `${where}: file ${i}`)), options.invalidUtf8 === 'replace', options.maxRatio))
      for (let done = false; !done; ) {
        if (signal?.aborted) throw aborted()
        const read = await call(native.corpusFileRead(file))
        if (read.failure) throw failureOf(read.failure)
        done = read.done
      }
    }
    return
  }
  const pieces = source as AsyncIterable<string> | Iterable<string> | null
  const isIterable = isObject(pieces) && (Symbol.asyncIterator in pieces || Symbol.iterator in pieces)
  if (!isIterable) {
    throw new UsageError(`${where}: a corpus is an array of paths, an iterable of pieces of text, ids in a Uint32Array or Int32Array, or texts with labels, not ${show(source)}`)
  }
  let count = 0
  for await (const piece of pieces) {
    if (signal?.aborted) throw aborted()
    check(native.corpusText(corpus, checkText(piece, `${where}: piece ${count++}`)))
  }
  check(native.corpusEnd(corpus))
}
