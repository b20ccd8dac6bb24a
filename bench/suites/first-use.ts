// The cost of the first use of an encoding, and how batches scale with threads, measured in fresh processes.

import { availableParallelism } from 'node:os'
import { inChildren, medianOfChildren } from '../child.js'
import { median } from '../measure.js'
import { ENCODINGS } from '../peers/encoder.js'
import { TOKENIZERS } from '../peers/tokenizer.js'
import type { Report } from '../report.js'

export function firstUse(report: Report): void {
  report.paragraph(
    'Milliseconds to open an encoding and encode a few words in a fresh process; medians of 7 processes, loading the package not included.',
  )
  const names = Object.entries(TOKENIZERS).filter(([name, load]) => {
    const found = load()
    if (!('peer' in found)) report.missing(name, found.why)
    return 'peer' in found
  })
  const cell = (ms: number | null) => (ms === null ? '' : ms.toFixed(1))
  const rows = names.map(([name]) => [
    name,
    ...ENCODINGS.map((encoding) => cell(medianOfChildren(7, [name, encoding]))),
  ])
  report.table(['', ...ENCODINGS], rows)
}

export function threads(report: Report): void {
  report.paragraph('`encodeBatch` of a book by chapters, megabytes a second; medians of 3 processes each.')
  const counts = [1, 2, 4, 8, 16, 32, 64].filter((count) => count <= Math.max(2, availableParallelism()))
  let limited = true
  const rows = ENCODINGS.map((encoding) => {
    const speeds = counts.map((count) => {
      const runs = inChildren(3, 'batchSpeed', [encoding], { TOKENBED_NUM_THREADS: String(count) })
      limited &&= runs.every(({ threads }) => threads === count)
      return median(runs.map(({ speed }) => speed))
    })
    return [encoding, ...speeds.map((speed) => `${speed.toFixed(1)} (${(speed / speeds[0]).toFixed(2)}x)`)]
  })
  report.table(['', ...counts.map((count) => `${count} thread${count > 1 ? 's' : ''}`)], rows)
  if (!limited) report.paragraph('TOKENBED_NUM_THREADS had no effect on this build, so its columns are alike.')
}
