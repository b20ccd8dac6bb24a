// The packages under npm/: one a platform, in step with the root's.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../process.mjs'
import { projectFiles, read } from './files.mjs'

/** npm leaves out, without a word, a platform package whose engines do not fit: they must be the root's. */
const SHARED = ['version', 'license', 'engines']

function outOfStep() {
  const { napi, name, ...shared } = JSON.parse(read('package.json'))
  const found = projectFiles().filter((path) => /^npm\/[^/]+\/package\.json$/.test(path))
  const missing = found.length === napi.targets.length ? [] : [`npm/: ${found.length} packages for ${napi.targets.length} targets`]
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

export const packageRules = [{ name: "platform packages are in step with the root's", offenders: outOfStep }]
