// Rules for the packages under npm/: there is one for each platform, and they agree with the root's.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../process.mjs'
import { projectFiles, read } from './files.mjs'

/** Keys that must equal the root's. npm silently leaves out a platform package whose engines do not fit. */
const SHARED = ['version', 'license', 'engines']

function outOfStep() {
  const { napi, name, ...shared } = JSON.parse(read('package.json'))
  const found = projectFiles().filter((path) => /^npm\/[^/]+\/package\.json$/.test(path))
  const missing =
    found.length === napi.targets.length ? [] : [`npm/: ${found.length} packages for ${napi.targets.length} targets`]
  return found.flatMap((path) => differences(path, name, shared)).concat(missing)
}

function differences(path, name, shared) {
  const platform = path.split('/')[1]
  const its = JSON.parse(read(path))
  const wrong = SHARED.filter((key) => JSON.stringify(its[key]) !== JSON.stringify(shared[key]))
  if (its.name !== `${name}-${platform}`) wrong.push('name')
  if (!existsSync(join(root, 'npm', platform, 'README.md'))) wrong.push('README.md')
  return wrong.map((what) => `${path}: ${what}`)
}

/** The loader and the crates must name the same platforms and the same version. */
function unnamed() {
  const [{ version, napi }, loader, platforms] = [
    JSON.parse(read('package.json')),
    read('api/native/binary.ts'),
    read('api/native/platform.ts'),
  ]
  const names = projectFiles().flatMap((path) => /^npm\/([^/]+)\/package\.json$/.exec(path)?.[1] ?? [])
  const lacking = names.filter(
    (name) => !loader.includes(`require('tokenbed-${name}')`) || !platforms.includes(`'${name}'`),
  )
  const ofCrates = /^version = "(.*)"$/m.exec(read('Cargo.toml'))[1]
  return [
    ...lacking.map((name) => `api/native/binary.ts or api/native/platform.ts lacks ${name}`),
    ...(names.length === napi.targets.length ? [] : [`${names.length} platforms for ${napi.targets.length} targets`]),
    ...(ofCrates === version ? [] : [`Cargo.toml has version ${ofCrates}, package.json ${version}`]),
  ]
}

export const packageRules = [
  { name: 'platform packages agree with the root package', offenders: outOfStep },
  { name: 'the loader names every platform, and the crates have the version of the package', offenders: unnamed },
]
