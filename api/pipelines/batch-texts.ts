// The texts of a batch with the ids of their records: JavaScript's, or those that stay outside of it.

import type { Tensor } from '../tensor/tensor.js'
import { divided, wayOfHeld, type HeldRun } from '../text/held-records.js'
import type { AsyncEmbedder } from './async-embedder.js'
import type { HeldGroup } from './records.js'

type Ids = (string | number)[]

/** Texts of one kind. */
export interface BatchTexts {
  readonly count: number
  /** The ids of their records. */
  ids(): Ids
  embed(embedder: AsyncEmbedder, options: object): Promise<Tensor>
  halves(): [BatchTexts, BatchTexts]
  /** Nobody will ask for them again. */
  settle(): void
}

/** Texts of JavaScript. */
export class Strings implements BatchTexts {
  constructor(
    private readonly names: Ids = [],
    private readonly texts: string[] = [],
  ) {}

  add(id: string | number, text: string): void {
    this.names.push(id)
    this.texts.push(text)
  }

  get count(): number {
    return this.texts.length
  }

  ids(): Ids {
    return this.names
  }

  embed(embedder: AsyncEmbedder, options: object): Promise<Tensor> {
    return embedder.embedAsync(this.texts, options)
  }

  halves(): [Strings, Strings] {
    const half = this.count >> 1
    const part = (from: number, to: number) => new Strings(this.names.slice(from, to), this.texts.slice(from, to))
    return [part(0, half), part(half, this.count)]
  }

  settle(): void {}
}

interface GroupRun extends HeldRun {
  readonly group: HeldGroup
}

/** Texts that stay outside of JavaScript. Nothing is made for each of them before their ids are asked for. */
export class Held implements BatchTexts {
  count = 0

  constructor(private readonly runs: GroupRun[] = []) {
    for (const { from, to } of runs) this.count += to - from
  }

  /** Adds the text of a record of a group by its number. */
  add(group: HeldGroup, index: number): void {
    const last = this.runs.at(-1)
    if (last?.records === group.texts && last.to === index) last.to++
    else this.runs.push({ group, records: group.texts, from: index, to: index + 1 })
    this.count++
  }

  ids(): Ids {
    const ids: Ids = []
    for (const { group, from, to } of this.runs) for (let i = from; i < to; i++) ids.push(group.id(i))
    return ids
  }

  embed(embedder: AsyncEmbedder, options: object): Promise<Tensor> {
    return wayOfHeld(embedder)!(embedder, this.runs, options)
  }

  halves(): [Held, Held] {
    const [before, after] = divided(this.runs, this.count >> 1)
    return [new Held(before), new Held(after)]
  }

  settle(): void {
    for (const { records, from, to } of this.runs) records.settle(to - from)
  }
}
