// Builds and runs the examples with bundlers and test runners, as their users would:
// npm run hosts [-- esbuild webpack vite-ssr test-runners bridges]
//
// Each is copied to an empty folder. Its own tools are installed from its lock file, tokenbed from tarballs of the
// last build. A bundle must print what the program prints without one; a suite must pass in every runner.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from './build.mjs'
import { count, show } from './checks.mjs'
import { capture, Failure, root, runIfMain } from './process.mjs'
import { built } from './package.mjs'
import { packAll } from './release/pack.mjs'
import { npm } from './release/stage.mjs'

const HOSTS = [
  { name: 'esbuild', start: ['dist/main.js'] },
  { name: 'webpack', start: ['dist/main.js'] },
  { name: 'vite-ssr', start: ['server.js', '--once'] },
]
/** A suite of tests, and the scripts that run it, each in another kind of realm. */
const RUNNERS = { name: 'test-runners', scripts: ['jest', 'jsdom', 'threads', 'vm-threads'] }
/** Bridges to vector stores and frameworks, whose tests need a small model. */
const BRIDGES = { name: 'bridges', model: 'testdata/golden/embed/m2v-f32' }
const WANTED = { ids: [15496, 11, 995, 0], shape: [4, 8] }

/** Installs an example, its tools and tokenbed in a folder of its own. */
function installed(name, tarballs, folder) {
  const home = join(folder, name)
  cpSync(join(root, 'examples', name), home, {
    recursive: true,
    filter: (path) => !/[\\/](node_modules|dist)$/.test(path),
  })
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error']
  npm(['ci', ...quiet], home)
  npm(['install', '--no-save', '--offline', ...quiet, ...tarballs], home)
  return home
}

/** A check for each runner: the suite passes. */
function runners({ name, scripts }, tarballs, folder) {
  const home = installed(name, tarballs, folder)
  return scripts.map((script) => {
    const { ok, stdout, stderr } = capture(['npm', 'run', '--silent', script], { cwd: home })
    const passed = /Tests:?\s+(?:\x1b\[\d+m)*(\d+) passed/.exec(`${stdout}${stderr}`.replace(/\x1b\[\d+m/g, ''))?.[1]
    if (!ok || !passed) console.log(`${script}: ${stdout}${stderr}`)
    return { name: `${name}: ${script}, ${passed ?? 'no'} tests`, ok: ok && Number(passed) > 0 }
  })
}

/** A check that the bridges work with the packages that they are for. */
function bridges({ name, model }, tarballs, folder) {
  const home = installed(name, tarballs, folder)
  const env = { ...process.env, TOKENBED_MODEL: join(root, model) }
  const { ok, stdout, stderr } = capture([process.execPath, '--test'], { cwd: home, env })
  const passed = /^(?:#|ℹ) pass (\d+)/m.exec(stdout)?.[1]
  if (!ok || !passed) console.log(`${name}: ${stdout}${stderr}`)
  return { name: `${name}: ${passed ?? 'no'} tests`, ok: ok && Number(passed) > 0 }
}

/** A check that the example builds and runs. */
function check({ name, start }, tarballs, folder) {
  const home = installed(name, tarballs, folder)
  npm(['run', 'build', '--silent'], home)
  const { status, stdout, stderr } = spawnSync(process.execPath, start, {
    cwd: home,
    encoding: 'utf8',
    timeout: 60_000,
  })
  const found = /\{.*\}/.exec(stdout)?.[0]
  const { ids, shape, first } = found ? JSON.parse(found) : {}
  const ok =
    status === 0 && JSON.stringify({ ids, shape }) === JSON.stringify(WANTED) && first?.length === WANTED.shape[1]
  if (!ok) console.log(`${name} ended with ${status}: ${stdout}${stderr}`)
  return { name: `${name}: bundled and run`, ok, first: JSON.stringify(first) }
}

function main() {
  build()
  const only = process.argv.slice(2)
  const isWanted = ({ name }) => only.length === 0 || only.includes(name)
  const [hosts, suites, others] = [HOSTS, [RUNNERS], [BRIDGES]].map((list) => list.filter(isWanted))
  if (hosts.length + suites.length + others.length === 0)
    throw new Failure(
      `no such example: ${only.join(', ')}; there are ${[...HOSTS, RUNNERS, BRIDGES].map(({ name }) => name).join(', ')}`,
    )
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-hosts-'))
  try {
    const { rootPackage, platformPackages } = packAll([built()], join(folder, 'stage'), join(folder, 'packed'))
    const tarballs = [rootPackage, ...platformPackages].map(({ tarball }) => tarball)
    const checks = hosts.map((host) => check(host, tarballs, folder))
    if (hosts.length > 0)
      checks.push({ name: 'all print the same', ok: new Set(checks.map(({ first }) => first)).size === 1 })
    checks.push(...suites.flatMap((suite) => runners(suite, tarballs, folder)))
    checks.push(...others.map((one) => bridges(one, tarballs, folder)))
    show(checks)
    count(checks)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

await runIfMain(import.meta, main)
