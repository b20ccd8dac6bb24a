// tokenbed inspect: what is in a file or a model, and how healthy its tables are.

import { existsSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { Command } from './bundled/commander.js'
import { stringWidth } from './bundled/terminal.js'
import { loadNpy, loadSafetensors, tableHealth, type Model, type TableHealth, type Tensor } from '../index.js'
import { WorkFailed, WrongUse, isFolder } from './failure.js'
import { labelsOf, openModel } from './models.js'
import { counted, shown, shownBytes, shownShort } from './numbers.js'
import { visibleText } from './pieces.js'
import { print } from './streams.js'
import { splitTable } from './tables.js'

interface Options {
  table?: string
  initial?: string
  health: boolean
  verify?: boolean
  json?: boolean
}

const NOTES = `
Tables are tensors of floating-point numbers with two sizes. Of a model those with a row a token are examined; of a file all,
where there are at most four, else those whose names speak of embeddings; --table names one.

  norms         lengths of the rows
  zero          rows of zeros: padding, or dead
  not finite    rows with a NaN or an infinity: training went wrong there
  unseen        rows that training never looked up, by the counts that the model keeps
  unchanged     rows that are as they were before training, to the bit, by --initial
  far norms     rows much longer or shorter than the others: rare tokens, glitches
  hot           the rows that take half of all lookups

--verify reads every byte and compares it with the digests that were saved: of models and their files, and of checkpoints. What
is damaged is an error that names the file.

Examples:
  $ tokenbed inspect word-vectors
  $ tokenbed inspect word-vectors --verify --no-health
  $ tokenbed inspect model.safetensors --table wte.weight --json
  $ tokenbed inspect trained.safetensors --initial untrained.safetensors:token.weight`

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .summary('list the tensors of a file or model, and the health of its tables')
    .description('Lists tensors, their shapes, types and sizes, and what is wrong with tables of vectors.')
    .argument('<file|folder>', 'a .safetensors or .npy file, or a model\'s folder')
    .option('--table <tensor>', 'the one table to examine')
    .option('--initial <file[:tensor]>', 'a table as it was before training, to find the rows that never changed')
    .option('--no-health', 'list tensors alone, without reading them')
    .option('--verify', 'compare every byte with what was saved, by its digest')
    .option('--json', 'one JSON object: { tensors, tables, model }; rows by their ids')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(inspect)
}

/** What is looked at. */
interface Subject {
  readonly path: string
  readonly bytes: number
  readonly model: Model | null
  readonly tensors: ReadonlyMap<string, Tensor>
}

async function inspect(path: string, options: Options): Promise<void> {
  if (!options.health && (options.table ?? options.initial) !== undefined) throw new WrongUse(`--no-health and ${options.table === undefined ? '--initial' : '--table'} contradict one another: leave one out`)
  const verify = options.verify ?? false
  const subject = open(path, verify)
  const initial = options.initial === undefined ? undefined : readInitial(options.initial)
  const tables = options.health ? chosen(subject, options.table) : []
  if (initial !== undefined && tables.length !== 1) throw new WrongUse(`--initial: for one table, and ${tables.length} are examined (${tables.join(', ') || 'none'}): name it with --table`)
  const healths = tables.map((name) => ({ name, health: examine(subject, name, initial) }))
  if (options.json) return print(`${JSON.stringify({ ...report(subject, healths), ...(verify ? { verified: true } : {}) })}\n`)
  await print(`${heading(subject)}${verify ? '  verified: every byte is as it was saved\n' : ''}${listing(subject.tensors)}${healths.map((one) => healthText(one.name, one.health, labelsFor(subject, one.name))).join('')}`)
}

function open(path: string, verify: boolean): Subject {
  if (!existsSync(path)) throw new WorkFailed(`${path}: no such file or directory`)
  if (isFolder(path)) {
    if (existsSync(join(path, 'model.json'))) {
      const model = openModel(path, { verify })
      return { path, bytes: statSync(join(path, 'model.safetensors')).size, model, tensors: model.tensors }
    }
    const inside = join(path, 'model.safetensors')
    if (!existsSync(inside)) throw new WorkFailed(`${path}: neither model.json nor model.safetensors is in it: name a file`)
    return { path: inside, bytes: statSync(inside).size, model: null, tensors: loadSafetensors(inside, { verify }) }
  }
  const isNpy = extname(path).toLowerCase() === '.npy'
  if (isNpy && verify) throw new WrongUse(`--verify: ${path}: .npy files have no digest that their bytes could be compared with`)
  const tensors = isNpy ? new Map([['array', loadNpy(path)]]) : loadSafetensors(path, { verify })
  return { path, bytes: statSync(path).size, model: null, tensors }
}

const isTable = ({ shape, dtype }: Tensor) => shape.length === 2 && shape[1] > 0 && dtype.includes('float')
const MANY = 4

function chosen({ path, tensors, model }: Subject, name: string | undefined): string[] {
  if (name !== undefined) {
    const tensor = tensors.get(name)
    if (tensor === undefined) throw new WrongUse(`--table ${name}: ${path} has no such tensor; it has: ${[...tensors.keys()].slice(0, 12).join(', ') || 'none'}`)
    if (!isTable(tensor)) throw new WrongUse(`--table ${name}: ${tensor.dtype} [${tensor.shape.join(', ')}] is no table of floating-point numbers`)
    return [name]
  }
  const tables = [...tensors].filter(([, tensor]) => isTable(tensor)).map(([key]) => key)
  if (model) return tables.filter((key) => tensors.get(key)!.shape[0] === model.weight.shape[0])
  return tables.length <= MANY ? tables : tables.filter((key) => /emb|wte|wpe|token|vocab/i.test(key))
}

function readInitial(said: string): Tensor {
  const { path, name } = splitTable(said)
  if (isFolder(path)) return openModel(path).weight
  const tensors = loadSafetensors(path)
  if (name === null && tensors.size !== 1) throw new WrongUse(`--initial ${said}: which of its tensors? Write ${said}:NAME; it has: ${[...tensors.keys()].slice(0, 12).join(', ')}`)
  const tensor = name === null ? [...tensors.values()][0] : tensors.get(name)
  if (tensor === undefined) throw new WrongUse(`--initial ${said}: ${path} has no tensor ${JSON.stringify(name)}; it has: ${[...tensors.keys()].slice(0, 12).join(', ')}`)
  return tensor
}

function examine({ path, tensors, model }: Subject, name: string, initial: Tensor | undefined): TableHealth {
  const table = tensors.get(name)!
  const counts = model?.counts?.length === table.shape[0] ? model.counts : undefined
  if (initial && (initial.dtype !== table.dtype || initial.shape.join() !== table.shape.join())) {
    throw new WrongUse(`--initial: ${initial.dtype} [${initial.shape.join(', ')}], and ${name} of ${path} is ${table.dtype} [${table.shape.join(', ')}]: they must be the same`)
  }
  return tableHealth(table, { ...(counts === undefined ? {} : { counts }), ...(initial === undefined ? {} : { initial }) })
}

function report({ path, bytes, tensors, model }: Subject, healths: { name: string; health: TableHealth }[]): object {
  const size = (tensor: Tensor) => tensor.size * BYTES[tensor.dtype]
  return {
    path,
    bytes,
    ...(model === null ? {} : { model: { objective: model.objective, vocabulary: model.description.vocabulary, training: model.description.training } }),
    tensors: [...tensors].map(([name, tensor]) => ({ name, dtype: tensor.dtype, shape: tensor.shape, bytes: size(tensor) })),
    tables: healths.map(({ name, health }) => ({ name, ...health })),
  }
}

const BYTES = { float32: 4, float64: 8, float16: 2, bfloat16: 2, int8: 1, uint8: 1, int32: 4, int64: 8, bool: 1 }

function heading({ path, model, bytes, tensors }: Subject): string {
  if (model === null) return `${path}: ${counted(tensors.size, 'tensor')}, ${shownBytes(bytes)}\n`
  const { vocabulary, training } = model.description
  const kind = vocabulary.kind === 'words' ? 'word' : 'token'
  const from = vocabulary.kind === 'encoding' ? ` of ${vocabulary.name}` : ''
  const told = [
    `${model.objective}, ${counted(vocabulary.size, kind)}${from}`,
    ...(typeof training.tokens === 'number' ? [`trained on ${shownShort(training.tokens)} tokens`] : []),
    ...(typeof training.epochs === 'number' ? [counted(training.epochs, 'epoch')] : []),
    ...(typeof training.date === 'string' ? [training.date] : []),
  ]
  return `${path}: ${told.join(', ')}\n`
}

function listing(tensors: ReadonlyMap<string, Tensor>): string {
  const rows = [...tensors].map(([name, { dtype, shape, size }]) => [visibleText(name), dtype, `[${shape.join(', ')}]`, shownBytes(size * BYTES[dtype])])
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => stringWidth(row[column]))))
  const padded = (text: string, width: number) => text + ' '.repeat(width - stringWidth(text))
  return rows.map((row) => `  ${row.map((text, column) => (column < 3 ? padded(text, widths[column]) : text)).join('  ')}\n`).join('')
}

/** Of rows that stand for tokens their text, of others their numbers. */
function labelsFor({ model, tensors }: Subject, name: string): (id: number) => string {
  const isOfTokens = model !== null && tensors.get(name)!.shape[0] === model.weight.shape[0]
  if (!isOfTokens) return (id) => `#${id}`
  const label = labelsOf(model)
  return (id) => (id < model.vectors.size ? label(id) : `#${id}`)
}

const FEW = 8

function healthText(name: string, health: TableHealth, label: (id: number) => string): string {
  const short = (value: number) => String(Number(value.toPrecision(3)))
  const some = <T>(list: readonly T[], each: (one: T) => string) => {
    if (list.length === 0) return 'none'
    const rest = list.length > FEW ? `, and ${shown(list.length - FEW)} more` : ''
    return `${counted(list.length, 'row')}: ${list.slice(0, FEW).map(each).join(', ')}${rest}`
  }
  const { norms, hot } = health
  const lines: [string, string][] = [
    ['norms', norms === null ? 'no row has one' : `${short(norms.min)} to ${short(norms.max)}, median ${short(norms.median)}`],
    ['zero', some(health.zero, label)],
    ['not finite', some(health.notFinite, label)],
    ...(health.unseen === null ? [] : [['unseen', some(health.unseen, label)] as [string, string]]),
    ...(health.unchanged === null ? [] : [['unchanged', some(health.unchanged, label)] as [string, string]]),
    ['far norms', some(health.outliers, ({ id, norm }) => `${label(id)} (${short(norm)})`)],
    ...(hot === null ? [] : [['hot', hot.length === 0 ? 'none' : `half of all lookups go to ${some(hot, ({ id, share }) => `${label(id)} (${(share * 100).toFixed(1)}%)`)}`] as [string, string]]),
  ]
  return `\n${visibleText(name)}: ${counted(health.rows, 'row')} of ${shown(health.dim)}\n${lines.map(([what, text]) => `  ${what.padEnd(11)} ${text}\n`).join('')}`
}
