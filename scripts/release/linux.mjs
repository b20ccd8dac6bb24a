// Builds the binaries for Linux with glibc, on x64 and arm64, packs them, and runs what this machine can run:
// npm run release:linux
//
//   -- --no-build    with the binaries that are in release/binaries/ already
//
// Both are linked against glibc 2.17 (toolchain.mjs). The arm64 one is tested under QEMU: the kernels' own tests, a
// real Node with the installed package, and specs. The results of its kernels and programs must be those of x64, to
// the bit.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cargo, environment, target as ARM64 } from '../arm64.mjs'
import { build } from '../build.mjs'
import { count, show } from '../checks.mjs'
import { Failure, addonCargo, capture, root, run, runIfMain, tool } from '../process.mjs'
import { binaries, packages } from './pack.mjs'
import { serve } from './registry.mjs'
import { node, plainDoctor, withSse2Alone } from './runtimes.mjs'
import { binaryName } from './stage.mjs'
import { sameResults } from './test.mjs'
import { linker } from './toolchain.mjs'
import { install, installedSize, smokes, start, writeSmokes } from './user.mjs'

const X64 = 'x86_64-unknown-linux-gnu'
const TARGET_DIR = join(root, 'target/release-linux')
const DOCTOR = ['node_modules/tokenbed/dist/cli/tokenbed.js', 'doctor']
const LIBRARY = 'release/libtokenbed_node.so'

function buildBoth() {
  // The profile is that of Cargo.toml, whatever developers set for themselves.
  for (const name of Object.keys(process.env)) if (/^CARGO_PROFILE_|^RUSTFLAGS$/.test(name)) delete process.env[name]
  mkdirSync(binaries, { recursive: true })
  process.env.CARGO_TARGET_DIR = TARGET_DIR
  process.env.CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER = linker('x64')
  console.error('release: linux-x64-gnu')
  run([addonCargo, 'build', '--release', '--locked', '--target', X64, '--package', 'tokenbed-node'])
  copyFileSync(join(TARGET_DIR, X64, LIBRARY), join(binaries, binaryName('linux-x64-gnu')))
  console.error('release: linux-arm64-gnu')
  withLinker(linker('arm64'), () => cargo(['build', '--release', '--locked', '--package', 'tokenbed-node'], addonCargo))
  copyFileSync(
    join(environment().CARGO_TARGET_DIR ?? TARGET_DIR, ARM64, LIBRARY),
    join(binaries, binaryName('linux-arm64-gnu')),
  )
}

/**
 * The old toolchain links the published binary. Tests on this machine use the machine's own toolchain and its newer
 * libraries.
 */
function withLinker(path, work) {
  const name = `CARGO_TARGET_${ARM64.toUpperCase().replaceAll('-', '_')}_LINKER`
  process.env[name] = path
  try {
    work()
  } finally {
    delete process.env[name]
  }
}

/** A real Node for arm64, under QEMU. */
function emulated() {
  const found = ['qemu-aarch64', 'qemu-aarch64-static'].find((name) => capture(['sh', '-c', `command -v ${name}`]).ok)
  if (found === undefined)
    throw new Failure(
      'QEMU is missing: apt-get install --no-install-recommends qemu-user-static libstdc++6-arm64-cross',
    )
  const qemu = capture(['sh', '-c', `command -v ${found}`]).stdout.trim()
  return { ...node(20, 'arm64'), name: 'Node 20 on arm64', prefix: [qemu, '-L', '/usr/aarch64-linux-gnu'] }
}

/**
 * Installs the package from a registry for arm64, as one would for another machine, and compares its smoke run with
 * that of x64.
 */
async function testInstalled() {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-arm64-'))
  const { address, close } = await serve(readdirSync(packages).map((name) => join(packages, name)))
  try {
    const here = { name: `Node ${process.versions.node}`, kind: 'node', program: process.execPath }
    const arm64 = emulated()
    const from = (flags, name) =>
      install(here, ['tokenbed'], join(folder, name), [
        `--registry=${address}`,
        '--prefer-online',
        `--cache=${join(folder, 'cache')}`,
        ...flags,
      ])
    const homes = [
      [here, from([], 'x64')],
      [arm64, from(['--cpu=arm64', '--os=linux', '--libc=glibc'], 'arm64')],
    ]
    const checks = homes.flatMap(([runtime, home]) => {
      const { name, ok } = installedSize(home)
      writeSmokes(home)
      return [{ name: `${runtime.name}: ${name}`, ok }, ...smokes(runtime, home)]
    })
    const old = withSse2Alone(here)
    checks.push(...smokes(old, homes[0][1]))
    const [doctor, plain] = [start(arm64, homes[1][1], DOCTOR), start(old, homes[0][1], DOCTOR)]
    console.log(doctor.stdout || doctor.stderr)
    return [
      ...checks,
      plainDoctor(old, plain),
      { name: 'Node 20 on arm64: tokenbed doctor', ok: doctor.code === 0 && /neon in use/.test(doctor.stdout) },
      { ...sameResults(checks), name: 'x64 and arm64 give the same bits' },
    ]
  } finally {
    await close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Loads both binaries with the toolchains' glibc, the oldest that they support. */
function testOldest() {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-glibc-'))
  try {
    return ['x64', 'arm64'].map((arch) => {
      const sysroot = capture([linker(arch), '-print-sysroot']).stdout.trim()
      const [libraries, program] = [join(sysroot, 'lib'), join(folder, arch)]
      const compiled = capture([linker(arch), join(root, 'scripts/release/load.c'), '-o', program, '-ldl'])
      const loader = readdirSync(libraries).find((name) => /^ld-2\.\d+\.so$/.test(name))
      const started =
        arch === process.arch
          ? [join(libraries, loader), '--library-path', `${libraries}:${sysroot}/lib64`]
          : [emulated().prefix[0], '-L', sysroot]
      const { ok, stdout, stderr } = capture([...started, program, join(binaries, binaryName(`linux-${arch}-gnu`))])
      if (!ok) console.log(compiled.stderr, stdout, stderr)
      return { name: `linux-${arch}-gnu loads on glibc ${stdout.trim()}`, ok: ok && stdout.trim() === '2.17' }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs specs of the clone with the arm64 binary. */
function testSpecs() {
  const { prefix, program, name } = emulated()
  const env = { ...process.env, TOKENBED_BINARY: join(binaries, binaryName('linux-arm64-gnu')) }
  const [, ava] = tool('ava', 'ava')
  const [first, ...rest] = [...prefix, program, ava, '--config', 'scripts/release/ava-emulated.mjs']
  const { status } = spawnSync(first, rest, { cwd: root, env, stdio: 'inherit' })
  return [{ name: `${name}: specs`, ok: status === 0 }]
}

async function main() {
  if (process.env.TOKENBED_BUILT !== '1') build()
  process.env.TOKENBED_BUILT = '1'
  if (!process.argv.includes('--no-build')) buildBoth()
  run([process.execPath, join(root, 'scripts/release/pack.mjs')])
  const checks = [...testOldest(), ...(await testInstalled()), ...testSpecs()]
  try {
    console.error("release: the kernels' tests on arm64")
    cargo(['test', '--package', 'tokenbed-kernels'])
    checks.push({ name: "the kernels' tests on arm64", ok: true })
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    checks.push({ name: "the kernels' tests on arm64", ok: false })
  }
  show(checks)
  count(checks)
}

await runIfMain(import.meta, main)
