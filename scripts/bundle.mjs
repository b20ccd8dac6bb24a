// Bundles the packages that the command uses into files of its own, dist/cli/bundled/: node scripts/bundle.mjs
//
// Then users install nothing but the binary: there are no versions to agree on, no releases of others to trust, and
// of packages such as d3 only the parts that are used. THIRD_PARTY_NOTICES.md, which notices.mjs writes, names what
// went in.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { root, runIfMain } from './process.mjs'
import { textsOf } from './terms.mjs'

const from = join(root, 'cli/bundled')

/** Writes the files, or only reads them; returns the packages of others that are in them, by name. */
export function bundle({ write = true } = {}) {
  const files = readdirSync(from)
  const used = [
    ...bundled(
      files.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts')),
      { format: 'cjs' },
      write,
    ),
    // These are for packages that are modules for `import` only.
    ...bundled(
      files.filter((name) => name.endsWith('.mts')),
      { format: 'esm', outExtension: { '.js': '.mjs' } },
      write,
    ),
    ...page(write),
  ]
  return [...new Set(used)].map(described).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The folders in node_modules whose packages are part of the result. */
function bundled(names, options, write) {
  const { metafile } = esbuild()({
    absWorkingDir: root,
    entryPoints: names.map((name) => join(from, name)),
    outdir: 'dist/cli/bundled',
    bundle: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    minify: true,
    platform: 'node',
    target: 'node20.19',
    tsconfigRaw: {},
    write,
    ...options,
  })
  return packagesIn(metafile)
}

/**
 * The page of the explorer: markup, style and program in one file, compressed, since nobody reads it but the command.
 * It returns the packages that are in it.
 */
function page(write) {
  const folder = join(from, 'page')
  const built = (name, options) =>
    esbuild()({
      absWorkingDir: root,
      entryPoints: [join(folder, name)],
      outdir: 'dist/cli/bundled',
      bundle: true,
      legalComments: 'none',
      logLevel: 'warning',
      metafile: true,
      minify: true,
      platform: 'browser',
      target: 'es2022',
      tsconfigRaw: {},
      write: false,
      ...options,
    })
  // This build of the library leaves out checks that are for those who write commands for it: a fifth of it.
  const alias = { regl: 'regl/dist/regl.unchecked.js' }
  const program = built('main.ts', { format: 'iife', alias })
  if (write) {
    const [script] = program.outputFiles.map(({ text }) => text.trim())
    const [style] = built('style.css', {}).outputFiles.map(({ text }) => text.trim())
    if (/<\/?script|<!--/i.test(script)) throw new Error('the program of the page would end its own element')
    const whole = readFileSync(join(folder, 'explorer.html'), 'utf8')
      .replace('%STYLE%', () => style)
      .replace('%SCRIPT%', () => script)
    mkdirSync(join(root, 'dist/cli/bundled'), { recursive: true })
    const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: whole.length }
    writeFileSync(join(root, 'dist/cli/bundled/explorer.html.br'), brotliCompressSync(whole, { params }))
  }
  return packagesIn(program.metafile)
}

/** It is imported here, because the build has to install it first. */
const esbuild = () => createRequire(import.meta.url)('esbuild').buildSync

/** The folders in node_modules of the packages that are in a bundle. */
function packagesIn(metafile) {
  const inputs = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs))
  return inputs
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .flatMap(([path]) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [])
}

function described(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  return { name, version, license, texts: textsOf(join(root, folder), name, license) }
}

await runIfMain(import.meta, () => bundle())
