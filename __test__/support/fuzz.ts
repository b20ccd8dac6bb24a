// Runs the fuzzer's processes, and prints how to repeat a run that failed.

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Bytes of address space, on systems that can limit it. */
const MOST_KILOBYTES = 8 * 2 ** 20
/** Milliseconds without a report of a new call after which a process counts as hanging. */
const SILENCE_MS = process.env.ASAN_OPTIONS ? 60_000 : 10_000

export interface Outcome {
  readonly ok: boolean
  /** The number of calls. */
  readonly count: number
  /** What was wrong, and during which call; empty if nothing was. */
  readonly report: string
  /** The last step. */
  readonly step: number
}

/** Runs dist/__test__/fuzz/run.js with these arguments in a fresh folder until it ends. */
export async function fuzz(...args: (string | number)[]): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-fuzz-'))
  try {
    return await inFolder(folder, args.map(String))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function inFolder(folder: string, args: string[]): Promise<Outcome> {
  const script = join(__dirname, '..', 'fuzz', 'run.js')
  const command = ['--expose-gc', '--max-old-space-size=512', '--no-deprecation', script, ...args, folder]
  // AddressSanitizer reserves more address space than any limit allows. Its own options limit allocations.
  const isLimited = process.platform === 'linux' && !process.env.ASAN_OPTIONS
  const env = { ...process.env, TOKENBED_FUZZ_LIMITED: process.env.TOKENBED_FUZZ_LIMITED ?? '0' }
  const child = isLimited
    ? spawn(
        '/bin/sh',
        ['-c', `ulimit -c 0; ulimit -v ${MOST_KILOBYTES}; exec "$0" "$@"`, process.execPath, ...command],
        { cwd: folder, env },
      )
    : spawn(process.execPath, command, { cwd: folder, env })
  let [out, wrong, hangs] = ['', '', false]
  child.stdout.on('data', (text: Buffer) => (out += String(text)))
  child.stderr.on('data', (text: Buffer) => (wrong = (wrong + String(text)).slice(-20_000)))
  let [last, since] = ['', Date.now()]
  const watch = setInterval(() => {
    const now = diaryOf(folder)
    if (now !== last) [last, since] = [now, Date.now()]
    else if (Date.now() - since > SILENCE_MS) {
      hangs = true
      child.kill('SIGKILL')
    }
  }, 500)
  const how = await new Promise<string | number | null>((resolve) =>
    child.on('close', (code, signal) => resolve(signal ?? code)),
  )
  clearInterval(watch)
  const diary = diaryOf(folder)
  const step = Number.parseInt(diary) || 0
  if (how === 0)
    return {
      ok: true,
      count:
        (JSON.parse(out) as { calls?: number; steps?: number }).calls ?? (JSON.parse(out) as { steps: number }).steps,
      report: '',
      step,
    }
  const why = hangs ? 'it hangs' : `it ended with ${how}`
  return { ok: false, count: 0, report: `${args.join(' ')}: ${why}, at step ${diary}\n${wrong}`, step }
}

function diaryOf(folder: string): string {
  try {
    return readFileSync(join(folder, 'diary'), 'utf8').trim()
  } catch {
    return ''
  }
}

/** Shortens a failing run by leaving out steps at the beginning, and returns the command that repeats it. */
export async function shortened(seed: number, step: number): Promise<string> {
  for (let steps = 1; steps < step; steps *= 4) {
    const from = step - steps + 1
    const { ok } = await fuzz('random', seed, from, step + 1, 120)
    if (!ok) return `node scripts/fuzz-api.mjs --seed ${seed} --from ${from} --steps ${steps}`
  }
  return `node scripts/fuzz-api.mjs --seed ${seed} --steps ${step + 1}`
}
