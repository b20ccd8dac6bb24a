// How crates/kernels is built: what ops stand on knows no op, no modules import each other in a circle, and every op is
// in the list of its room, from which it is tested.
import { projectFiles, read } from './files.mjs'

const SOURCE = 'crates/kernels/src/'
/** What ops stand on. */
const GROUND = /^(arch|lanes|rows)\/|^(dispatch|real|isa|half|probe)\.rs$/
/**
 * A path that begins in this crate, or beside the module that names it: `crate::a::b`, `super::a`, `super::super::a`.
 */
const PATHS = /(?<![\w:])\$?(crate|super|self)((?:::(?:super|\w+))*)(?:::\{([^;]*?)\})?/g
/** A `use` that begins with a module inside this one, or with another crate. */
const INSIDE = /^\s*(?:pub )?\s*use (?!crate|super|self)(\w+)/gm

/** Source files by their modules: `ops::lookup::bag`; the root is the empty name. */
function modules() {
  const files = projectFiles().filter((path) => path.startsWith(SOURCE) && path.endsWith('.rs'))
  return new Map(
    files.map((path) => [
      path
        .slice(SOURCE.length, -3)
        .replaceAll('/', '::')
        .replace(/(^|::)(mod|lib)$/, ''),
      path,
    ]),
  )
}

/** Code without comments, visibilities and tests. */
const codeOf = (path) =>
  read(path)
    .split('#[cfg(test)]\nmod ')[0]
    .replace(/\/\/.*|\bpub\([^)]*\)/g, '')

/** The module that a path of segments leads to or into: the longest beginning of it that is one. */
function moduleAt(segments, all) {
  for (let n = segments.length; n > 0; n--) {
    const name = segments.slice(0, n).join('::')
    if (all.has(name)) return name
  }
  return ''
}

/** The first segments of what stands in the braces of a `use`. */
const inBraces = (list) =>
  list
    .split(/,(?![^{]*\})/)
    .map((one) => one.trim().split(/::|\s/)[0])
    .filter(Boolean)

/** The modules that a module imports from. */
function named(name, all) {
  const inside = [...codeOf(all.get(name)).matchAll(INSIDE)].map(([, first]) =>
    name === '' ? first : `${name}::${first}`,
  )
  const found = new Set(inside.filter((other) => all.has(other)))
  for (const [, start, rest, braces] of codeOf(all.get(name)).matchAll(PATHS)) {
    const segments = start === 'crate' ? [] : name.split('::').slice(0, start === 'super' ? -1 : undefined)
    for (const segment of rest.split('::').filter(Boolean)) {
      if (segment === 'super') segments.pop()
      else segments.push(segment)
    }
    for (const last of braces === undefined ? [[]] : inBraces(braces)) found.add(moduleAt(segments.concat(last), all))
  }
  return [...found].filter((other) => other !== name && other !== '')
}

function graph() {
  const all = modules()
  return { all, edges: new Map([...all.keys()].map((name) => [name, named(name, all)])) }
}

/** A file on the ground that imports an op. */
function opsBelow() {
  const { all, edges } = graph()
  return [...edges].flatMap(([name, others]) => {
    const path = all.get(name)
    if (!GROUND.test(path.slice(SOURCE.length))) return []
    return others.filter((other) => /^ops(::|$)/.test(other)).map((other) => `${path} -> ${all.get(other)}`)
  })
}

/** Modules that reach themselves by their imports, each with all that are in its circle. */
function circles() {
  const { all, edges } = graph()
  const reached = (from) => {
    const seen = new Set(edges.get(from))
    for (const name of seen) for (const next of edges.get(name)) seen.add(next)
    return seen
  }
  const reaches = new Map([...edges.keys()].map((name) => [name, reached(name)]))
  const inCircles = [...edges.keys()].filter((name) => reaches.get(name).has(name))
  const members = (name) => inCircles.filter((other) => reaches.get(name).has(other) && reaches.get(other).has(name))
  return [
    ...new Set(
      inCircles.map((name) =>
        members(name)
          .map((one) => all.get(one))
          .join(' <-> '),
      ),
    ),
  ]
}

/** Files with functions for each instruction set that the list of their room leaves out. */
function unlisted() {
  const all = modules()
  return [...all].flatMap(([name, path]) => {
    const code = codeOf(path)
    // A macro that makes them for others is no op.
    if (!/^(arms|pass)!\(/m.test(code) || !name.startsWith('ops::')) return []
    const [, room, ...op] = name.split('::')
    const list = /const OPS[^;]*;/.exec(read(all.get(`ops::${room}`)))?.[0] ?? ''
    return new RegExp(`\\b${op.join('::')}::[A-Z]`).test(list)
      ? []
      : [`${path} has no probe in ${all.get(`ops::${room}`)}`]
  })
}

export const kernelRules = [
  { name: 'what kernels stand on imports no op', offenders: opsBelow },
  { name: 'modules of the kernels import each other in no circle', offenders: circles },
  { name: 'every op that is compiled for instruction sets is in the list of its room', offenders: unlisted },
]
