// What lies at a path. What the system refuses to say is a FileError with the path, never an answer.

import { readdirSync, statSync, type Stats } from 'node:fs'
import { FileError } from './errors.js'

/** Whether something has this path. @throws FileError if the system does not say. */
export function isThere(path: string): boolean {
  return found(path) !== undefined
}

/** Whether this is the path of a folder; false if nothing has it. @throws FileError if the system does not say. */
export function isFolder(path: string): boolean {
  return found(path)?.isDirectory() ?? false
}

/** The number of bytes of a file. @throws FileError if it is missing, or the system does not say. */
export function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch (cause) {
    throw new FileError(`cannot read ${path}: ${(cause as Error).message}`, path, cause)
  }
}

/** The names in a folder. @throws FileError if it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (cause) {
    throw new FileError(`cannot read ${folder}: ${(cause as Error).message}`, folder, cause)
  }
}

function found(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (cause) {
    // A part of the path is a file: nothing can lie below it.
    if ((cause as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
    throw new FileError(`cannot look for ${path}: ${(cause as Error).message}`, path, cause)
  }
}
