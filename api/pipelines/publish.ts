// How files of many workers get their names: once, and never in the place of another.

import { closeSync, constants, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { FileError, FormatError } from '../base/errors.js'
import { isThere } from '../base/look.js'
import { quietly } from '../base/quietly.js'
import { isMissing, readWhole } from '../base/read-file.js'

/** The SHA-256 of a file, read off this thread. */
export async function digestOf(path: string): Promise<string> {
  const { createHash } = require('node:crypto') as typeof import('node:crypto')
  const { open } = require('node:fs/promises') as typeof import('node:fs/promises')
  const hash = createHash('sha256')
  try {
    const file = await open(path)
    try {
      // A stream would make a buffer for each part.
      const part = Buffer.allocUnsafe(2 ** 20)
      for (;;) {
        // eslint-disable-next-line no-await-in-loop -- the parts follow each other
        const { bytesRead } = await file.read(part, 0, part.length)
        if (bytesRead === 0) break
        hash.update(part.subarray(0, bytesRead))
      }
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw new FileError(`cannot read ${path}: ${(cause as Error).message}`, path, cause)
  }
  return hash.digest('hex')
}

const conflictName = (name: string) => `${name}.conflict.json`

/**
 * A shard of which two workers made different bytes is not taken for done: one of them is wrong, and nobody knows
 * which.
 */
export function refuseConflict(folder: string, name: string): void {
  const path = join(folder, conflictName(name))
  if (isThere(path))
    throw new FormatError(
      `${path} says that two workers made different bytes of one shard (${readWhole(path).toString().trim()}): find out which model or version was wrong, remove the shard and this file, and resume`,
      path,
      0,
    )
}

/** Gives a shard its name, unless the name is taken: then the bytes must be the same. */
export async function publishFile(folder: string, temporary: string, name: string, output: string): Promise<void> {
  const [from, to] = [join(folder, temporary), join(folder, `${name}.${output}`)]
  if (linked(from, to)) return
  const [own, other] = [await digestOf(from), await digestOf(to)]
  if (own === other) return
  // Otherwise an attempt after this one would find the shard, and take it for done.
  publish(folder, conflictName(name), `${JSON.stringify({ there: other, made: own })}\n`)
  throw new FormatError(
    `${to} is there with the SHA-256 ${other}, but the same records give ${own}: it was made by another model or version, or changed`,
    to,
    0,
  )
}

/** Links a file to another name; false if the name is taken. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP', 'EMLINK'].includes(code ?? ''))
      throw new FileError(`cannot name ${to}: ${(cause as Error).message}`, to, cause)
  }
  // This file system has no hard links: a rename would replace, so the name is looked at first.
  if (isThere(to)) return false
  try {
    renameSync(from, to)
  } catch (cause) {
    throw new FileError(`cannot name ${to}: ${(cause as Error).message}`, to, cause)
  }
  return true
}

/** Removes a file, unless somebody did so already. */
export function remove(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch (cause) {
    throw new FileError(`cannot remove ${path}: ${(cause as Error).message}`, path, cause)
  }
}

/** Writes a small file whole, if its name is not taken. Returns whether it was free. */
export function publish(folder: string, name: string, text: string): boolean {
  for (;;) {
    try {
      return publishOnce(folder, name, text)
    } catch (error) {
      // Another worker took the temporary file for one that a killed process left.
      if (!isMissing(error) || !isThere(folder)) throw error
    }
  }
}

function publishOnce(folder: string, name: string, text: string): boolean {
  const temporary = join(folder, `.${name}.${process.pid}-${Date.now().toString(36)}.part`)
  try {
    const file = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL)
    try {
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    return linked(temporary, join(folder, name))
  } catch (cause) {
    if (cause instanceof FileError) throw cause
    throw new FileError(`cannot write ${join(folder, name)}: ${(cause as Error).message}`, join(folder, name), cause)
  } finally {
    quietly(() => rmSync(temporary, { force: true }))
  }
}

/** Publishes a text; if the name is taken, its bytes must be the same. */
export function publishSame(folder: string, name: string, text: string): void {
  if (publish(folder, name, text)) return
  const path = join(folder, name)
  if (readWhole(path).toString() !== text)
    throw new FormatError(`${path} is there with other contents than the same records give`, path, 0)
}
