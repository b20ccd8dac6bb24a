// The digest of a model's files, by which workers and folders of shards know whether they have the same model.

import { createReadStream, readdirSync, statSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { FileError, UsageError } from '../base/errors.js'
import { checkPath } from '../base/validate.js'

/** The endings of files that belong to a model; anything else in its folder, such as a README, does not count. */
const OF_MODELS = /\.(json|safetensors|bin|ftz|gguf|npy|txt|model)$/i
/** Folders within folders are looked into this deep. */
const DEEPEST = 3

/**
 * The SHA-256 of a model: of the names and bytes of its files, wherever the folder lies. Reading takes about a second a
 * gigabyte, off the event loop.
 *
 * @param path A folder, of which all files of models count, or one file.
 * @throws FileError if something cannot be read; UsageError for a folder without such files.
 */
export async function modelDigest(path: string): Promise<string> {
  const where = 'modelDigest'
  const full = resolve(checkPath(path, where))
  const { createHash } = require('node:crypto') as typeof import('node:crypto')
  const hash = createHash('sha256')
  try {
    const files = statSync(full).isDirectory() ? filesIn(full, 0).sort() : [full]
    if (files.length === 0) throw new UsageError(`${where}: ${full} has no files of a model`)
    for (const file of files) {
      const name = relative(full, file).split(sep).join('/')
      hash.update(`${name}\0${statSync(file).size}\0`)
      for await (const part of createReadStream(file, { highWaterMark: 2 ** 20 })) hash.update(part as Buffer)
    }
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    throw new FileError(`cannot read ${full}: ${(cause as Error).message}`, full, cause)
  }
  return hash.digest('hex')
}

function filesIn(folder: string, depth: number): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    const found = entry.isSymbolicLink() ? statSync(path) : entry
    if (found.isDirectory()) return depth < DEEPEST ? filesIn(path, depth + 1) : []
    return found.isFile() && OF_MODELS.test(entry.name) ? [path] : []
  })
}
