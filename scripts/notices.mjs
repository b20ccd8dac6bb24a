// Writes the lists of crates and of bundled packages in THIRD_PARTY_NOTICES.md: node scripts/notices.mjs
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundle } from './bundle.mjs'
import { Failure, capture, root, runIfMain } from './process.mjs'
import { eachOnce } from './terms.mjs'

const FILE = 'THIRD_PARTY_NOTICES.md'
const CRATES = { begin: '<!-- crates: written by scripts/notices.mjs -->', end: '<!-- end of crates -->' }
const PACKAGES = { begin: '<!-- packages: written by scripts/notices.mjs -->', end: '<!-- end of packages -->' }

/** The lines that are missing from the list or should not be there, for scripts/check.mjs. */
export function staleNotices() {
  const text = readFileSync(join(root, FILE), 'utf8')
  return withLists(text) === text ? [] : [`${FILE} is stale: node scripts/notices.mjs`]
}

function withLists(text) {
  const packages = bundle({ write: false })
  return withList(
    withList(text, PACKAGES, `${table('package', packages)}\n${texts(packages)}`),
    CRATES,
    table('crate', compiledIn()),
  )
}

function withList(text, { begin, end }, list) {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Failure(`${FILE}: the marks of the list are gone`)
  return `${text.slice(0, from)}${begin}\n\n${list}\n${text.slice(to)}`
}

function table(kind, all) {
  const rows = all.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |\n`)
  return `| ${kind} | version | license |\n|---|---|---|\n${rows.join('')}`
}

/** The license texts of the bundled packages, each text once. */
function texts(packages) {
  const all = packages.flatMap(({ name, texts }) => texts.map((text) => ({ name, text })))
  return eachOnce(all)
    .map(({ text, names }) => `${names.join(', ')}:\n\n${text.replace(/^/gm, '> ').replace(/ +$/gm, '')}\n`)
    .join('\n')
}

/** The crates of others in the addon of any published platform, by name. */
export function compiledIn() {
  const { targets } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).napi
  const found = new Map(targets.flatMap((target) => cratesFor(target)).map((one) => [one.id, one]))
  const key = ({ name, version }) => `${name} ${version}`
  return [...found.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** The crates of others in the addon of one platform. */
export function cratesFor(target) {
  const { ok, stdout, stderr } = capture([
    'cargo',
    'metadata',
    '--format-version',
    '1',
    '--locked',
    '--filter-platform',
    target,
  ])
  if (!ok) throw new Failure(`cargo metadata: ${stderr.trim()}`)
  const { packages, resolve } = JSON.parse(stdout)
  const byId = new Map(packages.map((one) => [one.id, one]))
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]))
  const seen = new Set([resolve.root])
  for (const id of seen) {
    for (const { pkg, dep_kinds: kinds } of nodes.get(id).deps) {
      const isLinked = kinds.some(({ kind }) => kind === null) && !isMacro(byId.get(pkg))
      if (isLinked) seen.add(pkg)
    }
  }
  return [...seen].map((id) => byId.get(id)).filter(({ source }) => source !== null)
}

/** Whether the crate runs in the compiler, and so is not part of the binary. */
function isMacro({ targets }) {
  return targets.some(({ kind }) => kind.includes('proc-macro'))
}

await runIfMain(import.meta, () => {
  const path = join(root, FILE)
  writeFileSync(path, withLists(readFileSync(path, 'utf8')))
})
