// Saves and reads under faults, kills and power cuts: npm run faults [-- --short] [--only=saveModel]
//
// Every writer and reader of the package, with every call to the system failed in turn (no room, a broken disk, too many open
// files, a signal, half of the bytes), then every writer killed before each of its calls and at random moments, then every
// disk that a power cut could leave. What is promised: an error that names the file, or the work done; the old file or the
// new one, whole; nothing left beside; no descriptor left open; the next save works. On x86-64 Linux: the program that sees
// the calls is in scripts/faults.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, root, run, runIfMain } from './process.mjs'

const CRATE = join(root, 'scripts/faults')
const TARGET = join(root, 'target/faults')
const SCRIPTS = join(root, 'dist/__test__/lifetime/faults')

/** The program that sees the calls, built. */
function tool() {
  run(['cargo', 'build', '--quiet', '--release', '--locked', '--manifest-path', join(CRATE, 'Cargo.toml'), '--target-dir', TARGET])
  return join(TARGET, 'release/tokenbed-faults')
}

export const isPossible = process.platform === 'linux' && process.arch === 'x64'

/** Runs it all, and counts what was tried and what did not hold. */
export function faults(args) {
  if (!isPossible) throw new Failure('faults are made on x86-64 Linux alone')
  const program = tool()
  if (!existsSync(join(SCRIPTS, 'sweep.js'))) throw new Failure('nothing is built: npm run build')
  const results = [
    ['faults', [program, process.execPath, join(SCRIPTS, 'sweep.js')]],
    ['kills', [process.execPath, join(SCRIPTS, 'kills.js'), program]],
    ['disks', [program, process.execPath, join(SCRIPTS, 'power.js')]],
  ].map(([what, command]) => resultOf(what, [...command, ...args]))
  const wrong = results.flatMap((result) => result.wrong)
  return { passed: results.reduce((sum, { count }) => sum + count, 0), failed: wrong.length, names: wrong }
}

function resultOf(what, [program, ...args]) {
  console.log(`${what}:`)
  // One thread of Node's does what is asynchronous, so that calls come in one order.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' }
  const { status, stdout, error } = spawnSync(program, args, { cwd: root, env, encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'inherit'] })
  if (error) throw new Failure(`${program} cannot be run: ${error.message}`)
  if (status !== 0) return { count: 0, wrong: [`${what}: the process ended with ${status}, in what was named last`] }
  const found = JSON.parse(stdout.trim().split('\n').at(-1))
  console.log(`${found[what]} ${what}, ${found.wrong.length} that did not hold`)
  if (found[what] === 0) found.wrong.push(`${what}: nothing was tried`)
  return { count: found[what], wrong: found.wrong }
}

await runIfMain(import.meta, () => {
  const { names } = faults(process.argv.slice(2))
  for (const name of names) console.log(`FAIL ${name}`)
  if (names.length > 0) throw new Failure(`${names.length} did not hold`)
})
