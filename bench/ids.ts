// Draws ids to look up, and hands the same ids to other processes.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Generator, rand } from '../index.js'

export type Spread = 'uniform' | 'zipf'

/** A table and the ids that are looked up in it. */
export interface Case {
  name: string
  rows: number
  dim: number
  batch: number
  length: number
  spread: Spread
}

/** Ids distributed as in text (zipf: the k-th most frequent is k times rarer than the first) or uniformly. */
export function drawIds(count: number, rows: number, spread: Spread): Int32Array {
  const uniform = rand([count], { generator: new Generator(7) }).data as Float32Array
  const of = (u: number) => (spread === 'zipf' ? rows ** u - 1 : u * rows)
  return Int32Array.from(uniform, (u) => Math.min(rows - 1, Math.floor(of(u))))
}

/** A folder for data that other processes read; `remove` deletes it. */
export function exchange(): {
  path(name: string): string
  write(name: string, ids: Int32Array): string
  remove(): void
} {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-bench-'))
  const path = (name: string) => join(folder, name)
  const write = (name: string, ids: Int32Array) => {
    writeFileSync(path(name), ids)
    return path(name)
  }
  return { path, write, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** The largest difference between two results, as a number and in words, which say so if the bits are equal. */
export function difference(ours: Float32Array, theirs: Float32Array): { largest: number; words: string } {
  if (ours.length !== theirs.length) return { largest: Infinity, words: 'another size' }
  let largest = 0
  let same = true
  for (let i = 0; i < ours.length; i++) {
    if (Object.is(ours[i], theirs[i])) continue
    same = false
    const apart = Math.abs(ours[i] - theirs[i])
    if (!(apart <= largest)) largest = apart
  }
  return { largest, words: same ? 'equal bits' : `within ${largest.toExponential(1)}` }
}
