// Cuts windows that cover every id of a text.

/**
 * Cuts the ids of one text, as they come, into windows that start `stride` apart. All have `maxLength` ids except the
 * last, which ends with the text. With stride <= maxLength each id is in at least one window.
 */
export class WindowCutter {
  readonly #maxLength: number
  readonly #stride: number
  /** The ids from the start of the next window on. */
  #held = new Uint32Array(0)
  /** Number of these ids that an earlier window has. */
  #covered = 0

  constructor(maxLength: number, stride: number) {
    this.#maxLength = maxLength
    this.#stride = stride
  }

  /** The windows that these ids complete. */
  *push(ids: Uint32Array): Generator<Uint32Array> {
    const all = new Uint32Array(this.#held.length + ids.length)
    all.set(this.#held)
    all.set(ids, this.#held.length)
    let start = 0
    for (; start + this.#maxLength <= all.length; start += this.#stride) {
      yield all.subarray(start, start + this.#maxLength)
      this.#covered = this.#maxLength - this.#stride
    }
    this.#held = all.slice(start)
  }

  /** Ends the text with a window of the ids that are in no window yet, if there are any. */
  *finish(): Generator<Uint32Array> {
    if (this.#held.length > this.#covered) yield this.#held
  }
}
