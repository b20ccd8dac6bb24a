// Runs other programs, for the scripts beside this file.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** The command to type if Node or Rust is missing or too old. The script installs both. */
export const SETUP = `sh scripts/setup && npm install && npm run ${process.env.npm_lifecycle_event ?? 'demo'}`

requireNode()

/** The project's root, in which every program is run, whatever the current folder is. */
export const root = join(import.meta.dirname, '..')

/** Cargo for a release build of the addon, where scripts can be run by their name. */
export const addonCargo = join(root, 'scripts/addon-cargo')

/** An error that the user can fix. The message says everything, and no stack is shown. */
export class Failure extends Error {}

/** Ends the program on a Node that is too old, before it fails with an unclear message. */
function requireNode() {
  const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const [, major, minor] = /(\d+)\.(\d+)/.exec(engines.node).map(Number)
  const [hasMajor, hasMinor] = process.versions.node.split('.').map(Number)
  if (hasMajor > major || (hasMajor === major && hasMinor >= minor)) return
  console.error(
    `\nNode ${process.versions.node} is too old: ${major}.${minor} or later is needed. This installs it:\n\n    ${SETUP}`,
  )
  process.exit(1)
}

/** Throws if there is no Rust, or one that is too old. */
export function requireRust() {
  addCargoToPath()
  const wanted = /^rust-version = "(.*?)"/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'))[1]
  const found = versionOf('rustc')
  if (found !== null && versionOf('cargo') !== null && !isOlder(found, wanted)) return
  const what = found === null ? 'Rust is missing' : `Rust ${found} is too old`
  throw new Failure(
    `${what}: the addon is compiled from Rust source, which needs ${wanted} or later. This installs it:\n\n    ${SETUP}`,
  )
}

/** Adds rustup's folder to the path, which shells that were open before the installation do not search. */
function addCargoToPath() {
  const folder = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'bin')
  const path = process.env.PATH ?? ''
  if (existsSync(folder) && !path.split(delimiter).includes(folder)) process.env.PATH = `${path}${delimiter}${folder}`
}

function versionOf(program) {
  const { stdout } = spawnSync(program, ['--version'], { cwd: root, encoding: 'utf8' })
  return /\d+\.\d+\.\d+/.exec(stdout ?? '')?.[0] ?? null
}

function isOlder(found, wanted) {
  const [a, b] = [found, wanted].map((version) => version.split('.').map(Number))
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1])
}

/** The last line of a script: runs `main` if the module is the program itself, and turns a Failure into exit code 1. */
export async function runIfMain(meta, main) {
  if (realpathSync(process.argv[1]) !== meta.filename) return
  try {
    await main()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    console.error(`\n${error.message}`)
    process.exitCode = 1
  }
}

/** The arguments that make Node run a program of a development dependency. */
export function tool(packageName, program) {
  const folder = join(root, 'node_modules', packageName)
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return [process.execPath, join(folder, bin[program])]
}

/**
 * Runs a program and waits for its end. All its output goes to stderr, because stdout belongs to the caller of the
 * build.
 */
export function run([program, ...args]) {
  const { error, status, signal } = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: needsShell(program),
  })
  if (error) throw new Failure(`${program} cannot be run: ${error.message}`)
  if (status !== 0) throw new Failure(`failed (${signal ?? `exit code ${status}`}): ${[program, ...args].join(' ')}`)
}

/** Runs a program, waits for its end, and returns its output. */
export function capture([program, ...args], { cwd = root, env = process.env } = {}) {
  const options = { cwd, env, encoding: 'utf8', maxBuffer: 1 << 28, shell: needsShell(program) }
  const { error, status, stdout, stderr } = spawnSync(program, args, options)
  if (error) throw new Failure(`${program} cannot be run: ${error.message}`)
  return { ok: status === 0, stdout, stderr }
}

/** Runs a program, shows its output as it comes, and returns it. */
export function stream([program, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], shell: needsShell(program) })
    let output = ''
    const show = (chunk) => {
      output += chunk
      process.stdout.write(chunk)
    }
    child.stdout.setEncoding('utf8').on('data', show)
    child.stderr.setEncoding('utf8').on('data', show)
    child.on('error', (error) => resolve({ ok: false, output: `${output}${error.message}\n` }))
    child.on('close', (status) => resolve({ ok: status === 0, output }))
  })
}

/** Whether a program needs a shell: npm is a command file on Windows. */
function needsShell(program) {
  return process.platform === 'win32' && program === 'npm'
}
