// Kills every writer, before each call that it makes and at random moments. Afterwards the old file or the new one must
// be there as a whole, and the next save must succeed. scripts/faults.mjs runs this. It prints a line of JSON: the
// number of kills, and what was wrong.
//
//   node kills.js tool [--short] [--only=name]

import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { readLog } from '../../support/faulty.js'
import { copy, leftIn, PART } from './disk.js'
import { folderFor, writers, type Writer } from './scenarios.js'

const TOOL = process.argv[2]
const SHORT = process.argv.includes('--short')
const ONLY = process.argv.find((word) => word.startsWith('--only='))?.slice(7)
const DYING = join(__dirname, 'dying.js')
const base = mkdtempSync(join(tmpdir(), 'tokenbed-kills-'))
const log = join(base, 'calls')
const wrong: string[] = []
let kills = 0

/** The number of calls that a save makes, and how it ended if it is killed before the nth. */
function killedAt(writer: Writer, folder: string, nth: number): { killed: boolean; calls: number } {
  const { status } = spawnSync(TOOL, [process.execPath, DYING, writer.name, folder, log, 'at', String(nth)], {
    stdio: 'ignore',
  })
  return { killed: status !== 0, calls: readLog(log).length }
}

/** Kills a process that saves in a loop, this many milliseconds after its first save. */
function killedAfter(writer: Writer, folder: string, milliseconds: number): Promise<void> {
  // All processes are one group, so that a writer that is a process of its own dies with its parent.
  const child = spawn(process.execPath, [DYING, writer.name, folder, log], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  })
  child.stdout.once('data', () => setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), milliseconds))
  return new Promise((resolve) => child.once('close', () => resolve()))
}

async function check(writer: Writer, folder: string, when: string, expected: readonly number[]): Promise<void> {
  kills += 1
  const report = (what: string) => wrong.push(`${writer.name}, killed ${when}: ${what}`)
  try {
    const found = writer.look(folder)
    if (!expected.includes(found)) report(`the save of ${found} is there`)
  } catch (error) {
    report(String(error))
  }
  const strange = leftIn(folder, writer.names).filter((name) => !PART.test(basename(name)))
  if (strange.length > 0) report(`it leaves ${strange}`)
  // A writer that is a process of its own keeps no state, so the next save need not be tried.
  if (writer.slow) return
  try {
    await writer.write(folder, 3)
    if (writer.look(folder) !== 3) report('the next save is not there')
  } catch (error) {
    report(`the next save: ${error}`)
  }
  const left = leftIn(folder, writer.names).filter((name) => name.endsWith('.next'))
  if (left.length > 0) report(`after the next save there is still ${left}`)
}

async function kill(writer: Writer): Promise<void> {
  const folder = folderFor(base, writer.name)
  const old = `${folder}-old`
  await writer.write(folder, 1)
  copy(folder, old)
  const { calls } = killedAt(writer, folder, 1_000_000)
  const most = SHORT ? (writer.slow ? 1 : 3) : writer.slow ? 12 : calls
  for (let i = 0; i < Math.min(most, calls); i++) {
    const nth = 1 + Math.floor((i * calls) / Math.min(most, calls))
    copy(old, folder)
    if (!killedAt(writer, folder, nth).killed) wrong.push(`${writer.name}: call ${nth} of ${calls} did not come`)
    // Once the first of several files has its name, the new save is there.
    await check(writer, folder, `before call ${nth} of ${calls}`, [1, 2])
  }
  for (let i = 0; i < (SHORT ? 1 : writer.slow ? 4 : 15); i++) {
    rmSync(folder, { recursive: true })
    folderFor(base, writer.name)
    const milliseconds = (i * 7.3) % 31
    await killedAfter(writer, folder, writer.slow ? 20 * milliseconds : milliseconds)
    await check(writer, folder, `after ${milliseconds.toFixed(1)} ms`, [1, 2, 3])
  }
}

async function main(): Promise<void> {
  for (const writer of writers) {
    if (ONLY !== undefined && !writer.name.includes(ONLY)) continue
    const [start, before] = [performance.now(), kills]
    process.stderr.write(`${writer.name}: `)
    await kill(writer).catch((error) => wrong.push(`${writer.name}: ${error.stack}`))
    process.stderr.write(`${kills - before} kills, ${((performance.now() - start) / 1000).toFixed(1)} s\n`)
  }
  rmSync(base, { recursive: true })
  console.log(JSON.stringify({ kills, wrong }))
}

void main()
