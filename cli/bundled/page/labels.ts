// Chooses which points have their names in the picture: as many as there is room for, the most important first.

export interface Label {
  readonly point: number
  readonly text: string
  /** Where the text begins, from the point. */
  readonly dx: number
  readonly dy: number
  /** Whether somebody asked for it. */
  readonly isFirst: boolean
}

interface Request {
  readonly width: number
  readonly height: number
  /** Points are numbered by importance. */
  readonly count: number
  readonly at: (point: number) => readonly [x: number, y: number]
  readonly name: (point: number) => string
  /** Points that come before all others. */
  readonly first: readonly number[]
  /** Whether there are others. */
  readonly others: boolean
}

const [LINE, LETTER, LONGEST] = [14, 6.6, 28]
/** A name for each such square of the picture, at most. */
const ROOM = 110 * 42

export function labelsFor({ width, height, count, at, name, first, others }: Request): Label[] {
  const labels: Label[] = []
  const taken = new Map<number, [left: number, right: number, top: number, bottom: number][]>()
  const rowsOf = (top: number, bottom: number) => [Math.floor(top / 32), Math.floor(bottom / 32)]
  const isFree = (left: number, right: number, top: number, bottom: number) => {
    const [from, to] = rowsOf(top, bottom)
    for (let row = from; row <= to; row++)
      for (const [l, r, t, b] of taken.get(row) ?? []) if (l < right && left < r && t < bottom && top < b) return false
    return true
  }
  const add = (point: number, isFirst: boolean): void => {
    const [x, y] = at(point)
    if (x < 0 || x > width || y < 0 || y > height) return
    const whole = name(point)
    const text = whole.length > LONGEST ? `${whole.slice(0, LONGEST - 1)}\u2026` : whole
    const long = text.length * LETTER
    for (const dx of [8, -8 - long]) {
      const [left, right, top, bottom] = [x + dx - 2, x + dx + long + 2, y - LINE / 2, y + LINE / 2]
      if (left < 0 || right > width || top < 0 || bottom > height || !isFree(left, right, top, bottom)) continue
      const [from, to] = rowsOf(top, bottom)
      for (let row = from; row <= to; row++) taken.set(row, [...(taken.get(row) ?? []), [left, right, top, bottom]])
      labels.push({ point, text, dx, dy: 4, isFirst })
      return
    }
  }
  for (const point of first) add(point, true)
  if (!others) return labels
  const most = labels.length + Math.floor((width * height) / ROOM)
  // Words of a few letters say little by themselves, and the most frequent ones of all have few.
  for (const says of [says3, () => true]) {
    for (let point = 0; point < count && labels.length < most; point++) if (says(name(point))) add(point, false)
  }
  return labels
}

const says3 = (text: string) => text.length > 4 && /\p{L}{4}/u.test(text)
