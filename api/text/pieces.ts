// Pieces of a text that may be cut between the halves of a character.

/** Holds the first half of a surrogate pair back until the second comes: on its own it would count as U+FFFD. */
export class Pieces {
  #half = ''

  /** What is whole of the text with this piece. */
  push(piece: string): string {
    const all = this.#half + piece
    this.#half = /[\ud800-\udbff]$/.test(all) ? all.slice(-1) : ''
    return all.slice(0, all.length - this.#half.length)
  }

  /** What is left when no more comes. */
  end(): string {
    const half = this.#half
    this.#half = ''
    return half
  }
}
