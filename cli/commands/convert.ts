// tokenbed convert: tables from one kind of file to another.

import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Option, type Command } from '../bundled/commander.js'
import {
  Embedding,
  loadSafetensors,
  saveNpz,
  saveSafetensors,
  saveWord2Vec,
  Tensor,
  Tokenizer,
  TensorWriter,
  Vectors,
  type DType,
} from '../../index.js'
import { WorkFailed, WrongUse, isFolder } from '../terminal/failure.js'
import { counted, shownBytes, shownTime } from '../terminal/numbers.js'
import { MadeTable, openTables, type Opened, type Table } from '../options/openers.js'
import { checkPlace } from '../options/places.js'
import { startProgress, type Progress } from '../terminal/progress.js'
import { breathe, onEnd } from '../terminal/signals.js'
import { print } from '../terminal/streams.js'
import { findTokenizer } from '../options/tokenizer.js'
import { visibleText } from '../terminal/pieces.js'

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

const FORMATS = ['safetensors', 'npy', 'npz', 'words', 'binary words', 'glove'] as const
type Format = (typeof FORMATS)[number]
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
  const work = new Work(out, isOfWords ? 'float32' : options.dtype, tables, quiet)
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

/** The names of the tensors that are written. */
function chosen({ tensors, table }: Opened, input: string, asked: string[] | undefined, format: Format): string[] {
  const known = () => {
    const names = [...tensors.keys()]
    return `${names.slice(0, 12).map(visibleText).join(', ')}${names.length > 12 ? ` and ${names.length - 12} more` : ''}`
  }
  const missing = asked?.find((name) => !tensors.has(name))
  if (missing !== undefined)
    throw new WrongUse(`--tensor ${missing}: ${input} has no such tensor; it has: ${known() || 'none'}`)
  const names = asked ? [...new Set(asked)] : table !== null ? [table] : [...tensors.keys()]
  if (names.length === 0) throw new WorkFailed(`${input}: it has no tensors`)
  if (names.length > 1 && format !== 'safetensors' && format !== 'npz')
    throw new WrongUse(
      `${input}: OUT holds one table: which of its ${counted(names.length, 'tensor')}? Name one with --tensor: ${known()}`,
    )
  return names
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

/** Bytes of a block of rows: little beside what the process takes anyway, and enough to be quick. */
const BLOCK = 4 << 20
/** Tensors up to this size are converted in memory. */
const SMALL = 8 << 20

const BYTES = { float32: 4, float64: 8, float16: 2, bfloat16: 2, int8: 1, uint8: 1, int32: 4, int64: 8, bool: 1 }

/** Reads rows of a table, as a tensor of its own. */
function reader(table: Table): (first: number, count: number) => Tensor {
  if (table instanceof Tensor) return (first, count) => table.narrow(0, first, count)
  if (table instanceof MadeTable) return (first, count) => table.rows(first, count)
  const lookup = Embedding.fromPretrained(table)
  return (first, count) => lookup.forward(Int32Array.from({ length: count }, (_, i) => first + i))
}

/** The writing of a file, with tables in blocks of rows. */
class Work {
  readonly #out: string
  readonly #dtype: DType | undefined
  readonly #tables: ReadonlyMap<string, Table>
  readonly #progress: Progress
  readonly #forget: () => void
  #folder: string | null = null
  #rows = 0
  #bytes = 0

  constructor(out: string, dtype: DType | undefined, tables: ReadonlyMap<string, Table>, quiet: boolean) {
    this.#out = out
    this.#dtype = dtype
    this.#tables = tables
    const total = [...tables.values()].reduce((sum, table) => sum + this.#sizeOf(table), 0)
    this.#progress = startProgress(total, quiet, 0, 'rows')
    this.#forget = onEnd(() => this.#removeFolder())
  }

  /** The element type in which a table is written. */
  typeOf(table: Table): DType {
    if (!(table instanceof Tensor)) return this.#dtype ?? 'float32'
    return this.#dtype !== undefined && table.dtype.includes('float') ? this.#dtype : table.dtype
  }

  #sizeOf(table: Table): number {
    return BYTES[this.typeOf(table)] * table.shape.reduce((all, size) => all * size, 1)
  }

  /** Writes tensors to a safetensors, npy or npz file. */
  async write(format: Format, metadata: Readonly<Record<string, string>>): Promise<void> {
    // Digests of saveModel would be those of other bytes.
    const kept = Object.fromEntries(Object.entries(metadata).filter(([key]) => !key.startsWith('tokenbed')))
    const all = [...this.#tables]
    if (format === 'npz') return saveNpz(this.#out, await this.#converted())
    const streams = all.every(([, { shape }]) => shape.length > 0)
    if (streams) return this.#stream(this.#out, all, format === 'safetensors' ? kept : undefined)
    if (format === 'npy')
      throw new WorkFailed(`${visibleText(all[0][0])} is one number and no table: write a .safetensors file`)
    saveSafetensors(this.#out, await this.#converted(), { metadata: kept })
  }

  /** Writes one table with the names of its rows. */
  async writeWords(format: Format, names: readonly string[] | Tokenizer, escape: boolean | undefined): Promise<void> {
    const [table] = (await this.#converted()).values()
    const vectors = new Vectors(table, names)
    const more = escape === undefined ? {} : { escape }
    saveWord2Vec(this.#out, vectors, { binary: format === 'binary words', header: format !== 'glove', ...more })
  }

  /** All tables as tensors of the wanted type: those that are it already, and mapped files of the others. */
  async #converted(): Promise<Map<string, Tensor>> {
    const result = new Map<string, Tensor>()
    for (const [name, table] of this.#tables) {
      const dtype = this.typeOf(table)
      if (table instanceof Tensor && table.dtype === dtype) result.set(name, table)
      else if (this.#sizeOf(table) <= SMALL)
        result.set(name, (table instanceof Tensor ? table : table.dequantize()).to(dtype))
      else {
        this.#folder ??= mkdtempSync(join(dirname(resolve(this.#out)), '.tokenbed-convert-'))
        const path = join(this.#folder, `${result.size}.safetensors`)
        await this.#stream(path, [['table', table]], {})
        result.set(name, loadSafetensors(path, { map: true }).get('table')!)
      }
    }
    return result
  }

  async #stream(path: string, tables: [string, Table][], metadata: Record<string, string> | undefined): Promise<void> {
    const columns = tables.map(([name, table]) => {
      return [name, { dtype: this.typeOf(table), shape: table.shape.slice(1) }] as const
    })
    const writer = new TensorWriter(path, Object.fromEntries(columns), metadata && { metadata })
    try {
      for (const [name, table] of tables) await this.#append(writer, name, table)
      writer.close()
    } catch (error) {
      writer.abort()
      throw error
    }
  }

  async #append(writer: TensorWriter, name: string, table: Table): Promise<void> {
    const dtype = this.typeOf(table)
    const [rows] = table.shape
    const rowBytes = Math.max(1, this.#sizeOf(table) / Math.max(1, rows))
    const most = Math.max(1, Math.floor(BLOCK / rowBytes))
    const rowsOf = reader(table)
    for (let first = 0; first < rows; first += most) {
      const count = Math.min(most, rows - first)
      const block = rowsOf(first, count)
      const wanted = block.dtype === dtype ? block : block.to(dtype)
      writer.write(name, wanted)
      if (wanted !== block) wanted.dispose()
      block.dispose()
      this.#rows += count
      this.#bytes += count * rowBytes
      this.#progress.update(this.#rows, this.#bytes)
      await breathe()
    }
  }

  #removeFolder(): void {
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true })
    this.#folder = null
  }

  end(): void {
    this.#progress.stop()
    this.#forget()
    this.#removeFolder()
  }
}
