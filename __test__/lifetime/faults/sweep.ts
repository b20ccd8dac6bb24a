// Makes every call of every writer and reader fail, one after the other, in every way in which it can fail.
// scripts/faults.mjs runs this under the program in scripts/faults. It prints a line of JSON: the number of faults, and
// what was wrong.
//
//   node sweep.js            every call, once and from then on
//   node sweep.js --short    every call once, in one way; for commands, one call of each kind

import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { TokenbedError } from '../../../index.js'
import { cutShort, fail, off, readLog, watch, type Seen } from '../../support/faulty.js'
import { CommandFailed, folderFor, readers, writers, type Reader, type Writer } from './scenarios.js'

const { EMFILE, EIO, ENOSPC, EINTR, ENOLCK, ENOMEM } = constants.errno
const SHORT = process.argv.includes('--short')
const ONLY = process.argv.find((word) => word.startsWith('--only='))?.slice(7)

const OPENS = [EMFILE, EIO, ENOSPC, EINTR]
const READS = [EIO, EINTR]
const WRITES = [ENOSPC, EIO, EINTR]
/** The errors with which a call may fail. Calls that are not listed here only query something. */
const ERRORS: Record<string, readonly number[]> = {
  open: OPENS,
  openat: OPENS,
  read: READS,
  pread64: READS,
  readv: READS,
  preadv: READS,
  getdents64: [EIO],
  write: WRITES,
  pwrite64: WRITES,
  writev: WRITES,
  copy_file_range: [ENOSPC, EIO],
  sendfile: [EIO],
  fsync: WRITES,
  fdatasync: WRITES,
  ftruncate: WRITES,
  fallocate: WRITES,
  flock: [ENOLCK, EINTR],
  mmap: [ENOMEM],
  linkat: [ENOSPC, EIO],
  rename: [ENOSPC, EIO],
  renameat: [ENOSPC, EIO],
  mkdir: [ENOSPC, EIO],
}
/** The maximum number of calls tried of each name: the first ones, which differ most, and some of the rest. */
const MOST = 8
const NAMES = Object.fromEntries(Object.entries(constants.errno).map(([name, number]) => [number, name]))

const base = mkdtempSync(join(tmpdir(), 'tokenbed-faults-'))
const log = join(base, 'calls')
const wrong: string[] = []
let faults = 0
let missed = 0

/** One way in which one call fails. */
interface Fault {
  readonly name: string
  readonly title: string
  readonly error: number | null
  readonly sticky: boolean
  begin(): void
}

function* faultsOf(calls: readonly Seen[], most = MOST): Generator<Fault> {
  for (const name of new Set(calls.map((call) => call.name))) {
    const count = calls.filter((call) => call.name === name).length
    const errors = ERRORS[name] ?? [EIO]
    for (const nth of someOf(count, most)) {
      for (const error of SHORT ? errors.slice(0, 1) : errors) {
        for (const sticky of SHORT ? [false] : [false, true]) {
          // A signal may interrupt a call a few times in a row, but not forever.
          const times = !sticky ? 1 : error === EINTR ? 3 : 1_000_000
          yield {
            name,
            error,
            sticky,
            title: `${name} ${nth} of ${count}: ${NAMES[error]}${sticky ? ', from then on' : ''}`,
            begin: () => fail(name, nth, error, times),
          }
        }
      }
      if (!SIZED.has(name)) continue
      yield {
        name,
        error: null,
        sticky: false,
        title: `${name} ${nth} of ${count}: 1 byte`,
        begin: () => cutShort(name, nth, 1, 1),
      }
    }
    if (SIZED.has(name))
      yield {
        name,
        error: null,
        sticky: true,
        title: `${name}: 997 bytes, always`,
        begin: () => cutShort(name, 1, 997, 1_000_000),
      }
  }
}

const SIZED = new Set(['read', 'pread64', 'write', 'pwrite64', 'copy_file_range', 'sendfile'])

function someOf(count: number, most: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i + 1)
  if (most === 1) return [count]
  return count <= most ? all : [...all.slice(0, most - 3), Math.ceil(count / 2), count - 1, count]
}

const descriptors = () => readdirSync('/proc/self/fd').length

/** How many more descriptors are open than before. Another thread closes its own when it notices the end. */
async function leftOpen(before: number): Promise<number> {
  for (let tries = 0; tries < 50 && descriptors() !== before; tries++)
    await new Promise((resolve) => setTimeout(resolve, 10))
  return descriptors() - before
}

/** The outcome of some work: its result or its error. */
async function outcome(work: () => unknown): Promise<{ value?: unknown; error?: unknown }> {
  try {
    return { value: await work() }
  } catch (error) {
    return { error }
  }
}

/** Why an error is not as it should be; undefined if it is. */
function amiss(error: unknown, folder: string, fault: Fault): string | null {
  if (error instanceof CommandFailed) {
    const isTold = error.exit === 1 && error.stderr.includes(folder) && !/^ +at /m.test(error.stderr)
    return isTold ? null : `exit code ${error.exit}: ${error.stderr.slice(0, 300)}`
  }
  if (!(error instanceof TokenbedError)) return `a bare ${error instanceof Error ? error.stack : String(error)}`
  const { code, message, cause } = error
  const path = (error as { path?: string }).path
  if (code !== 'FILE') return `${code}: ${message}`
  if (path === undefined || !path.startsWith(folder)) return `it names ${path}: ${message}`
  const told = (cause as NodeJS.ErrnoException | undefined)?.code
  return told === NAMES[fault.error!] ? null : `its cause is ${told}: ${message}`
}

/** The outcome of some work during a fault, and whether the fault happened. */
async function underFault(
  fault: Fault,
  folder: string,
  work: () => unknown,
): Promise<{ value?: unknown; error?: unknown; happened: boolean }> {
  watch(folder, log)
  fault.begin()
  const found = await outcome(work)
  off()
  const happened = readLog(log).some(({ done }) => done !== '')
  return { ...found, happened }
}

async function sweepWriter(writer: Writer): Promise<void> {
  const folder = folderFor(base, writer.name)
  const report = (fault: Fault | null, what: string) =>
    wrong.push(`${writer.name}${fault ? `, ${fault.title}` : ''}: ${what}`)
  await writer.write(folder, 1)
  await writer.write(folder, 2)
  const old = `${folder}-old`
  await writer.write(folder, 1)
  cpSync(folder, old, { recursive: true })
  watch(folder, log)
  await writer.write(folder, 2)
  off()
  const calls = readLog(log)
  if (writer.look(folder) !== 2) report(null, 'it writes something else')
  if (readdirSync(folder).sort().join() !== writer.names.join()) report(null, `it leaves ${readdirSync(folder)}`)
  const first = faults + 1
  for (const fault of faultsOf(calls, writer.slow && SHORT ? 1 : MOST)) {
    // The files before the save, the same every time.
    rmSync(folder, { recursive: true })
    cpSync(old, folder, { recursive: true })
    const before = descriptors()
    const { error, happened } = await underFault(fault, folder, () => writer.write(folder, 2))
    faults += happened ? 1 : 0
    missed += happened ? 0 : 1
    const told = error === undefined ? null : amiss(error, folder, fault)
    if (told !== null) report(fault, told)
    if (error !== undefined && (fault.error === EINTR || fault.error === null))
      report(fault, `not tried again: ${error}`)
    const there = await outcome(() => writer.look(folder))
    const expected = error === undefined ? [2] : writer.several ? [1, 2] : [1]
    if (!expected.includes(there.value as number))
      report(
        fault,
        `${there.error ?? `the save of ${there.value}`} is there, ${error === undefined ? 'without an error' : error}`,
      )
    // A file that cannot be removed stays until the next save.
    const left = readdirSync(folder).filter((name) => !writer.names.includes(name))
    if (left.length > 0 && !/^(unlink|rename)/.test(fault.name)) report(fault, `it leaves ${left}`)
    const open = await leftOpen(before)
    if (open !== 0) report(fault, `${open} descriptors stay open`)
    // A writer that is a process of its own keeps no state, so one try of the next save is enough.
    if (writer.slow && faults > first) continue
    const next = await outcome(() => writer.write(folder, 3))
    if (next.error !== undefined || writer.look(folder) !== 3)
      report(fault, `the next save: ${next.error ?? writer.look(folder)}`)
    const after = readdirSync(folder).filter((name) => !writer.names.includes(name))
    if (after.length > 0) {
      report(fault, `after the next save there is still ${after}`)
      for (const name of after) rmSync(join(folder, name), { recursive: true })
    }
  }
}

async function sweepReader(reader: Reader): Promise<void> {
  const folder = folderFor(base, reader.name)
  const report = (fault: Fault | null, what: string) =>
    wrong.push(`${reader.name}${fault ? `, ${fault.title}` : ''}: ${what}`)
  await reader.prepare(folder)
  const whole = await reader.read(folder)
  await reader.read(folder)
  watch(folder, log)
  await reader.read(folder)
  off()
  for (const fault of faultsOf(readLog(log))) {
    const before = descriptors()
    const { value, error, happened } = await underFault(fault, folder, () => reader.read(folder))
    faults += happened ? 1 : 0
    missed += happened ? 0 : 1
    const told = error === undefined ? null : amiss(error, folder, fault)
    if (told !== null) report(fault, told)
    if (error !== undefined && (fault.error === EINTR || fault.error === null))
      report(fault, `not tried again: ${error}`)
    if (error === undefined && value !== whole) report(fault, 'it reads something else')
    const open = await leftOpen(before)
    if (open !== 0) report(fault, `${open} descriptors stay open`)
    const next = await outcome(() => reader.read(folder))
    if (next.value !== whole) report(fault, `the next time: ${next.error ?? 'it reads something else'}`)
  }
}

async function main(): Promise<void> {
  const isWanted = ({ name }: { name: string }) => ONLY === undefined || name.includes(ONLY)
  for (const writer of writers.filter(isWanted)) await timed(writer.name, () => sweepWriter(writer))
  for (const reader of readers.filter(isWanted)) await timed(reader.name, () => sweepReader(reader))
  rmSync(base, { recursive: true })
  console.log(JSON.stringify({ faults, missed, wrong }))
}

async function timed(name: string, work: () => Promise<void>): Promise<void> {
  const [start, before] = [performance.now(), faults]
  // If the process crashes, the last scenario named is to blame.
  process.stderr.write(`${name}: `)
  const { error } = await outcome(work)
  if (error !== undefined) wrong.push(`${name}: ${error instanceof Error ? error.stack : error}`)
  off()
  process.stderr.write(`${faults - before} faults, ${((performance.now() - start) / 1000).toFixed(1)} s\n`)
}

void main()
