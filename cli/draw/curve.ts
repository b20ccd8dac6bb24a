// Draws the loss during training.

import { at, LIGHT, textAt, WIDTH, type Palette, type Part } from './svg.js'

const HEIGHT = 300
const FRAME = { left: 56, right: WIDTH - 20, top: 44, bottom: HEIGHT - 48 }

/** Draws pairs of a step and a loss, in the order of the steps. */
export async function curve(
  losses: readonly (readonly [step: number, loss: number])[],
  { blue, faint, grid }: Palette = LIGHT,
): Promise<Part> {
  const { line, scaleLinear } = await import('../bundled/d3.mjs')
  const [steps, values] = [losses.map(([step]) => step), losses.map(([, loss]) => loss)]
  const across = scaleLinear([Math.min(...steps), Math.max(...steps)], [FRAME.left, FRAME.right])
  const up = scaleLinear([Math.min(...values), Math.max(...values)], [FRAME.bottom, FRAME.top]).nice(5)
  const path = line<readonly [number, number]>(
    ([step]) => across(step),
    ([, loss]) => up(loss),
  ).digits(1)
  const last = losses[losses.length - 1]
  const lines = [
    ...across
      .ticks(8)
      .map((tick) =>
        textAt(
          across(tick),
          FRAME.bottom + 16,
          across.tickFormat(8, 's')(tick),
          ` text-anchor="middle" fill="${faint}"`,
        ),
      ),
    ...up
      .ticks(5)
      .map(
        (tick) =>
          `<line x1="${FRAME.left}" x2="${FRAME.right}" y1="${at(up(tick))}" y2="${at(up(tick))}" stroke="${grid}"/>${textAt(FRAME.left - 8, up(tick) + 4, up.tickFormat(5)(tick), ` text-anchor="end" fill="${faint}"`)}`,
      ),
    textAt(FRAME.left, 26, `Loss: from ${short(values[0])} to ${short(last[1])}`, ' font-size="15" font-weight="600"'),
    textAt((FRAME.left + FRAME.right) / 2, HEIGHT - 12, 'step', ` text-anchor="middle" fill="${faint}"`),
    `<path d="${path(losses)}" fill="none" stroke="${blue}" stroke-width="1.5" stroke-linejoin="round"/>`,
  ]
  return { height: HEIGHT, svg: lines.join('\n') }
}

const short = (value: number) => String(Number(value.toPrecision(4)))
