// Writes the TypeScript that follows from options as they are defined in Rust: node scripts/options.mjs
//
// Optimizers are defined in crates/nn/src/optim. Names, defaults, ranges and what they mean stand there alone; types, the
// tables that checks read, and the classes are written from them. `npm run check` says which files are out of date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, capture, root, runIfMain } from './process.mjs'

/** What the crates define. */
function definitions() {
  const { ok, stdout, stderr } = capture(['cargo', 'run', '--quiet', '--locked', '-p', 'tokenbed-train', '--example', 'options'])
  if (!ok) throw new Failure(`cargo run --example options: ${stderr.trim()}`)
  return JSON.parse(stdout)
}

const head = (folder) => `// Written by scripts/options.mjs from what ${folder} defines: change it there.\n`

/** A value as code. */
function shown(value) {
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`
  return typeof value === 'string' ? `'${value}'` : String(value)
}

/** `The learning rate.` -> `The learning rate; default 0.01.` */
function withDefault({ about, kind, word, usual }) {
  const value = kind === 'wordOr' ? word : usual.like ?? (usual.value === undefined ? undefined : shown(usual.value))
  if (value === undefined) return about
  const all = [`default ${value}`, ...(usual.by ?? []).map(([name, its]) => `of ${name} ${shown(its)}`)].join(', ')
  const isOneClause = !/[.;:]./.test(about)
  return isOneClause ? `${about.slice(0, -1)}; ${all}.` : `${about} D${all.slice(1)}.`
}

/** A comment of one line, or of several. */
function comment(text, indent = '') {
  const lines = text.trim().split('\n').map((line) => line.trim())
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`
}

const TYPES = { flag: 'boolean', size: 'number', number: 'number', betas: '[number, number]' }

function members(fields) {
  return fields.map((field) => `${comment(withDefault(field), '  ')}  ${field.name}: ${TYPES[field.kind]}\n`).join('')
}

/** A field as the tables of `api/base/fields.ts` have it. */
function entry({ name, kind, least, most, needs, about, usual }) {
  const parts = [`kind: '${kind}'`]
  if (typeof least === 'number') parts.push(`least: ${least}`)
  if (typeof most === 'number') parts.push(`most: ${most}`)
  if (needs) parts.push(`needs: '${needs}'`)
  if (usual.like) parts.push(`usual: { like: '${usual.like}' }`)
  else if (usual.value !== undefined) parts.push(`usual: ${shown(usual.value)}`)
  else parts.push(`missing: '${about[0].toLowerCase()}${about.slice(1, -1)}'`)
  return `    ${name}: { ${parts.join(', ')} },\n`
}

function optimizerTables({ optimizers }) {
  const tables = optimizers.map(({ name, fields }) => `  ${name}: {\n${fields.map(entry).join('')}  },\n`)
  return `${head('crates/nn/src/optim')}
import type { Fields } from '../base/fields.js'

/** The options of every optimizer. */
export const OPTIMIZERS = {
${tables.join('')}} as const satisfies Record<string, Fields>
`
}

const THROWS = '/** @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters. */'

function optimizerClass({ name, about, fields }) {
  const type = `${name}Options`
  const required = fields.filter(({ usual }) => usual.value === undefined)
  const given = required.length === 0 ? `options?: Partial<${type}>` : `options: { ${required.map((field) => `${field.name}: ${TYPES[field.kind]}`).join('; ')} } & Partial<${type}>`
  return `
export interface ${type} {
${members(fields)}}

${comment(about)}export class ${name} extends Optimizer<${type}> {
  ${THROWS}
  constructor(params: Tensor[] | ParamGroup<${type}>[], ${given}) {
    super('${name}', params, options)
  }
}
`
}

function optimizerClasses({ optimizers }) {
  return `${head('crates/nn/src/optim')}
import type { Tensor } from '../tensor/tensor.js'
import type { ParamGroup } from './group.js'
import { Optimizer } from './optimizer.js'
${optimizers.map(optimizerClass).join('')}`
}

/** What is written where. */
const FILES = {
  'api/optim/definitions.ts': optimizerTables,
  'api/optim/optimizers.ts': optimizerClasses,
}

/** Files that are not what their definitions say. */
export function staleOptions() {
  const all = definitions()
  return Object.keys(FILES).filter((path) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== FILES[path](all))
}

function writeOptions() {
  const all = definitions()
  for (const [path, text] of Object.entries(FILES)) writeFileSync(join(root, path), text(all))
}

await runIfMain(import.meta, writeOptions)
