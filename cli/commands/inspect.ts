// tokenbed inspect: what is in a file or a model, and how healthy its tables are.

import type { Command } from '../bundled/commander.js'
import { stringWidth } from '../bundled/terminal.js'
import { inspectTokens, loadSafetensors, tableHealth, type TableHealth, type Tensor } from '../../index.js'
import { WrongUse, isFolder } from '../terminal/failure.js'
import { isTokens } from '../options/inputs.js'
import { openSubject, type Listed, type Subject } from './inspected.js'
import { labelsOf, openModel } from '../options/models.js'
import { counted, shown, shownBytes, shownShort } from '../terminal/numbers.js'
import { visibleText } from '../terminal/pieces.js'
import { print } from '../terminal/streams.js'
import { splitTable } from '../options/tables.js'

interface Options {
  table?: string
  initial?: string
  health: boolean
  verify?: boolean
  json?: boolean
}

const NOTES = `
All tensors are listed, of any type; types such as F8_E4M3 have the format's own names.
Of a folder of Hugging Face, or a .gguf, it says the family, the tables of the input layer, the tokenizer and its engine, what
layer() of loadPretrained runs and what it does not; or why the folder does not load. Of a model of fastText, its words and classes.
Tables are tensors of floating-point numbers with two dimensions. In a model those that have a row for each token are examined. In
a file all are, if there are at most four, else those whose names suggest embeddings. --table chooses one.

  norms         the norms of the rows
  zero          rows of zeros: padding, or dead rows
  not finite    rows with a NaN or an infinity, where training went wrong
  unseen        rows that training never looked up, by the model's counts
  unchanged     rows with the bits that they had before training, by --initial
  far norms     rows whose norm is far from the others': rare tokens, glitches
  hot           the fewest rows that take half of all lookups

--verify reads every byte of models, their files and checkpoints, and compares it with the saved digests. Damage is an error that
names the file.

Examples:
  $ tokenbed inspect word-vectors
  $ tokenbed inspect word-vectors --verify --no-health
  $ tokenbed inspect corpus --verify
  $ tokenbed inspect model.safetensors --table wte.weight --json
  $ tokenbed inspect trained.safetensors --initial untrained.safetensors:token.weight`

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .summary('list the tensors of a file or model, and the health of its tables')
    .description('Lists tensors, their shapes, types and sizes, and what is wrong with tables of vectors.')
    .argument(
      '<file|folder>',
      'a .safetensors, .npy, .npz, .gguf, PyTorch, word2vec, GloVe or fastText file, the folder of a model, one with the files of a model in several (shards), or one of token ids',
    )
    .option('--table <tensor>', 'the one table to examine')
    .option('--initial <file[:tensor]>', 'a table as it was before training, to find the rows that never changed')
    .option('--no-health', 'list only the tensors, without reading them')
    .option('--verify', 'compare every byte with what was saved, by its digest')
    .option('--json', 'one JSON object: { tensors, tables, model, pretrained, metadata, files }; rows by their ids')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(inspect)
}

async function inspect(path: string, options: Options): Promise<void> {
  if (!options.health && (options.table ?? options.initial) !== undefined)
    throw new WrongUse(
      `--no-health and ${options.table === undefined ? '--initial' : '--table'} contradict one another: leave one out`,
    )
  const verify = options.verify ?? false
  if (isTokens(path)) return inspectIds(path, options)
  const subject = openSubject(path, verify)
  const initial = options.initial === undefined ? undefined : readInitial(options.initial)
  const tables = options.health ? chosen(subject, options.table) : []
  if (initial !== undefined && tables.length !== 1)
    throw new WrongUse(
      `--initial: for one table, and ${tables.length} are examined (${tables.join(', ') || 'none'}): name it with --table`,
    )
  const healths = tables.map((name) => ({ name, health: examine(subject, name, initial) }))
  if (options.json)
    return print(`${JSON.stringify({ ...report(subject, healths), ...(verify ? { verified: true } : {}) })}\n`)
  await print(
    `${heading(subject)}${verify ? '  verified: every byte is as it was saved\n' : ''}${toldOf(subject)}${noted(subject.metadata)}${listing(subject.tensors)}${healths.map((one) => healthText(one.name, one.health, labelsFor(subject, one.name))).join('')}`,
  )
}

/** A folder of token ids has no tensors. */
async function inspectIds(path: string, { table, initial, verify = false, json }: Options): Promise<void> {
  const option = table !== undefined ? '--table' : initial !== undefined ? '--initial' : null
  if (option !== null) throw new WrongUse(`${option}: ${path} holds token ids, and no table`)
  const info = inspectTokens(path, { verify })
  if (json) return print(`${JSON.stringify({ tokens: { ...info, path }, ...(verify ? { verified: true } : {}) })}\n`)
  const { ids, documents, dtype, vocabSize, tokenizer, separator, lines, files, sources } = info
  const of =
    tokenizer.sha256 === null ? tokenizer.name : `${tokenizer.name} (SHA-256 ${tokenizer.sha256.slice(0, 16)}...)`
  const told: [string, string][] = [
    ['ids', `${shown(ids)}, ${dtype}, ${shownBytes(files.ids.bytes)}`],
    [
      'documents',
      `${shown(documents)}${lines ? ', a line each' : ''}${separator === null ? '' : `, each ended by ${visibleText(separator.token)} (${separator.id})`}`,
    ],
    ['tokenizer', `${visibleText(of)}, ${shown(vocabSize)} tokens`],
    [
      'texts',
      sources
        .slice(0, FEW)
        .map(({ file }) => visibleText(file ?? 'not from a file'))
        .join(', ') + (sources.length > FEW ? `, and ${shown(sources.length - FEW)} more (--json has all)` : ''),
    ],
  ]
  const verified = verify ? '  verified: every byte is as it was written\n' : ''
  await print(
    `${path}: a folder of token ids\n${verified}${told.map(([what, text]) => `  ${what.padEnd(11)} ${text}\n`).join('')}`,
  )
}

const isTable = ({ shape, dtype }: Listed) =>
  shape.length === 2 && shape[1] > 0 && dtype !== null && dtype.includes('float')
const MANY = 4

/** Blocks beyond this many elements are examined only when they are asked for: they are decoded for that. */
const MOST_DECODED = 2 ** 28

function chosen({ path, tensors, model, table }: Subject, name: string | undefined): string[] {
  if (name !== undefined) {
    const tensor = tensors.find((one) => one.name === name)
    if (tensor === undefined)
      throw new WrongUse(
        `--table ${name}: ${path} has no such tensor; it has: ${
          tensors
            .slice(0, 12)
            .map((one) => one.name)
            .join(', ') || 'none'
        }`,
      )
    if (!isTable(tensor))
      throw new WrongUse(
        `--table ${name}: ${tensor.type} [${tensor.shape.join(', ')}] is not a table of floating-point numbers${tensor.dtype === null ? ' that can be read here' : ''}`,
      )
    return [name]
  }
  const known = table == null ? undefined : tensors.find((one) => one.name === table)
  if (known !== undefined) {
    const isLarge = known.isDecoded && known.shape[0] * known.shape[1] > MOST_DECODED
    return isTable(known) && !isLarge ? [known.name] : []
  }
  const tables = tensors.filter(isTable)
  const rows = model?.weight.shape[0]
  const some =
    model !== null
      ? tables.filter(({ shape }) => shape[0] === rows)
      : tables.length <= MANY
        ? tables
        : tables.filter((one) => /emb|wte|wpe|token|vocab/i.test(one.name))
  return some.map((one) => one.name)
}

function readInitial(said: string): Tensor {
  const { path, name } = splitTable(said)
  if (isFolder(path)) return openModel(path).weight
  const tensors = loadSafetensors(path)
  if (name === null && tensors.size !== 1)
    throw new WrongUse(
      `--initial ${said}: which of its tensors? Write ${said}:NAME; it has: ${[...tensors.keys()].slice(0, 12).join(', ')}`,
    )
  const tensor = name === null ? [...tensors.values()][0] : tensors.get(name)
  if (tensor === undefined)
    throw new WrongUse(
      `--initial ${said}: ${path} has no tensor ${JSON.stringify(name)}; it has: ${[...tensors.keys()].slice(0, 12).join(', ')}`,
    )
  return tensor
}

function examine({ path, load, model }: Subject, name: string, initial: Tensor | undefined): TableHealth {
  const table = load(name)
  const counts = model?.counts?.length === table.shape[0] ? model.counts : undefined
  if (initial && (initial.dtype !== table.dtype || initial.shape.join() !== table.shape.join())) {
    throw new WrongUse(
      `--initial: ${initial.dtype} [${initial.shape.join(', ')}], and ${name} of ${path} is ${table.dtype} [${table.shape.join(', ')}]: they must be the same`,
    )
  }
  return tableHealth(table, {
    ...(counts === undefined ? {} : { counts }),
    ...(initial === undefined ? {} : { initial }),
  })
}

function report(
  { path, bytes, tensors, model, metadata, files, description }: Subject,
  healths: { name: string; health: TableHealth }[],
): object {
  return {
    path,
    bytes,
    ...(model === null
      ? {}
      : {
          model: {
            objective: model.objective,
            vocabulary: model.description.vocabulary,
            training: model.description.training,
          },
        }),
    ...(description === undefined ? {} : { pretrained: description.json }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(files.length === 0 ? {} : { files }),
    tensors: tensors.map(({ name, type, shape, bytes, file }) => ({
      name,
      dtype: type,
      shape,
      bytes,
      ...(file === undefined ? {} : { file }),
    })),
    tables: healths.map(({ name, health }) => ({ name, ...health })),
  }
}

function heading({ path, model, bytes, tensors, files }: Subject): string {
  if (model === null)
    return `${path}: ${counted(tensors.length, 'tensor')}${files.length === 0 ? '' : ` in ${counted(files.length, 'file')}`}, ${shownBytes(bytes)}\n`
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

/** What is known of somebody's model. */
const toldOf = ({ description }: Subject) =>
  (description?.lines ?? []).map(([what, text]) => `  ${what.padEnd(13)} ${text}\n`).join('')

/** The metadata, cut if there is much. */
function noted(metadata: Readonly<Record<string, string>>): string {
  const entries = Object.entries(metadata)
  const cut = (text: string) => (text.length > 100 ? `${visibleText(text.slice(0, 97))}...` : visibleText(text))
  const lines = entries.slice(0, FEW).map(([key, value]) => `  ${cut(key)}: ${cut(value)}\n`)
  return lines.join('') + (entries.length > FEW ? `  and ${shown(entries.length - FEW)} more (--json has all)\n` : '')
}

function listing(tensors: readonly Listed[]): string {
  const rows = tensors.map(({ name, type, shape, bytes }) => [
    visibleText(name),
    type,
    `[${shape.join(', ')}]`,
    shownBytes(bytes),
  ])
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => stringWidth(row[column]))))
  const padded = (text: string, width: number) => text + ' '.repeat(width - stringWidth(text))
  return rows
    .map((row) => `  ${row.map((text, column) => (column < 3 ? padded(text, widths[column]) : text)).join('  ')}\n`)
    .join('')
}

/** Labels of rows: the text of the token that a row stands for, or its number. */
function labelsFor({ model, tensors, table, label }: Subject, name: string): (id: number) => string {
  if (label !== undefined && name === table) return label
  const isOfTokens = model !== null && tensors.find((one) => one.name === name)!.shape[0] === model.weight.shape[0]
  if (!isOfTokens) return (id) => `#${id}`
  const labelOf = labelsOf(model)
  return (id) => (id < model.vectors.size ? labelOf(id) : `#${id}`)
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
    [
      'norms',
      norms === null ? 'no row has one' : `${short(norms.min)} to ${short(norms.max)}, median ${short(norms.median)}`,
    ],
    ['zero', some(health.zero, label)],
    ['not finite', some(health.notFinite, label)],
    ...(health.unseen === null ? [] : [['unseen', some(health.unseen, label)] as [string, string]]),
    ...(health.unchanged === null ? [] : [['unchanged', some(health.unchanged, label)] as [string, string]]),
    ['far norms', some(health.outliers, ({ id, norm }) => `${label(id)} (${short(norm)})`)],
    ...(hot === null
      ? []
      : [
          [
            'hot',
            hot.length === 0
              ? 'none'
              : `half of all lookups go to ${some(hot, ({ id, share }) => `${label(id)} (${(share * 100).toFixed(1)}%)`)}`,
          ] as [string, string],
        ]),
  ]
  return `\n${visibleText(name)}: ${counted(health.rows, 'row')} of ${shown(health.dim)}\n${lines.map(([what, text]) => `  ${what.padEnd(11)} ${text}\n`).join('')}`
}
