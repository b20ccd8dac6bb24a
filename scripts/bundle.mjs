// Bundles the packages that the command uses into files of its own, dist/cli/bundled/: node scripts/bundle.mjs
//
// Then users install nothing but the binary: there are no versions to agree on, no releases of others to trust, and
// of packages such as d3 only the parts that are used. THIRD_PARTY_NOTICES.md, which notices.mjs writes, names what
// went in.
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root, runIfMain } from './process.mjs'
import { textsOf } from './terms.mjs'

const from = join(root, 'cli/bundled')

/** Writes the files, or only reads them; returns the packages of others that are in them, by name. */
export function bundle({ write = true } = {}) {
  const files = readdirSync(from)
  const used = [
    ...bundled(
      files.filter((name) => name.endsWith('.ts')),
      { format: 'cjs' },
      write,
    ),
    // These are for packages that are modules for `import` only.
    ...bundled(
      files.filter((name) => name.endsWith('.mts')),
      { format: 'esm', outExtension: { '.js': '.mjs' } },
      write,
    ),
  ]
  return [...new Set(used)].map(described).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The folders in node_modules whose packages are part of the result. */
function bundled(names, options, write) {
  // It is imported here, because the build has to install it first.
  const { buildSync } = createRequire(import.meta.url)('esbuild')
  const { metafile } = buildSync({
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
