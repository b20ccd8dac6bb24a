// Finds names as one types, a part of them at a time, so that the page never stands still.

/** The most rows that a search shows and lists. */
const MOST = 20_000
const AT_ONCE = 100_000

/**
 * Returns a function that is told what is typed. `found` is given the rows whose names have it in them: equal names
 * first, then those that begin with it, then all others; and how many there are.
 */
export function startSearch(
  names: readonly string[],
  found: (query: string, ids: readonly number[], count: number) => void,
): (text: string) => void {
  let small: string[] | null = null
  let turn = 0
  return (text) => {
    const mine = ++turn
    const query = text.trim().toLowerCase()
    if (query === '') return found('', [], 0)
    void (async () => {
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
        if (mine !== turn) return
      }
      found(text.trim(), [...equal, ...begin, ...rest].slice(0, MOST), count)
    })()
  }
}
