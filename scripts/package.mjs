// Tests the package as users get it: it is packed as npm would publish it, checked, installed, run and broken:
// node scripts/package.mjs
//
// This uses the Node that runs it. TOKENBED_RUNTIMES=all, as in CI, adds the other maintained lines of Node, Bun and
// Deno.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { show } from './checks.mjs'
import { Failure, capture, root, runIfMain, tool } from './process.mjs'
import { gates } from './release/gates.mjs'
import { packAll, showGates } from './release/pack.mjs'
import { everyRuntime, thisNode } from './release/runtimes.mjs'
import { sameResults, testRuntimes } from './release/test.mjs'
import { installedSize, linked } from './release/user.mjs'

/** Packs the last built addon, checks the tarballs and does what users do; prints the results, and counts them. */
export async function checkPackage() {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-package-'))
  try {
    const { platform, binary } = built()
    const { rootPackage, platformPackages } = packAll(
      [{ platform, binary }],
      join(folder, 'stage'),
      join(folder, 'packed'),
    )
    const looked = showGates(gates(rootPackage, platformPackages, { isPortable: false }))
    const tarballs = [rootPackage, ...platformPackages].map(({ tarball }) => tarball)
    const { homes, checks: used } = testRuntimes(runtimes(), tarballs, folder, platform)
    const others = [
      ...typescripts(rootPackage.tarball, folder),
      ...homes.slice(0, 1).flatMap((home) => [installedSize(home), linked(home)]),
      sameResults(used),
    ]
    show(others)
    const failed = [...used, ...others].filter(({ ok }) => !ok)
    return {
      passed: used.length + others.length - failed.length + looked.passed,
      failed: failed.length + looked.failed,
      names: failed.map(({ name }) => name),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** This Node stands for its line, so that it is not fetched again. */
function runtimes() {
  const wanted = process.env.TOKENBED_RUNTIMES ?? 'this'
  if (!['this', 'all'].includes(wanted))
    throw new Failure(`TOKENBED_RUNTIMES is ${JSON.stringify(wanted)}; it can be "this" or "all"`)
  if (wanted === 'this') return [thisNode()]
  const [line] = process.versions.node.split('.')
  return [thisNode(), ...everyRuntime().filter(({ name }) => name !== `Node ${line}`)]
}

/** The last built addon, for this machine only. */
export function built() {
  const addon = readdirSync(root).find((name) => /^tokenbed\..*\.node$/.test(name))
  if (addon === undefined) throw new Failure('the addon is not built: npm run build')
  return { platform: addon.split('.')[1], binary: join(root, addon) }
}

/** What a TypeScript user writes, compiled against the packed types only, which are checked, too. */
const CONSUMER = `import { createDataLoader, Embedding, scope, Tensor, TokenIndexError, type Ids } from 'tokenbed'
import { loadArrow } from 'tokenbed/arrow'
import { work } from 'tokenbed/queue'
const ids: Ids = [[1, 2], [3, 4]]
const vectors: Tensor = scope(() => new Embedding(6, 3, { paddingIdx: -1 }).forward(ids))
for (const { inputs } of createDataLoader([1, 2, 3], { maxLength: 1 })) inputs.shape[0].toFixed()
export { loadArrow, work }
export const size: number = vectors.size + new Array<TokenIndexError>().length
// @ts-expect-error: an option that does not exist
new Embedding(6, 3, { padingIdx: 0 })
`
const RESOLUTIONS = [
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
]

function typescripts(tarball, folder) {
  const unpacked = join(folder, 'node_modules', 'tokenbed')
  mkdirSync(unpacked, { recursive: true })
  const tar = capture(['tar', '-xzf', tarball, '--strip-components', '1', '-C', unpacked])
  if (!tar.ok) throw new Failure(`tar: ${tar.stderr.trim()}`)
  for (const name of ['consumer.mts', 'consumer.cts', 'consumer.ts']) writeFileSync(join(folder, name), CONSUMER)
  return RESOLUTIONS.map(([module, resolution]) => {
    const files = resolution === 'bundler' ? ['consumer.ts'] : ['consumer.mts', 'consumer.cts']
    const flags = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2022', '--ignoreConfig']
    const tsc = capture([
      ...tool('typescript', 'tsc'),
      ...flags,
      '--module',
      module,
      '--moduleResolution',
      resolution,
      ...files.map((name) => join(folder, name)),
    ])
    if (!tsc.ok) console.log(tsc.stdout)
    return { name: `types, ${resolution}`, ok: tsc.ok }
  })
}

await runIfMain(import.meta, async () => {
  if ((await checkPackage()).failed > 0) process.exitCode = 1
})
