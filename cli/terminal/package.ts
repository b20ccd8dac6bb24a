// What package.json says of this package.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The package's version, and the lines of Node that it runs on. */
export function packageJson(): { version: string; engines: { node: string } } {
  return JSON.parse(readFileSync(join(__dirname, '../../../package.json'), 'utf8'))
}
