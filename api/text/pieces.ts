// Joins the pieces of a text that may be cut between the halves of a character.

/** Holds back the first half of a surrogate pair until the second comes; alone it would count as U+FFFD. */
export class Pieces {
  #half = ''

  /** Takes a piece, and returns the text so far that ends with a whole character. */
  push(piece: string): string {
    const all = this.#half + piece
    this.#half = /[\ud800-\udbff]$/.test(all) ? all.slice(-1) : ''
    return all.slice(0, all.length - this.#half.length)
  }

  /** Ends the text, and returns the half that was held back, if any. */
  end(): string {
    const half = this.#half
    this.#half = ''
    return half
  }
}
