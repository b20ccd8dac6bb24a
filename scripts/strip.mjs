// Takes the comments out of the JavaScript that users load, dist/index.js, arrow.js and queue.js and dist/api/:
// node scripts/strip.mjs
//
// They are a fifth of its bytes, and Node reads all of it at `require`. The type declarations keep theirs, which
// editors show. Files without comments stay as they are.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root, runIfMain } from './process.mjs'

export function strip() {
  // It is imported here, because the build has to install it first.
  const { transformSync } = createRequire(import.meta.url)('esbuild')
  const api = join(root, 'dist/api')
  const files = readdirSync(api, { recursive: true }).filter((name) => name.endsWith('.js'))
  const entries = ['index.js', 'arrow.js', 'queue.js'].map((name) => join(root, 'dist', name))
  for (const path of [...entries, ...files.map((name) => join(api, name))]) {
    const before = readFileSync(path, 'utf8')
    const { code } = transformSync(before, { legalComments: 'none', target: 'es2022' })
    if (code !== before) writeFileSync(path, code)
  }
}

await runIfMain(import.meta, strip)
