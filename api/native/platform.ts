// The platform of this process, which decides the binary that it needs. This module depends on no other.

import { closeSync, openSync, readSync } from 'node:fs'

/** The C library of a process on Linux. */
export type Libc = 'glibc' | 'musl'

/** The platforms that have a package, `tokenbed-<name>`. */
export const PLATFORMS = [
  'linux-x64-gnu',
  'linux-arm64-gnu',
  'linux-x64-musl',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
  'win32-x64-gnu',
  'win32-arm64-msvc',
] as const
export type Platform = (typeof PLATFORMS)[number]

/**
 * The platforms whose binaries this process can load, the best first; none if tokenbed is not built for it. Windows on
 * x64 has two: `msvc`, built on Windows, comes before `gnu`, built on Linux.
 */
export function currentPlatforms(): Platform[] {
  const { platform, arch } = process
  const abis =
    platform === 'linux' ? [libc() === 'musl' ? '-musl' : '-gnu'] : platform === 'win32' ? ['-msvc', '-gnu'] : ['']
  const names = abis.map((abi) => `${platform}-${arch}${abi}`)
  return names.flatMap((name) => PLATFORMS.filter((known) => known === name))
}

/** The C library of this process; null on other systems than Linux, and if neither is found. */
export function libc(): Libc | null {
  if (process.platform !== 'linux') return null
  const loader = interpreter(process.execPath)
  if (loader !== null) return /ld-musl/.test(loader) ? 'musl' : 'glibc'
  if (glibcVersion() !== null) return 'glibc'
  return reported(({ sharedObjects }) => sharedObjects?.some((path) => /ld-musl-|libc\.musl-/.test(path)))
    ? 'musl'
    : null
}

/** The version of glibc in use, such as `2.36`; null if it is another library. */
export function glibcVersion(): string | null {
  return reported(({ header }) => header?.glibcVersionRuntime) ?? null
}

/** A value from Node's report on this process; undefined if there is no report. */
function reported<T>(
  take: (report: { header?: { glibcVersionRuntime?: string }; sharedObjects?: string[] }) => T,
): T | undefined {
  if (process.platform !== 'linux') return undefined
  const report = process.report as (typeof process.report & { excludeNetwork?: boolean }) | undefined
  if (!report) return undefined
  // Looking up the names of all connections can take seconds, and the header does not need them.
  const before = report.excludeNetwork
  report.excludeNetwork = true
  try {
    return take(report.getReport())
  } catch {
    return undefined
  } finally {
    report.excludeNetwork = before
  }
}

const PT_INTERP = 3
/** The most bytes of a path. */
const LONGEST = 4096

/**
 * The loader of this program that its ELF header names: `/lib64/ld-linux-x86-64.so.2`, `/lib/ld-musl-x86_64.so.1`. It
 * belongs to the libc of the process, whatever others are on the disk. Null if it cannot be read.
 */
function interpreter(path: string): string | null {
  try {
    const file = openSync(path, 'r')
    try {
      return interpreterOf((position, length) => {
        const bytes = Buffer.alloc(length)
        return bytes.subarray(0, readSync(file, bytes, 0, length, position))
      })
    } finally {
      closeSync(file)
    }
  } catch {
    // The file is not readable or not valid ELF; the caller has other ways to find out.
    return null
  }
}

/**
 * Reads the loader's name from an ELF file. The table of segments and the name may lie anywhere: tools that rewrite
 * programs put them at the end.
 */
function interpreterOf(read: (position: number, length: number) => Buffer): string | null {
  const head = read(0, 64)
  // tokenbed is built for 64-bit little-endian systems only.
  if (head.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return null
  const [first, size, count] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)]
  const segments = read(first, size * count)
  for (let at = 0; at < size * count; at += size) {
    if (segments.readUInt32LE(at) !== PT_INTERP) continue
    const [offset, length] = [Number(segments.readBigUInt64LE(at + 8)), Number(segments.readBigUInt64LE(at + 32))]
    return read(offset, Math.min(length, LONGEST) - 1).toString('latin1') || null
  }
  return null
}
