// forwardAsync against forward: the cost of a lookup for the calling thread, and how long that thread keeps others
// waiting.

import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { Embedding, Generator, randperm } from '../../index.js'
import { median } from '../measure.js'
import { time, times, type Report } from '../report.js'

const [ROWS, DIM] = [50257, 768]
const COUNTS = [1, 16, 64, 256, 1024, 4096, 32_768]
const IN_FLIGHT = 16
const ROUNDS = 9
/** Milliseconds of a turn, and of measuring the event loop. */
const [TURN, WATCH] = [20, 400]

/** A way to look ids up `calls` times. */
type Way = (ids: Int32Array, calls: number) => Promise<void>

function ways(embedding: Embedding): Record<'forward' | 'alone' | 'many', Way> {
  const one = async (ids: Int32Array) => (await embedding.forwardAsync(ids)).dispose()
  return {
    forward: async (ids, calls) => {
      for (let i = 0; i < calls; i++) embedding.forward(ids).dispose()
    },
    alone: async (ids, calls) => {
      for (let i = 0; i < calls; i++) await one(ids)
    },
    many: async (ids, calls) => {
      let left = calls
      const lane = async () => {
        while (left-- > 0) await one(ids)
      }
      await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
    },
  }
}

/** Microseconds a call, in all and on this thread. */
interface Cost {
  done: number
  busy: number
}

async function cost(way: Way, ids: Int32Array, calls: number): Promise<Cost> {
  const [start, before] = [performance.now(), performance.eventLoopUtilization()]
  await way(ids, calls)
  const took = performance.now() - start
  const { active } = performance.eventLoopUtilization(before)
  return { done: (took * 1e3) / calls, busy: (active * 1e3) / calls }
}

/** The medians over turns that the ways take one after the other. */
async function costs(all: readonly Way[], ids: Int32Array): Promise<Cost[]> {
  const calls: number[] = []
  for (const way of all) {
    await cost(way, ids, IN_FLIGHT)
    const { done } = await cost(way, ids, IN_FLIGHT)
    calls.push(Math.max(IN_FLIGHT, Math.round((TURN * 1e3) / done)))
  }
  const found: Cost[][] = all.map(() => [])
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, way] of all.entries()) found[i].push(await cost(way, ids, calls[i]))
  }
  return found.map((some) => ({
    done: median(some.map(({ done }) => done)),
    busy: median(some.map(({ busy }) => busy)),
  }))
}

/** The delay of the event loop during lookups, in milliseconds: median and 99th percentile. */
async function delays(lookup: () => Promise<void>): Promise<[number, number]> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const end = performance.now() + WATCH
  delay.enable()
  while (performance.now() < end) {
    await lookup()
    await turn()
  }
  delay.disable()
  // The measured delay includes the timer's own millisecond.
  const late = (percentile: number) => Math.max(0, delay.percentile(percentile) / 1e6 - 1)
  return [late(50), late(99)]
}

export async function async(report: Report): Promise<void> {
  const embedding = new Embedding(ROWS, DIM, { generator: new Generator(1) })
  const order = randperm(ROWS, { generator: new Generator(2) }).data as Int32Array
  const { forward, alone, many } = ways(embedding)
  report.paragraph(
    `A table of ${ROWS} x ${DIM}, distinct ids, results disposed; medians of ${ROUNDS} interleaved rounds. ` +
      '"thread": the time that a call takes on the calling thread, by its event loop utilization; "ratio": the time of forward over that time of ' +
      `one forwardAsync after the other. "${IN_FLIGHT} at once": ${IN_FLIGHT} such sequences of calls at the same time.`,
  )
  const rows: string[][] = []
  for (const count of COUNTS) {
    const ids = order.slice(0, count)
    const [now, one, several] = await costs([forward, alone, many], ids)
    rows.push([
      String(count),
      time(now.done),
      time(one.done),
      time(one.busy),
      times(now.done / one.busy),
      time(several.done),
      time(several.busy),
    ])
  }
  const head = ['ids', 'forward', 'forwardAsync', 'thread', 'ratio', `${IN_FLIGHT} at once`, 'thread']
  report.table(head, rows)
  report.paragraph(
    'The delay of the event loop during one lookup after the other without pause: milliseconds, median and 99th percentile.',
  )
  const late: string[][] = []
  for (const count of COUNTS.slice(3)) {
    const ids = order.slice(0, count)
    const cells: string[] = []
    for (const way of [forward, alone])
      cells.push((await delays(() => way(ids, 1))).map((ms) => ms.toFixed(2)).join(' / '))
    late.push([String(count), ...cells])
  }
  report.table(['ids', 'forward', 'forwardAsync'], late)
  embedding.weight.dispose()
}
