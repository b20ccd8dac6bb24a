// Records every call of every save, rebuilds all disks that a loss of power in between may leave, and loads them. Each
// must hold the whole old file or the whole new one, and the new one once the save has returned. scripts/faults.mjs
// runs this under the program in scripts/faults. It prints a line of JSON: the number of disks, and what was wrong.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileError } from '../../../index.js'
import { off, readLog, watch } from '../../support/faulty.js'
import { Journal, leftIn, PART, type Disk } from './disk.js'
import { folderFor, writers, type Writer } from './scenarios.js'

const SHORT = process.argv.includes('--short')
const ONLY = process.argv.find((word) => word.startsWith('--only='))?.slice(7)
const base = mkdtempSync(join(tmpdir(), 'tokenbed-power-'))
const log = join(base, 'calls')
const wrong: string[] = []
let disks = 0

/** The number of the save that is there, or 0 if there is none. */
function find(writer: Writer, folder: string): number | string {
  try {
    return writer.look(folder)
  } catch (error) {
    const isMissing =
      error instanceof FileError &&
      /ENOENT|no model\.json|there is no folder|os error 2\)/.test(`${error.message} ${error.cause}`)
    return isMissing || (error as NodeJS.ErrnoException).code === 'ENOENT' ? 0 : String(error)
  }
}

async function replay(writer: Writer, old: 0 | 1): Promise<void> {
  const folder = folderFor(base, writer.name)
  rmSync(folder, { recursive: true, force: true })
  folderFor(base, writer.name)
  // Creates files that are made once and do not belong to a save, even if they lie beside it.
  await writer.write(folder, 2)
  if (old === 1) await writer.write(folder, 1)
  else for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true })
  const journal = new Journal(folder)
  watch(folder, log, { data: true })
  await writer.write(folder, 2)
  off()
  const calls = readLog(log)
  const scratch = join(base, writer.name.replace(/\W+/g, '-'), 'disk')
  const check = (disk: Disk, expected: readonly number[]) => {
    disks += 1
    disk.build(scratch)
    const found = find(writer, scratch)
    const strange = leftIn(scratch, writer.names).filter((name) => !PART.test(name.split('/').at(-1)!))
    if (!expected.includes(found as number))
      wrong.push(
        `${writer.name}, over ${old === 1 ? 'another' : 'nothing'}, ${disk.when}: ${found === 0 ? 'nothing is there' : found}`,
      )
    if (strange.length > 0) wrong.push(`${writer.name}, ${disk.when}: ${strange} is left`)
  }
  for (const [i, call] of calls.entries()) {
    journal.take(call)
    for (const disk of journal.disks(`after call ${i + 1} of ${calls.length}, ${call.name}`)) check(disk, [old, 2])
  }
  check(journal.certain('when it has returned'), [2])
}

async function main(): Promise<void> {
  for (const writer of writers) {
    if (ONLY !== undefined && !writer.name.includes(ONLY)) continue
    const [start, before] = [performance.now(), disks]
    process.stderr.write(`${writer.name}: `)
    for (const old of SHORT ? ([1] as const) : ([0, 1] as const)) {
      await replay(writer, old).catch((error) => wrong.push(`${writer.name}: ${error.stack}`))
      off()
    }
    process.stderr.write(`${disks - before} disks, ${((performance.now() - start) / 1000).toFixed(1)} s\n`)
  }
  rmSync(base, { recursive: true })
  console.log(JSON.stringify({ disks, wrong }))
}

void main()
