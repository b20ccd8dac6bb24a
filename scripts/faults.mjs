// Tests saves and reads under faults, kills and power cuts: npm run faults [-- --short] [--only=saveModel]
//
// For every writer and reader of the package, every system call is failed in turn (no room, a broken disk, too many
// open files, a signal, half of the bytes). Every writer is killed before each of its calls and at random moments.
// Then every disk is rebuilt that a power cut could leave. Each case must give an error that names the file, or
// finished work; leave the old file or the new one, whole, and nothing else; keep no descriptor open; and let the
// next save succeed. It needs x86-64 Linux, for the program in scripts/faults that intercepts the calls.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, root, run, runIfMain } from './process.mjs'

const CRATE = join(root, 'scripts/faults')
const TARGET = join(root, 'target/faults')
const SCRIPTS = join(root, 'dist/__test__/lifetime/faults')

/** Builds the program that intercepts the calls, and returns its path. */
function tool() {
  run([
    'cargo',
    'build',
    '--quiet',
    '--release',
    '--locked',
    '--manifest-path',
    join(CRATE, 'Cargo.toml'),
    '--target-dir',
    TARGET,
  ])
  return join(TARGET, 'release/tokenbed-faults')
}

export const isPossible = process.platform === 'linux' && process.arch === 'x64'

/** Runs everything, and counts the cases and the failures. */
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
  // Node uses one thread for asynchronous work, so that the order of calls is fixed.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' }
  const { status, stdout, error } = spawnSync(program, args, {
    cwd: root,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
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
