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
