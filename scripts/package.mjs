// Checks the package as npm would publish it: node scripts/package.mjs
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installed } from './installed.mjs'
import { Failure, capture, runIfMain, stream, tool } from './process.mjs'

const REQUIRED = ['dist/index.js', 'dist/index.mjs', 'dist/index.d.ts', 'dist/index.d.mts', 'dist/cli/main.js', 'package.json', 'README.md', 'LICENSE', 'THIRD_PARTY_NOTICES.md']
/** The addon comes in packages of its own, one a platform; tests and sources stay here. */
const FORBIDDEN = /\.node$|__test__|\.tsbuildinfo$|\.rs$|(?<!\.d)\.ts$/

/** Packs, looks at the tarball, shows how it went, and counts. */
export async function checkPackage() {
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-package-'))
  try {
    const { tarball, files } = pack(folder)
    const checks = [
      { name: 'files', ok: hasRightFiles(files) },
      { name: 'publint', ok: (await stream([...tool('publint', 'publint'), tarball, '--strict'])).ok },
      ...typescripts(tarball, folder),
      ...installed(tarball, folder),
      { name: 'attw', ok: (await stream([...tool('@arethetypeswrong/cli', 'attw'), tarball, '--no-color'])).ok },
    ]
    for (const { name, ok } of checks) console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}`)
    const passed = checks.filter(({ ok }) => ok).length
    return { passed, failed: checks.length - passed }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function pack(folder) {
  const { ok, stdout, stderr } = capture(['npm', 'pack', '--json', '--pack-destination', folder, '--loglevel', 'error'])
  if (!ok) throw new Failure(`npm pack: ${stderr.trim()}`)
  const [{ filename, files }] = JSON.parse(stdout)
  return { tarball: join(folder, filename), files: files.map(({ path }) => path) }
}

/** What a user of TypeScript writes, compiled against the packed types alone, which are checked too. */
const CONSUMER = `import { createDataLoader, Embedding, scope, Tensor, TokenIndexError, type Ids } from 'tokenbed'
const ids: Ids = [[1, 2], [3, 4]]
const vectors: Tensor = scope(() => new Embedding(6, 3, { paddingIdx: -1 }).forward(ids))
for (const { inputs } of createDataLoader([1, 2, 3], { maxLength: 1 })) inputs.shape[0].toFixed()
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
    const tsc = capture([...tool('typescript', 'tsc'), ...flags, '--module', module, '--moduleResolution', resolution, ...files.map((name) => join(folder, name))])
    if (!tsc.ok) console.log(tsc.stdout)
    return { name: `types, ${resolution}`, ok: tsc.ok }
  })
}

function hasRightFiles(files) {
  const missing = REQUIRED.filter((path) => !files.includes(path)).map((path) => `missing in the package: ${path}`)
  const stray = files.filter((path) => FORBIDDEN.test(path)).map((path) => `should not be in the package: ${path}`)
  for (const line of [...missing, ...stray]) console.log(line)
  return missing.length + stray.length === 0
}

await runIfMain(import.meta, async () => {
  if ((await checkPackage()).failed > 0) process.exitCode = 1
})
