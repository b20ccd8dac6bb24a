// Writes the list of crates in THIRD_PARTY_NOTICES.md: node scripts/notices.mjs
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, capture, root, runIfMain } from './process.mjs'

const FILE = 'THIRD_PARTY_NOTICES.md'
const BEGIN = '<!-- crates: written by scripts/notices.mjs -->'
const END = '<!-- end of crates -->'

/** The lines that the list lacks or has too many; for scripts/check.mjs. */
export function staleNotices() {
  const text = readFileSync(join(root, FILE), 'utf8')
  return withCrates(text) === text ? [] : [`${FILE} is stale: node scripts/notices.mjs`]
}

function withCrates(text) {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin < 0 || end < begin) throw new Failure(`${FILE}: the marks of the list are gone`)
  const rows = compiledIn().map(({ name, version, license }) => `| ${name} | ${version} | ${license} |\n`)
  const table = `| crate | version | license |\n|---|---|---|\n${rows.join('')}`
  return `${text.slice(0, begin)}${BEGIN}\n\n${table}\n${text.slice(end)}`
}

/** The crates of others in the addon of any platform that is published, by name. */
export function compiledIn() {
  const { targets } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).napi
  const found = new Map(targets.flatMap((target) => cratesFor(target)).map((one) => [one.id, one]))
  const key = ({ name, version }) => `${name} ${version}`
  return [...found.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

function cratesFor(target) {
  const { ok, stdout, stderr } = capture(['cargo', 'metadata', '--format-version', '1', '--locked', '--filter-platform', target])
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

/** Runs in the compiler, and is no part of what it makes. */
function isMacro({ targets }) {
  return targets.some(({ kind }) => kind.includes('proc-macro'))
}

await runIfMain(import.meta, () => {
  const path = join(root, FILE)
  writeFileSync(path, withCrates(readFileSync(path, 'utf8')))
})
