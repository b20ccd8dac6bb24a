// How long the asynchronous forms of encoding keep the event loop waiting, with their copies of texts and ids.

import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import type { Tokenizer } from '../../index.js'
import { median } from '../measure.js'
import type { Report } from '../report.js'

/** What is encoded: one text of many megabytes, as many as a corpus has, and texts of the size of a paragraph. */
type Work = Record<string, (tokenizer: Tokenizer) => Promise<unknown>>

/** Bytes of each of them, more or less. */
const SIZE = 16e6
const RUNS = 3

function works(texts: readonly string[]): Work {
  const whole = texts.join('\n')
  const long = whole.repeat(Math.ceil(SIZE / whole.length))
  const cut = (length: number) =>
    Array.from({ length: Math.floor(long.length / length) }, (_, i) => long.slice(i * length, (i + 1) * length))
  const [short, paragraphs] = [cut(60), cut(1000)]
  return {
    'one text': (tokenizer) => tokenizer.encodeAsync(long),
    [`${short.length} texts of 60 characters`]: (tokenizer) => tokenizer.encodeBatchAsync(short),
    [`${paragraphs.length} of 1000, padded`]: async (tokenizer) => {
      const { ids, mask } = await tokenizer.encodeBatchAsync(paragraphs, { padding: 'longest', paddingId: 0 })
      ids.dispose()
      mask.dispose()
    },
  }
}

/** Processor time of this thread in milliseconds, where the system says it: Linux, in the file of the main thread. */
function busy(): number {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6
  } catch {
    return NaN
  }
}

interface Waits {
  /** The largest delay of the event loop by the clock, in milliseconds, less the millisecond of its timer. */
  delay: number
  /** The longest turn of the event loop in processor time of its thread, which other programs do not add to. */
  turn: number
}

async function waits(run: () => Promise<unknown>): Promise<Waits> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  await turn()
  let [isOver, longest, last] = [false, 0, busy()]
  const watch = async () => {
    while (!isOver) {
      await turn()
      const now = busy()
      longest = Math.max(longest, now - last)
      // Reading the clock itself is no part of the next turn.
      last = busy()
    }
  }
  delay.enable()
  const watched = watch()
  await run()
  isOver = true
  delay.disable()
  await watched
  return { delay: Math.max(0, delay.max / 1e6 - 1), turn: longest }
}

/** How many tokenizers are measured: one of each kind of model is enough, since the copies are the same for all. */
const MOST = 5

/** The longest waits of each tokenizer. */
export async function eventLoop(
  report: Report,
  tokenizers: Map<string, Tokenizer>,
  texts: readonly string[],
): Promise<void> {
  const all = works(texts)
  report.section('The event loop meanwhile: milliseconds that it waits for encodeAsync and encodeBatchAsync')
  report.paragraph(
    `About ${SIZE / 1e6} MB a call, copies of texts and ids included. Of ${RUNS} runs the median and the largest value of the longest turn of the ` +
      "event loop in processor time of its thread; in brackets the median of monitorEventLoopDelay's maximum, to which other programs add. At most 20 are wanted.",
  )
  const rows: string[][] = []
  for (const [name, tokenizer] of [...tokenizers].slice(0, MOST)) {
    const cells: string[] = []
    for (const work of Object.values(all)) {
      await work(tokenizer)
      const found: Waits[] = []
      for (let i = 0; i < RUNS; i++) found.push(await waits(() => work(tokenizer)))
      const turns = found.map((one) => one.turn)
      const [typical, most] = [median(turns), Math.max(...turns)].map((ms) => ms.toFixed(1))
      cells.push(`${typical}, ${most} (${median(found.map((one) => one.delay)).toFixed(1)})`)
    }
    rows.push([name, ...cells])
  }
  report.table(['', ...Object.keys(all)], rows)
}
