// The texts that arguments name: files, patterns of files, stdin.

import { constants, accessSync, existsSync, readFileSync, statSync } from 'node:fs'
import { join, resolve, sep } from 'node:path'
import { globSync, isDynamicPattern } from '../bundled/tinyglobby.js'
import { inspectTokens, type TokensInfo } from '../../index.js'
import { WorkFailed, isFolder, isSystemError, reasonOf } from '../terminal/failure.js'

export interface Input {
  /** The name as the user would write it; `-` is stdin. */
  readonly name: string
  /** Size of the text in bytes; null if that is not known before it is read. */
  readonly bytes: number | null
}

export const STDIN = '-'

/**
 * The texts that arguments name, in order; the matches of a pattern are sorted. A file that is named twice counts
 * once. Patterns are for shells that do not expand them, and for quotes: a file with exactly that name takes
 * precedence.
 */
export function inputsOf(args: readonly string[]): Input[] {
  const names = (args.length === 0 ? [STDIN] : args).flatMap(expand)
  const byPath = new Map(names.map((name) => [name === STDIN ? STDIN : resolve(name), name]))
  return [...byPath.values()].map(inputOf)
}

/** The folder of token ids that is named instead of texts; null where it is none. */
export function tokensOf(args: readonly string[]): TokensInfo | null {
  const [path] = args
  return args.length === 1 && isTokens(path) ? inspectTokens(path) : null
}

/** Whether a path is a folder whose manifest is one of token ids. */
export function isTokens(path: string): boolean {
  const manifest = join(path, 'manifest.json')
  if (!isFolder(path) || !existsSync(manifest)) return false
  try {
    return JSON.parse(readFileSync(manifest, 'utf8')).format === 'tokenbed.tokens'
  } catch {
    return false
  }
}

function expand(arg: string): string[] {
  if (arg === STDIN || existsSync(arg)) return [arg]
  const pattern = sep === '\\' ? arg.replaceAll('\\', '/') : arg
  if (!isDynamicPattern(pattern)) return [arg]
  const found = globSync(pattern, { expandDirectories: false, followSymbolicLinks: true })
  if (found.length === 0) throw new WorkFailed(`${arg}: no file matches`)
  return found.sort()
}

function inputOf(name: string): Input {
  if (name === STDIN) return { name, bytes: null }
  try {
    const facts = statSync(name)
    if (facts.isDirectory())
      throw new WorkFailed(`${name}: a folder; name its files, such as '${name.replace(/[\\/]+$/, '')}/**/*.txt'`)
    // Pipes are read like files: shells make them for <(command).
    if (!facts.isFile() && !facts.isFIFO())
      throw new WorkFailed(
        `${name}: it is ${facts.isSocket() ? 'a socket' : 'a device'}; name a file, or - for standard input`,
      )
    accessSync(name, constants.R_OK)
    return { name, bytes: facts.isFile() && !isPacked(name) ? facts.size : null }
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw new WorkFailed(`${name}: ${reasonOf(error)}`, { cause: error })
  }
}

/** Whether tokenbed decompresses a file of this name. */
export const isPacked = (name: string) => /\.(gz|zst)$/i.test(name)
