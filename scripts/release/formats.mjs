// Reads a shared library's headers: its machine, what it needs, what it exports. This is our own code, because the
// tools that print it are not on every machine that packs.
import { readFileSync } from 'node:fs'
import { macho, pe, textAt } from './formats-others.mjs'

const ELF_MACHINES = { 0x3e: 'x64', 0xb7: 'arm64' }
const MACHO_MACHINES = { 0x01000007: 'x64', 0x0100000c: 'arm64' }
const PE_MACHINES = { 0x8664: 'x64', 0xaa64: 'arm64' }
const [DYNAMIC, DYNSYM, VERNEED] = [6, 11, 0x6ffffffe]
const DT_NEEDED = 1

/**
 * System and machine of a library, such as `linux x64`, the libraries that it names, and the symbols that it exports.
 * For ELF files also the symbol versions that it needs, such as `GLIBC_2.17`, and the symbols that it needs.
 */
export function formatOf(path) {
  const bytes = readFileSync(path)
  const magic = bytes.readUInt32BE(0)
  if (magic === 0x7f454c46) return elf(bytes)
  if (magic === 0xcffaedfe)
    return { system: 'darwin', arch: MACHO_MACHINES[bytes.readUInt32LE(4)] ?? 'unknown', ...macho(bytes) }
  if (bytes.toString('latin1', 0, 2) === 'MZ') {
    const at = bytes.readUInt32LE(0x3c)
    if (bytes.toString('latin1', at, at + 4) === 'PE\0\0')
      return { system: 'win32', arch: PE_MACHINES[bytes.readUInt16LE(at + 4)] ?? 'unknown', ...pe(bytes, at) }
  }
  return { system: 'unknown', arch: 'unknown' }
}

/** The oldest glibc that has all the symbols, such as `2.17`; null if no version is needed. */
export function glibcFloor({ versions = [] }) {
  const minors = versions.flatMap((name) => /^GLIBC_2\.(\d+)/.exec(name)?.[1] ?? []).map(Number)
  return minors.length === 0 ? null : `2.${Math.max(...minors)}`
}

function elf(bytes) {
  const sections = sectionsOf(bytes)
  const of = (type) => sections.filter((section) => section.type === type)
  const text = (strings, at) => textAt(bytes, sections[strings].offset + at)
  const symbols = of(DYNSYM).flatMap((section) => symbolsOf(bytes, section, text))
  return {
    system: 'linux',
    arch: ELF_MACHINES[bytes.readUInt16LE(18)] ?? 'unknown',
    needed: of(DYNAMIC).flatMap((section) => neededOf(bytes, section, text)),
    versions: of(VERNEED).flatMap((section) => versionsOf(bytes, section, text)),
    exports: symbols.filter(({ isDefined }) => isDefined).map(({ name }) => name),
    imports: symbols.filter(({ isDefined }) => !isDefined).map(({ name }) => name),
  }
}

function sectionsOf(bytes) {
  const [first, size, count] = [Number(bytes.readBigUInt64LE(40)), bytes.readUInt16LE(58), bytes.readUInt16LE(60)]
  return Array.from({ length: count }, (_, i) => {
    const at = first + i * size
    const long = (offset) => Number(bytes.readBigUInt64LE(at + offset))
    return {
      type: bytes.readUInt32LE(at + 4),
      offset: long(24),
      size: long(32),
      link: bytes.readUInt32LE(at + 40),
      info: bytes.readUInt32LE(at + 44),
      entry: long(56),
    }
  })
}

function symbolsOf(bytes, { offset, size, entry, link }, text) {
  const found = []
  for (let at = offset + entry; at < offset + size; at += entry) {
    found.push({ name: text(link, bytes.readUInt32LE(at)), isDefined: bytes.readUInt16LE(at + 6) !== 0 })
  }
  // Sections have symbols without a name.
  return found.filter(({ name }) => name !== '')
}

function neededOf(bytes, { offset, size, link }, text) {
  const found = []
  for (let at = offset; at < offset + size; at += 16) {
    if (Number(bytes.readBigUInt64LE(at)) === DT_NEEDED) found.push(text(link, Number(bytes.readBigUInt64LE(at + 8))))
  }
  return found
}

/** Reads a list of files, each with a list of versions. */
function versionsOf(bytes, { offset, info, link }, text) {
  const found = []
  for (let at = offset, file = 0; file < info; file++) {
    const count = bytes.readUInt16LE(at + 2)
    for (let aux = at + bytes.readUInt32LE(at + 8), i = 0; i < count; i++) {
      found.push(text(link, bytes.readUInt32LE(aux + 8)))
      aux += bytes.readUInt32LE(aux + 12)
    }
    at += bytes.readUInt32LE(at + 12)
  }
  return found
}
