// Finds and loads the binary for this machine. If that fails, the error says what was found, what is needed and how to
// repair it.

import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { BinaryError } from '../base/errors.js'
import { currentPlatforms, glibcVersion, libc, PLATFORMS, type Platform } from './platform.js'
import { messageOf } from '../base/realm.js'
import { notWhole } from './whole.js'

/** Environment variable with the path of a binary to load instead of the usual one. */
export const BINARY_VARIABLE = 'TOKENBED_BINARY'
/** The glibc version that Node needs, and so do the binaries for Linux. */
const GLIBC = '2.28'

/** A loaded binary, and why it was chosen. */
export interface Binary {
  /** The exports of the binary. */
  exports: unknown
  path: string
  /** `package`: the platform's package; `build`: built in this clone; `environment`: TOKENBED_BINARY names it. */
  source: 'package' | 'build' | 'environment'
}

const BUILD = 'in a clone: npm run build'
const OTHER = `set ${BINARY_VARIABLE} to the path of tokenbed's native part for this platform, or unset it`

const root = join(__dirname, '../../..')

/** Like `require`, but bundlers and tracers do not follow it. */
const look = createRequire(__filename)

/** The version of this package. @throws BinaryError if the files around this one do not belong to this package. */
function packageVersion(): string {
  const path = join(root, 'package.json')
  let said: { name?: unknown; version?: unknown } | null
  try {
    said = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw notWhole(`${path} is missing or cannot be read`, cause)
  }
  if (said?.name !== 'tokenbed' || typeof said.version !== 'string')
    throw notWhole(`${path}, which belongs to another package`)
  return said.version
}

/** @throws BinaryError */
export function loadBinary(): Binary {
  const named = process.env[BINARY_VARIABLE]
  if (named)
    return { exports: open(named, `${BINARY_VARIABLE} is ${named}`, OTHER), path: named, source: 'environment' }
  const possible = currentPlatforms()
  if (possible.length === 0) throw unsupported()
  const built = possible.map((platform) => join(root, `tokenbed.${platform}.node`)).find((path) => existsSync(path))
  if (built !== undefined) return { exports: open(built, built, BUILD), path: built, source: 'build' }
  return ofPackage(chosen(possible))
}

/**
 * The platform whose package is loaded: the first that is installed with this version, or else the first that is
 * installed, or else the first.
 */
function chosen(possible: Platform[]): Platform {
  const wanted = packageVersion()
  const versions = possible.map((platform) => installedVersion(`tokenbed-${platform}`))
  const at = [versions.indexOf(wanted), versions.findIndex((version) => version !== null)].find((i) => i >= 0)
  return possible[at ?? 0]
}

function ofPackage(platform: Platform): Binary {
  const name = `tokenbed-${platform}`
  const wanted = packageVersion()
  const found = installedVersion(name)
  if (found === null) throw missing(name, wanted)
  if (found !== wanted) {
    const what = `${name} is version ${found}, but this tokenbed is version ${wanted}`
    throw failure(
      'version',
      what,
      `${name} ${found}`,
      `${name} ${wanted}, the same version as tokenbed`,
      install(name, wanted),
      undefined,
    )
  }
  try {
    return { exports: requirePackage(platform), path: pathOf(name), source: 'package' }
  } catch (cause) {
    throw refused(pathOf(name), `${name} is installed`, cause, reinstall(name))
  }
}

function open(path: string, what: string, mend: string): unknown {
  let exports: { nativeInfo?: unknown }
  try {
    exports = look(path)
  } catch (cause) {
    throw refused(path, what, cause, mend)
  }
  if (typeof exports?.nativeInfo !== 'function')
    throw refused(path, what, new Error(`${path} is not tokenbed's native part`), mend)
  return exports
}

/**
 * @throws BinaryError if the version compiled into the binary is not that of this package, as after an update without a
 * build.
 */
export function checkVersion({ path, source }: Binary, version: string): void {
  const wanted = packageVersion()
  if (version === wanted) return
  const mend =
    source === 'package' ? reinstall(`tokenbed-${chosen(currentPlatforms())}`) : source === 'build' ? BUILD : OTHER
  throw failure(
    'version',
    `${path} is version ${version}, but this tokenbed is version ${wanted}`,
    `${path}, version ${version}`,
    `version ${wanted}`,
    mend,
    undefined,
  )
}

/**
 * The exports of a platform's package. Every name is written out in a `try` block: tools that collect a program's
 * dependencies (bundlers, tracers of serverless functions) then see all of them, and none fails on those that are not
 * installed.
 */
function requirePackage(platform: Platform): unknown {
  try {
    switch (platform) {
      case 'linux-x64-gnu':
        return require('tokenbed-linux-x64-gnu')
      case 'linux-arm64-gnu':
        return require('tokenbed-linux-arm64-gnu')
      case 'linux-x64-musl':
        return require('tokenbed-linux-x64-musl')
      case 'linux-arm64-musl':
        return require('tokenbed-linux-arm64-musl')
      case 'darwin-x64':
        return require('tokenbed-darwin-x64')
      case 'darwin-arm64':
        return require('tokenbed-darwin-arm64')
      case 'win32-x64-msvc':
        return require('tokenbed-win32-x64-msvc')
      case 'win32-x64-gnu':
        return require('tokenbed-win32-x64-gnu')
      case 'win32-arm64-msvc':
        return require('tokenbed-win32-arm64-msvc')
    }
  } catch (error) {
    throw error
  }
}

function installedVersion(name: string): string | null {
  try {
    return look(`${name}/package.json`).version
  } catch {
    return null
  }
}

function pathOf(name: string): string {
  try {
    return look.resolve(name)
  } catch {
    return name
  }
}

function unsupported(): BinaryError {
  const { platform, arch } = process
  const what = `there is no binary for ${platform} on ${arch}`
  return failure(
    'unsupported',
    what,
    machine(),
    `one of ${PLATFORMS.join(', ')}`,
    'in a clone, with Rust: npm install && npm run build',
    undefined,
  )
}

function missing(name: string, version: string): BinaryError {
  const others = PLATFORMS.map((platform) => `tokenbed-${platform}`).filter((other) => installedVersion(other) !== null)
  const [there, why] =
    others.length === 0
      ? [
          'no package of tokenbed for any platform',
          'tokenbed was installed without optional dependencies (--omit=optional), or from a lock file that lacks them.',
        ]
      : [
          others.join(', '),
          'node_modules was installed for another platform: install on the platform where the program runs, or for both.',
        ]
  let cause: unknown
  try {
    look.resolve(name)
  } catch (error) {
    cause = error
  }
  return failure(
    'missing',
    `the package ${name} is not installed`,
    `${machine()}; ${there}`,
    `${name} ${version}`,
    install(name, version),
    cause,
    why,
  )
}

/** The error for an existing file that the system or Node did not load. */
function refused(path: string, what: string, cause: unknown, mend: string): BinaryError {
  const message = messageOf(cause)
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  if (code === 'ERR_DLOPEN_DISABLED' || code === 'ERR_ACCESS_DENIED') {
    const how = 'Node was told not to load native addons (--no-addons, or --permission without --allow-addons)'
    return failure(
      'disabled',
      how,
      `${machine()}; ${what}`,
      'a Node that is allowed to load addons',
      'start Node without --no-addons, or with --permission --allow-addons; see NODE_OPTIONS too',
      cause,
    )
  }
  if (/--allow-ffi/.test(message)) {
    return failure(
      'disabled',
      'Deno was not allowed to load it',
      `${machine()}; ${what}`,
      'the permission to load native code',
      'deno run --allow-ffi --allow-read --allow-env --allow-sys',
      cause,
    )
  }
  const newer = /version `?GLIBC_([\d.]+)'? not found/.exec(message)?.[1]
  if (newer !== undefined) {
    const here = `a system with glibc ${newer} or later; the published binaries need ${GLIBC}`
    // Reinstalling a published binary would give the same file.
    const isPublished = minorOf(newer) <= minorOf(GLIBC)
    const how =
      mend === BUILD
        ? mend
        : isPublished
          ? `build it on this system, ${BUILD}`
          : `${mend}; or build it on this system, ${BUILD}`
    return failure('glibc', `${path} needs a newer glibc`, `${machine()}; ${firstLine(message)}`, here, how, cause)
  }
  if (/failed to map segment/.test(message)) {
    const here = 'a disk from which programs may be executed'
    return failure(
      'refused',
      `${path} is on a disk from which nothing may be executed`,
      `${machine()}; ${firstLine(message)}`,
      here,
      'install it elsewhere, or mount that disk without noexec',
      cause,
    )
  }
  return failure(
    'refused',
    `${path} cannot be loaded`,
    `${machine()}; ${firstLine(message)}`,
    'a complete file for this platform, which the system is allowed to load',
    mend,
    cause,
  )
}

const firstLine = (text: string) => text.split(/\r?\n/)[0]
const minorOf = (glibc: string) => Number(glibc.split('.')[1])

/** A description of this process for people. */
function machine(): string {
  const { platform, arch, versions } = process
  const glibc = glibcVersion()
  const its =
    platform !== 'linux' ? '' : glibc !== null ? `, glibc ${glibc}` : libc() === 'musl' ? ', musl' : ', an unknown libc'
  const host = versions.bun ? `Bun ${versions.bun}` : versions.deno ? `Deno ${versions.deno}` : `Node ${versions.node}`
  return `${platform} ${arch}${its}, ${host}`
}

/**
 * The package manager that installed tokenbed, judged by the files that it leaves beside the package. Another one would
 * not know what is installed.
 */
function manager(): 'npm' | 'pnpm' | 'yarn' | 'bun' {
  const left = (name: string) => existsSync(join(root, '..', name))
  if (/[\\/]\.pnpm[\\/]/.test(__dirname)) return 'pnpm'
  if (process.versions.pnp || left('.yarn-state.yml') || left('.yarn-integrity')) return 'yarn'
  return process.versions.bun ? 'bun' : 'npm'
}

const ADD = {
  npm: 'npm install --save-optional',
  pnpm: 'pnpm add --save-optional',
  yarn: 'yarn add --optional',
  bun: 'bun add --optional',
}

/**
 * The command that installs a package next to tokenbed as an optional one, so that installs on other platforms still
 * work.
 */
function install(name: string, version: string): string {
  return `${ADD[manager()]} ${name}@${version}`
}

/** The command that unpacks a package again: package managers do nothing if its version is installed already. */
function reinstall(name: string): string {
  const its = manager()
  if (its === 'pnpm' || its === 'bun') return `${its} install --force`
  const folder = dirname(pathOf(name))
  return process.platform === 'win32'
    ? `rmdir /s /q "${folder}" && ${its} install`
    : `rm -r '${folder}' && ${its} install`
}

function failure(
  reason: BinaryError['reason'],
  what: string,
  found: string,
  needed: string,
  mend: string,
  cause: unknown,
  why = '',
): BinaryError {
  const lines = [
    `tokenbed's native part cannot be loaded: ${what}. ${why}`.trimEnd(),
    `  found:  ${found}`,
    `  needed: ${needed}`,
    `  mend:   ${mend}`,
  ]
  return new BinaryError(lines.join('\n'), cause, { reason, found, needed, mend })
}
