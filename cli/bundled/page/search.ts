// Finds names as one types, a part of them at a time, so that the page never stands still.

/** The most rows that a search shows and lists. */
const MOST = 20_000
const AT_ONCE = 100_000

/** Rows whose names have a text in them: not more than are shown, and how many there are. */
export interface Found {
  readonly ids: readonly number[]
  readonly count: number
}

/**
 * Returns a function that finds the rows whose names have a text in them: equal names first, then those that begin with
 * it, then all others. It stops, and gives null, when `isWanted` says so.
 */
export function startSearch(
  names: readonly string[],
): (text: string, isWanted: () => boolean) => Promise<Found | null> {
  let small: string[] | null = null
  return async (text, isWanted) => {
    const query = text.toLowerCase()
    small ??= names.map((name) => name.toLowerCase())
    const [equal, begin, rest]: [number[], number[], number[]] = [[], [], []]
    let count = 0
    for (let from = 0; from < small.length; from += AT_ONCE) {
      const end = Math.min(small.length, from + AT_ONCE)
      for (let id = from; id < end; id++) {
        const at = small[id].indexOf(query)
        if (at < 0) continue
        count++
        // A sign for a space before a word, or for the middle of one, is no part of what is typed.
        const word = at > 0 && /^(?:[^\p{L}\p{N}]|\u0121)+$/u.test(small[id].slice(0, at)) ? at : 0
        const kind = at === word ? (small[id].length - word === query.length ? equal : begin) : rest
        if (kind.length < MOST) kind.push(id)
      }
      await new Promise((resolve) => setTimeout(resolve))
      if (!isWanted()) return null
    }
    return { ids: [...equal, ...begin, ...rest].slice(0, MOST), count }
  }
}
