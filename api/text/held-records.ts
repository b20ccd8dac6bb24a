// Texts of records that stay outside of JavaScript, on their way from a file to an embedder.

import { call, check, native } from '../native/native.js'
import type { Tensor } from '../tensor/tensor.js'

type Native = Parameters<typeof native.heldRecordsFree>[0]
type Texts = NonNullable<ReturnType<typeof native.textsNew>>

/** Numbers of UTF-16 units, in memory that is used again: else each group of texts would leave garbage. */
export class UnitsRoom {
  #units = new Uint32Array(1024)

  fill(texts: Native, length: number): void {
    if (this.#units.length < length) this.#units = new Uint32Array(2 * length)
    check(native.heldRecordsUnits(texts, this.#units))
  }

  of(index: number): number {
    return this.#units[index]
  }
}

/** The texts that were read together. Their memory is free as soon as each of them was settled. */
export class HeldRecords {
  #left: number

  /**
   * @param length Number of texts.
   * @param units Room that is used again, for the number of UTF-16 units of each text: they are there until the next
   * texts are read into it.
   */
  constructor(
    readonly native: Native,
    readonly length: number,
    private readonly units: UnitsRoom,
  ) {
    this.#left = length
    units.fill(native, length)
  }

  /** Number of UTF-16 units of a text. */
  unitsOf(index: number): number {
    return this.units.of(index)
  }

  /** Nobody will ask for some of the texts again. */
  settle(count: number): void {
    this.#left -= count
    if (this.#left === 0) check(native.heldRecordsFree(this.native))
  }
}

/** Texts that were read together and follow each other: from `from` to before `to`. */
export interface HeldRun {
  readonly records: HeldRecords
  readonly from: number
  to: number
}

/** Divides texts before a place among them. */
export function divided<R extends HeldRun>(runs: readonly R[], place: number): [R[], R[]] {
  const [before, after]: [R[], R[]] = [[], []]
  let count = 0
  for (const run of runs) {
    const { from, to } = run
    const middle = Math.min(Math.max(from + place - count, from), to)
    if (from < middle) before.push({ ...run, to: middle })
    if (middle < to) after.push({ ...run, from: middle })
    count += to - from
  }
  return [before, after]
}

/** The texts as a batch for native work. */
export function batchOf(runs: readonly HeldRun[]): Texts {
  const batch = call(native.textsNew(false))
  for (const { records, from, to } of runs) check(native.textsAddHeld(batch, records.native, from, to))
  return batch
}

/** The texts as JavaScript's. */
export function stringsOf(runs: readonly HeldRun[]): string[] {
  return runs.flatMap(({ records, from, to }) => call(native.heldRecordsTexts(records.native, from, to)))
}

type EmbedAsync = (texts: readonly string[], options?: object) => Promise<Tensor>
/** What an `embedAsync` does, for texts that are held. */
export type EmbedHeld = (embedder: object, runs: readonly HeldRun[], options: object) => Promise<Tensor>

const WAYS = new WeakMap<EmbedAsync, EmbedHeld>()

/** Says how texts that are held are embedded as by a method. */
export function embedsHeld(method: EmbedAsync, way: EmbedHeld): void {
  WAYS.set(method, way)
}

/** How an embedder embeds texts that are held; undefined if it takes only JavaScript's, such as one of a user's own. */
export function wayOfHeld(embedder: { embedAsync: EmbedAsync }): EmbedHeld | undefined {
  return WAYS.get(embedder.embedAsync)
}
