// tokenbed loaded from a bundle that should have left it out: the error explains this at once.

import test from 'ava'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildSync, type BuildOptions } from 'esbuild'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()

interface Said {
  code: string
  reason: string
  message: string
  found: string
  mend: string
  cause: string | null
}

const CATCH = `const { code, reason, message, found, mend, cause } = error; console.log(JSON.stringify({ code, reason, message, found, mend, cause: cause ? cause.code : null }))`

/**
 * Bundles a program that loads tokenbed, runs it and returns its error. The program belongs to a package of version
 * 9.9.9.
 */
function told(options: BuildOptions, end = 'cjs'): { said: Said; path: string } {
  const app = mkdtempSync(join(base, 'app-'))
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "version": "9.9.9" }')
  const entry = join(app, 'main.js')
  writeFileSync(
    entry,
    `try { require(${JSON.stringify(join(root, 'dist/index.js'))}); console.log('{}') } catch (error) { ${CATCH} }`,
  )
  const path = join(app, 'build/server', `main.${end}`)
  buildSync({ entryPoints: [entry], outfile: path, bundle: true, platform: 'node', logLevel: 'silent', ...options })
  return { said: run(path), path }
}

function run(path: string): Said {
  const { stdout, stderr } = spawnSync(process.execPath, [path], { encoding: 'utf8' })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as Said
}

const BUNDLES: [name: string, options: BuildOptions, end?: string][] = [
  ['a script', { format: 'cjs' }],
  ['a module', { format: 'esm' }, 'mjs'],
  ['a function', { format: 'iife' }],
  ['without white space and names', { format: 'cjs', minify: true }],
  ['with a path that webpack makes up', { format: 'cjs', define: { __filename: '"/index.js"', __dirname: '"/"' } }],
  [
    'with the path that the source had',
    {
      format: 'cjs',
      define: {
        __filename: '"node_modules/tokenbed/dist/api/native/whole.js"',
        __dirname: '"node_modules/tokenbed/dist/api/native"',
      },
    },
  ],
]
for (const [name, options, end] of BUNDLES) {
  test(`loading from a bundle is an error that explains it, not ENOENT or a foreign version: ${name}`, (t) => {
    const { said } = told(options, end)
    t.is(said.code, 'BINARY')
    t.is(said.reason, 'bundled')
    for (const part of [
      'tokenbed was bundled',
      "external: ['tokenbed']",
      "externals: { tokenbed: 'commonjs tokenbed' }",
      'npm install tokenbed where',
      said.found,
    ])
      t.true(said.message.includes(part), `${said.message} does not say ${part}`)
    t.false(/ENOENT|9\.9\.9/.test(said.message), said.message)
  })
}

test('the error names the bundle', (t) => {
  const { said, path } = told({ format: 'cjs' })
  t.true(said.found.startsWith(path), said.found)
})

for (const [what, text] of [
  ['none', null],
  ["another's", '{ "name": "app", "version": "9.9.9" }'],
  ['one without a version', '{ "name": "tokenbed" }'],
] as const) {
  test(`loading files that were copied without the package's package.json is an error: ${what}`, (t) => {
    const app = mkdtempSync(join(base, 'copied-'))
    if (text !== null) writeFileSync(join(app, 'package.json'), text)
    mkdirSync(join(app, 'dist'))
    cpSync(join(root, 'dist/api'), join(app, 'dist/api'), { recursive: true })
    cpSync(join(root, 'dist/index.js'), join(app, 'dist/index.js'))
    writeFileSync(
      join(app, 'main.cjs'),
      `try { require('./dist/index.js'); console.log('{}') } catch (error) { ${CATCH} }`,
    )
    const said = run(join(app, 'main.cjs'))
    t.is(said.reason, 'bundled')
    t.true(said.message.includes(join(app, 'package.json')), said.message)
    t.false(/9\.9\.9|npm install --save-optional/.test(said.message), said.message)
    t.is(said.cause, text === null ? 'ENOENT' : null)
  })
}
