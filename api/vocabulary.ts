// The vocabularies that come with the package: compressed files, read when first used.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { FileError, FormatError } from './errors.js'

/** The unpacked bytes of a vocabulary. */
export function readVocabulary(name: string): Uint8Array {
  const path = join(__dirname, '..', '..', 'vocab', `${name}.br`)
  let packed: Buffer
  try {
    packed = readFileSync(path)
  } catch (cause) {
    throw new FileError(`cannot read the vocabulary ${path}: install the package again, or build it with npm run build`, path, cause)
  }
  try {
    return brotliDecompressSync(packed)
  } catch {
    throw new FormatError(`${path}: a damaged vocabulary: install the package again, or build it with npm run build`, path, 0)
  }
}
