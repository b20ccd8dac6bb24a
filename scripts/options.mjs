// Writes the TypeScript that follows from options as they are defined in Rust: node scripts/options.mjs
//
// Optimizers are defined in crates/nn/src/optim, objectives of training in crates/train. Names, defaults, ranges and
// what they mean stand there alone: types, the tables that checks read, the classes of optimizers and the options of
// `tokenbed train` are written from them. `npm run check` says which files are out of date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { wrapComments } from './comments.mjs'
import { formatted } from './format.mjs'
import { Failure, capture, root, runIfMain } from './process.mjs'

/** What the crates define. */
function definitions() {
  // For the whole workspace, so that the crates are those that `cargo test` builds, with the same features.
  const build = ['cargo', 'build', '--locked', '--workspace', '--example', 'options', '--message-format', 'json']
  const built = capture(build)
  if (!built.ok) throw new Failure(`cargo build --example options: ${built.stderr.trim()}`)
  const messages = built.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const { ok, stdout, stderr } = capture([messages.findLast(({ executable }) => executable).executable])
  if (!ok) throw new Failure(`the example options: ${stderr.trim()}`)
  return JSON.parse(stdout)
}

const head = (folder) => `// Written by scripts/options.mjs from what ${folder} defines: change it there.\n`

/** A name as the key of an object. */
const key = (name) => (/^\w+$/.test(name) ? name : `'${name}'`)

/** A value as code. */
function shown(value) {
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`
  return typeof value === 'string' ? `'${value}'` : String(value)
}

/** Names by their value, from pairs of both. */
function grouped(pairs) {
  const names = new Map()
  for (const [name, value] of pairs) names.set(value, [...(names.get(value) ?? []), name])
  return names
}

/** `The learning rate.` -> `The learning rate; default 0.01.` */
function withDefault({ about, kind, word, usual }) {
  const value =
    kind === 'wordOr'
      ? shown(word)
      : usual.like
        ? `that of ${usual.like}`
        : usual.value === undefined
          ? undefined
          : shown(usual.value)
  if (value === undefined) return about
  const others = [...grouped(usual.by ?? [])].map(([its, names]) => `of ${names.join(' and ')} ${shown(its)}`)
  const all = [`default ${value}`, ...others].join(', ')
  const isOneClause = !/[.;:]./.test(about)
  return isOneClause ? `${about.slice(0, -1)}; ${all}.` : `${about} D${all.slice(1)}.`
}

/** The characters of a line of a comment, at most. */
const LONGEST = 120

/** A line as lines of so many characters, cut between words. */
function wrapped(line, most) {
  if (line.length <= most) return [line]
  const at = line.lastIndexOf(' ', most)
  return at < 0 ? [line] : [line.slice(0, at), ...wrapped(line.slice(at + 1), most)]
}

/** A comment of one line, or of several. */
function comment(text, indent = '') {
  const lines = text
    .trim()
    .split('\n')
    .flatMap((line) => wrapped(line.trim(), LONGEST - indent.length))
  if (lines.length === 1 && lines[0].length <= LONGEST - indent.length - 4) return `${indent}/** ${lines[0]} */\n`
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`
}

const TYPES = {
  flag: 'boolean',
  size: 'number',
  number: 'number',
  betas: '[number, number]',
  epsilons: '[number | null, number]',
  triple: '[number, number, number]',
}

function typeOf({ kind, word, words, options }) {
  if (kind === 'word') return [...words.map(shown), 'null'].join(' | ')
  if (kind !== 'wordOr') return TYPES[kind]
  const own = options.map(
    (field) => `/** ${withDefault(field)} */ ${field.name}${isRequired(field) ? '' : '?'}: ${typeOf(field)}`,
  )
  return `'${word}' | { ${own.join('; ')} }`
}

const isRequired = ({ usual }) => usual.value === undefined && !usual.like

/** The members of an interface; with a mark of `?` all may be left out. */
function members(fields, mark = '') {
  // What may be left out is what a user writes, which is only read.
  const readonly = (field) => (mark && field.kind === 'betas' ? 'readonly ' : '')
  return fields
    .map((field) => `${comment(withDefault(field), '  ')}  ${field.name}${mark}: ${readonly(field)}${typeOf(field)}\n`)
    .join('')
}

/** A field as the tables of `api/base/fields.ts` have it; defaults are those of an objective, where it has its own. */
function entry({ name, kind, least, most, needs, forbids, word, words, options, about, usual }, objective) {
  const value = usual.by?.find(([its]) => its === objective)?.[1] ?? usual.value
  const parts = [`kind: '${kind}'`]
  if (typeof least === 'number') parts.push(`least: ${least}`)
  if (typeof most === 'number') parts.push(`most: ${most}`)
  if (needs) parts.push(`needs: '${needs}'`)
  if (forbids) parts.push(`forbids: '${forbids}'`)
  if (words) parts.push(`words: ${shown(words)}`)
  if (kind === 'wordOr')
    parts.push(`word: '${word}', options: { ${options.map((field) => entry(field, objective)).join(', ')} }`)
  else if (usual.like) parts.push(`usual: { like: '${usual.like}' }`)
  else if (value !== undefined) parts.push(`usual: ${shown(value)}`)
  else if (kind === 'number') parts.push(`missing: '${about[0].toLowerCase()}${about.slice(1, -1)}'`)
  return `${name}: { ${parts.join(', ')} }`
}

const table = (name, fields, objective) =>
  `  ${name}: {\n${fields.map((field) => `    ${entry(field, objective)},\n`).join('')}  },\n`

function optimizerTables({ optimizers }) {
  const tables = optimizers.map(({ name, fields }) => table(name, fields))
  return `${head('crates/nn/src/optim')}
import type { Fields } from '../base/fields.js'

/** The options of every optimizer. */
export const OPTIMIZERS = {
${tables.join('')}} as const satisfies Record<string, Fields>
`
}

const THROWS =
  '/** @throws UsageError for parameters that do not learn and numbers that cannot be; DTypeError for 16-bit parameters. */'

function optimizerClass({ name, about, fields }) {
  const type = `${name}Options`
  const required = fields.filter(isRequired)
  const given =
    required.length === 0
      ? `options?: Partial<${type}>`
      : `options: { ${required.map((field) => `${field.name}: ${typeOf(field)}`).join('; ')} } & Partial<${type}>`
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

/** The options that all objectives have in common: those of which each says the same. */
function commonOf(objectives) {
  const isCommon = (field) =>
    objectives.every(({ fields }) => fields.some(({ name, about }) => name === field.name && about === field.about))
  return objectives[0].fields.filter(isCommon)
}

/** Objectives of one kind share an interface. */
function kindsOf(objectives) {
  const common = commonOf(objectives).map(({ name }) => name)
  return [...new Set(objectives.map(({ kind }) => kind))].map((kind) => {
    const its = objectives.filter((objective) => objective.kind === kind)
    const fields = new Map(its.flatMap(({ fields }) => fields).map((field) => [field.name, field]))
    return {
      kind,
      about: its[0].about,
      names: its.map(({ name }) => name),
      fields: [...fields.values()].filter(({ name }) => !common.includes(name)),
    }
  })
}

const union = (names) => names.map((name) => `'${name}'`).join(' | ')

function objectiveTypes({ objectives, maxRatio }) {
  const names = objectives.map(({ name }) => name)
  const kinds = kindsOf(objectives)
  const interfaces = kinds.map(
    ({ kind, about, names, fields }) => `
${comment(about)}export interface ${kind}TrainerOptions extends CommonOptions${kind === 'Pair' ? ', StartOptions' : ''} {
  objective: ${union(names)}
${members(fields, '?')}}
`,
  )
  return `${head('crates/train')}
import type { Fields } from '../base/fields.js'
import type { ReadingOptions } from './reading.js'
import type { StartOptions } from './start.js'

/** What a table can learn from. */
export type Objective = ${union(names)}

export const OBJECTIVES = [${names.map(shown).join(', ')}] as const

export interface CommonOptions extends ReadingOptions {
${members(commonOf(objectives), '?')}}
${interfaces.join('')}
export type TrainerOptions = ${kinds.map(({ kind }) => `${kind}TrainerOptions`).join(' | ')}

/** The options of every objective. */
export const FIELDS: Readonly<Record<Objective, Fields>> = {
${objectives.map(({ name, fields }) => table(key(name), fields, name)).join('')}}

/** Bytes of text that each byte of a compressed file may become, unless it is said. */
export const MAX_RATIO = ${maxRatio}
`
}

/** Names that the command has of its own: one for the learning rate, whatever it is called with the objective. */
const OF_COMMAND = { alpha: 'lr' }
/** Options that the command has no use for: its corpora are texts. */
const NOT_OF_COMMAND = ['vocabSize']
const PLACEHOLDERS = { size: ' <n>', number: ' <x>', betas: ' <x,y>', flag: '' }

const dashed = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** The fields of an objective with the path of each; those of a choice instead of the choice. */
function leaves(fields, path = []) {
  return fields.flatMap((field) =>
    field.kind === 'wordOr' ? leaves(field.options, [...path, field.name]) : [{ field, path: [...path, field.name] }],
  )
}

/** Options of the command: each with the objectives that have it, and what it is called there. */
function commandOptions(objectives) {
  const options = new Map()
  for (const { name: objective, fields } of objectives) {
    for (const { field, path } of leaves(fields)) {
      if (NOT_OF_COMMAND.includes(field.name)) continue
      const name = OF_COMMAND[field.name] ?? field.name
      const usual = field.usual.by?.find(([its]) => its === objective)?.[1] ?? field.usual.value
      if (!options.has(name)) options.set(name, { name, field, of: [] })
      options.get(name).of.push({ objective, path, usual, like: field.usual.like })
    }
  }
  // Those of all objectives come first.
  return [...options.values()].sort((a, b) => b.of.length - a.of.length)
}

/** `5; of next-token 1`: the default that most have, then the others. */
function shownDefaults(of) {
  const all = of.map(({ objective, usual, like }) => [
    objective,
    like ? `--${dashed(OF_COMMAND[like] ?? like)}` : usual === undefined ? undefined : String(usual),
  ])
  const values = [...new Set(all.map(([, value]) => value))].filter((value) => value !== undefined)
  const parts = values.map((value, i) =>
    i === 0
      ? value
      : `of ${all
          .filter(([, its]) => its === value)
          .map(([objective]) => objective)
          .join(' and ')} ${value}`,
  )
  return parts.length === 0 ? '' : ` (default: ${[parts[0], parts.slice(1).join(', ')].filter(Boolean).join('; ')})`
}

function commandOption({ name, field: { kind, about, least }, of }, count) {
  const isOff = kind === 'flag' && of[0].usual === true
  const clause = about.replace(/\..*/s, '').replace(/^Whether /, '')
  const whose = of.length === count ? '' : `${of.map(({ objective }) => objective).join(', ')}: `
  const help = `${whose}${isOff ? 'turn off: ' : ''}${clause[0].toLowerCase()}${clause.slice(1)}${kind === 'flag' ? '' : shownDefaults(of)}`
  const facts = [
    `name: '${name}'`,
    `flags: '--${isOff ? 'no-' : ''}${dashed(name)}${PLACEHOLDERS[kind]}'`,
    `kind: '${kind}'`,
  ]
  if (kind === 'size' || kind === 'number') facts.push(`least: ${least ?? '-Infinity'}`)
  const paths = of.map(({ objective, path, usual }) => {
    const value = usual === undefined ? '' : `, usual: ${shown(usual)}`
    return `      ${key(objective)}: { path: [${path.map(shown).join(', ')}]${value} },\n`
  })
  return `  {
    ${facts.join(', ')},
    help: '${help}',
    of: {
${paths.join('')}    },
  },
`
}

function trainCommand({ objectives }) {
  const all = commandOptions(objectives).map((option) => commandOption(option, objectives.length))
  return `${head('crates/train')}
import type { Objective } from '../../index.js'

/** An option of \`tokenbed train\`. */
export interface TrainingOption {
  readonly name: string
  readonly flags: string
  readonly kind: 'flag' | 'size' | 'number' | 'betas'
  /** The least that a number may be. */
  readonly least?: number
  readonly help: string
  /** The objectives that have it: where it stands among their options, and its default. */
  readonly of: Partial<Readonly<Record<Objective, { readonly path: readonly string[]; readonly usual?: unknown }>>>
}

/** What can be learned. */
export const OBJECTIVES: readonly Objective[] = [${objectives.map(({ name }) => shown(name)).join(', ')}]

export const TRAINING: readonly TrainingOption[] = [
${all.join('')}]
`
}

/** What is written where. */
const FILES = {
  'api/optim/definitions.ts': optimizerTables,
  'api/optim/optimizers.ts': optimizerClasses,
  'api/train/objectives.ts': objectiveTypes,
  'cli/options/training.ts': trainCommand,
}

/** The text of each file, formatted as `npm run format` formats it. */
function written() {
  const all = definitions()
  return Object.entries(FILES).map(([path, text]) => [path, wrapComments(formatted(path, text(all)))])
}

/** Files that are not what their definitions say. */
export function staleOptions() {
  const isStale = ([path, text]) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text
  return written()
    .filter(isStale)
    .map(([path]) => path)
}

function writeOptions() {
  for (const [path, text] of written()) writeFileSync(join(root, path), text)
}

await runIfMain(import.meta, writeOptions)
