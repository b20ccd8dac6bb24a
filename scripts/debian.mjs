// Takes Debian's packages apart in a folder, on a Debian or Ubuntu machine: nothing is installed, and the machine's own
// lists of packages stay as they are. This is for compilers, libraries and programs of other machines.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, capture, root } from './process.mjs'

/** Whether this machine has the tools that this module needs. */
export const isDebian = () => ['apt-get', 'dpkg-deb'].every((name) => capture(['sh', '-c', `command -v ${name}`]).ok)

/** Runs a command and returns what it prints; throws what it says if it fails. */
export function must(command, cwd = root) {
  const { ok, stdout, stderr } = capture(command, { cwd })
  if (!ok) throw new Failure(`failed: ${command.join(' ')}\n${stderr}`)
  return stdout
}

/**
 * apt with a state of its own in `folder`: `apt('apt-get', 'download', 'musl')` puts the package there. It uses the
 * machine's sources, or another suite of the same mirror, such as `trixie`.
 */
export function aptIn(folder, { architectures = ['amd64'], suite } = {}) {
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
APT::Architectures {${architectures.map((name) => `"${name}";`).join('')}};
APT::Sandbox::User "";
${suite === undefined ? '' : `Dir::Etc::sourcelist "${sourcesOf(suite, state)}";\nDir::Etc::sourceparts "-";\n`}`,
  )
  const apt = (program, ...args) => must([program, '-c', config, '-qq', ...args], folder)
  console.error(`debian: lists of packages${suite === undefined ? '' : ` of ${suite}`}`)
  apt('apt-get', 'update')
  return apt
}

/** A list of sources with one suite of Debian, from the mirror that this machine uses. */
function sourcesOf(suite, state) {
  const format = '$(ORIGIN) $(LABEL) $(REPO_URI)'
  const mirror = /^Debian Debian (\S+)$/m.exec(must(['apt-get', 'indextargets', '--format', format]))?.[1]
  if (mirror === undefined) throw new Failure(`${suite} is a suite of Debian, and this machine has no mirror of Debian`)
  const path = join(state, 'sources.list')
  writeFileSync(path, `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror} ${suite} main\n`)
  return path
}

/** Takes all packages in `from` apart into the folder `to`, and removes them. */
export function unpack(from, to) {
  mkdirSync(to, { recursive: true })
  for (const file of readdirSync(from).filter((name) => name.endsWith('.deb'))) {
    must(['dpkg-deb', '-x', join(from, file), to])
    rmSync(join(from, file))
  }
}

/**
 * Debian's compiler in `folder`, which is put together if it does not exist yet, as settings for cargo. `others` are
 * packages of the compiler's own version: the standard library for another architecture, or its sources.
 */
export function debianRust(folder, others, architectures) {
  const bin = join(folder, 'bin')
  if (!existsSync(bin)) unpackRust(folder, bin, others, architectures)
  return { RUSTC: join(bin, 'rustc'), RUSTDOC: join(bin, 'rustdoc'), CARGO_TARGET_DIR: join(folder, 'build') }
}

function unpackRust(folder, bin, others, architectures) {
  const [unpacked, making] = [join(folder, 'root'), `${bin}.making`]
  for (const old of [unpacked, making]) rmSync(old, { recursive: true, force: true })
  const apt = aptIn(folder, { architectures })
  for (const name of [...compilerPackages(apt), ...others]) {
    console.error(`debian: ${name}`)
    apt('apt-get', 'download', name)
  }
  unpack(folder, unpacked)
  rmSync(join(folder, 'apt'), { recursive: true })
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

/** The packages of the compiler, its libraries, and the standard library for this machine, all of one version. */
function compilerPackages(apt) {
  const dependsOn = (name, pattern) => {
    const found = pattern.exec(/^Depends: (.*)$/m.exec(apt('apt-cache', 'show', '--no-all-versions', name))?.[1] ?? '')
    if (!found) throw new Failure(`${name} of this Debian is not as expected: nothing it depends on is ${pattern}`)
    return found[0]
  }
  const std = dependsOn('libstd-rust-web-dev', /libstd-rust-web-[\d.]+/)
  const llvm = dependsOn(std, /libllvm\d+/)
  return ['rustc-web:amd64', `${std}:amd64`, `${llvm}:amd64`, 'libstd-rust-web-dev:amd64']
}
