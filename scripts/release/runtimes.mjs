// Other versions of Node, Bun and Deno: their programs come from packages, unpacked in target/runtimes/. Nothing is
// installed.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, capture, root } from '../process.mjs'
import { npm } from './stage.mjs'

const folder = join(root, 'target/runtimes')
/** The maintained lines of Node, as in `engines` of package.json and in SECURITY.md. */
export const NODES = [20, 22, 24, 26]
/** The system's name in Node's packages. */
const SYSTEM = { linux: 'linux', darwin: 'darwin', win32: 'win' }[process.platform]
const EXE = process.platform === 'win32' ? '.exe' : ''

/** The newest Node of a line, for this system and a processor. */
export function node(line, arch = process.arch) {
  return { name: `Node ${line}`, kind: 'node', program: fetched(`node-${SYSTEM}-${arch}@${line}`, `bin/node${EXE}`) }
}

const OTHERS = {
  'linux-x64': { bun: ['@oven/bun-linux-x64', '@oven/bun-linux-x64-baseline'], deno: '@deno/linux-x64-glibc' },
  'linux-arm64': { bun: ['@oven/bun-linux-aarch64'], deno: '@deno/linux-arm64-glibc' },
  'darwin-x64': { bun: ['@oven/bun-darwin-x64'], deno: '@deno/darwin-x64' },
  'darwin-arm64': { bun: ['@oven/bun-darwin-aarch64'], deno: '@deno/darwin-arm64' },
  'win32-x64': { bun: ['@oven/bun-windows-x64'], deno: '@deno/win32-x64' },
}[`${process.platform}-${process.arch}`]

/** The Node that runs this script. */
export function thisNode() {
  const name = `Node ${process.versions.node}`
  return { name, get: () => ({ name, kind: 'node', program: process.execPath }) }
}

/**
 * Every supported runtime, by name, with a function that fetches it: all lines of Node, and Bun and Deno where they
 * exist.
 */
export function everyRuntime() {
  const nodes = NODES.map((line) => ({ name: `Node ${line}`, get: () => node(line) }))
  return OTHERS ? [...nodes, { name: 'Bun', get: bun }, { name: 'Deno', get: deno }] : nodes
}

export function bun() {
  return OTHERS && { name: 'Bun', kind: 'bun', program: fetched(OTHERS.bun[0], `bin/bun${EXE}`) }
}

export function deno() {
  return OTHERS && { name: 'Deno', kind: 'deno', program: fetched(OTHERS.deno, `deno${EXE}`) }
}

/** The features that Node and the binaries can do without: all that came after SSE2. */
const LATER = ['sse3', 'ssse3', 'sse4.1', 'sse4.2', 'popcnt', 'cx16', 'avx', 'avx2']

/**
 * A runtime for x64 on the oldest processor of that kind, which QEMU plays; `root` has the libraries of the program.
 */
export function withSse2Alone({ name, kind, program }, root = '/') {
  const found = ['qemu-x86_64', 'qemu-x86_64-static'].find((one) => capture(['sh', '-c', `command -v ${one}`]).ok)
  if (found === undefined)
    throw new Failure('QEMU is missing: apt-get install --no-install-recommends qemu-user-static')
  const qemu = capture(['sh', '-c', `command -v ${found}`]).stdout.trim()
  const cpu = ['qemu64', ...LATER.map((feature) => `-${feature}`)].join()
  return { name: `${name}, with SSE2 alone`, kind, program, prefix: [qemu, '-cpu', cpu, '-L', root] }
}

/** Checks that such a runtime uses none of the later features, and finds nothing wrong. */
export function plainDoctor(runtime, { code, stdout, stderr }) {
  const ok = code === 0 && /scalar in use, of scalar/.test(stdout) && /It works\.\n$/.test(stdout)
  if (!ok) console.log(stdout, stderr)
  return { name: `${runtime.name}: tokenbed doctor`, ok }
}

/** The path of a program in a package, which is fetched if it does not exist yet. */
export function fetched(spec, program) {
  const home = join(folder, spec.replace(/[/@]+/g, '-').replace(/^-/, ''))
  const path = join(home, program)
  if (existsSync(path)) return path
  console.error(`runtimes: ${spec}`)
  mkdirSync(folder, { recursive: true })
  const making = mkdtempSync(join(folder, 'making-'))
  try {
    npm(['pack', spec, '--loglevel', 'error', '--pack-destination', making])
    const [tarball] = readdirSync(making)
    const { ok, stderr } = capture(['tar', '-xzf', join(making, tarball), '-C', making])
    if (!ok) throw new Failure(`tar: ${stderr.trim()}`)
    if (!existsSync(join(making, 'package', program))) throw new Failure(`${spec} has no ${program}`)
    chmodSync(join(making, 'package', program), 0o755)
    rmSync(home, { recursive: true, force: true })
    renameSync(join(making, 'package'), home)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return path
}
