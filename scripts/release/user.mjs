// Uses the packages as their users do: each runtime has them installed in an empty folder, without a compiler.
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Failure, capture } from '../process.mjs'

const NAMES = [
  'createDataLoader',
  'Embedding',
  'EmbeddingBag',
  'loadSafetensors',
  'manualSeed',
  'quantize',
  'randn',
  'saveSafetensors',
  'selfTest',
  'TokenIndexError',
  'Tokenizer',
  'TokenPositionEmbedding',
]
const NODES_OWN = {
  'node:crypto': ['createHash'],
  'node:events': ['once'],
  'node:fs': ['mkdtempSync'],
  'node:os': ['tmpdir'],
  'node:path': ['join'],
  'node:worker_threads': ['Worker'],
}
const LIMIT = 13e6

/**
 * Installs packages in an empty folder with npm on `runtime`, and returns the folder. Tarballs are installed without
 * a network, unless flags say otherwise.
 */
export function install(runtime, tarballs, folder, flags = []) {
  const home = join(folder, `home-${runtime.name.replace(/\W/g, '-').toLowerCase()}`)
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, 'package.json'), '{ "private": true, "type": "module" }')
  const args = [
    npmProgram(),
    'install',
    ...(flags.length > 0 ? flags : ['--offline']),
    '--no-audit',
    '--no-fund',
    '--loglevel',
    'error',
    ...tarballs,
  ]
  const { status, stderr } = spawnSync(runtime.kind === 'node' ? runtime.program : process.execPath, args, {
    cwd: home,
    encoding: 'utf8',
    env: bare(runtime, home),
  })
  if (status !== 0) throw new Failure(`npm install with ${runtime.name}: ${stderr}`)
  return home
}

/** npm itself, as a program that any Node can run. */
export function npmProgram() {
  const { npm_execpath: path } = process.env
  if (path && /npm-cli\.c?js$/.test(path)) return path
  const { stdout } = capture(process.platform === 'win32' ? ['where', 'npm'] : ['sh', '-c', 'command -v npm'])
  const found = realpathSync(stdout.split('\n')[0].trim())
  return /\.c?js$/.test(found) ? found : join(dirname(found), 'node_modules/npm/bin/npm-cli.js')
}

/**
 * An environment without compilers: the path has only `node`, which is this runtime if it is a Node, and there are no
 * settings of Rust or of ours.
 */
function bare(runtime, home) {
  const keep = Object.entries(process.env).filter(
    ([name]) => !/^(CARGO|RUST|CC$|CXX$|PATH$|TOKENBED_|NODE_OPTIONS|npm_)/i.test(name),
  )
  const path = join(home, 'path')
  const node = join(path, 'node')
  if (process.platform !== 'win32' && !existsSync(node)) {
    mkdirSync(path, { recursive: true })
    // A program of another system, such as one in Wine, is nothing that this system could start.
    symlinkSync(runtime.kind === 'node' && existsSync(runtime.program) ? runtime.program : process.execPath, node)
  }
  return { ...Object.fromEntries(keep), PATH: path }
}

const IMPORTED = (each) =>
  [['tokenbed', NAMES], ...Object.entries(NODES_OWN)]
    .map(([from, names]) => each(`{ ${names.join(', ')} }`, from))
    .join('\n')

/** Writes the smoke programs into `home`: for import, for require, and for TypeScript, both directly and compiled. */
export function writeSmokes(home) {
  const body = readFileSync(join(import.meta.dirname, 'smoke/body.js'), 'utf8')
  const esm = `${IMPORTED((names, from) => `import ${names} from '${from}'`)}\nconst [WORKER, BASE] = ['./worker.mjs', import.meta.url]\n`
  const cjs = `${IMPORTED((names, from) => `const ${names} = require('${from}')`)}\nconst [WORKER, BASE] = ['./worker.mjs', require('node:url').pathToFileURL(__filename)]\n`
  writeFileSync(join(home, 'smoke.mjs'), `${esm}${body}`)
  writeFileSync(join(home, 'smoke.cjs'), `${cjs};(async () => {\n${body}\n})()\n`)
  const typed = body
    .replace('const batches = []', 'const batches: string[] = []')
    .replace('(array) =>', '(array: ArrayBufferView) =>')
    .replace('let refused\n', 'let refused: object | undefined\n')
    .replace('catch (error) {', 'catch (error: any) {')
  writeFileSync(join(home, 'smoke.ts'), `${esm}${typed}`)
  // It is imported here, because the tests have to install it first.
  const typescript = createRequire(import.meta.url)('typescript')
  const { outputText } = typescript.transpileModule(`${esm}${typed}`, {
    compilerOptions: { module: 'esnext', target: 'es2022' },
  })
  writeFileSync(join(home, 'smoke-compiled.mjs'), outputText)
  writeFileSync(join(home, 'vectors.txt'), '3 2\na 1 0\nb 1 1\nc 0 2\n')
  for (const file of ['worker.mjs', 'storm.mjs', 'moved.mjs'])
    cpSync(join(import.meta.dirname, 'smoke', file), join(home, file))
}

/** Runs a program in `home` with a runtime, and returns how it ended. */
export function start(runtime, home, args, { env = {}, flags = [] } = {}) {
  const before = { node: flags, bun: flags, deno: ['run', '--allow-all', '--quiet', ...flags] }[runtime.kind]
  const [program, ...prefix] = runtime.prefix ? [...runtime.prefix, runtime.program] : [runtime.program]
  const { status, signal, stdout, stderr } = spawnSync(program, [...prefix, ...before, ...args], {
    cwd: home,
    encoding: 'utf8',
    env: { ...bare(runtime, home), ...env },
  })
  return { code: status ?? signal, stdout, stderr }
}

/** Whether this runtime runs TypeScript directly. */
function runsTypes({ kind, program, prefix = [] }) {
  if (kind !== 'node') return true
  const [major, minor] = capture([...prefix, program, '-p', 'process.versions.node'])
    .stdout.split('.')
    .map(Number)
  return major > 22 || (major === 22 && minor >= 18)
}

/** A check for each smoke program, and what they printed. */
export function smokes(runtime, home) {
  const files = ['smoke.mjs', 'smoke.cjs', runsTypes(runtime) ? 'smoke.ts' : 'smoke-compiled.mjs']
  return files.map((file) => {
    const { code, stdout, stderr } = start(runtime, home, [file])
    const result = code === 0 ? JSON.parse(stdout) : undefined
    const isRight =
      result?.async &&
      result.saved &&
      result.wrongKernels === 0 &&
      result.tokens.join() === '15496,11,995,0' &&
      result.refused.known
    // Node's warning that a feature is experimental is not hidden.
    if (!isRight) console.log(`${file} ended with ${code}: ${stdout}${stderr}`)
    return { name: `${runtime.name}: ${file}`, ok: isRight === true, result }
  })
}

/** Checks that a hundred workers, and the process itself, can be ended at any moment without any output. */
export function storm(runtime, home) {
  const { code, stdout, stderr } = start(runtime, home, ['storm.mjs'])
  const ok = code === 0 && stdout === '100\n' && stderr === ''
  if (!ok) console.log(`storm.mjs ended with ${code}: ${stdout}${stderr}`)
  return { name: `${runtime.name}: a hundred workers ended with work pending`, ok }
}

/**
 * Checks that memory which a worker moved to another thread outlives the worker, and that other memory goes with it.
 */
export function moved(runtime, home) {
  const { code, stdout, stderr } = start(runtime, home, ['moved.mjs'])
  const ok = code === 0 && stdout === 'whole\n' && stderr === ''
  if (!ok) console.log(`moved.mjs ended with ${code}: ${stdout}${stderr}`)
  return { name: `${runtime.name}: memory moved out of a worker outlives it`, ok }
}

/** Checks that the command works where it is installed. */
export function commands(runtime, home) {
  const program = join(home, 'node_modules/tokenbed/dist/cli/tokenbed.js')
  return [
    { args: ['--version'], prints: /^\d+\.\d+\.\d+\n$/ },
    { args: ['tokens', 'Hello, world!', '--ids'], prints: /^15496\n11\n995\n0\n$/ },
    { args: ['embed', 'smoke.mjs', '--dim', '4', '--json', '--out', 'x.npy'], prints: /"shape":\[\d+,256,4\]/ },
    { args: ['plot', 'vectors.txt', '--json', '--out', 'x.svg'], prints: /"labelled":true/ },
    { args: ['doctor'], prints: /this platform's own package;[^]*It works\.\n$/ },
  ].map(({ args, prints }) => {
    const { code, stdout, stderr } = start(runtime, home, [program, ...args])
    const ok = code === 0 && prints.test(stdout)
    if (!ok) console.log(`${code}: ${stdout}${stderr}`)
    return { name: `${runtime.name}: tokenbed ${args.join(' ')}`, ok }
  })
}

/** Checks that the program which npm linked starts. */
export function linked(home) {
  const program = join(home, 'node_modules/.bin', process.platform === 'win32' ? 'tokenbed.cmd' : 'tokenbed')
  const { status, stdout } = spawnSync(program, ['--version'], {
    cwd: home,
    encoding: 'utf8',
    env: process.env,
    shell: process.platform === 'win32',
  })
  return { name: 'installed: the link of the command', ok: status === 0 && /^\d+\.\d+\.\d+\n$/.test(stdout) }
}

/**
 * Disk space of an installation: the packages of one platform with all their dependencies. A binary that was built
 * with another profile than Cargo.toml's, which developers set to build faster, is larger, and not judged.
 */
export function installedSize(home) {
  const size = (path) =>
    lstatSync(path).isDirectory()
      ? readdirSync(path).reduce((sum, name) => sum + size(join(path, name)), 0)
      : lstatSync(path).size
  const modules = join(home, 'node_modules')
  const whole = size(modules)
  const binary = readdirSync(modules)
    .filter((name) => /^tokenbed-/.test(name))
    .reduce((sum, name) => sum + size(join(modules, name)), 0)
  const isJudged = !Object.keys(process.env).some((name) => name.startsWith('CARGO_PROFILE_RELEASE_'))
  if (whole > LIMIT) console.log(`installed: ${whole} bytes, more than ${LIMIT}`)
  const shown = `${megabytes(whole)} MB with what it depends on, of which the binary${isJudged ? '' : ', of another profile,'} ${megabytes(binary)} MB`
  return { name: `installed size: ${shown}`, ok: whole <= LIMIT || !isJudged }
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(2)
