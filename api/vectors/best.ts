// The largest of many numbers.

/**
 * The indices of the `most` largest scores, the largest first; of equal ones the lower comes first. NaN is left out.
 */
export function largest(scores: ArrayLike<number>, most: number, without: ReadonlySet<number>): number[] {
  const worse = (a: number, b: number) => scores[a] < scores[b] || (scores[a] === scores[b] && a > b)
  // A heap whose first element is the worst that is kept.
  const heap: number[] = []
  for (let i = 0; i < scores.length; i++) {
    const isFull = heap.length === most
    if (most === 0 || Number.isNaN(scores[i]) || (isFull && !(scores[i] > scores[heap[0]])) || without.has(i)) continue
    if (!isFull) {
      rise(heap, i, worse)
      continue
    }
    heap[0] = i
    sink(heap, worse)
  }
  return heap.sort((a, b) => (worse(a, b) ? 1 : -1))
}

type Worse = (a: number, b: number) => boolean

function rise(heap: number[], added: number, worse: Worse): void {
  let at = heap.push(added) - 1
  while (at > 0) {
    const above = (at - 1) >> 1
    if (!worse(heap[at], heap[above])) return
    ;[heap[at], heap[above]] = [heap[above], heap[at]]
    at = above
  }
}

function sink(heap: number[], worse: Worse): void {
  for (let at = 0; ;) {
    let least = at
    for (const below of [2 * at + 1, 2 * at + 2])
      if (below < heap.length && worse(heap[below], heap[least])) least = below
    if (least === at) return
    ;[heap[at], heap[least]] = [heap[least], heap[at]]
    at = least
  }
}
