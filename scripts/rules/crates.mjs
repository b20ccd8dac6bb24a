// Rules about which crate may use which.
import { dirname, relative } from 'node:path'
import { Failure, capture, root } from '../process.mjs'
import { projectFiles, read } from './files.mjs'

/** The crates of the workspace that each may use outside of its tests, by short name. The addon may use all. */
const ALLOWED = {
  kernels: [],
  memory: [],
  threads: [],
  rng: ['kernels', 'memory'],
  core: ['kernels', 'memory', 'threads'],
  nn: ['core', 'kernels', 'memory', 'rng', 'threads'],
  text: ['memory', 'rng', 'threads'],
  io: ['core', 'memory', 'threads'],
  fasttext: ['core', 'io', 'kernels', 'memory', 'nn', 'threads'],
  train: ['core', 'io', 'kernels', 'memory', 'nn', 'rng', 'threads'],
  embed: ['core', 'kernels', 'memory', 'text', 'threads'],
  testkit: [],
}
const ADDON = 'tokenbed-node'
const PREFIX = 'tokenbed-'

function metadata() {
  const { ok, stdout, stderr } = capture(['cargo', 'metadata', '--format-version', '1', '--locked'])
  if (!ok) throw new Failure(`cargo metadata: ${stderr.trim()}`)
  const { packages, workspace_members: members, resolve } = JSON.parse(stdout)
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]))
  const byId = new Map(packages.map((one) => [one.id, one]))
  return { byId, nodes, crates: members.map((id) => byId.get(id)) }
}

/** A dependency's kind: null for a normal one, else dev or build. */
const isDev = ({ kind }) => kind === 'dev'

function forbiddenEdges() {
  const { crates } = metadata()
  const known = new Set(crates.map(({ name }) => name))
  return crates.flatMap(({ name, dependencies }) => {
    const edges = dependencies.filter((dependency) => known.has(dependency.name))
    return edges.filter((edge) => !isAllowed(name, edge)).map((edge) => `${name} -> ${edge.name}`)
  })
}

function isAllowed(crate, edge) {
  if (edge.name === ADDON) return false
  if (edge.name === `${PREFIX}testkit`) return isDev(edge)
  if (isDev(edge) || crate === ADDON) return true
  const allowed = ALLOWED[crate.slice(PREFIX.length)] ?? []
  return allowed.includes(edge.name.slice(PREFIX.length))
}

function unknownCrates() {
  const names = metadata().crates.map(({ name }) => name)
  return names.filter((name) => name !== ADDON && !(name.slice(PREFIX.length) in ALLOWED))
}

function napiBelowTheAddon() {
  const { byId, nodes, crates } = metadata()
  return crates.filter(({ name }) => name !== ADDON).flatMap(({ id }) => pathToNapi(id, byId, nodes))
}

/**
 * The path from a crate to napi, through dependencies of every kind: `a -> b -> napi`; an empty list if there is
 * none.
 */
function pathToNapi(start, byId, nodes) {
  const cameFrom = new Map([[start, null]])
  for (const id of cameFrom.keys()) {
    if (byId.get(id).name.startsWith('napi')) {
      const path = []
      for (let at = id; at !== null; at = cameFrom.get(at)) path.unshift(byId.get(at).name)
      return [path.join(' -> ')]
    }
    // The keys of a Map include those added during the loop, so this is a breadth-first search.
    for (const { pkg } of nodes.get(id).deps) if (!cameFrom.has(pkg)) cameFrom.set(pkg, id)
  }
  return []
}

/** Dependencies of a crate that none of its sources names. */
function unusedDependencies() {
  const sources = projectFiles().filter((path) => path.endsWith('.rs'))
  return metadata().crates.flatMap(({ manifest_path: manifest, dependencies }) => {
    const folder = relative(root, dirname(manifest))
    const own = sources.filter((path) =>
      folder === '' ? /^(src\/|build\.rs$)/.test(path) : path.startsWith(`${folder}/`),
    )
    const code = own.map(read).join('\n')
    const unused = dependencies.filter(
      (one) => !new RegExp(`\\b${(one.rename ?? one.name).replaceAll('-', '_')}\\b`).test(code),
    )
    return unused.map((one) => `${relative(root, manifest)}: ${one.name}`)
  })
}

export const crateRules = [
  { name: 'crates use only the crates that they may', offenders: forbiddenEdges },
  { name: 'every crate is listed in the rules', offenders: unknownCrates },
  { name: 'no crate but the addon depends on napi', offenders: napiBelowTheAddon },
  { name: 'crates use all their dependencies', offenders: unusedDependencies },
]
