// Tests the packages in release/packages/ as users get them, on every runtime that is available here:
// npm run release:test
//
// On Node of every maintained line, Bun and Deno they are installed into an empty folder without a compiler on the
// path. Then run smoke programs by import, require and TypeScript, the command, a hundred workers, and each way in
// which an installation can be broken. All must print the same, to the bit.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, show } from '../checks.mjs'
import { Failure, runIfMain } from '../process.mjs'
import { failures, notAllowed } from './failures.mjs'
import { packages } from './pack.mjs'
import { everyRuntime, thisNode } from './runtimes.mjs'
import { commands, install, installedSize, linked, moved, smokes, storm, writeSmokes } from './user.mjs'

/** All checks of one runtime on these packages, and what the first smoke program printed. */
function testRuntime(runtime, tarballs, folder, platform) {
  const home = install(runtime, tarballs, folder)
  writeSmokes(home)
  const checks = [
    ...smokes(runtime, home),
    ...commands(runtime, home),
    storm(runtime, home),
    moved(runtime, home),
    ...failures(runtime, home, platform),
  ]
  if (runtime.kind === 'deno') checks.push(notAllowed(runtime, home))
  return { home, checks }
}

/**
 * Tests each of these runtimes, given as functions that fetch them, and prints the results; `homes` are the folders
 * where the packages were installed. A runtime that cannot be fetched, or on which the packages cannot be installed,
 * is a failed check.
 */
export function testRuntimes(runtimes, tarballs, folder, platform) {
  const tested = runtimes.map(({ name, get }) => {
    const found = testedOrNot(name, get, tarballs, folder, platform)
    show(found.checks)
    return found
  })
  return { homes: tested.flatMap(({ home }) => home ?? []), checks: tested.flatMap(({ checks }) => checks) }
}

function testedOrNot(name, get, tarballs, folder, platform) {
  try {
    return testRuntime(get(), tarballs, folder, platform)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    console.log(`       ${error.message}`)
    return { checks: [{ name: `${name}: fetched, and the packages installed`, ok: false }] }
  }
}

/** Whether all smoke programs printed the same, on any machine and runtime. */
export function sameResults(checks) {
  const results = checks.filter(({ result }) => result).map(({ result }) => JSON.stringify(result))
  const ok = results.length > 0 && new Set(results).size === 1
  if (!ok) for (const one of new Set(results)) console.log(one)
  return { name: `${results.length} smokes printed the same`, ok }
}

/** The platform of this process, as in the packages' names. */
export function platformHere(tarballs) {
  const isMusl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime
  const names = tarballs
    .map((path) => /tokenbed-((?:linux|darwin|win32)-.*)-\d+\.\d+\.\d+.*\.tgz$/.exec(path)?.[1])
    .filter(Boolean)
  return names.find(
    (name) => name.startsWith(`${process.platform}-${process.arch}`) && name.endsWith('musl') === isMusl,
  )
}

function main() {
  const all = existsSync(packages) ? readdirSync(packages).map((name) => join(packages, name)) : []
  const platform = platformHere(all)
  if (platform === undefined) throw new Failure('release/packages/ has none for this machine: npm run release:pack')
  const here = all.filter((path) => /tokenbed-\d/.test(path) || path.includes(`tokenbed-${platform}-`))
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-release-'))
  try {
    const { homes, checks } = testRuntimes(
      process.argv[2] === '--this-node' ? [thisNode()] : everyRuntime(),
      here,
      folder,
      platform,
    )
    const last = [...homes.slice(0, 1).flatMap((home) => [installedSize(home), linked(home)]), sameResults(checks)]
    show(last)
    count([...checks, ...last])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

await runIfMain(import.meta, main)
