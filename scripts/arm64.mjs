// Runs cargo for arm64 Linux on any Linux machine: node scripts/arm64.mjs [cargo's arguments]
//
// Without arguments it runs the tests of the kernels, which tests the NEON code on machines that are not arm64: cargo
// runs programs under QEMU. Rust's standard library for arm64 comes from rustup (`rustup target add
// aarch64-unknown-linux-gnu`). If that is not available, Debian's is used with its own compiler, both unpacked in
// target/arm64/ without installing anything. The user installs the C compiler, which links, and QEMU.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, capture, root, runIfMain } from './process.mjs'

export const target = 'aarch64-unknown-linux-gnu'
const folder = join(root, 'target/arm64')
const unpacked = join(folder, 'root')
const bin = join(folder, 'bin')

/** The environment for a cargo that is called with `--target aarch64-unknown-linux-gnu`. */
export function environment() {
  if (process.platform !== 'linux')
    throw new Failure('arm64.mjs: this is for Linux; elsewhere the addon is built where it runs')
  if (process.arch === 'arm64') return {}
  const name = `CARGO_TARGET_${target.toUpperCase().replaceAll('-', '_')}`
  return {
    [`${name}_LINKER`]: process.env[`${name}_LINKER`] ?? needed('aarch64-linux-gnu-gcc'),
    [`${name}_RUNNER`]: process.env[`${name}_RUNNER`] ?? `${emulator()} -L /usr/aarch64-linux-gnu`,
    ...(hasStd() ? {} : debianRust()),
  }
}

/** Runs cargo and waits for its end. */
export function cargo(args) {
  const env = { ...process.env, ...environment() }
  const [command, ...rest] = args
  const { error, status } = spawnSync('cargo', [command, '--target', target, ...rest], {
    cwd: root,
    env,
    stdio: 'inherit',
  })
  if (error) throw new Failure(`cargo cannot be run: ${error.message}`)
  if (status !== 0) throw new Failure(`failed: cargo ${command} --target ${target} ${rest.join(' ')}`)
}

function isThere(program) {
  return capture(['sh', '-c', `command -v ${program}`]).ok
}

function needed(program) {
  if (isThere(program)) return program
  const packages = 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static'
  throw new Failure(
    `${program} is missing. On Debian and Ubuntu:\n\n    apt-get install --no-install-recommends ${packages}`,
  )
}

function emulator() {
  return isThere('qemu-aarch64') ? 'qemu-aarch64' : needed('qemu-aarch64-static')
}

/** Whether cargo's compiler has the standard library for arm64. */
function hasStd() {
  const { ok, stdout } = capture(['rustc', '--print', 'target-libdir', '--target', target])
  return ok && existsSync(stdout.trim()) && readdirSync(stdout.trim()).some((file) => file.startsWith('libstd-'))
}

/** Debian's compiler, which is put together if it does not exist yet. What it builds has a folder of its own. */
function debianRust() {
  if (!existsSync(bin)) unpackDebianRust()
  return { RUSTC: join(bin, 'rustc'), RUSTDOC: join(bin, 'rustdoc'), CARGO_TARGET_DIR: join(folder, 'build') }
}

function unpackDebianRust() {
  if (!isThere('apt-get') || !isThere('dpkg-deb')) {
    throw new Failure(`Rust's standard library for arm64 is missing:\n\n    rustup target add ${target}`)
  }
  rmSync(folder, { recursive: true, force: true })
  const apt = foreignApt()
  for (const name of packages(apt)) {
    console.error(`arm64: ${name}`)
    apt('apt-get', 'download', name)
  }
  for (const file of readdirSync(folder).filter((file) => file.endsWith('.deb'))) {
    must(['dpkg-deb', '-x', join(folder, file), unpacked])
    rmSync(join(folder, file))
  }
  rmSync(join(folder, 'apt'), { recursive: true })
  const making = `${bin}.making`
  mkdirSync(making)
  for (const program of ['rustc', 'rustdoc']) {
    const script = `#!/bin/sh
LD_LIBRARY_PATH='${unpacked}/usr/lib/x86_64-linux-gnu' exec '${unpacked}/usr/bin/${program}' --sysroot '${unpacked}/usr' "$@"
`
    writeFileSync(join(making, program), script, { mode: 0o755 })
    must([join(making, program), '--version'])
  }
  renameSync(making, bin)
}

/** The machine's apt sources with arm64 added, in a separate state, so that the machine's own is not changed. */
function foreignApt() {
  const state = join(folder, 'apt')
  for (const each of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(state, each), { recursive: true })
  writeFileSync(join(state, 'status'), '')
  const config = join(state, 'apt.conf')
  writeFileSync(
    config,
    `Dir::State "${state}";
Dir::Cache "${state}/cache";
Dir::State::status "${state}/status";
APT::Architecture "amd64";
APT::Architectures {"amd64";"arm64";};
APT::Sandbox::User "";
`,
  )
  const apt = (program, ...args) => must([program, '-c', config, '-qq', ...args], folder)
  console.error('arm64: lists of packages')
  apt('apt-get', 'update')
  return apt
}

/** The packages of the compiler, its libraries, and the standard library for both architectures, all of one version. */
function packages(apt) {
  const dependsOn = (name, pattern) => {
    const found = pattern.exec(/^Depends: (.*)$/m.exec(apt('apt-cache', 'show', '--no-all-versions', name))?.[1] ?? '')
    if (!found) throw new Failure(`${name} of this Debian is not as expected: nothing it depends on is ${pattern}`)
    return found[0]
  }
  const std = dependsOn('libstd-rust-web-dev', /libstd-rust-web-[\d.]+/)
  const llvm = dependsOn(std, /libllvm\d+/)
  return ['rustc-web:amd64', `${std}:amd64`, `${llvm}:amd64`, 'libstd-rust-web-dev:amd64', 'libstd-rust-web-dev:arm64']
}

function must(command, cwd = root) {
  const { ok, stdout, stderr } = capture(command, { cwd })
  if (!ok) throw new Failure(`failed: ${command.join(' ')}\n${stderr}`)
  return stdout
}

await runIfMain(import.meta, () => {
  const args = process.argv.slice(2)
  cargo(args.length > 0 ? args : ['test', '-p', 'tokenbed-kernels'])
})
