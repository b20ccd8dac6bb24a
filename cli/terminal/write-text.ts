// Files of text that appear whole or not at all.

import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { WorkFailed, isSystemError, reasonOf } from './failure.js'

export function writeText(path: string, text: string): void {
  const folder = dirname(resolve(path))
  const beside = join(folder, `.tokenbed-${process.pid}.part`)
  try {
    // On the disk before it takes the name: a power cut leaves the old file or the new one.
    writeFileSync(beside, text)
    sync(beside, 'r+')
    renameSync(beside, path)
  } catch (error) {
    quietly(() => rmSync(beside, { force: true }))
    if (!isSystemError(error)) throw error
    throw new WorkFailed(`${path}: ${reasonOf(error)}`, { cause: error })
  }
  // The file has its name by now: what fails here takes nothing away.
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
/** Milliseconds after which nobody is writing a text any more. */
const OLD = 60_000

/** Removes what processes left that were killed while they wrote a text. */
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
    // Windows syncs no folders; somebody else may have been faster.
  }
}
