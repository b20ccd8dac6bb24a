// Which platform this process is one of: what decides which binary it needs. Knows nothing of the rest.

import { closeSync, openSync, readSync } from 'node:fs'

/** The C library of a process on Linux. */
export type Libc = 'glibc' | 'musl'

/** The platforms that have a package of their own, `tokenbed-<name>`. */
export const PLATFORMS = [
  'linux-x64-gnu',
  'linux-arm64-gnu',
  'linux-x64-musl',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
  'win32-arm64-msvc',
] as const
export type Platform = (typeof PLATFORMS)[number]

/** The platform of this process; null where tokenbed is not built for it. */
export function currentPlatform(): Platform | null {
  const { platform, arch } = process
  const abi = platform === 'linux' ? (libc() === 'musl' ? '-musl' : '-gnu') : platform === 'win32' ? '-msvc' : ''
  const name = `${platform}-${arch}${abi}`
  return PLATFORMS.find((known) => known === name) ?? null
}

/** The C library that this process runs on; null off Linux, and where neither is to be seen. */
export function libc(): Libc | null {
  if (process.platform !== 'linux') return null
  const loader = interpreter(process.execPath)
  if (loader !== null) return /ld-musl/.test(loader) ? 'musl' : 'glibc'
  if (glibcVersion() !== null) return 'glibc'
  return reported(({ sharedObjects }) => sharedObjects?.some((path) => /ld-musl-|libc\.musl-/.test(path)))
    ? 'musl'
    : null
}

/** The version of glibc in use, such as `2.36`; null where it is not glibc. */
export function glibcVersion(): string | null {
  return reported(({ header }) => header?.glibcVersionRuntime) ?? null
}

/** Something of Node's report on this process; undefined where there is none. */
function reported<T>(
  take: (report: { header?: { glibcVersionRuntime?: string }; sharedObjects?: string[] }) => T,
): T | undefined {
  if (process.platform !== 'linux') return undefined
  const report = process.report as (typeof process.report & { excludeNetwork?: boolean }) | undefined
  if (!report) return undefined
  // Looking up the names of all connections can take seconds, and the header needs none.
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
/** Bytes of a path. */
const LONGEST = 4096

/**
 * The program that loads this one, as its ELF header names it: `/lib64/ld-linux-x86-64.so.2`,
 * `/lib/ld-musl-x86_64.so.1`. It is the libc of the process itself, whatever others lie on the disk. Null where there
 * is none to be read.
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
    // Not readable, or not as ELF says: others are asked.
    return null
  }
}

/** Both the table of segments and the name may lie anywhere: tools that rewrite programs put them at the end. */
function interpreterOf(read: (position: number, length: number) => Buffer): string | null {
  const head = read(0, 64)
  // 64 bits, little-endian: all that tokenbed is built for.
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
