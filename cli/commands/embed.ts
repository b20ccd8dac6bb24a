// tokenbed embed: texts to vectors.

import { statSync } from 'node:fs'
import { extname } from 'node:path'
import { Option, type Command } from '../bundled/commander.js'
import { saveSafetensors, streamIds, type DType, type EncodeOptions, type Tokenizer } from '../../index.js'
import { WorkFailed, WrongUse, asWrongUse } from '../terminal/failure.js'
import { inputsOf, STDIN, type Input } from '../options/inputs.js'
import { counted, parseSeed, parseSize, shown, shownBytes, shownShort } from '../terminal/numbers.js'
import { checkPlace, type Needed } from '../options/places.js'
import { packageJson } from '../terminal/package.js'
import { startProgress } from '../terminal/progress.js'
import { breathe } from '../terminal/signals.js'
import { print, textOfStdin } from '../terminal/streams.js'
import { DEFAULT_DIM, makeTables, splitTable } from '../options/tables.js'
import {
  explained,
  findTokenizer,
  invalidUtf8Option,
  specialOf,
  specialOption,
  tokenizerOption,
} from '../options/tokenizer.js'
import { embedByModel, type ModelOptions } from './embed-model.js'
import type { ShardOptions } from './embed-shards.js'
import { VectorFile } from './vector-file.js'
import { WindowCutter } from './windows.js'

interface Options {
  model?: string
  field?: string
  tokenizer: string
  dim?: number
  maxLength: number
  stride?: number
  batchSize: number
  seed: bigint
  table?: string
  positionTable?: string
  positions: boolean
  dtype: DType
  out: string
  tablesOut?: string
  invalidUtf8: 'throw' | 'replace'
  allowedSpecial?: string
  quiet?: boolean
  json?: boolean
}

const NOTES = `
With --model each line of FILES has one vector, or each record of a .jsonl or .csv file, whose --field holds the text; the model is a
folder of model2vec, of StaticEmbedding of sentence-transformers, of WordLlama or of tokenbed train, or a model of fastText. The file
holds embeddings, lines x dim, and file_rows, files x 2: the first row of a file, and the one after its last. With --shard-rows
--out is a folder of shards and a manifest.json: it can be killed and completed with --resume, and made by several workers with
--shard.

Without it, FILES are texts, each cut into windows of its own; patterns such as 'books/**/*.txt' are expanded, .gz and .zst files
decompressed, and - is stdin, which is also read when no file is named. Every token of every file is embedded: a last window
that is not full has zero vectors, and the id 0, after its end.

A .safetensors file holds:
  embeddings    windows x max-length x dim
  ids           windows x max-length, int32
  lengths       windows, int32: how many ids of a window are text
  file_windows  files x 2, int32: the first window of a file, and the one after its last
and as metadata the names of the files and all that the vectors depend on. An .npy file holds the embeddings alone.

Without --table the vectors are random, as an untrained model has them: those that PyTorch draws after
torch.manual_seed(seed) for nn.Embedding(tokens, dim) and then nn.Embedding(max-length, dim) of positions. With --table
alone the positions are still random: give --position-table, or --no-positions.

Examples:
  $ tokenbed embed book.txt --out book.safetensors
  $ tokenbed embed 'books/*.txt.gz' --dim 64 --max-length 128 --dtype float16 --out books.npy
  $ cat book.txt | tokenbed embed --no-positions --json --out book.safetensors
  $ tokenbed embed book.txt --tables-out tables.safetensors --out a.safetensors
  $ tokenbed embed reviews.jsonl --model potion-base-8M --field body --out reviews.safetensors
  $ tokenbed embed 'reviews/*.jsonl' --model potion-base-8M --shard-rows 100000 --out vectors
  $ tokenbed embed 'reviews/*.jsonl' --model potion-base-8M --shard-rows 100000 --shard 0/4 --resume --out vectors
  $ tokenbed embed book.txt --table tables.safetensors:token.weight --no-positions --out b.safetensors`

export function addEmbed(program: Command): void {
  program
    .command('embed')
    .summary('turn texts into vectors, in a safetensors or npy file')
    .description(
      "Turns texts into vectors: one for each line, by a static embedding model; or token ids, cut into windows, each looked up in a table, plus its position's vector.",
    )
    .argument('[files...]', 'texts, patterns of them, or - for stdin')
    .requiredOption(
      '-o, --out <file>',
      'file for the vectors, ending in .safetensors or .npy, replaced if it exists; or a folder',
    )
    .addOption(
      new Option('--dtype <type>', 'type of the vectors in the file; int8 and binary with --model, bfloat16 without')
        .choices(['float32', 'float16', 'bfloat16', 'int8', 'binary'])
        .default('float32'),
    )
    .option(
      '--dim <n>',
      `numbers in a vector (default: ${DEFAULT_DIM}, or that of the table or the model)`,
      parseSize(1),
    )
    .addOption(invalidUtf8Option())
    .option('-q, --quiet', 'print nothing but errors')
    .option('--json', 'print the result as one JSON object')
    .helpOption('-h, --help', 'print this help')
    .optionsGroup('One vector a line:')
    .option('--model <folder>', 'a static embedding model: a folder, or a file of fastText')
    .option('--field <name>', 'the field of a record of JSON Lines or of a CSV that holds the text (default: text)')
    .option('--id <name>', 'the field that holds the id, kept with shards (default: id)')
    .option('--shard-rows <n>', '--out is a folder of shards of so many vectors', parseSize(1))
    .option('--shard <i/n>', 'this is worker i of n, from 0; auto asks Slurm, Kubernetes or AWS Batch', '0/1')
    .option('--resume', 'complete a folder of shards that was begun')
    .addOption(
      new Option('--shard-format <format>', 'of the files of shards')
        .choices(['safetensors', 'npy'])
        .default('safetensors'),
    )
    .optionsGroup('Vectors of tokens, without --model:')
    .addOption(tokenizerOption())
    .option('--max-length <n>', 'tokens in a window', parseSize(1), 256)
    .option('--stride <n>', 'tokens from the start of a window to that of the next (default: max-length)', parseSize(1))
    .addOption(new Option('--seed <n>', 'seed of the random tables').argParser(parseSeed).default(0n, '0'))
    .option(
      '--table <file[:tensor]>',
      'a safetensors file with the vectors of tokens; the tensor may be left out if there is only one',
    )
    .option('--position-table <file[:tensor]>', 'the same for positions')
    .option('--no-positions', 'add no vectors of positions')
    .option(
      '--tables-out <file>',
      'also keep the tables, as token.weight and position.weight, in a safetensors file; replaced if it exists',
    )
    .option('--batch-size <n>', 'windows looked up at a time', parseSize(1), 32)
    .addOption(specialOption('a special token in a text is an error'))
    .addHelpText('after', NOTES)
    .action(embed)
}

/** The options that only vectors of tokens have, by the names of their values. */
const OF_TOKENS = {
  tokenizer: '--tokenizer',
  maxLength: '--max-length',
  stride: '--stride',
  seed: '--seed',
  table: '--table',
  positionTable: '--position-table',
  positions: '--no-positions',
  tablesOut: '--tables-out',
  batchSize: '--batch-size',
  allowedSpecial: '--allowed-special',
}

/** The options that only vectors of lines and records have. */
const OF_SHARDS = [
  ['id', '--id'],
  ['shardRows', '--shard-rows'],
  ['shard', '--shard'],
  ['resume', '--resume'],
  ['shardFormat', '--shard-format'],
]

async function embed(args: string[], options: Options, command: Command): Promise<void> {
  if (options.model !== undefined) {
    const other = Object.entries(OF_TOKENS).find(([name]) => command.getOptionValueSource(name) === 'cli')
    if (other !== undefined)
      throw new WrongUse(`${other[1]} is for vectors of tokens, and --model makes one of each line: leave one out`)
    return embedByModel(args, options as Options & ModelOptions & ShardOptions)
  }
  if (options.field !== undefined)
    throw new WrongUse('--field names the text of a record, of which --model makes a vector: give --model, too')
  for (const [name, flag] of OF_SHARDS)
    if (command.getOptionValueSource(name) === 'cli')
      throw new WrongUse(`${flag} is for vectors of lines and records: give --model, too`)
  const { maxLength, stride = maxLength, seed } = options
  checkTogether(options, stride)
  const inputs = inputsOf(args)
  const needed = neededBy(options, inputs)
  checkPlace('--out', options.out, needed)
  if (options.tablesOut !== undefined)
    checkPlace('--tables-out', options.tablesOut, [...needed, { what: 'file of --out', path: options.out }])
  const tokenizer = findTokenizer(options.tokenizer)
  const special = specialOf(options.allowedSpecial, tokenizer)
  const tables = asWrongUse(() => makeTables({ ...options, vocabSize: tokenizer.vocabSize, maxLength, seed }))
  const dim = tables.parameters()[0].shape[1]
  const file = asWrongUse(
    () => new VectorFile({ ...options, tables, dim, metadata: metadataOf(options, stride, dim, inputs) }),
  )
  const start = performance.now()
  const done = await writeAll(inputs, {
    file,
    tokenizer,
    special,
    maxLength,
    stride,
    invalidUtf8: options.invalidUtf8,
    quiet: options.quiet ?? false,
  })
  const tokens = done.reduce((sum, { tokens }) => sum + tokens, 0)
  if (tokens === 0)
    throw new WorkFailed(
      `no tokens: ${inputs.length === 1 ? `${nameOf(inputs[0])} is empty` : `all ${inputs.length} files are empty`}; nothing was written`,
    )
  if (options.tablesOut !== undefined)
    saveSafetensors(
      options.tablesOut,
      tables.parameters().length === 2 ? tables.stateDict() : { 'token.weight': tables.parameters()[0] },
    )
  file.close()
  const seconds = (performance.now() - start) / 1e3
  if (options.json) await print(`${withSeed(JSON.stringify(report(options, file, done, tokens, seconds)))}\n`)
  else if (!options.quiet) await print(summary(options, file, done, tokens, seconds))
}

function checkTogether({ positions, positionTable, maxLength, out, dtype }: Options, stride: number): void {
  if (!['float32', 'float16', 'bfloat16'].includes(dtype))
    throw new WrongUse(`--dtype ${dtype} is for vectors of texts: give --model, or take float32, float16 or bfloat16`)
  const ending = extname(out).toLowerCase()
  if (!['.safetensors', '.npy'].includes(ending))
    throw new WrongUse(`--out ${out}: the ending says the format; end it in .safetensors or .npy`)
  if (ending === '.npy' && dtype === 'bfloat16')
    throw new WrongUse('--dtype bfloat16: .npy files have no such type; take float32, or a .safetensors file')
  if (!positions && positionTable !== undefined)
    throw new WrongUse('--no-positions and --position-table contradict one another: leave one out')
  if (stride > maxLength)
    throw new WrongUse(
      `--stride ${stride} is more than --max-length ${maxLength}: the tokens between two windows would be left out`,
    )
}

/** The files that the vectors are made from, which no result may replace. */
function neededBy({ table, positionTable }: Options, inputs: Input[]): Needed[] {
  const tables = [table, positionTable].flatMap((said) => (said === undefined ? [] : splitTable(said).path))
  return [
    ...inputs.filter(({ name }) => name !== STDIN).map(({ name }) => ({ what: 'text', path: name })),
    ...tables.map((path) => ({ what: 'table', path })),
  ]
}

interface Work {
  file: VectorFile
  tokenizer: Tokenizer
  special: EncodeOptions
  maxLength: number
  stride: number
  invalidUtf8: 'throw' | 'replace'
  quiet: boolean
}

interface Done {
  readonly name: string
  readonly tokens: number
  /** The first window, and the one after the last. */
  readonly windows: [number, number]
}

async function writeAll(inputs: Input[], work: Work): Promise<Done[]> {
  const total = inputs.some(({ bytes }) => bytes === null) ? null : inputs.reduce((sum, { bytes }) => sum + bytes!, 0)
  const progress = startProgress(total, work.quiet)
  const done: Done[] = []
  try {
    let [tokens, bytes] = [0, 0]
    for (const input of inputs) {
      const one = await writeOne(input, work, (its, part) => progress.update(tokens + its, bytes + part))
      done.push(one)
      tokens += one.tokens
      bytes += input.bytes ?? 0
    }
    work.file.flush()
    return done
  } catch (error) {
    // A failure leaves nothing behind, here and not only when the process ends.
    work.file.abort()
    throw error
  } finally {
    progress.stop()
  }
}

async function writeOne(input: Input, work: Work, tell: (tokens: number, bytes: number) => void): Promise<Done> {
  const { file, tokenizer, special, maxLength, stride, invalidUtf8 } = work
  const first = file.windows
  const cutter = new WindowCutter(maxLength, stride)
  let [tokens, bytes, bytesPerToken] = [0, 0, 0]
  /** Number of tokens, among the last ids, whose windows are written. */
  let through = 0
  const write = async (windows: Iterable<Uint32Array>) => {
    for (const window of windows) {
      through += Math.min(stride, window.length)
      if (!file.add(window)) continue
      tell(tokens + through, Math.min(bytes + through * bytesPerToken, input.bytes ?? Infinity))
      await breathe()
    }
  }
  try {
    const source = input.name === STDIN ? { pieces: textOfStdin(invalidUtf8) } : { files: [input.name] }
    for await (const ids of streamIds(source, { tokenizer, invalidUtf8, ...special })) {
      through = 0
      bytesPerToken = bytesIn(ids, tokenizer)
      await write(cutter.push(ids))
      tokens += ids.length
      bytes += ids.length * bytesPerToken
      tell(tokens, Math.min(bytes, input.bytes ?? Infinity))
      await breathe()
    }
    through = 0
    await write(cutter.finish())
  } catch (error) {
    throw explained(error, nameOf(input))
  }
  file.endFile(first)
  return { name: input.name, tokens, windows: [first, file.windows] }
}

const SAMPLE = 2048

/** About how many bytes of text a token stands for, from a sample. This is for the progress bar, not for results. */
function bytesIn(ids: Uint32Array, tokenizer: Tokenizer): number {
  const some = ids.subarray(0, SAMPLE)
  return some.length === 0 ? 0 : Buffer.byteLength(tokenizer.decode(some)) / some.length
}

const nameOf = ({ name }: Input) => (name === STDIN ? 'standard input' : name)

function metadataOf(
  options: Options,
  stride: number,
  dim: number,
  inputs: Input[],
): Record<string, string> | undefined {
  if (extname(options.out).toLowerCase() === '.npy') return undefined
  const { version } = packageJson()
  const { tokenizer, seed, maxLength, table, positionTable, positions } = options
  return {
    tokenbed: version,
    tokenizer,
    dim: String(dim),
    max_length: String(maxLength),
    stride: String(stride),
    seed: String(seed),
    table: table ?? 'drawn',
    position_table: positions ? (positionTable ?? 'drawn') : 'none',
    files: JSON.stringify(inputs.map(({ name }) => name)),
  }
}

function report(options: Options, file: VectorFile, files: Done[], tokens: number, seconds: number): object {
  return {
    out: options.out,
    bytes: statSync(options.out).size,
    shape: file.shape,
    dtype: options.dtype,
    tokens,
    windows: file.windows,
    seconds: Number(seconds.toFixed(3)),
    tokensPerSecond: Math.round(tokens / seconds),
    tokenizer: options.tokenizer,
    seed: String(options.seed),
    files,
    ...(options.tablesOut === undefined ? {} : { tablesOut: options.tablesOut }),
  }
}

/** Writes the seed as a number, which JSON allows at any length. In strings such quotes are escaped. */
const withSeed = (json: string) => json.replace(/"seed":"(-?\d+)"/, '"seed":$1')

function summary(options: Options, file: VectorFile, files: Done[], tokens: number, seconds: number): string {
  const shape = `${options.dtype} [${file.shape.join(', ')}]`
  const few = files.slice(0, MAX_FILES).map(({ name, tokens, windows: [first, end] }) => {
    return `${name === STDIN ? 'standard input' : name}: ${counted(tokens, 'token')} in ${counted(end - first, 'window')}\n`
  })
  const rest =
    files.length > MAX_FILES
      ? `and ${counted(files.length - MAX_FILES, 'more file')}: ${shown(tokens)} tokens in all\n`
      : ''
  const speed = `${seconds.toFixed(seconds < 10 ? 2 : 0)} s, ${shownShort(tokens / seconds)} tokens/s`
  return `${few.join('')}${rest}${options.out}: ${shape}, ${shownBytes(statSync(options.out).size)}, ${speed}\n`
}

const MAX_FILES = 10
