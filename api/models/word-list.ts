// vocab.txt of a model folder: one word a line, then a tab and how often it was seen.

import { TextDecoder } from 'node:util'
import { FormatError, UsageError } from '../base/errors.js'
import type { Steps } from '../base/turns.js'
import { whatElse } from './parts.js'

const ESCAPES: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }
const UNESCAPES: Record<string, string> = { '\\\\': '\\', '\\t': '\t', '\\n': '\n', '\\r': '\r' }

/**
 * The bytes of a word list. Backslashes, tabs and line breaks in words are written as in JSON: `\\`, `\t`, `\n`, `\r`.
 */
export function* writeWordList(
  words: readonly string[],
  counts: ArrayLike<number> | null,
  where: string,
): Steps<Buffer> {
  // The text is made in parts, because all of it may exceed the length of a string.
  const parts: Buffer[] = []
  for (let from = 0; from < words.length; from += PART) {
    let text = ''
    for (let id = from; id < Math.min(from + PART, words.length); id++) {
      const word = words[id]
      if (/\p{Surrogate}/u.test(word))
        throw new UsageError(`${where}: word ${id} has a lone surrogate, which UTF-8 cannot encode`)
      const written = word.replace(/[\\\t\n\r]/g, (it) => ESCAPES[it])
      text += counts === null ? `${written}\n` : `${written}\t${counts[id]}\n`
    }
    parts.push(Buffer.from(text))
    yield
  }
  return Buffer.concat(parts)
}

/** Number of lines that are converted at a time. */
const PART = 4096

/** Words, and their counts if every line has one. */
export interface WordList {
  readonly words: string[]
  readonly counts: Float64Array | null
}

/**
 * Reads the words of a list, and their counts if every line has one.
 *
 * @throws FormatError, with the byte, for bytes that are not UTF-8, a word that is empty or comes twice, and a count
 * that is not a number.
 */
export function* readWordList(bytes: Uint8Array, path: string): Steps<WordList> {
  const wrong = (line: number, offset: number, why: string) =>
    new FormatError(`${path}: line ${line}: ${why} (at byte ${offset})`, path, offset)
  const [words, counts, seen] = [[] as string[], [] as number[], new Map<string, number>()]
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let start = 0
  for (let line = 1; start < bytes.length; line++) {
    const found = bytes.indexOf(10, start)
    if (found < 0) throw wrong(line, bytes.length, 'the line has no end: the file was cut short')
    let text: string
    try {
      text = decoder.decode(bytes.subarray(start, found))
    } catch {
      const other = whatElse(bytes)
      throw other === null
        ? wrong(line, start, 'it is not UTF-8')
        : new FormatError(`${path}: ${other} (at byte 0)`, path, 0)
    }
    const [written, count, more] = text.split('\t', 3)
    if (more !== undefined) throw wrong(line, start, 'expected a word, a tab and a count, but there is a second tab')
    const word = written.replace(/\\(.?)/g, (it) => {
      if (!Object.hasOwn(UNESCAPES, it)) throw wrong(line, start, `${it} is not a known escape`)
      return UNESCAPES[it]
    })
    if (word === '') throw wrong(line, start, 'the word is missing')
    if (seen.has(word)) throw wrong(line, start, `${JSON.stringify(word)} is already on line ${seen.get(word)}`)
    if (count !== undefined) {
      const value = /^\d{1,16}$/.test(count) ? Number(count) : NaN
      if (!Number.isSafeInteger(value)) throw wrong(line, start, `${JSON.stringify(count)} is not a count`)
      counts.push(value)
    }
    if (counts.length !== 0 && counts.length !== line)
      throw wrong(line, start, 'either all lines must have counts or none, but this one differs from those before')
    seen.set(word, line)
    words.push(word)
    start = found + 1
    if (line % PART === 0) yield
  }
  return { words, counts: counts.length > 0 ? Float64Array.from(counts) : null }
}
