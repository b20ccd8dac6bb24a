// Builds the binary of a platform on Linux on x64, whichever platform it is for, and puts it into release/binaries/.
//
// The linker is zig's, which has the C libraries of all these systems; it comes from a package of Python and is
// unpacked in target/platforms/. Rust's standard library comes from rustup, if it has the target; otherwise it is
// compiled from the sources that Debian has for its own compiler.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasStd } from '../arm64.mjs'
import { debianRust, isDebian, must } from '../debian.mjs'
import { python } from '../packages.mjs'
import { Failure, addonCargo, root } from '../process.mjs'
import { binaries } from './pack.mjs'
import { binaryName } from './stage.mjs'

export const folder = join(root, 'target/platforms')
const ZIG = 'ziglang==0.15.2'

// musl: the library is loaded into a process, so it must not bring a C library of its own.
const MUSL = ['-Ctarget-feature=-crt-static', '-Clink-self-contained=no']
const MACOS = ['-Clink-arg=-s']
export const TARGETS = {
  'linux-x64-musl': { triple: 'x86_64-unknown-linux-musl', zig: 'x86_64-linux-musl', flags: MUSL },
  'linux-arm64-musl': { triple: 'aarch64-unknown-linux-musl', zig: 'aarch64-linux-musl', flags: MUSL },
  'win32-x64-gnu': { triple: 'x86_64-pc-windows-gnullvm', zig: 'x86_64-windows-gnu', flags: [] },
  'darwin-x64': { triple: 'x86_64-apple-darwin', zig: 'x86_64-macos.11.0', flags: MACOS },
  'darwin-arm64': { triple: 'aarch64-apple-darwin', zig: 'aarch64-macos.11.0', flags: MACOS },
}

/** Builds the binary of one of `TARGETS`. */
export function buildFor(platform) {
  const { triple, flags } = TARGETS[platform]
  const rust = rustFor(triple)
  const setting = `CARGO_TARGET_${triple.toUpperCase().replaceAll('-', '_')}`
  // The profile is that of Cargo.toml, whatever developers set for themselves.
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^CARGO_PROFILE_|^RUSTFLAGS$|^CARGO_INCREMENTAL$/.test(name),
  )
  const env = {
    CARGO_TARGET_DIR: join(folder, 'build'),
    ...Object.fromEntries(kept),
    ...rust.env,
    [`${setting}_LINKER`]: process.env[`${setting}_LINKER`] ?? linkerFor(platform),
    [`${setting}_RUSTFLAGS`]: flags.join(' '),
    MACOSX_DEPLOYMENT_TARGET: '11.0',
  }
  console.error(`release: ${platform}`)
  const args = ['build', '--release', '--locked', '--package', 'tokenbed-node', '--target', triple, ...rust.args]
  const { error, status } = spawnSync(addonCargo, args, { cwd: root, env, stdio: ['ignore', 2, 2] })
  if (error) throw new Failure(`cargo cannot be run: ${error.message}`)
  if (status !== 0) throw new Failure(`failed: cargo ${args.join(' ')}`)
  mkdirSync(binaries, { recursive: true })
  copyFileSync(join(env.CARGO_TARGET_DIR, triple, 'release', libraryOf(platform)), join(binaries, binaryName(platform)))
}

function libraryOf(platform) {
  if (platform.startsWith('win32')) return 'tokenbed_node.dll'
  return platform.startsWith('darwin') ? 'libtokenbed_node.dylib' : 'libtokenbed_node.so'
}

/** The compiler for a target: cargo's own if it has the standard library, or Debian's, which compiles it first. */
function rustFor(triple) {
  if (hasStd(triple)) return { env: {}, args: [] }
  if (!isDebian()) throw new Failure(`Rust's standard library is missing:\n\n    rustup target add ${triple}`)
  return {
    // Only a nightly compiler takes the option to compile the standard library, unless it is told that it is one.
    env: { ...debianRust(folder, ['rust-web-src']), RUSTC_BOOTSTRAP: '1' },
    args: ['-Zbuild-std=std,panic_unwind'],
  }
}

/**
 * A program that calls zig as the C compiler of a platform. The list of what a library for Windows exports is a file of
 * input for zig, where other compilers hand it to the linker as an option. Zig brings Windows' C library, too (ucrt).
 */
function linkerFor(platform) {
  const path = join(folder, 'linkers', platform)
  mkdirSync(join(folder, 'linkers'), { recursive: true })
  const script = `#!/bin/sh
for argument do
  shift
  case $argument in
    -lmsvcrt) continue ;;
    -Wl,*.def) argument=\${argument#-Wl,} ;;
  esac
  set -- "$@" "$argument"
done
exec '${zig()}' cc -target ${TARGETS[platform].zig} "$@"
`
  writeFileSync(path, script, { mode: 0o755 })
  return path
}

function zig() {
  const home = join(folder, 'zig')
  if (existsSync(home)) return join(home, 'zig')
  console.error(`release: ${ZIG}`)
  mkdirSync(folder, { recursive: true })
  const making = mkdtempSync(join(folder, 'making-'))
  try {
    must([python, '-m', 'pip', '--quiet', 'install', '--no-deps', '--target', making, ZIG])
    renameSync(join(making, 'ziglang'), home)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return join(home, 'zig')
}
