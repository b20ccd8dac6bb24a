// Writes text files that appear whole or not at all.

import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { WorkFailed, isSystemError, reasonOf } from './failure.js'

export const writeText = (path: string, text: string): void => write(path, text)

export const writeBytes = (path: string, bytes: Uint8Array): void => write(path, bytes)

function write(path: string, content: string | Uint8Array): void {
  const folder = dirname(resolve(path))
  const beside = join(folder, `.tokenbed-${process.pid}.part`)
  try {
    // The file is on the disk before it takes the name, so that a power cut leaves the old file or the new one.
    writeFileSync(beside, content)
    sync(beside, 'r+')
    renameSync(beside, path)
  } catch (error) {
    quietly(() => rmSync(beside, { force: true }))
    if (!isSystemError(error)) throw error
    throw new WorkFailed(`${path}: ${reasonOf(error)}`, { cause: error })
  }
  // The file has its name by now, so a failure here loses nothing.
  quietly(() => sync(folder, 'r'))
  quietly(() => removeLeft(folder))
}

function sync(path: string, flags: string): void {
  const file = openSync(path, flags)
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

const LEFT = /^\.tokenbed-\d+\.part$/
/** Age in milliseconds after which a temporary file is no longer being written. */
const OLD = 60_000

/** Removes the temporary files of processes that were killed while they wrote. */
function removeLeft(folder: string): void {
  for (const name of readdirSync(folder).filter((name) => LEFT.test(name))) {
    const path = join(folder, name)
    quietly(() => Date.now() - statSync(path).mtimeMs > OLD && rmSync(path))
  }
}

function quietly(step: () => unknown): void {
  try {
    step()
  } catch {
    // Windows cannot sync folders; another process may have removed the file first.
  }
}
