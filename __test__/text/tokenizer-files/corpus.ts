// The texts on which tokenizer.json files are compared with Python's library, always the same. They are divided into
// blocks, so that a difference is found in few texts.

import { pick, randomTexts, seeded, type Draw } from '../../support/random-text.js'
import { readCorpus } from '../../support/corpus.js'

/** Texts that are encoded together and have one digest. */
export interface Block {
  /** The kind of text. */
  part: string
  texts: string[]
}

/** A block of the corpus. */
export interface Numbered extends Block {
  at: number
  /** Whether it belongs to the short form of the comparison. */
  short: boolean
}

/** UTF-16 units of a block, at most, but for texts that are longer. */
const BLOCK = 48 << 10

/** Megabytes that are taken of each source of real text, and whether its texts are cut into lines. */
const REAL: Record<string, [units: number, lines: boolean]> = {
  'a novel': [1e6, false],
  'the declaration of human rights in 500 languages': [4e6, false],
  'messages of a compiler in 13 languages': [1e6, true],
  'declarations in TypeScript': [7e5, false],
  'a program in JavaScript': [5e5, true],
  'emoji and their names': [2e5, true],
  'documentation in Markdown': [3e5, true],
}

function* blocks(part: string, texts: Iterable<string>): Generator<Block> {
  let [block, size]: [string[], number] = [[], 0]
  for (const text of texts) {
    if (block.length > 0 && size + text.length > BLOCK) {
      yield { part, texts: block }
      ;[block, size] = [[], 0]
    }
    block.push(text)
    size += text.length
  }
  if (block.length > 0) yield { part, texts: block }
}

/** Real text, taken evenly from the whole of each source. */
function* real(): Generator<Block> {
  for (const [name, all] of readCorpus()) {
    const [units, lines] = REAL[name]
    const texts = lines ? all.flatMap((text) => text.split(/(?<=\n)/)) : all
    const whole = texts.reduce((sum, text) => sum + text.length, 0)
    let [seen, taken] = [0, 0]
    const chosen = texts.filter((text) => {
      seen += text.length
      const isDue = taken <= (seen * units) / whole
      if (isDue) taken += text.length
      return isDue
    })
    yield* blocks(name, chosen)
  }
}

const LETTERS = [...'aeinosuAEIO', 'ß', 'я', 'ا', 'क', 'か', '한', '字', 'ᄀ', 'Å', 'ﬁ', '①', '½', 'ǆ', 'ﷺ', '㌀']
const MARKS = [
  ...'\u0300\u0301\u0308\u030a\u0323\u0327\u0328\u0345\u05b4\u05bc\u064b\u0651\u0655\u093c\u094d\u0e38\u0e48\u0f71\u0f72\u3099\u309a\ufe0f\ufe20\u{1d165}\u{1d16e}\u{e0100}',
]
const EMOJI = [
  '👩‍👩‍👧‍👦',
  '🏳️‍🌈',
  '👍🏽',
  '🧑🏿‍🚀',
  '🇩🇪',
  '🇯🇵',
  '🇨',
  '1️⃣',
  '#️⃣',
  '*️⃣',
  '☠️',
  '☠',
  '❤️‍🔥',
  '🏴󠁧󠁢󠁥󠁮󠁧󠁿',
  '👨🏻‍🤝‍👨🏿',
  '\u200d',
  '\ufe0f',
  '🏻',
  '😀',
  '🫠',
  '㊗️',
  '©️',
  '™',
  '🀄',
  '⌚',
  'a',
  ' ',
  '\n',
]
const CONTROLS = [
  '\0',
  '\0\0',
  '\r\n',
  '\r\n\r\n',
  '\r',
  '\n',
  '\t',
  '\v',
  '\f',
  '\x1b[0m',
  '\x7f',
  '\x85',
  '\xa0',
  '\xad',
  ' ',
  '  ',
  '   ',
  '\u200b',
  '\u200e',
  '\u2028',
  '\u2029',
  '\u3000',
  '\ufeff',
  '\ufffd',
  '\ufffe',
  'a',
  'Word',
  'two words',
  '12',
  '.',
  '!?',
]
const SURROGATES = [
  '\ud800',
  '\udbff',
  '\udc00',
  '\udfff',
  '\ud83d',
  '\ude00',
  '\ud83d\ude00',
  'a',
  ' ',
  'é',
  '\n',
  '字',
]
const jamo = (draw: Draw) => {
  const [lead, vowel, tail] = [0x1100 + draw(30), 0x1161 + draw(30), 0x11a7 + draw(30)]
  const of = [
    [lead],
    [lead, vowel],
    [lead, vowel, tail],
    [vowel],
    [tail],
    [0xac00 + draw(11172)],
    [0xac00 + 28 * draw(399), tail],
  ]
  return String.fromCharCode(...pick(draw, of))
}

/** Strings of a few or many parts that `part` draws. */
function* drawn(name: string, seed: number, units: number, part: (draw: Draw) => string): Generator<Block> {
  const draw = seeded(seed)
  const texts: string[] = []
  for (let size = 0; size < units; size += texts.at(-1)!.length) {
    texts.push(Array.from({ length: 1 + draw(draw(10) === 0 ? 300 : 12) }, () => part(draw)).join(''))
  }
  yield* blocks(name, texts)
}

function* made(): Generator<Block> {
  yield* drawn('emoji sequences', 1, 2e5, (draw) => pick(draw, EMOJI))
  yield* drawn(
    'combining marks',
    2,
    2e5,
    (draw) => pick(draw, draw(3) === 0 ? LETTERS : MARKS) + (draw(9) === 0 ? ' ' : ''),
  )
  yield* drawn('Hangul jamo', 3, 2e5, (draw) => jamo(draw) + (draw(9) === 0 ? ' ' : ''))
  yield* drawn('control characters', 4, 2e5, (draw) => pick(draw, CONTROLS))
  yield* drawn('lone surrogates', 5, 1e5, (draw) => pick(draw, SURROGATES))
}

/** Texts that repeat one thing, each a block of its own. */
const LONG: [string, number][] = [
  ['\n', 1e5],
  ['A', 1e5],
  ['7', 1e5],
  ['字', 1e5],
  ['😀', 1e5],
  ['e\u0301', 1e5],
  ['\u0301', 2e3],
  ['ab ', 1e5],
  ["'s", 1e5],
  [' \n', 1e5],
  ['\u2581', 1e5],
  ['a', 1e6],
  [' ', 1e6],
]

/** The first and the last of code points that are tried one by one. */
type Span = [first: number, last: number]

/** All planes with characters, and the ends of the private ones. */
const WITH_CHARACTERS: Span[] = [
  [0, 0x33fff],
  [0xe0000, 0xe01ff],
  [0xf0000, 0xf00ff],
  [0x10ff00, 0x10ffff],
]
/** All others. */
const OTHERS: Span[] = [
  [0x34000, 0xdffff],
  [0xe0200, 0xeffff],
  [0xf0100, 0x10feff],
]

/** Each alone is a text; doubled and between letters they are words of longer texts. */
const AROUND: [name: string, words: number, (letter: string) => string][] = [
  ['every code point alone', 1, (letter) => letter],
  ['every code point doubled', 16, (letter) => letter + letter],
  ['every code point between letters', 16, (letter) => `a${letter}b`],
]

function* letters(spans: Span[], size: number): Generator<Block> {
  const all = spans.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, i) => String.fromCodePoint(first + i)),
  )
  for (const [name, words, around] of AROUND) {
    for (let at = 0; at < all.length; at += size) {
      const some = all.slice(at, at + size).map(around)
      const texts = Array.from({ length: Math.ceil(some.length / words) }, (_, i) =>
        some.slice(i * words, (i + 1) * words),
      )
      yield { part: name, texts: texts.map((text) => text.join(' ')) }
    }
  }
}

function* random(): Generator<Block> {
  const texts = randomTexts(16, 100_000)
  for (let at = 0; at < texts.length; at += 1000) yield { part: 'random strings', texts: texts.slice(at, at + 1000) }
}

function* all(): Generator<Block> {
  yield* real()
  yield* made()
  yield* random()
  yield* letters(WITH_CHARACTERS, 4096)
  for (const [text, times] of LONG) {
    yield { part: `${times} times ${JSON.stringify(text)}`, texts: [text.repeat(times)] }
  }
}

/** One in so many blocks is in the short form, and the first of each part. */
const STEP = 31

/** All blocks in order. */
export function* corpus(): Generator<Numbered> {
  let [at, last] = [0, '']
  for (const block of all()) {
    const isFirst = block.part !== last && block.texts[0].length < 3e5
    yield { ...block, at, short: isFirst || at % STEP === 0 }
    last = block.part
    at++
  }
}

/**
 * The code points that `corpus` leaves out, in the same three ways. testdata/golden/tokenizer_files/make.py has the
 * same.
 */
export const others = (): Generator<Block> => letters(OTHERS, 2 ** 16)

/** An added token as a file states it. */
export interface AddedToken {
  content: string
}

/** Texts with the added tokens of a file in them: whole, cut, in other cases, beside spaces and letters. */
export function withAddedTokens(added: readonly AddedToken[]): Block[] {
  const draw = seeded(added.length)
  // Some files have thousands.
  const some = added.filter((_, i) => added.length < 40 || i < 20 || i % Math.ceil(added.length / 20) === 0)
  const names = some.map(({ content }) => content)
  const beside = ['', '', ' ', '  ', '\n', 'a', 'Word', '.', '\u0301', '字', '_', '7', '<', '>', '|', '\u2581', '\0']
  const part = () => {
    const name = names.length > 0 ? pick(draw, names) : ''
    const forms = [
      name,
      name,
      name,
      name + name,
      name.slice(1),
      name.slice(0, -1),
      name.toUpperCase(),
      name.toLowerCase(),
    ]
    return pick(draw, beside) + pick(draw, forms) + pick(draw, beside)
  }
  const texts = Array.from({ length: 2000 }, () => Array.from({ length: 1 + draw(5) }, part).join(''))
  const at = (i: number) => texts.slice(i * 200, (i + 1) * 200)
  return Array.from({ length: 10 }, (_, i) => ({ part: 'added tokens', texts: at(i) }))
}
