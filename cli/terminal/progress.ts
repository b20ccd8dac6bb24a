// Shows progress on stderr: as a bar in a terminal, and as an occasional line elsewhere.

import { SingleBar } from '../bundled/terminal.js'
import { shownShort, shownTime } from './numbers.js'
import { onEnd } from './signals.js'
import { sayError } from './streams.js'

export interface Progress {
  /** Reports that `done` of the total bytes are read and `tokens` are processed; `note` is shown beside it. */
  update(tokens: number, done: number, note?: string): void
  /** Removes the bar. */
  stop(): void
}

/**
 * @param total Number of bytes to read; null if that is not known.
 * @param from How much of it was done before this run.
 * @param unit What is counted.
 */
export function startProgress(total: number | null, quiet: boolean, from = 0, unit = 'tokens'): Progress {
  if (quiet) return { update() {}, stop() {} }
  const { isTTY } = process.stderr
  const { CI, TERM } = process.env
  // In a CI log every drawing of a bar would stay.
  return isTTY && TERM !== 'dumb' && (CI === undefined || CI === '' || CI === 'false')
    ? bar(total, from, unit)
    : lines(total, from, unit)
}

interface Standing {
  unit: string
  total: number | null
  from: number
  seconds: number
  note?: string
}

/** The parts of the text, most important first. */
function parts(tokens: number, done: number, { unit, total, from, seconds, note }: Standing): string[] {
  const fraction = total ? Math.min(1, done / total) : null
  const pace = (done - from) / seconds
  const left = total && seconds > 1 && pace > 0 ? (total - done) / pace : 0
  return [
    ...(fraction === null ? [] : [`${Math.floor(fraction * 100)}%`]),
    ...(note ? [note] : []),
    `${shownShort(tokens)} ${unit}`,
    ...(seconds > 0.2 ? [`${shownShort((tokens - from) / seconds)} ${unit}/s`] : []),
    ...(left >= 1 ? [`${shownTime(left)} left`] : []),
  ]
}

/** The Linux console has no block characters. */
const BLOCKS = process.platform === 'win32' || process.env.TERM !== 'linux' ? ['█', '░'] : ['#', '-']
const [MIN_BAR, MAX_BAR] = [8, 40]

/** As many of the parts as there is room for, after a bar in the remaining width. */
export function barLine(parts: string[], fraction: number | null, columns: number): string {
  const shown = [...parts]
  while (shown.length > 1 && shown.join('  ').length > columns - 1) shown.pop()
  const text = shown.join('  ').slice(0, Math.max(0, columns - 1))
  const width = Math.min(MAX_BAR, columns - text.length - 3)
  if (fraction === null || width < MIN_BAR) return text
  const full = Math.round(fraction * width)
  return `${BLOCKS[0].repeat(full)}${BLOCKS[1].repeat(width - full)}  ${text}`
}

function bar(total: number | null, from: number, unit: string): Progress {
  const start = performance.now()
  const bar = new SingleBar({
    stream: process.stderr,
    // The bar is drawn more often than it is updated; the pace shown is that of the last update.
    format: (_, { value }, { shown }) =>
      barLine(shown, total ? Math.min(1, value / total) : null, process.stderr.columns || 80),
    hideCursor: true,
    clearOnComplete: true,
    forceRedraw: true,
  })
  // If the total is not known, any number will do.
  bar.start(total ?? 1, from, { shown: parts(from, from, { unit, total, from, seconds: 0 }) })
  const stop = () => bar.stop()
  const forget = onEnd(stop)
  return {
    update: (tokens, done, note) =>
      bar.update(done, {
        shown: parts(tokens, done, { unit, total, from, seconds: (performance.now() - start) / 1e3, note }),
      }),
    stop() {
      forget()
      stop()
    },
  }
}

const [EVERY_MS, LATER_EVERY_MS, LATER_MS] = [1000, 10_000, 10_000]

/** Prints a line every second, and after ten seconds one every ten seconds. */
function lines(total: number | null, from: number, unit: string): Progress {
  const start = performance.now()
  let last = start
  return {
    update(tokens, done, note) {
      const now = performance.now()
      if (now - last < (now - start > LATER_MS ? LATER_EVERY_MS : EVERY_MS)) return
      last = now
      sayError(`tokenbed: ${parts(tokens, done, { unit, total, from, seconds: (now - start) / 1e3, note }).join(', ')}`)
    },
    stop() {},
  }
}
