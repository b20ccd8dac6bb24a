// One of the two builds that are compared: it runs a task for some time whenever it is asked to. The argument is the
// folder of the build.

import { join } from 'node:path'
import { tasksOf } from './tasks.js'

/** What the parent asks for. */
export interface Question {
  task: string
  milliseconds: number
}
/** Nanoseconds of processor time of one run, or why there is none. */
export type Answer = { nanoseconds: number } | { error: string }

const tb = require(join(process.argv[2], 'dist/index.js')) as typeof import('../../index.js')
tb.setNumThreads(1)
tb.manualSeed(1)
const tasks = tasksOf(tb)
const ready = new Map<string, () => unknown>()

async function answer({ task, milliseconds }: Question): Promise<Answer> {
  try {
    const run = ready.get(task) ?? tasks[task]()
    ready.set(task, run)
    return { nanoseconds: await timed(run, milliseconds) }
  } catch (error) {
    return { error: String(error) }
  }
}

async function timed(run: () => unknown, milliseconds: number): Promise<number> {
  const start = process.cpuUsage()
  let [calls, spent] = [0, 0]
  while (spent < milliseconds) {
    // Reading the clock takes as long as some small calls: a tenth of the turn is run in one go.
    const share = spent === 0 ? calls : (calls / spent) * (milliseconds / 10)
    for (let left = Math.max(1, Math.min(share, 1000)); left > 0; left--) {
      const result = run()
      if (result instanceof Promise) await result
      calls++
    }
    const { user, system } = process.cpuUsage(start)
    spent = (user + system) / 1e3
  }
  return (spent * 1e6) / calls
}

process.on('message', (question: Question) => void answer(question).then((found) => process.send!(found)))
process.send!(Object.keys(tasks))
