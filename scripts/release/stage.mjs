// Lays out the packages as they are published, in a folder of their own: the root's, and one for each platform that
// has a binary. The tree itself is not changed: a dependency that is not published yet would break every `npm ci` in
// it.
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Failure, capture, root } from '../process.mjs'
import { noticesWithTerms } from './terms.mjs'
import { together } from './together.mjs'

/** Keys of the root's package.json that are only for developers. */
const OURS = ['scripts', 'devDependencies', 'ava', 'napi']

export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)

/** The names of all platforms, as in npm/. */
export function platforms() {
  return readdirSync(join(root, 'npm')).filter((name) => existsSync(join(root, 'npm', name, 'package.json')))
}

export const binaryName = (platform) => `tokenbed.${platform}.node`

/** Stages the root's package in `folder`, and returns its path. */
export function stageRoot(folder) {
  const staged = join(folder, 'tokenbed')
  const [{ files }] = JSON.parse(npm(['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel', 'error']))
  for (const { path } of files) copy(join(root, path), join(staged, path))
  together(staged)
  const its = readJson(join(root, 'package.json'))
  for (const key of OURS) delete its[key]
  // The version is exact, because a binary goes with the JavaScript that it was built with.
  its.optionalDependencies = Object.fromEntries(platforms().map((name) => [`${its.name}-${name}`, its.version]))
  writeJson(join(staged, 'package.json'), { ...its, ...repository() })
  return staged
}

/** Stages the package of a platform with this binary in `folder`, and returns its path. */
export function stagePlatform(platform, binary, folder) {
  const staged = join(folder, platform)
  copy(join(root, 'LICENSE'), join(staged, 'LICENSE'))
  writeFileSync(join(staged, 'THIRD_PARTY_NOTICES.md'), noticesWithTerms())
  copy(join(root, 'npm', platform, 'README.md'), join(staged, 'README.md'))
  copy(binary, join(staged, binaryName(platform)))
  chmodSync(join(staged, binaryName(platform)), 0o644)
  const its = readJson(join(root, 'npm', platform, 'package.json'))
  writeJson(join(staged, 'package.json'), { ...its, ...repository(platform) })
  return staged
}

/** Packs folders as npm publishes them, into `destination`; returns npm's description of each, and its tarball. */
export function pack(folders, destination) {
  mkdirSync(destination, { recursive: true })
  const found = npm([
    'pack',
    '--json',
    '--ignore-scripts',
    '--loglevel',
    'error',
    '--pack-destination',
    destination,
    ...folders,
  ])
  return JSON.parse(found).map((one) => ({ ...one, tarball: join(destination, one.filename) }))
}

/** The address of the sources, which provenance is checked against. It is known where the workflow publishes. */
function repository(platform) {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env
  if (!server || !name) return {}
  const its = { type: 'git', url: `git+${server}/${name}.git` }
  return { repository: platform === undefined ? its : { ...its, directory: `npm/${platform}` } }
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, to)
}

export function npm(args, cwd = root) {
  const { ok, stdout, stderr } = capture(['npm', ...args], { cwd })
  if (!ok) throw new Failure(`npm ${args[0]}: ${stderr.trim()}`)
  return stdout
}
