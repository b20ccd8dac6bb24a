// tokenbed convert: tables from one kind of file to another.

import { existsSync, statSync } from 'node:fs'
import { Option, type Command } from '../bundled/commander.js'
import { Tokenizer, type DType } from '../../index.js'
import { WorkFailed, WrongUse, isFolder } from '../terminal/failure.js'
import { counted, shownBytes, shownTime } from '../terminal/numbers.js'
import { openTables, type Opened, type Table } from '../options/openers.js'
import { checkPlace } from '../options/places.js'
import { print } from '../terminal/streams.js'
import { findTokenizer } from '../options/tokenizer.js'
import { visibleText } from '../terminal/pieces.js'
import { chosen, TableFile, type Format } from './table-file.js'

interface Options {
  dtype?: DType
  tensor?: string[]
  tokenizer?: string
  escape?: boolean
  force?: boolean
  quiet?: boolean
  json?: boolean
}

const NOTES = `
IN is told by its ending and its first bytes:
  .safetensors, .npy, .npz      tensors
  .bin, .pt, .pth               PyTorch's, of which no code is run; a .bin may be word2vec's as well
  .gguf                         llama.cpp's; blocks such as Q4_K become floats
  .bin, .ftz                    models of fastText: the vectors of their words
  .txt, .vec, .glove (.gz .zst) words and vectors of word2vec, fastText or GloVe
  a folder                      of Hugging Face, or of tokenbed train and saveModel
Of a model the token table is taken, of other files all tensors; --tensor chooses by name, and may be repeated.

OUT is told by its ending:
  .safetensors, .npz            all tensors that were chosen
  .npy                          one tensor
  .vec, .txt                    word2vec's text: one table, whose rows have names
  .bin                          word2vec's binary file
  .glove, .glove.txt            GloVe's text, without a first line
Numbers stay as they are stored, unless --dtype says otherwise; blocks become float32, and so do words' vectors. Memory stays flat,
and OUT appears whole or not at all.

Examples:
  $ tokenbed convert glove.6B.100d.txt.gz glove.safetensors --dtype float16
  $ tokenbed convert models/gpt2 gpt2.vec
  $ tokenbed convert llama-q4_k_m.gguf tokens.npy --dtype float16
  $ tokenbed convert pytorch_model.bin wte.npz --tensor transformer.wte.weight`

const DTYPES = ['float32', 'float64', 'float16', 'bfloat16'] as const

export function addConvert(program: Command): void {
  program
    .command('convert')
    .summary('turn tables of one kind of file into another')
    .description('Turns tables of one kind of file into another, in flat memory.')
    .argument('<in>', 'a file, or the folder of a model')
    .argument('<out>', 'the file to write')
    .addOption(new Option('--dtype <type>', 'the type of floating-point numbers in OUT').choices(DTYPES))
    .option(
      '--tensor <name>',
      'a tensor of IN to take; may be repeated',
      (name: string, list: string[] | undefined) => [...(list ?? []), name],
    )
    .option(
      '--tokenizer <name|file>',
      'the names of rows that IN does not name: gpt2, cl100k_base, o200k_base, or the path of a tokenizer.json',
    )
    .option('--escape', 'write white space in words as \\x20, which word2vec files cannot hold otherwise')
    .option('--force', 'replace OUT if it is there')
    .option('-q, --quiet', 'say nothing but errors')
    .option('--json', 'say what was done as one JSON object')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(convert)
}

/** The format that an ending means. */
function formatOf(out: string): Format {
  const name = out.toLowerCase()
  const packed = /\.(gz|zst)$/.exec(name)
  if (packed) throw new WrongUse(`${out}: files are written as they are, not compressed: leave ${packed[0]} out`)
  if (/\.glove(\.txt)?$/.test(name)) return 'glove'
  const ending = /\.([^./\\]+)$/.exec(name)?.[1]
  if (ending === 'safetensors' || ending === 'npy' || ending === 'npz') return ending
  if (ending === 'vec' || ending === 'txt') return 'words'
  if (ending === 'bin') return 'binary words'
  throw new WrongUse(
    `${out}: its ending must say what it is: .safetensors, .npy, .npz, .vec or .txt (word2vec), .bin (word2vec), .glove`,
  )
}

async function convert(input: string, out: string, options: Options): Promise<void> {
  const { force, quiet = false } = options
  const format = formatOf(out)
  const isOfWords = !['safetensors', 'npy', 'npz'].includes(format)
  if (isOfWords && options.dtype !== undefined && options.dtype !== 'float32')
    throw new WrongUse(`--dtype ${options.dtype}: ${out} holds float32 alone`)
  if (!isOfWords && options.escape) throw new WrongUse(`--escape: for words, which ${out} has not`)
  if (!isOfWords && options.tokenizer !== undefined)
    throw new WrongUse(`--tokenizer: for the names of rows, which ${out} has not`)
  checkPlace('OUT', out, isFolder(input) ? [] : [{ what: 'input', path: input }])
  if (!force && existsSync(out)) throw new WrongUse(`OUT ${out}: a file is there; --force replaces it, or name another`)
  const start = performance.now()
  const opened = openTables(input)
  const names = chosen(opened, input, options.tensor, format)
  const tables = new Map(names.map((name) => [name, opened.tensors.get(name)!]))
  const rows = isOfWords ? rowNames(opened, names[0], tables.get(names[0])!, input, options) : null
  const work = new TableFile(out, { dtype: isOfWords ? 'float32' : options.dtype }, tables, quiet)
  try {
    if (rows === null) await work.write(format, opened.metadata)
    else await work.writeWords(format, rows, options.escape)
  } finally {
    work.end()
  }
  const seconds = (performance.now() - start) / 1e3
  const written = names.map((name) => ({ name, dtype: work.typeOf(tables.get(name)!), shape: tables.get(name)!.shape }))
  const { size: bytes } = statSync(out)
  if (options.json)
    return print(`${JSON.stringify({ in: input, kind: opened.kind, out, format, bytes, tensors: written })}\n`)
  if (quiet) return
  const what =
    written.length === 1
      ? `${visibleText(names[0])} ${written[0].dtype} [${written[0].shape.join(', ')}]`
      : counted(written.length, 'tensor')
  await print(
    `${out}: ${what}, ${shownBytes(bytes)}, ${seconds < 60 ? `${seconds.toFixed(2)} s` : shownTime(seconds)}\n`,
  )
}

/** The names of a table's rows. */
function rowNames(
  { rows: known, table: named }: Opened,
  name: string,
  { shape }: Table,
  input: string,
  { tokenizer }: Options,
): readonly string[] | Tokenizer {
  if (shape.length !== 2)
    throw new WorkFailed(`${input}: ${visibleText(name)} has the shape [${shape.join(', ')}]: words need a table`)
  const rows = tokenizer !== undefined ? findTokenizer(tokenizer) : name === named ? known() : null
  if (rows === null)
    throw new WrongUse(
      `${input}: the rows of ${visibleText(name)} have no names: name their tokenizer with --tokenizer, or write .npy or .safetensors`,
    )
  const count = rows instanceof Tokenizer ? rows.vocabSize : rows.length
  if (count > shape[0])
    throw new WorkFailed(
      `${input}: ${visibleText(name)} has ${shape[0]} rows for ${count} names: every one needs a row`,
    )
  return rows
}
