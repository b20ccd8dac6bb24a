// Errors as the user sees them, and the exit code for each kind.

import { existsSync, statSync } from 'node:fs'
import { getSystemErrorMap } from 'node:util'
import { CommanderError } from '../bundled/commander.js'
import { TokenbedError } from '../../index.js'

/** The command was used wrongly (exit code 2), and did nothing. */
export class WrongUse extends Error {}

/** The work failed (exit code 1), for a reason that the user can mend. */
export class WorkFailed extends Error {}

/** Parts of the work failed at every attempt (exit code 3), and the others are done. */
export class PartsFailed extends WorkFailed {}

const [FAILED, WRONG_USE, PARTS_FAILED] = [1, 2, 3]

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USE
  if (error instanceof PartsFailed) return PARTS_FAILED
  return error instanceof WrongUse ? WRONG_USE : FAILED
}

/** The one line that is printed for an error. */
export function lineOf(error: unknown): string {
  return `tokenbed: ${messageOf(error)
    .trim()
    .replace(/\s*\n\s*/g, ' ')}`
}

function messageOf(error: unknown): string {
  if (error instanceof CommanderError) return ofCommander(error.message)
  if (error instanceof WrongUse || error instanceof WorkFailed || error instanceof TokenbedError) return error.message
  if (isSystemError(error)) return error.path === undefined ? reasonOf(error) : `${error.path}: ${reasonOf(error)}`
  return `a bug in tokenbed: ${error instanceof Error ? error.message : String(error)} (TOKENBED_DEBUG=1 shows where)`
}

/** Removes what `tokenbed:` already says from commander's own messages, and moves their hint to the same line. */
function ofCommander(message: string): string {
  const plain = message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\?\)$/, ' (did you mean $1?)')
  return plain.startsWith('too many arguments') ? `${plain} Text with spaces belongs in quotes.` : plain
}

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).errno === 'number'
}

/** The system's reason in its own words, such as `no such file or directory`. */
export function reasonOf(error: NodeJS.ErrnoException): string {
  return getSystemErrorMap().get(error.errno!)?.[1] ?? error.message
}

/** Runs a step that depends on options alone: its errors are wrong use, unless they are about a file. */
export function asWrongUse<T>(step: () => T): T {
  try {
    return step()
  } catch (error) {
    if (!(error instanceof TokenbedError) || !['USAGE', 'SHAPE', 'DTYPE'].includes(error.code)) throw error
    throw new WrongUse(error.message, { cause: error })
  }
}

export const isFolder = (path: string) => existsSync(path) && statSync(path).isDirectory()
