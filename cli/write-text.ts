// Files of text that appear whole or not at all.

import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { WorkFailed, isFolder, isSystemError, reasonOf } from './failure.js'

/** Says before any work what would only be found after it. */
export function checkPlace(option: string, path: string): void {
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) throw new WorkFailed(`${option} ${path}: the folder ${folder} is not there; make it first`)
  if (isFolder(path)) throw new WorkFailed(`${option} ${path}: a folder; name a file in it`)
}

export function writeText(path: string, text: string): void {
  const beside = join(dirname(resolve(path)), `.tokenbed-${process.pid}.part`)
  try {
    writeFileSync(beside, text)
    renameSync(beside, path)
  } catch (error) {
    rmSync(beside, { force: true })
    if (!isSystemError(error)) throw error
    throw new WorkFailed(`${path}: ${reasonOf(error)}`, { cause: error })
  }
}
