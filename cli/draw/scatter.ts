// Draws points with labels that do not overlap.

import { stringWidth } from '../bundled/terminal.js'
import { at, escaped, LIGHT, textAt, WIDTH, type Palette, type Part } from './svg.js'

export interface Point {
  readonly id: number
  readonly x: number
  readonly y: number
  readonly label: string
  /** How often the token was seen; null if that is not known. */
  readonly count: number | null
  /** The colour of its dot, if there is one for it. */
  readonly color?: string
}

const HEIGHT = 720
const FRAME = { left: 56, right: WIDTH - 20, top: 44, bottom: HEIGHT - 48 }
const FONT_SIZE = 11
/** Widths of characters relative to the font size, a little more than in most fonts. */
const WIDTHS: readonly [RegExp, number][] = [
  [/[ijl.,:;'|! ]/, 0.34],
  [/[frtI()[\]{}"-]/, 0.46],
  [/[mwMW@%]/, 0.98],
  [/[A-Z]/, 0.74],
  [/[\x20-\x7e]/, 0.63],
]
const LONGEST_LABEL = 24
const [SMALLEST, LARGEST] = [2.2, 5]

interface Box {
  left: number
  right: number
  top: number
  bottom: number
}

/** An upper bound on the width of a text, since the font that draws it is not known. */
function widthOf(text: string): number {
  let sum = 0
  for (const character of text)
    sum += WIDTHS.find(([kind]) => kind.test(character))?.[1] ?? (stringWidth(character) > 1 ? 1.05 : 0.75)
  return sum * FONT_SIZE
}

const overlap = (a: Box, b: Box) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom

/**
 * Draws points, the most important first, with the variance that each axis explains, and returns which points have a
 * label.
 */
export async function scatter(
  points: readonly Point[],
  explained: readonly number[],
  title: string,
  { blue, faint, grid }: Palette = LIGHT,
): Promise<{ part: Part; labelled: Set<number> }> {
  const { scaleLinear } = await import('../bundled/d3.mjs')
  const [x, y] = domains(points)
  const [across, up] = [scaleLinear(x, [FRAME.left, FRAME.right]), scaleLinear(y, [FRAME.bottom, FRAME.top])]
  const radius = radiusOf(points)
  const placed = points.map((point) => ({ point, x: across(point.x), y: up(point.y), r: radius(point) }))
  const labels = placeLabels(placed)
  const percent = (part: number) => `${(part * 100).toFixed(1)}% of the variance`
  const lines = [
    ...across
      .ticks(8)
      .map(
        (tick) =>
          `<line x1="${at(across(tick))}" x2="${at(across(tick))}" y1="${FRAME.top}" y2="${FRAME.bottom}" stroke="${grid}"/>${textAt(across(tick), FRAME.bottom + 16, across.tickFormat(8)(tick), ` text-anchor="middle" fill="${faint}"`)}`,
      ),
    ...up
      .ticks(6)
      .map(
        (tick) =>
          `<line x1="${FRAME.left}" x2="${FRAME.right}" y1="${at(up(tick))}" y2="${at(up(tick))}" stroke="${grid}"/>${textAt(FRAME.left - 8, up(tick) + 4, up.tickFormat(6)(tick), ` text-anchor="end" fill="${faint}"`)}`,
      ),
    textAt(FRAME.left, 26, title, ' font-size="15" font-weight="600"'),
    textAt(
      (FRAME.left + FRAME.right) / 2,
      HEIGHT - 12,
      `principal component 1, ${percent(explained[0])}`,
      ` text-anchor="middle" fill="${faint}"`,
    ),
    `<g transform="translate(14 ${at((FRAME.top + FRAME.bottom) / 2)}) rotate(-90)">${textAt(0, 0, `principal component 2, ${percent(explained[1])}`, ` text-anchor="middle" fill="${faint}"`)}</g>`,
    // The most important points are drawn last, on top.
    ...[...placed].reverse().map(({ point, x, y, r }) => {
      const label = labels.get(point.id)
      const told =
        point.count === null ? point.label : `${point.label}: seen ${point.count.toLocaleString('en-US')} times`
      const text =
        label === undefined
          ? ''
          : textAt(
              label.x,
              label.y,
              shortened(point.label),
              label.anchor === 'start' ? '' : ` text-anchor="${label.anchor}"`,
            )
      return `<g class="token"><title>${escaped(told)}</title><circle cx="${at(x)}" cy="${at(y)}" r="${at(r)}" fill="${point.color ?? blue}" fill-opacity="${point.color === undefined ? 0.65 : 0.85}"/>${text}</g>`
    }),
  ]
  return { part: { height: HEIGHT, svg: lines.join('\n') }, labelled: new Set(labels.keys()) }
}

/** The ranges of both axes, with the same scale for both, so that distances are right. */
function domains(points: readonly Point[]): [[number, number], [number, number]] {
  const span = (values: number[]): [number, number] => [Math.min(...values), Math.max(...values)]
  const [x, y] = [span(points.map(({ x }) => x)), span(points.map(({ y }) => y))]
  const [width, height] = [FRAME.right - FRAME.left, FRAME.bottom - FRAME.top]
  // This leaves room for labels at the edges, and some space if all points are the same.
  const unit = Math.max((x[1] - x[0]) / (width - 120), (y[1] - y[0]) / (height - 60)) || 1
  const around = ([from, to]: [number, number], length: number): [number, number] => [
    (from + to - unit * length) / 2,
    (from + to + unit * length) / 2,
  ]
  return [around(x, width), around(y, height)]
}

/**
 * The radius grows with the logarithm of the count: a dot whose area were a thousand times larger would fill the
 * picture.
 */
function radiusOf(points: readonly Point[]): (point: Point) => number {
  const logs = points.map(({ count }) => Math.log(Math.max(1, count ?? 1)))
  const [least, most] = [Math.min(...logs), Math.max(...logs)]
  return ({ count }) =>
    count === null || most === least
      ? 3
      : SMALLEST + ((LARGEST - SMALLEST) * (Math.log(Math.max(1, count)) - least)) / (most - least)
}

const shortened = (label: string) => {
  const characters = [...label]
  return characters.length > LONGEST_LABEL ? `${characters.slice(0, LONGEST_LABEL - 1).join('')}…` : label
}

interface Placed {
  readonly point: Point
  readonly x: number
  readonly y: number
  readonly r: number
}
interface Label {
  x: number
  y: number
  anchor: 'start' | 'middle' | 'end'
}

/** Places for a label relative to its point, best first: beside it, then above and below, then at the corners. */
const PLACES: readonly [across: number, up: number][] = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
  [1, 1],
  [1, -1],
  [-1, 1],
  [-1, -1],
]
/** Height of the strips in which boxes are searched. Few labels are in each. */
const CELL = 40

/**
 * Places labels that overlap no other label and no other dot, for as many points as there is room for, the first
 * points first.
 */
function placeLabels(points: readonly Placed[]): Map<number, Label> {
  const taken = new Map<number, { box: Box; id: number }[]>()
  const cells = ({ top, bottom }: Box) =>
    Array.from({ length: Math.floor(bottom / CELL) - Math.floor(top / CELL) + 1 }, (_, i) => Math.floor(top / CELL) + i)
  const take = (box: Box, id: number) =>
    cells(box).forEach((cell) => (taken.get(cell) ?? taken.set(cell, []).get(cell)!).push({ box, id }))
  const isFree = (box: Box, id: number) =>
    cells(box).every((cell) => !(taken.get(cell) ?? []).some((other) => other.id !== id && overlap(box, other.box)))
  for (const { point, x, y, r } of points) take({ left: x - r, right: x + r, top: y - r, bottom: y + r }, point.id)
  const labels = new Map<number, Label>()
  for (const { point, x, y, r } of points) {
    const width = widthOf(shortened(point.label))
    for (const [across, up] of PLACES) {
      const gap = across !== 0 && up !== 0 ? r * 0.7 + 1 : r + 3
      const left = across > 0 ? x + gap : across < 0 ? x - gap - width : x - width / 2
      const baseline = up === 0 ? y + FONT_SIZE * 0.35 : up > 0 ? y - gap : y + gap + FONT_SIZE * 0.75
      const box = {
        left: left - 1,
        right: left + width + 1,
        top: baseline - FONT_SIZE * 0.85,
        bottom: baseline + FONT_SIZE * 0.25,
      }
      const isInside =
        box.left >= FRAME.left && box.right <= FRAME.right && box.top >= FRAME.top && box.bottom <= FRAME.bottom
      if (!isInside || !isFree(box, point.id)) continue
      take(box, point.id)
      labels.set(point.id, {
        x: across > 0 ? left : across < 0 ? left + width : x,
        y: baseline,
        anchor: across > 0 ? 'start' : across < 0 ? 'end' : 'middle',
      })
      break
    }
  }
  return labels
}
