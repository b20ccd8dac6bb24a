// Runs cargo for arm64 Linux on any Linux machine: node scripts/arm64.mjs [cargo's arguments]
//
// Without arguments it runs the tests of the kernels, which tests the NEON code on machines that are not arm64: cargo
// runs programs under QEMU. Rust's standard library for arm64 comes from rustup (`rustup target add
// aarch64-unknown-linux-gnu`). If that is not available, Debian's is used with its own compiler, both unpacked in
// target/arm64/ without installing anything. The user installs the C compiler, which links, and QEMU.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { debianRust, isDebian } from './debian.mjs'
import { Failure, capture, root, runIfMain } from './process.mjs'

export const target = 'aarch64-unknown-linux-gnu'

/** The environment for a cargo that is called with `--target aarch64-unknown-linux-gnu`. */
export function environment() {
  if (process.platform !== 'linux')
    throw new Failure('arm64.mjs: this is for Linux; elsewhere the addon is built where it runs')
  if (process.arch === 'arm64') return {}
  const name = `CARGO_TARGET_${target.toUpperCase().replaceAll('-', '_')}`
  return {
    [`${name}_LINKER`]: process.env[`${name}_LINKER`] ?? needed('aarch64-linux-gnu-gcc'),
    [`${name}_RUNNER`]: process.env[`${name}_RUNNER`] ?? `${emulator()} -L /usr/aarch64-linux-gnu`,
    ...(hasStd(target) ? {} : unpackedRust()),
  }
}

/** Runs cargo, or a program that takes its arguments, and waits for its end. */
export function cargo(args, program = 'cargo') {
  const env = { ...process.env, ...environment() }
  const [command, ...rest] = args
  const { error, status } = spawnSync(program, [command, '--target', target, ...rest], {
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

/** Whether cargo's compiler has the standard library for a target. */
export function hasStd(triple) {
  const { ok, stdout } = capture(['rustc', '--print', 'target-libdir', '--target', triple])
  return ok && existsSync(stdout.trim()) && readdirSync(stdout.trim()).some((file) => file.startsWith('libstd-'))
}

/** Debian's compiler. What it builds has a folder of its own. */
function unpackedRust() {
  if (!isDebian()) throw new Failure(`Rust's standard library for arm64 is missing:\n\n    rustup target add ${target}`)
  return debianRust(join(root, 'target/arm64'), ['libstd-rust-web-dev:arm64'], ['amd64', 'arm64'])
}

await runIfMain(import.meta, () => {
  const args = process.argv.slice(2)
  cargo(args.length > 0 ? args : ['test', '-p', 'tokenbed-kernels'])
})
