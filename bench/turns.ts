// Measures in turns that may be asynchronous or in another process. It is like measure.ts, for comparisons with other
// packages.

import { median } from './measure.js'

/** Microseconds and minor page faults of a call, over one turn. */
export interface Turn {
  us: number
  faults: number
}

export interface Player {
  name: string
  /** Works for about this long. */
  turn(milliseconds: number): Promise<Turn>
}

/**
 * A player that calls a function in this process. `before` runs before each turn and is not timed; it sets the number
 * of threads.
 */
export function local(name: string, run: () => unknown, before: () => void = () => {}): Player {
  let repeats = 0
  const turn = async (milliseconds: number) => {
    before()
    if (repeats === 0) {
      // The first calls compile and warm up.
      const start = performance.now()
      let calls = 0
      while (performance.now() - start < milliseconds) calls += (run(), 1)
      repeats = calls
    }
    return timed(repeats, run)
  }
  return { name, turn }
}

/**
 * The same in processor time of this process, all threads together. For work on one thread it is the time that an idle
 * machine would take, whatever else runs on this one.
 */
export function busy(name: string, run: () => unknown, before: () => void = () => {}): Player {
  const turn = (milliseconds: number) => {
    before()
    const [start, used] = [performance.now(), process.cpuUsage()]
    let calls = 0
    do {
      run()
      calls++
    } while (performance.now() - start < milliseconds)
    const { user, system } = process.cpuUsage(used)
    return Promise.resolve({ us: (user + system) / calls, faults: 0 })
  }
  return { name, turn }
}

/** The same for an asynchronous function that works on one thread. */
export function busyLater(name: string, run: () => Promise<unknown>): Player {
  const turn = async (milliseconds: number) => {
    const [start, used] = [performance.now(), process.cpuUsage()]
    let calls = 0
    do {
      await run()
      calls++
    } while (performance.now() - start < milliseconds)
    const { user, system } = process.cpuUsage(used)
    return { us: (user + system) / calls, faults: 0 }
  }
  return { name, turn }
}

/** The clock's time of an asynchronous function. */
export function later(name: string, run: () => Promise<unknown>): Player {
  const turn = async (milliseconds: number) => {
    await run()
    const faults = process.resourceUsage().minorPageFault
    const start = performance.now()
    let calls = 0
    do {
      await run()
      calls++
    } while (performance.now() - start < milliseconds)
    const us = ((performance.now() - start) * 1e3) / calls
    return { us, faults: (process.resourceUsage().minorPageFault - faults) / calls }
  }
  return { name, turn }
}

function timed(repeats: number, run: () => unknown): Turn {
  const faults = process.resourceUsage().minorPageFault
  const start = performance.now()
  for (let k = 0; k < repeats; k++) run()
  const us = ((performance.now() - start) * 1e3) / repeats
  return { us, faults: (process.resourceUsage().minorPageFault - faults) / repeats }
}

/** Milliseconds after which threads of any package have stopped spinning. */
const REST = 5

/** A player whose call takes longer than this, in microseconds, stops after this many rounds. */
const SLOW = { us: 5e5, rounds: 3 }

/** Runs all players in turn for `count` rounds, and returns the median turn of each, by name. */
export async function rounds(
  players: readonly Player[],
  count: number,
  milliseconds: number,
): Promise<Map<string, Turn>> {
  const turns = new Map<string, Turn[]>(players.map(({ name }) => [name, []]))
  for (let round = 0; round < count; round++) {
    for (const { name, turn } of players) {
      const taken = turns.get(name)!
      if (taken.length >= SLOW.rounds && taken[0].us > SLOW.us) continue
      taken.push(await turn(milliseconds))
      await new Promise((resolve) => setTimeout(resolve, REST))
    }
  }
  const middle = (all: Turn[]) => ({
    us: median(all.map(({ us }) => us)),
    faults: median(all.map(({ faults }) => faults)),
  })
  return new Map([...turns].map(([name, all]) => [name, middle(all)]))
}
