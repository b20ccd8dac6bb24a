// Writes dist/index.mjs and dist/index.d.mts, and the same of tokenbed/arrow and tokenbed/queue: node scripts/esm.mjs
//
// There is one implementation, the CommonJS one, so that a class is the same class for `import` and `require`. The
// module for `import` names its exports one by one, which every tool understands.
import { createRequire } from 'node:module'
import { copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, root, runIfMain } from './process.mjs'

/** The names of the entries that package.json exports. */
const ENTRIES = ['index', 'arrow', 'queue']

function writeModules() {
  for (const entry of ENTRIES) writeModule(entry)
  // Types of api/ refer to those of the native part, so that file is published beside them.
  copyFileSync(join(root, 'native.d.cts'), join(root, 'dist/native.d.cts'))
}

function writeModule(entry) {
  const implementation = join(root, `dist/${entry}.js`)
  if (!existsSync(implementation)) throw new Failure(`dist/${entry}.js is missing: is there an ${entry}.ts?`)
  const names = Object.keys(createRequire(import.meta.url)(implementation)).sort()
  if (names.length === 0) throw new Failure(`dist/${entry}.js exports nothing`)
  const lines = names.map((name) => `  ${name},\n`).join('')
  writeFileSync(join(root, `dist/${entry}.mjs`), `export {\n${lines}} from './${entry}.js'\n`)
  writeFileSync(join(root, `dist/${entry}.d.mts`), `export * from './${entry}.js'\n`)
}

await runIfMain(import.meta, writeModules)
