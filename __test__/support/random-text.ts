// Random strings for tokenizers, both ordinary and malformed ones, drawn from a seed.

/** Integers below a limit, determined by the seed (mulberry32). */
export type Draw = (below: number) => number

export function seeded(seed: number): Draw {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** All white space of Unicode, and control characters that some programs take for it. */
const SPACES = [
  ' ',
  ' ',
  ' ',
  '\n',
  '\n',
  '\r\n',
  '\r',
  '\t',
  '\0',
  '\v',
  '\f',
  '\x1c',
  '\x85',
  '\xa0',
  '\u1680',
  '\u180e',
]
const WIDE_SPACES = [
  ...'\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff',
]
const CONTRACTIONS = [
  's',
  't',
  'd',
  'm',
  'll',
  've',
  're',
  'S',
  'T',
  'D',
  'M',
  'LL',
  'Ll',
  'lL',
  'VE',
  'Ve',
  'RE',
  'rE',
  '\u017f',
  'l\u017f',
  'n',
  'x',
  '\u212a',
]
const MARKS = [
  ...'\u0300\u0301\u0308\u0327\u0345\u0483\u0591\u064b\u0670\u093c\u094d\u0e31\u0e48\u20e3\u3099\ufe0f\u{1d165}\u{e0100}',
]
const PICTURES = ['😀', '❤️', '👩‍💻', '👨‍👩‍👧‍👦', '🏳️‍🌈', '👍🏽', '🇩🇪', '🇯🇵🇨', '1️⃣', '#️⃣', '☠', '🧑🏿‍🚀', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '\u200d', '🏻']
const NUMBERS = [
  ...'0123456789',
  '12',
  '345',
  '6789',
  '1234567',
  '3.14',
  '1,000',
  '٣',
  '४',
  '½',
  'Ⅷ',
  '²',
  '①',
  '𝟘',
  '〇',
]
const CODE = [
  '{',
  '}',
  '();',
  ' => ',
  '!=',
  '===',
  '//',
  '/*',
  '*/',
  '<!--',
  '\\n',
  '    ',
  '\t\t',
  'function ',
  'return',
  'const x',
  'camelCaseName',
  'snake_case',
  'HTTPServer',
  'i++',
  '#include',
  '"',
  "'",
  '`${',
  '<div>',
  '://',
  '/\n',
  '\n\n  ',
]
const WORDS = [
  'the',
  ' quick',
  'Brown',
  ' FOX',
  'straße',
  'naïve',
  'Ǆungla',
  'ʰa',
  'Привет',
  ' мир',
  'Ελλάδα',
  'שלום',
  'مرحبا',
  'नमस्ते',
  'สวัสดี',
  '你好',
  '世界',
  'こんにちは',
  '안녕',
  'ﬁ',
  'İi',
  'ªº',
  "don't",
  "I'LL",
  'McDonald',
  'iPhone',
  'ÅÄÖ',
  'ß',
  'ა',
  'ᏣᎳᎩ',
  '𐐀𐐨',
  '𠀀',
]
const SPECIALS = ['<|endoftext|>', '<|fim_prefix|>', '<|endofprompt|>', '<|', '|>', '<|endoftext|']

export const pick = <T>(draw: Draw, list: readonly T[]): T => list[draw(list.length)]
const codePoint = (draw: Draw, first: number, last: number) => String.fromCodePoint(first + draw(last - first + 1))

/** Draws one part of each kind. */
const PARTS: ((draw: Draw) => string)[] = [
  (draw) => codePoint(draw, 0, 0x7f),
  (draw) => codePoint(draw, 0x20, 0x24f),
  (draw) => codePoint(draw, 0x250, 0x2fff),
  // Surrogates are included, so some of them are alone.
  (draw) => String.fromCharCode(draw(0x10000)),
  (draw) => String.fromCharCode(0xd800 + draw(0x800)),
  (draw) => codePoint(draw, 0x10000, 0x1ffff),
  (draw) => codePoint(draw, 0x10000, 0x10ffff),
  (draw) => codePoint(draw, 0x4e00, 0x9fff),
  (draw) => codePoint(draw, 0xac00, 0xd7a3),
  (draw) => pick(draw, SPACES),
  (draw) => pick(draw, SPACES),
  (draw) => pick(draw, WIDE_SPACES),
  (draw) => `${draw(2) ? pick(draw, WORDS) : ''}${pick(draw, ["'", "'", "'", '\u2019'])}${pick(draw, CONTRACTIONS)}`,
  (draw) => pick(draw, MARKS),
  (draw) => pick(draw, PICTURES),
  (draw) => pick(draw, NUMBERS),
  (draw) => pick(draw, CODE),
  (draw) => pick(draw, WORDS),
  (draw) => pick(draw, WORDS),
  (draw) => pick(draw, WORDS) + pick(draw, WORDS),
  (draw) => pick(draw, SPECIALS),
  (draw) => codePoint(draw, 97, 122).repeat(1 + draw(12)),
]

/** A string of parts of one kind, of a few or of all kinds. Most strings are short. */
export function randomText(draw: Draw): string {
  const kinds = Array.from({ length: 1 + draw(4) }, () => pick(draw, PARTS))
  const from = draw(3) === 0 ? PARTS : kinds
  const parts = Array.from({ length: draw(draw(50) === 0 ? 200 : 16) }, () => pick(draw, from)(draw))
  return parts.join('')
}

export function randomTexts(seed: number, count: number): string[] {
  const draw = seeded(seed)
  return Array.from({ length: count }, () => randomText(draw))
}
