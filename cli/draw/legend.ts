// Says what the colours of dots mean.

import { stringWidth } from '../bundled/terminal.js'
import type { Legend } from '../bundled/page/colors.js'
import { at, LIGHT, textAt, WIDTH, type Palette, type Part } from './svg.js'

const [LEFT, RIGHT, LINE, LETTER, LONGEST] = [56, WIDTH - 20, 20, 6.6, 40]

/** The names of categories beside their colours, or a ramp with the numbers at its ends; null for nothing to say. */
export function legendPart(name: string, legend: Legend, { faint }: Palette = LIGHT): Part | null {
  if (legend.kind === 'none') return null
  if (legend.kind === 'ramp') {
    const step = 240 / legend.colors.length
    const cells = legend.colors.map(
      (color, i) =>
        `<rect x="${at(LEFT + 110 + i * step)}" y="2" width="${at(step + 0.6)}" height="10" fill="${color}"/>`,
    )
    const number = (value: number) => String(Number(value.toPrecision(4)))
    return {
      height: 30,
      svg: [
        textAt(LEFT, 11, short(name), ' font-weight="600"'),
        textAt(LEFT + 104, 11, number(legend.low), ` text-anchor="end" fill="${faint}"`),
        ...cells,
        textAt(LEFT + 358, 11, number(legend.high), ` fill="${faint}"`),
      ].join('\n'),
    }
  }
  const rows = legend.rows.map(({ name, color }) => ({ name: short(name), color }))
  if (legend.others > 0) rows.push({ name: `${legend.others} others`, color: legend.grey })
  let [x, y] = [LEFT + stringWidth(short(name)) * LETTER + 16, 11]
  const lines = [textAt(LEFT, 11, short(name), ' font-weight="600"')]
  for (const row of rows) {
    const width = stringWidth(row.name) * LETTER + 26
    if (x + width > RIGHT && x > LEFT) [x, y] = [LEFT, y + LINE]
    lines.push(`<circle cx="${at(x + 5)}" cy="${at(y - 4)}" r="4.5" fill="${row.color}"/>`, textAt(x + 14, y, row.name))
    x += width
  }
  return { height: y + 19, svg: lines.join('\n') }
}

const short = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}\u2026` : text)
