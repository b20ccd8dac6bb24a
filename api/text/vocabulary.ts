// The vocabularies that come with the package: compressed files that are read at the first use.

import { join } from 'node:path'
import { FileError, FormatError } from '../base/errors.js'
import { fromBrotli } from '../base/late.js'
import { readWhole } from '../base/read-file.js'

/** The unpacked bytes of a vocabulary. */
export function readVocabulary(name: string): Uint8Array {
  const path = join(__dirname, '..', '..', '..', 'vocab', `${name}.br`)
  let packed: Buffer
  try {
    packed = readWhole(path)
  } catch (error) {
    const { cause } = error as FileError
    throw new FileError(
      `cannot read the vocabulary ${path}: install the package again, or build it with npm run build`,
      path,
      cause,
    )
  }
  try {
    return fromBrotli(packed)
  } catch {
    throw new FormatError(
      `${path}: the vocabulary is damaged: install the package again, or build it with npm run build`,
      path,
      0,
    )
  }
}
