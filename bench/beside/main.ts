// Compares two builds of this package: node dist/bench/beside/main.js BEFORE AFTER [--only PATTERN] [--rounds 20]
//
// BEFORE and AFTER are folders of clones that are built. Each build has a process of its own, and the two take turns at
// every task, so that whatever else the machine does meets both. The ratio of a task is the median over the turns of
// after to before, of processor time; the whole is repeated in two more pairs of processes, because where a process
// finds its memory can make one of them slower for good.

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { median } from '../measure.js'
import type { Answer, Question } from './child.js'

const PAIRS = 3
/** How long a turn takes, and the first one, which warms up. */
const [TURN, WARM_UP] = [25, 150]

interface Row {
  /** The ratio in each pair of processes. */
  ratios: number[]
  /** The least time of before and of after, in nanoseconds. */
  best: [number, number]
}

async function ask(child: ChildProcess, question: Question): Promise<number> {
  child.send(question)
  const [answer] = (await once(child, 'message')) as [Answer]
  if ('error' in answer) throw new Error(`${child.spawnargs.at(-1)}: ${question.task}: ${answer.error}`)
  return answer.nanoseconds
}

/** Compares the builds in one pair of processes. */
async function compare(
  folders: readonly string[],
  only: RegExp,
  rounds: number,
  rows: Map<string, Row>,
): Promise<void> {
  const children = folders.map((folder) => fork(join(__dirname, 'child.js'), [folder]))
  try {
    const [[names]] = (await Promise.all(children.map((child) => once(child, 'message')))) as [[string[]], unknown]
    const asked = names.filter((name) => only.test(name))
    for (const task of asked) for (const child of children) await ask(child, { task, milliseconds: WARM_UP })
    const ratios = new Map(asked.map((task) => [task, [] as number[]]))
    for (let round = 0; round < rounds; round++) {
      for (const task of asked) {
        const row = rows.get(task) ?? { ratios: [], best: [Infinity, Infinity] }
        rows.set(task, row)
        const found = [0, 0]
        for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) {
          found[i] = await ask(children[i], { task, milliseconds: TURN })
          row.best[i] = Math.min(row.best[i], found[i])
        }
        ratios.get(task)!.push(found[1] / found[0])
      }
    }
    for (const task of asked) rows.get(task)!.ratios.push(median(ratios.get(task)!))
  } finally {
    for (const child of children) child.kill()
  }
}

function time(nanoseconds: number): string {
  return nanoseconds < 1e5 ? `${(nanoseconds / 1e3).toFixed(2)} us` : `${(nanoseconds / 1e6).toFixed(2)} ms`
}

function print(rows: Map<string, Row>): void {
  const heads = Array.from({ length: PAIRS }, (_, i) => `pair ${i + 1}`)
  console.log(`| after / before | ${heads.join(' | ')} | least times |\n|---|${'---|'.repeat(PAIRS + 1)}`)
  for (const [task, { ratios, best }] of rows) {
    const cells = ratios.map((ratio) => ratio.toFixed(2))
    console.log(`| ${task} | ${cells.join(' | ')} | ${time(best[0])}, ${time(best[1])} |`)
  }
  const suites = new Set([...rows.keys()].map((task) => task.split(':')[0]))
  for (const suite of suites) {
    const its = [...rows].filter(([task]) => task.startsWith(`${suite}:`)).map(([, { ratios }]) => median(ratios))
    console.log(`${suite}: median of ${its.length} tasks ${median(its).toFixed(3)}`)
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string', default: '' }, rounds: { type: 'string', default: '20' } },
  })
  if (positionals.length !== 2) throw new Error('name two folders: the build before, and the build after')
  const rows = new Map<string, Row>()
  for (let pair = 0; pair < PAIRS; pair++)
    await compare(positionals, new RegExp(values.only), Number(values.rounds), rows)
  print(rows)
}

void main()
