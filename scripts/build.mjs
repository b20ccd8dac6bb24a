// Builds what is missing or stale: node scripts/build.mjs
//
// That is dependencies, vocabularies, the addon, the TypeScript, the module for `import`, and the bundled packages.
// It says on stderr what it does.
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { addonCargo, requireRust, root, run, runIfMain, tool } from './process.mjs'

export function build() {
  dependencies()
  vocabularies()
  addon()
  typescript()
  step('import')
  run([process.execPath, join(root, 'scripts/esm.mjs')])
  step('bundle')
  run([process.execPath, join(root, 'scripts/bundle.mjs')])
}

function step(name) {
  console.error(`build: ${name}`)
}

function dependencies() {
  if (areInstalled()) return
  step('dependencies')
  // This is not `npm ci`, which refuses a lock file without the optional packages of other platforms that a registry
  // lacks, although npm itself writes such files. This installs what the lock file says, and leaves the file alone.
  // No package runs anything while it is installed.
  run(['npm', 'install', '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--loglevel', 'error'])
}

/** Whether node_modules has what the lock file asks for. npm writes a lock file of its own there, which tells. */
function areInstalled() {
  const installed = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(installed)) return false
  const packagesOf = (file) => JSON.parse(readFileSync(file, 'utf8')).packages
  const present = packagesOf(installed)
  return Object.entries(packagesOf(join(root, 'package-lock.json'))).every(
    ([path, { version, optional }]) => path === '' || optional || present[path]?.version === version,
  )
}

function vocabularies() {
  const script = join(root, 'scripts/vocab.mjs')
  if (!existsSync(script)) return
  step('vocabularies')
  run([process.execPath, script])
}

/** Cargo itself knows what is stale. */
function addon() {
  step('addon')
  requireRust()
  // The command runs this instead of cargo. Windows cannot run a script by its name; a binary built there is larger.
  if (process.platform !== 'win32') process.env.CARGO = addonCargo
  run([...tool('@napi-rs/cli', 'napi'), 'build', '--platform', '--release', '--no-js', '--dts', 'native.d.cts'])
  delete process.env.CARGO
}

function typescript() {
  step('TypeScript')
  run([...tool('typescript', 'tsc'), '-p', '.'])
  // What runs in a browser is checked against a browser's types, and bundled later.
  run([...tool('typescript', 'tsc'), '-p', 'cli/bundled/page'])
  removeOrphans()
}

/** Removes files from dist/ whose source is gone; otherwise their tests would still run. */
function removeOrphans() {
  for (const file of readdirSync(join(root, 'dist'), { recursive: true })) {
    const source = file.replace(/(\.d\.ts|\.js)$/, '.ts')
    if (source !== file && !existsSync(join(root, source))) rmSync(join(root, 'dist', file))
  }
}

await runIfMain(import.meta, build)
