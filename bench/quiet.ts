// Threads against one thread, where other programs may run: only turns during which they did nearly nothing count.

import { cpus } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { median } from './measure.js'

/** Milliseconds of a turn, and pairs of turns that are tried and wanted. */
const [TURN, TRIES, WANTED] = [120, 22, 11]
/** A turn counts if others took no more than this many cores. */
const SHARE = 0.08

/** Milliseconds for which the cores worked, all programs together. */
function worked(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0)
}

/** Microseconds of a call by the clock, and how many cores other programs took meanwhile. */
function timed(run: () => unknown): { us: number; others: number } {
  const [all, own, start] = [worked(), process.cpuUsage(), performance.now()]
  let calls = 0
  do {
    run()
    calls++
  } while (performance.now() - start < TURN)
  const took = performance.now() - start
  const { user, system } = process.cpuUsage(own)
  return { us: (took * 1e3) / calls, others: (worked() - all - (user + system) / 1e3) / took }
}

/** How many times as fast a function is in one way than in another, and the number of pairs of quiet turns. */
export interface Gain {
  ratio: number
  pairs: number
}

/**
 * How many times as fast `run` is after `many` than after `one`: the median over pairs of quiet turns. If no pair was
 * quiet, it is that of the quietest pair.
 */
export async function gain(run: () => unknown, one: () => void, many: () => void): Promise<Gain> {
  const found: { ratio: number; others: number }[] = []
  const quiet = () => found.filter(({ others }) => others <= SHARE)
  for (let i = 0; i < TRIES && quiet().length < WANTED; i++) {
    one()
    const single = timed(run)
    many()
    const together = timed(run)
    found.push({ ratio: single.us / together.us, others: Math.max(single.others, together.others) })
    // What disturbs is often over soon.
    if (found.at(-1)!.others > SHARE) await pause(TURN / 2)
  }
  const counted = quiet()
  if (counted.length > 0) return { ratio: median(counted.map(({ ratio }) => ratio)), pairs: counted.length }
  const [quietest] = [...found].sort((a, b) => a.others - b.others)
  return { ratio: quietest.ratio, pairs: 0 }
}
