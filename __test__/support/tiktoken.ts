// tiktoken itself, compiled to WebAssembly in a dev dependency, as the reference for ids.

import type { ExecutionContext } from 'ava'
import { get_encoding, type Tiktoken } from 'tiktoken'
import { Tokenizer, type EncodeOptions } from '../../index.js'

const ENCODINGS = ['gpt2', 'cl100k_base', 'o200k_base'] as const
export type Encoding = (typeof ENCODINGS)[number]

const PLAIN: EncodeOptions = { disallowedSpecial: new Set() }

/** Runs `compare` with both tokenizers, then frees tiktoken's memory, which is not garbage collected. */
export function withBoth(encoding: Encoding, compare: (ours: Tokenizer, theirs: Tiktoken) => void): void {
  const theirs = get_encoding(encoding)
  try {
    compare(Tokenizer.load(encoding), theirs)
  } finally {
    theirs.free()
  }
}

export function equal(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Asserts that all texts, encoded as one batch, give tiktoken's ids. Shows the shortest difference that it finds. */
export function sameIds(t: ExecutionContext, ours: Tokenizer, theirs: Tiktoken, texts: readonly string[]): number {
  const { ids, offsets } = ours.encodeBatch(texts, PLAIN)
  const differs = (text: string) => !equal(ours.encode(text, PLAIN), theirs.encode(text, [], []))
  const failed = texts.findIndex(
    (text, i) => !equal(ids.subarray(offsets[i], offsets[i + 1]), theirs.encode(text, [], [])),
  )
  if (failed < 0) return ids.length
  const text = texts[failed]
  if (!differs(text)) t.fail(`${ours.name}: text ${failed} differs in a batch only: ${escaped(text)}`)
  const small = shrink(text, differs)
  t.fail(
    `${ours.name}: ${escaped(small)} is [${ours.encode(small, PLAIN)}], and [${theirs.encode(small, [], [])}] in tiktoken`,
  )
  return ids.length
}

/** Shortens a failing text until no part can be left out. */
export function shrink(text: string, fails: (text: string) => boolean): string {
  for (let size = text.length >> 1; size > 0;) {
    let removed = false
    for (let at = 0; at < text.length;) {
      const rest = text.slice(0, at) + text.slice(at + size)
      if (fails(rest)) [text, removed] = [rest, true]
      else at += size
    }
    if (!removed || size > text.length) size >>= 1
  }
  return text
}

/** The text as an ASCII literal, so that all characters are visible. */
export function escaped(text: string): string {
  const escape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(text).replace(/[^ -~]/g, escape)
}
