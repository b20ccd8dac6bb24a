// The ids of the windows that are not full yet, of a text whose ids come chunk by chunk.

import type { WindowOptions } from './batch.js'
import { zeroed } from '../memory/arrays.js'

/** Holds those ids that windows to come need, and no others: ids between windows that are in none are passed over. */
export class WindowBuffer {
  /** Ids of a window and its targets. */
  readonly #span: number
  /** Ids from one window to the next: in the text, and here, where those in no window are left out. */
  readonly #stride: number
  readonly #step: number
  #ids = new Uint32Array(0)
  #start = 0
  #end = 0
  /** How many ids of the text came since the last window began, where there are some in no window. */
  #phase = 0

  constructor({ maxLength, stride }: Required<WindowOptions>) {
    this.#span = maxLength + 1
    this.#stride = stride
    this.#step = Math.min(stride, this.#span)
  }

  /** How many windows have all their ids. */
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

  /** The ids of the first windows, which start `stride` apart there; the windows after them are the next first. */
  take(windows: number): { ids: Uint32Array; stride: number } {
    const ids = this.#ids.subarray(this.#start, this.#start + (windows - 1) * this.#step + this.#span)
    this.#start += windows * this.#step
    return { ids, stride: this.#step }
  }
}
