// Puts the JavaScript of the root's package into a few files, in the folder that it is staged in. Node takes twice as
// long to find, read and compile two hundred small files as one with all that they say, at every start of a program.
//
// dist/api/native/whole.js becomes all of api/ and the entries, and dist/cli/commands/all.js all of the command. They
// stand where they find the other files of the package by the paths that their parts have. Functions and classes keep
// their names, and lines are short, so that an error still says where it came from. Comments, indentation and the names
// of what is local go. So do the declarations of types that no entry imports.
import { createRequire } from 'node:module'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const ENTRIES = ['index', 'arrow', 'queue']

/** Changes the JavaScript in `staged`, a folder with the files of the root's package. */
export function together(staged) {
  const dist = join(staged, 'dist')
  const entries = ENTRIES.map((name) => ({ name, path: join(dist, `${name}.js`) }))
  const all = join(dist, 'cli/commands/all.js')
  const whole = join(dist, 'api/native/whole.js')
  const command = joined(
    `require('./tokenbed.js')`,
    join(dist, 'cli'),
    [...entries.map(({ path }) => path), join(dist, 'cli/bundled/*')],
    all,
  )
  const getters = entries.map(({ name }) => `exports.${name} = () => require('./${name}.js')`)
  const api = joined(getters.join('\n'), dist, [], whole)
  const names = new Map(entries.map(({ name, path }) => [name, exportsOf(path)]))
  const declared = declarations(entries.map(({ name }) => join(dist, `${name}.d.ts`)))
  for (const path of filesIn(join(dist, 'api'))) if (!declared.has(path)) rmSync(path)
  for (const path of filesIn(join(dist, 'cli'))) if (!path.includes(join('cli', 'bundled'))) rmSync(path)
  writeFileSync(whole, api)
  writeFileSync(all, command)
  writeFileSync(join(dist, 'cli/tokenbed.js'), `#!/usr/bin/env node\nrequire('./commands/all.js')\n`)
  for (const { name, path } of entries) writeFileSync(path, entry(name, names.get(name)))
}

/** The code of `start`, which stands in `folder`, with all that it requires but `apart` and packages, for `out`. */
function joined(start, folder, apart, out) {
  // It is imported here, because the build has to install it first.
  const { buildSync } = createRequire(import.meta.url)('esbuild')
  const { outputFiles } = buildSync({
    stdin: { contents: start, resolveDir: folder },
    outfile: out,
    write: false,
    bundle: true,
    external: apart,
    // Errors, stacks and the console show the names of functions and classes.
    keepNames: true,
    format: 'cjs',
    legalComments: 'none',
    lineLimit: 120,
    logLevel: 'warning',
    minifyIdentifiers: true,
    minifySyntax: true,
    minifyWhitespace: true,
    packages: 'external',
    platform: 'node',
    target: 'node20.19',
    tsconfigRaw: {},
  })
  return outputFiles[0].text
}

/** The paths of these declarations, and of all that they import. */
function declarations(paths) {
  const found = new Set(paths)
  for (const path of found) {
    for (const [, from] of readFileSync(path, 'utf8').matchAll(/(?:\bfrom |\bimport\(|\bimport )['"](\.[^'"]+)['"]/g)) {
      found.add(join(dirname(path), from.replace(/\.([cm]?)js$/, '.d.$1ts')))
    }
  }
  return found
}

/** An entry of the package. Its last line is never run; Node reads in it which names `import` finds. */
function entry(name, names) {
  const required = `'use strict'\nmodule.exports = require('./api/native/whole.js').${name}()\n`
  return `${required}0 && (module.exports = { ${names.join(', ')} })\n`
}

/** The names that an entry's module for `import` lists. */
function exportsOf(path) {
  const module = readFileSync(path.replace(/\.js$/, '.mjs'), 'utf8')
  return [...module.matchAll(/^ {2}(\w+),$/gm)].map(([, name]) => name)
}

const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath ?? one.path, one.name))
