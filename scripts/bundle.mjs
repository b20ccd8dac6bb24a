// Puts the packages that the command uses into its own files, dist/cli/bundled/: node scripts/bundle.mjs
//
// Whoever installs tokenbed installs nothing else then but the binary: no versions to agree on, no one else's release to trust, and of
// packages such as d3 the parts that are used. What went in is named in THIRD_PARTY_NOTICES.md, which notices.mjs writes.
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root, runIfMain } from './process.mjs'
import { textsOf } from './terms.mjs'

const from = join(root, 'cli/bundled')

/** Writes the files, or only looks; gives the packages of others that are in them, by name. */
export function bundle({ write = true } = {}) {
  const files = readdirSync(from)
  const used = [
    ...bundled(files.filter((name) => name.endsWith('.ts')), { format: 'cjs' }, write),
    // For packages that are modules for `import` alone.
    ...bundled(files.filter((name) => name.endsWith('.mts')), { format: 'esm', outExtension: { '.js': '.mjs' } }, write),
  ]
  return [...new Set(used)].map(described).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The folders in node_modules of the packages that a part of the result is of. */
function bundled(names, options, write) {
  // Not before the build has installed it.
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
  return inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).flatMap(([path]) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [])
}

function described(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  return { name, version, license, texts: textsOf(join(root, folder), name, license) }
}

await runIfMain(import.meta, () => bundle())
