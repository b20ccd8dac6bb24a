// Reads what libraries of Windows (PE) and macOS (Mach-O) need and export, for formats.mjs.

const [EXPORTS, IMPORTS] = [0, 1]

/** The libraries that a PE file for 64 bits names, and the symbols that it exports. `at` is where its header is. */
export function pe(bytes, at) {
  const sections = at + 24 + bytes.readUInt16LE(at + 20)
  const headers = Array.from({ length: bytes.readUInt16LE(at + 6) }, (_, i) => sections + i * 40)
  /** Where an address of the loaded library is in the file. */
  const placeOf = (address) => {
    const header = headers.find((h) => {
      const start = bytes.readUInt32LE(h + 12)
      return address >= start && address < start + bytes.readUInt32LE(h + 8)
    })
    return address - bytes.readUInt32LE(header + 12) + bytes.readUInt32LE(header + 20)
  }
  // The directories follow a header whose size is that of files for 64 bits.
  const directory = (i) => bytes.readUInt32LE(at + 24 + 112 + i * 8)
  const text = (address) => textAt(bytes, placeOf(address))
  return {
    needed: directory(IMPORTS) === 0 ? [] : importsOf(bytes, placeOf(directory(IMPORTS)), text),
    exports: directory(EXPORTS) === 0 ? [] : exportsOf(bytes, placeOf(directory(EXPORTS)), placeOf, text),
  }
}

function importsOf(bytes, first, text) {
  const found = []
  for (let at = first; bytes.readUInt32LE(at + 12) !== 0; at += 20) found.push(text(bytes.readUInt32LE(at + 12)))
  return found
}

function exportsOf(bytes, at, placeOf, text) {
  const names = placeOf(bytes.readUInt32LE(at + 32))
  return Array.from({ length: bytes.readUInt32LE(at + 24) }, (_, i) => text(bytes.readUInt32LE(names + 4 * i)))
}

const [LOAD_DYLIB, SIGNATURE, BUILD_VERSION] = [0xc, 0x1d, 0x32]
const [DYLD_INFO, DYLD_INFO_ONLY, EXPORTS_TRIE] = [0x22, 0x80000022, 0x80000033]

/**
 * The libraries that a Mach-O file names, the symbols that it exports, the oldest macOS that loads it, such as `11.0`,
 * and whether it is signed.
 */
export function macho(bytes) {
  const found = { needed: [], exports: [], oldest: null, isSigned: false }
  for (let i = bytes.readUInt32LE(16), at = 32; i > 0; i--, at += bytes.readUInt32LE(at + 4)) {
    const word = (offset) => bytes.readUInt32LE(at + offset)
    const command = word(0)
    if (command === LOAD_DYLIB) found.needed.push(textAt(bytes, at + word(8)))
    if (command === SIGNATURE) found.isSigned = true
    if (command === BUILD_VERSION) found.oldest = `${word(12) >> 16}.${(word(12) >> 8) & 255}`
    if (command === EXPORTS_TRIE) found.exports.push(...trie(bytes, word(8), word(12)))
    if (command === DYLD_INFO || command === DYLD_INFO_ONLY) found.exports.push(...trie(bytes, word(40), word(44)))
  }
  return found
}

/** The names in a tree of exports, without the underscore that C's names have there. */
function trie(bytes, start, size) {
  if (size === 0) return []
  const walk = (offset, name) => {
    const [length, after] = leb(bytes, start + offset)
    let at = after + length
    const found = length > 0 ? [name] : []
    for (let i = bytes[at++]; i > 0; i--) {
      const part = textAt(bytes, at)
      const [child, next] = leb(bytes, at + part.length + 1)
      found.push(...walk(child, name + part))
      at = next
    }
    return found
  }
  return walk(0, '').map((name) => name.replace(/^_/, ''))
}

/** A number of seven bits a byte, and where it ends. */
function leb(bytes, at) {
  let [value, shift] = [0, 0]
  for (; bytes[at] & 128; at++, shift += 7) value |= (bytes[at] & 127) << shift
  return [value | (bytes[at] << shift), at + 1]
}

export function textAt(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at))
}
