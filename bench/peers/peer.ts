// Packages of others to compare with, one file each beside this one.
//
// They are installed in bench/'s own folder (npm run bench:peers). If one is missing, a suite goes on without it, and
// its record says which was missing and why.

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT } from '../report.js'

const load = createRequire(join(ROOT, 'bench', 'package.json'))

interface Missing {
  name: string
  why: string
}
export type Found<T> = { name: string; peer: T } | Missing

/** A peer, or why it is missing. `open` gets a function that loads modules from bench/node_modules. */
export function find<T>(name: string, open: (load: NodeJS.Require, version: string) => T): Found<T> {
  const version = versionOf(name)
  if (version === undefined) return { name, why: 'it is not installed; `npm run bench:peers` installs it' }
  try {
    return { name, peer: open(load, version) }
  } catch (error) {
    return { name, why: `${name} ${version} cannot run here (${(error as Error).message.split('\n')[0]})` }
  }
}

function versionOf(name: string): string | undefined {
  for (const folder of load.resolve.paths(name) ?? []) {
    try {
      return load(join(folder, name, 'package.json')).version
    } catch {
      continue
    }
  }
  return undefined
}
