// Tests that the pages to look things up in have all that there is: variables of the environment, errors, exports.

import test from 'ava'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tokenbed from '../../index.js'
import * as queue from '../../queue.js'
import { root } from '../support/golden.js'

const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** The text of all sources in a folder. */
const sources = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true })
    .map(String)
    .filter((path) => /\.(ts|mts|mjs|rs)$/.test(path) && !path.includes('node_modules'))
    .map((path) => read(`${folder}/${path}`))
    .join('\n')

test('variables.md has every variable that the code reads, and no other', (t) => {
  const text = ['api', 'cli', 'src', 'crates', 'scripts', 'bench', '__test__'].map(sources).join('\n')
  // A name in quotes, behind `env.`, or in the text of a message.
  const used = new Set(text.match(/\bTOKENBED_[A-Z_]*[A-Z]\b/g))
  const named = new Set(read('docs/variables.md').match(/\bTOKENBED_[A-Z_]*[A-Z]\b/g))
  t.deepEqual([...named].sort(), [...used].sort())
})

test('errors.md has every class and every code of errors', (t) => {
  const page = read('docs/errors.md')
  const { TokenbedError } = tokenbed
  const classes = Object.values({ ...tokenbed, ...queue }).filter(
    (one): one is typeof TokenbedError =>
      typeof one === 'function' && (one === TokenbedError || one.prototype instanceof TokenbedError),
  )
  for (const { name } of classes) t.true(page.includes(`| \`${name}\` |`), name)
  const texts = ['api/base/errors.ts', 'api/rows/errors.ts', 'api/queue/errors.ts'].map(read).join('\n')
  const codes = new Set([...texts.matchAll(/super\(\s*'([A-Z_]+)'/g)].map(([, code]) => code))
  t.true(codes.size >= 9, `${[...codes]}`)
  for (const code of [...codes, 'INTERNAL']) t.regex(page, new RegExp(`^## ${code}$`, 'm'))
  for (const part of page.split(/^## /m).slice(1)) t.regex(part, /What mends it:/)
})
