// Installs the packed package as its users do, and runs its command there. A part of scripts/package.mjs.
import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, capture, root } from './process.mjs'

const TEXT = 'Hello, world!'
const RUNS = [
  { args: ['--version'], prints: /^\d+\.\d+\.\d+\n$/ },
  { args: ['tokens', TEXT, '--ids'], prints: /^15496\n11\n995\n0\n$/ },
  { args: ['plot', 'vectors.txt', '--json', '--out', 'x.svg'], prints: /"labelled":true/ },
  { args: ['embed', '--dim', '4', '--json', '--out', 'x.npy'], prints: /"shape":\[1,256,4\]/ },
]

/**
 * Installs the tarball in an empty folder, with a package of this platform and what it depends on, each packed from where
 * it lies here: nothing is downloaded, and what is not declared as a dependency is not there.
 */
export function installed(tarball, folder) {
  const home = join(folder, 'home')
  mkdirSync(home)
  writeFileSync(join(home, 'package.json'), '{ "private": true }')
  writeFileSync(join(home, 'vectors.txt'), '3 2\na 1 0\nb 1 1\nc 0 2\n')
  const packages = [tarball, ...pack([platformPackage(folder), ...dependencies()], folder)]
  npm(['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error', ...packages], home)
  return RUNS.map(({ args, prints }) => ({ name: `installed: tokenbed ${args.join(' ')}`, ok: runs(home, args, prints) }))
}

/** The package of this platform with the addon that was built last, as publishing lays it out. */
function platformPackage(folder) {
  const addon = readdirSync(root).find((name) => /^tokenbed\..*\.node$/.test(name))
  if (addon === undefined) throw new Failure('the addon is not built: npm run build')
  const platform = addon.split('.')[1]
  const staged = join(folder, platform)
  cpSync(join(root, 'npm', platform), staged, { recursive: true })
  copyFileSync(join(root, addon), join(staged, addon))
  return staged
}

/** Folders of all packages that the lock file wants for use, not for development. */
function dependencies() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  return Object.entries(packages)
    .filter(([path, { dev, optional }]) => path !== '' && !dev && !optional)
    .map(([path]) => join(root, path))
}

function pack(folders, destination) {
  const found = npm(['pack', '--json', '--ignore-scripts', '--loglevel', 'error', '--pack-destination', destination, ...folders], root)
  return JSON.parse(found).map(({ filename }) => join(destination, filename))
}

function npm(args, cwd) {
  const { ok, stdout, stderr } = capture(['npm', ...args], { cwd })
  if (!ok) throw new Failure(`npm ${args[0]}: ${stderr.trim()}`)
  return stdout
}

function runs(home, args, prints) {
  const program = join(home, 'node_modules', '.bin', process.platform === 'win32' ? 'tokenbed.cmd' : 'tokenbed')
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: home, input: TEXT, encoding: 'utf8', shell: process.platform === 'win32' })
  const ok = status === 0 && prints.test(stdout) && stderr === ''
  if (!ok) console.log(stdout, stderr)
  return ok
}
