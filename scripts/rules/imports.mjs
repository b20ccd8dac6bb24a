// Finds which TypeScript file imports which, and cycles of imports.
import { posix } from 'node:path'
import { projectFiles, read } from './files.mjs'

const IMPORT = /\b(?:from|import|require)\s*\(?\s*['"]([^'"]+)['"]/g
/** An import or export and what it names: `import type X from`, `import { type X, y } from`, `export * from`. */
const STATEMENT =
  /\b(?:import|export)\s+(type\s+)?((?:\w+\s*,\s*)?(?:\{[^}]*\}|\*(?:\s*as\s+\w+)?|\w+))\s*from\s*['"][^'"]+['"]/g

let known

/**
 * Every import of every TypeScript file: the file, the specifier, the project file that it resolves to (as written,
 * and as source) or null, and whether it imports only types, which do not exist at run time.
 */
export function imports() {
  known ??= projectFiles()
    .filter((path) => /\.[cm]?ts$/.test(path))
    .flatMap((path) => importsIn(path, read(path)))
  return known
}

/** The imports in the text of one file. @public */
export function importsIn(path, text) {
  const typesEnd = new Set(
    [...text.matchAll(STATEMENT)].filter(isOfTypes).map(({ 0: whole, index }) => index + whole.length),
  )
  return [...text.matchAll(IMPORT)].map(({ 0: whole, 1: said, index }) => {
    const target = said.startsWith('.') ? posix.join(posix.dirname(path), said) : null
    return {
      path,
      said,
      target,
      source: target?.replace(/\.([cm]?)js$/, '.$1ts') ?? null,
      isType: typesEnd.has(index + whole.length),
    }
  })
}

function isOfTypes([, type, clause]) {
  if (type) return true
  if (!clause.startsWith('{')) return false
  const names = clause
    .slice(1, -1)
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)
  return names.length > 0 && names.every((name) => name.startsWith('type '))
}

/** The cycles of a list of edges `[from, to]`: each is a set of files that reach one another (Tarjan 1972). */
export function circles(edges) {
  const next = new Map()
  for (const [from, to] of edges) {
    next.set(from, [...(next.get(from) ?? []), to])
  }
  const [order, low, stack, found] = [new Map(), new Map(), [], []]
  const visit = (file) => {
    order.set(file, order.size)
    low.set(file, order.get(file))
    stack.push(file)
    for (const to of next.get(file) ?? []) {
      if (!order.has(to)) visit(to)
      if (stack.includes(to)) low.set(file, Math.min(low.get(file), low.get(to)))
    }
    if (low.get(file) !== order.get(file)) return
    const circle = stack.splice(stack.indexOf(file))
    if (circle.length > 1 || next.get(file)?.includes(file)) found.push(circle.sort())
  }
  for (const file of next.keys()) if (!order.has(file)) visit(file)
  return found
}
