// Buffers the ids of windows that are not full yet, for a text whose ids come chunk by chunk.

import type { CheckedWindows } from './batch.js'
import { zeroed } from '../memory/arrays.js'

/** Holds only those ids that later windows need; ids that lie between windows are skipped. */
export class WindowBuffer {
  /** Number of ids of a window with its targets. */
  readonly #span: number
  /**
   * Number of ids from one window to the next: in the text, and in this buffer, where ids between windows are left out.
   */
  readonly #stride: number
  readonly #step: number
  #ids = new Uint32Array(0)
  #start = 0
  #end = 0
  /** How many ids of the text came since the last window began, if there are ids between windows. */
  #phase = 0

  constructor({ maxLength, stride }: Pick<CheckedWindows, 'maxLength' | 'stride'>) {
    this.#span = maxLength + 1
    this.#stride = stride
    this.#step = Math.min(stride, this.#span)
  }

  /** Number of windows that have all their ids. */
  get windows(): number {
    const held = this.#end - this.#start
    return held < this.#span ? 0 : Math.floor((held - this.#span) / this.#step) + 1
  }

  /** Takes the next ids of the text. */
  push(ids: Uint32Array): void {
    if (this.#step === this.#stride) return this.#append(ids)
    for (let at = 0; at < ids.length;) {
      const inWindow = this.#phase < this.#span
      const count = Math.min((inWindow ? this.#span : this.#stride) - this.#phase, ids.length - at)
      if (inWindow) this.#append(ids.subarray(at, at + count))
      at += count
      this.#phase = (this.#phase + count) % this.#stride
    }
  }

  #append(ids: Uint32Array): void {
    const held = this.#end - this.#start
    if (this.#end + ids.length > this.#ids.length) {
      const needed = held + ids.length
      const target = needed * 2 <= this.#ids.length ? this.#ids : zeroed(Uint32Array, needed * 2)
      target.set(this.#ids.subarray(this.#start, this.#end))
      this.#ids = target
      this.#start = 0
      this.#end = held
    }
    this.#ids.set(ids, this.#end)
    this.#end += ids.length
  }

  /** Removes the first windows and returns their ids, in which the windows start `stride` apart. */
  take(windows: number): { ids: Uint32Array; stride: number } {
    const ids = this.#ids.subarray(this.#start, this.#start + (windows - 1) * this.#step + this.#span)
    this.#start += windows * this.#step
    return { ids, stride: this.#step }
  }
}
