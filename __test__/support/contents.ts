import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The files of a folder, each with the SHA-256 of its bytes. A process that is killed just before it renames a file
 * leaves it under its temporary name, which does not count.
 */
export function contents(folder: string): Record<string, string> {
  const digest = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex')
  return Object.fromEntries(
    readdirSync(folder)
      .filter((name) => !/^\.tokenbed-\w+\.part$/.test(name))
      .sort()
      .map((name) => [name, digest(name)]),
  )
}
