// Tokens in a form that people can see.

import type { Tokenizer } from '../../index.js'

export interface Piece {
  readonly id: number
  readonly bytes: Uint8Array
  /** Null if the bytes are not whole characters. */
  readonly text: string | null
  /** The text with signs for whitespace and control characters, and with parts of characters as bytes. */
  readonly visible: string
  readonly isSpecial: boolean
}

/** Makes a function that looks up tokens, each once. */
export function pieceReader(tokenizer: Tokenizer): (id: number) => Piece {
  const special = new Set(tokenizer.specialTokens.values())
  const known = new Map<number, Piece>()
  return (id) => {
    const found = known.get(id)
    if (found) return found
    const bytes = tokenizer.tokenBytes(id)
    const runs = runsOf(bytes)
    const isWhole = runs.every((run) => typeof run === 'string')
    const visible = runs
      .map((run) => (typeof run === 'string' ? visibleText(run) : `‹${run.map(hex).join(' ')}›`))
      .join('')
    const piece = { id, bytes, text: isWhole ? runs.join('') : null, visible, isSpecial: special.has(id) }
    known.set(id, piece)
    return piece
  }
}

const hex = (byte: number) => byte.toString(16).padStart(2, '0')

/** Whole characters as texts, and the bytes between them. */
function runsOf(bytes: Uint8Array): (string | number[])[] {
  const runs: (string | number[])[] = []
  for (let at = 0; at < bytes.length;) {
    const text = characterAt(bytes, at)
    const last = runs.length - 1
    if (text === null) {
      if (Array.isArray(runs[last])) runs[last].push(bytes[at])
      else runs.push([bytes[at]])
      at += 1
    } else {
      if (typeof runs[last] === 'string') runs[last] += text
      else runs.push(text)
      at += Buffer.byteLength(text)
    }
  }
  return runs
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function characterAt(bytes: Uint8Array, at: number): string | null {
  const lead = bytes[at]
  const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  try {
    return at + length > bytes.length ? null : strict.decode(bytes.subarray(at, at + length))
  } catch {
    return null
  }
}

const SIGNS: Record<string, string> = { ' ': '·', '\t': '→', '\n': '↵', '\u007f': '␡', '\u00a0': '⍽' }

/** The text with signs for whitespace and control characters. */
export function visibleText(text: string): string {
  const signs = text.replace(/[\p{C}\p{Z}]/gu, (character) => {
    const code = character.codePointAt(0)!
    if (character in SIGNS) return SIGNS[character]
    if (code < 0x20) return String.fromCodePoint(0x2400 + code)
    return `‹U+${code.toString(16).toUpperCase().padStart(4, '0')}›`
  })
  // An accent without its letter is shown on a circle, not on the character before it.
  return signs.replace(/^\p{M}/u, '◌$&')
}

/** The text of a name in which spaces are what they are: all but those within it are shown as signs. */
export const visibleName = (text: string): string =>
  text.replace(/^ +| +$|\S+|[^\S ]+/gu, visibleText).replace(/^$/, '(empty)')
