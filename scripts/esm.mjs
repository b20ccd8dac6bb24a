// Writes dist/index.mjs and dist/index.d.mts: node scripts/esm.mjs
//
// There is one implementation, the CommonJS one, so that a class is the same class for `import` and `require`. The
// module for `import` names its exports one by one, which every tool understands.
import { createRequire } from 'node:module'
import { copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, root, runIfMain } from './process.mjs'

function writeModule() {
  const implementation = join(root, 'dist/index.js')
  if (!existsSync(implementation)) throw new Failure('dist/index.js is missing: is there an index.ts?')
  const names = Object.keys(createRequire(import.meta.url)(implementation)).sort()
  if (names.length === 0) throw new Failure('dist/index.js exports nothing')
  const lines = names.map((name) => `  ${name},\n`).join('')
  writeFileSync(join(root, 'dist/index.mjs'), `export {\n${lines}} from './index.js'\n`)
  writeFileSync(join(root, 'dist/index.d.mts'), "export * from './index.js'\n")
  // Types of api/ refer to those of the native part, so that file is published beside them.
  copyFileSync(join(root, 'native.d.cts'), join(root, 'dist/native.d.cts'))
}

await runIfMain(import.meta, writeModule)
