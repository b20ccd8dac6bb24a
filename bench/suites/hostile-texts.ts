// Texts that are made to be slow, with tokenizer.json files: the time must grow with the text and no faster.

import type { Tokenizer } from '../../index.js'
import { median } from '../measure.js'
import type { Report } from '../report.js'

/** What the texts repeat, and what may stand at their ends. */
const REPEATED: [part: string, end?: string][] = [
  ['a'],
  ['A'],
  ['aA'],
  ['ab'],
  [' '],
  [' ', 'x'],
  ['\n'],
  [' \n'],
  ['\r\n'],
  ['\t '],
  [' a'],
  ['1'],
  ['12 '],
  ["'"],
  ["'s"],
  ['!'],
  [' !', 'a'],
  ['<'],
  ['<|'],
  ['['],
  ['\u2581'],
  ['字'],
  ['ก'],
  ['😀'],
  ['👩\u200d'],
  ['\u0301'],
  ['e\u0301'],
  ['\u0323\u0301'],
  ['\u1100'],
  ['\u1100\u1161\u11a8'],
  ['ﷺ'],
  ['\0'],
  ['\ufffd'],
  ['ß'],
  ['İ'],
]

/** UTF-16 units of the shorter text. The longer has four times as many. */
const UNITS = 1 << 15
const RUNS = 3

/** Milliseconds of processor time to encode a text once. */
function time(tokenizer: Tokenizer, text: string): number {
  const runs = Array.from({ length: RUNS }, () => {
    const start = process.cpuUsage()
    tokenizer.count(text, { addSpecialTokens: false })
    const { user, system } = process.cpuUsage(start)
    return (user + system) / 1e3
  })
  return median(runs)
}

/** For each file the texts that took the longest, and those whose time grew the fastest. */
export function hostile(report: Report, tokenizers: Map<string, Tokenizer>): void {
  report.section(`Hostile texts: ${REPEATED.length} texts that repeat one thing`)
  report.paragraph(
    `Milliseconds of processor time for each of ${4 * UNITS} UTF-16 units, medians of ${RUNS}; the factor is the time of a text four times as long as ` +
      'another over its time, divided by four: 1 is linear.',
  )
  const rows = [...tokenizers].map(([name, tokenizer]) => {
    const found = REPEATED.map(([part, end = '']) => {
      const text = (units: number) => part.repeat(units / part.length) + end
      // The first call makes room.
      time(tokenizer, text(1024))
      const [once, four] = [time(tokenizer, text(UNITS)), time(tokenizer, text(4 * UNITS))]
      return { what: JSON.stringify(part + end), four, factor: four / once / 4 }
    })
    const slowest = [...found].sort((a, b) => b.four - a.four).slice(0, 3)
    const steepest = [...found].sort((a, b) => b.factor - a.factor).slice(0, 2)
    const cells = slowest.map(({ what, four }) => `${what} ${four.toFixed(1)}`)
    const typical = median(found.map(({ four }) => four)).toFixed(1)
    return [
      name,
      typical,
      cells.join(', '),
      steepest.map(({ what, factor }) => `${what} ${factor.toFixed(2)}`).join(', '),
    ]
  })
  report.table(['', 'median', 'slowest', 'steepest factor'], rows)
}
