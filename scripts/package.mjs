// Checks the package as npm would publish it: node scripts/package.mjs
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Failure, capture, runIfMain, stream, tool } from './process.mjs'

const REQUIRED = ['dist/index.js', 'dist/index.mjs', 'dist/index.d.ts', 'dist/index.d.mts', 'native.cjs', 'package.json', 'README.md', 'LICENSE', 'THIRD_PARTY_NOTICES.md']
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

function hasRightFiles(files) {
  const missing = REQUIRED.filter((path) => !files.includes(path)).map((path) => `missing in the package: ${path}`)
  const stray = files.filter((path) => FORBIDDEN.test(path)).map((path) => `should not be in the package: ${path}`)
  for (const line of [...missing, ...stray]) console.log(line)
  return missing.length + stray.length === 0
}

await runIfMain(import.meta, async () => {
  if ((await checkPackage()).failed > 0) process.exitCode = 1
})
