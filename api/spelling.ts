// Words that are spelled much like another: for errors, which may take their time.

/** A hint has at most so many words. */
const MOST = 3

/**
 * The words of a vocabulary whose spelling is nearest: differing in case alone, else by the fewest letters that are put in,
 * left out, replaced or swapped with their neighbour (optimal string alignment), a third of the word at most. Of equally
 * near ones those come first that stand first, as the most frequent do.
 */
export function nearestSpellings(text: string, words: Iterable<string>): string[] {
  // A text of a page is no mistyped word.
  if (text.length > 64) return []
  const folded = text.toLowerCase()
  const limit = Math.max(1, Math.ceil(text.length / 3))
  const found: { word: string; distance: number }[] = []
  let worst = limit
  for (const word of words) {
    if (Math.abs(word.length - text.length) > worst) continue
    const lower = word.toLowerCase()
    // Case counts for less than any letter.
    const distance = lower === folded ? 0.5 : distanceWithin(folded, lower, worst)
    if (distance > worst) continue
    let at = found.length
    while (at > 0 && found[at - 1].distance > distance) at--
    if (at === MOST) continue
    found.splice(at, 0, { word, distance })
    if (found.length > MOST) found.pop()
    if (found.length === MOST) worst = found[MOST - 1].distance
  }
  return found.map(({ word }) => word)
}

/** How many edits make one text of the other; Infinity beyond a limit. Only cells within the limit are computed. */
function distanceWithin(a: string, b: string, limit: number): number {
  const width = b.length + 1
  let [before, last, row] = [new Float64Array(width), Float64Array.from({ length: width }, (_, j) => j), new Float64Array(width)]
  for (let i = 1; i <= a.length; i++) {
    row.fill(Infinity)
    row[0] = i
    const [from, to] = [Math.max(1, i - Math.ceil(limit)), Math.min(b.length, i + Math.ceil(limit))]
    let least = row[0]
    for (let j = from; j <= to; j++) {
      const same = a.charCodeAt(i - 1) === b.charCodeAt(j - 1)
      let cost = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a.charCodeAt(i - 1) === b.charCodeAt(j - 2) && a.charCodeAt(i - 2) === b.charCodeAt(j - 1)
      if (swapped) cost = Math.min(cost, before[j - 2] + 1)
      row[j] = cost
      least = Math.min(least, cost)
    }
    if (least > limit) return Infinity
    ;[before, last, row] = [last, row, before]
  }
  return last[b.length] <= limit ? last[b.length] : Infinity
}
