// Builds the binaries of other platforms than those of release:linux, and tests those that can run here:
// npm run release:platforms [-- [--no-build] [--no-test] [--specs] platform…]
//
//   linux-x64-musl, linux-arm64-musl, win32-x64-gnu, darwin-x64, darwin-arm64    all of them, unless some are named
//   --no-build    with the binaries that are in release/binaries/ already
//   --no-test     builds only
//   --specs       runs the specs of the clone, too, where Node for musl runs
//
// Those for musl run on musl and a real Node, on arm64 under QEMU; that for Windows in a real Node under Wine. Those
// for macOS cannot run here: their headers, symbols and libraries are looked at.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from '../build.mjs'
import { count, show } from '../checks.mjs'
import { Failure, root, runIfMain, tool } from '../process.mjs'
import { TARGETS, buildFor } from './cross.mjs'
import { failures } from './failures.mjs'
import { MUSL_NODES, muslNode, oldMuslNode } from './musl.mjs'
import { binaries, packAll, showGates } from './pack.mjs'
import { gates } from './gates.mjs'
import { serve } from './registry.mjs'
import { binaryName } from './stage.mjs'
import { plainDoctor } from './runtimes.mjs'
import { sameResults } from './test.mjs'
import { commands, install, moved, smokes, start, storm, writeSmokes } from './user.mjs'
import { wineNode } from './wine.mjs'

const FLAGS = ['--no-build', '--no-test', '--specs']

/** The runtimes that a platform's binary is tested on. */
function runtimesOf(platform) {
  if (platform.startsWith('win32')) return [20, 22, 24].map(wineNode)
  if (!platform.endsWith('musl')) return []
  return MUSL_NODES.map((version) => muslNode(version, platform.split('-')[1]))
}

/** Packs the packages of these platforms and looks at them; returns the results, and the tarballs. */
function packed(wanted, folder) {
  const found = wanted.map((platform) => ({ platform, binary: join(binaries, binaryName(platform)) }))
  const lacking = found.filter(({ binary }) => !existsSync(binary)).map(({ binary }) => binary)
  if (lacking.length > 0) throw new Failure(`there is no ${lacking.join(', ')}: leave out --no-build`)
  const [stage, packages] = ['stage', 'packages'].map((name) => join(folder, name))
  mkdirSync(stage)
  const { rootPackage, platformPackages } = packAll(found, stage, packages)
  const { passed, failed } = showGates(gates(rootPackage, platformPackages, { isPortable: true }))
  return { passed, failed, tarballs: readdirSync(packages).map((name) => join(packages, name)) }
}

/** Installs the package of a platform, as one would for another machine, and uses it on each runtime. */
async function testPlatform(platform, tarballs, folder) {
  const [system, arch, abi] = platform.split('-')
  const here = { name: `for ${platform}`, kind: 'node', program: process.execPath }
  const { address, close } = await serve(tarballs.filter((path) => /tokenbed-\d/.test(path) || path.includes(platform)))
  try {
    const flags = [`--registry=${address}`, '--prefer-online', `--cache=${join(folder, 'cache')}`]
    const its = [`--cpu=${arch}`, `--os=${system}`, ...(abi === 'musl' ? ['--libc=musl'] : [])]
    const installed = install(here, ['tokenbed'], folder, [...flags, ...its])
    const old = platform === 'linux-x64-musl' ? [oldMuslNode()] : []
    return [...runtimesOf(platform), ...old].flatMap((runtime) => {
      const home = join(folder, `${platform}-${runtime.name.replace(/\W+/g, '-')}`)
      cpSync(installed, home, { recursive: true })
      writeSmokes(home)
      const checks = old.includes(runtime) ? testOld(runtime, home) : testRuntime(runtime, home, platform)
      show(checks)
      return checks
    })
  } finally {
    await close()
  }
}

function testRuntime(runtime, home, platform) {
  const checks = [...smokes(runtime, home), ...commands(runtime, home), storm(runtime, home), moved(runtime, home)]
  if (platform.startsWith('win32')) return [...checks, ...windows(runtime, home)]
  return [...checks, alone(runtime, home), ...failures(runtime, home, platform)]
}

/** On a processor with SSE2 alone the same programs give the same bits, later. */
function testOld(runtime, home) {
  const doctor = start(runtime, home, ['node_modules/tokenbed/dist/cli/tokenbed.js', 'doctor'])
  return [...smokes(runtime, home), plainDoctor(runtime, doctor)]
}

/** Checks that the process has musl, and no part of glibc. */
function alone(runtime, home) {
  writeFileSync(
    join(home, 'alone.cjs'),
    "require('tokenbed')\nconst { sharedObjects } = process.report.getReport()\nconsole.log(sharedObjects.join(' '))\n",
  )
  const { stdout } = start(runtime, home, ['alone.cjs'])
  const ok =
    /tokenbed\.linux-\w+-musl\.node/.test(stdout) && /ld-musl-|libc\.musl-/.test(stdout) && !/libc\.so\.6/.test(stdout)
  if (!ok) console.log(stdout)
  return { name: `${runtime.name}: no other C library is loaded`, ok }
}

/** Checks files as Windows has them; both systems must print the same. */
function windows(runtime, home) {
  cpSync(join(import.meta.dirname, 'smoke/windows.mjs'), join(home, 'windows.mjs'))
  writeFileSync(join(home, 'crlf.txt'), 'one\r\ntwo\r\n')
  const wanted =
    '{"glove":true,"word2vec":true,"long":true,"saved":[3,4,5,6],"left":["x.npy","x.safetensors"],"crlf":[505,201,198,11545,201,198]}\n'
  const { code, stdout, stderr } = start(runtime, home, ['windows.mjs'])
  const ok = code === 0 && stdout === wanted
  if (!ok) console.log(`windows.mjs ended with ${code}: ${stdout}${stderr}`)
  return [{ name: `${runtime.name}: lines that end with CRLF, long paths, names that are not ASCII`, ok }]
}

/** Runs the specs of the clone on Node for musl: all of them on x64; those that start no process under QEMU. */
function specs(platform) {
  const { prefix, program, name } = muslNode(MUSL_NODES[0], platform.split('-')[1])
  const config = platform === 'linux-x64-musl' ? 'scripts/release/ava-musl.mjs' : 'scripts/release/ava-emulated.mjs'
  const [first, ...rest] = [...prefix, program, tool('ava', 'ava')[1], '--config', config]
  const env = { ...process.env, TOKENBED_BINARY: join(binaries, binaryName(platform)) }
  const { status } = spawnSync(first, rest, { cwd: root, env, stdio: 'inherit' })
  return { name: `${name}: specs`, ok: status === 0 }
}

async function main() {
  const args = process.argv.slice(2)
  const unknown = args.filter((name) => !(name in TARGETS) && !FLAGS.includes(name))
  if (unknown.length > 0)
    throw new Failure(`unknown: ${unknown.join(', ')}; the platforms are ${Object.keys(TARGETS).join(', ')}`)
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Failure('release:platforms is for Linux on x64')
  const named = args.filter((name) => name in TARGETS)
  const wanted = named.length > 0 ? named : Object.keys(TARGETS)
  if (!args.includes('--no-build')) for (const platform of wanted) buildFor(platform)
  if (args.includes('--no-test')) return
  if (process.env.TOKENBED_BUILT !== '1') build()
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-platforms-'))
  try {
    const { passed, failed, tarballs } = packed(wanted, folder)
    const checks = [{ name: `${passed} gates passed, ${failed} failed`, ok: failed === 0 }]
    for (const platform of wanted.filter((one) => !one.startsWith('darwin')))
      checks.push(...(await testPlatform(platform, tarballs, folder)))
    if (checks.some(({ result }) => result)) checks.push(sameResults(checks))
    if (args.includes('--specs')) checks.push(...wanted.filter((platform) => platform.endsWith('musl')).map(specs))
    show(checks)
    count(checks)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

await runIfMain(import.meta, main)
