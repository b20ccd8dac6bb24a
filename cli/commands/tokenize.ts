// tokenbed tokenize: texts to a folder of token ids.

import { statSync, existsSync } from 'node:fs'
import { Option, type Command } from '../bundled/commander.js'
import { saveTokens, TokenbedError, type SaveTokensOptions, type TokensInfo, type TokensInput } from '../../index.js'
import { WorkFailed, WrongUse } from '../terminal/failure.js'
import { inputsOf, STDIN, type Input } from '../options/inputs.js'
import { counted, shown, shownBytes, shownShort } from '../terminal/numbers.js'
import { startProgress } from '../terminal/progress.js'
import { print, textOfStdin } from '../terminal/streams.js'
import {
  explained,
  findTokenizer,
  invalidUtf8Option,
  specialOf,
  specialOption,
  tokenizerOption,
} from '../options/tokenizer.js'

interface Options {
  out: string
  tokenizer: string
  dtype: NonNullable<SaveTokensOptions['dtype']>
  lines?: boolean
  separator?: string
  force?: boolean
  invalidUtf8: 'throw' | 'replace'
  allowedSpecial?: string
  quiet?: boolean
  json?: boolean
}

const NOTES = `
FILES are texts; patterns such as 'books/**/*.txt' are expanded, .gz and .zst files decompressed, and - is stdin, which is
also read when no file is named. Each file is a document; with --lines each line that is not empty. Nothing is put between
documents, unless --separator says what ends each of them.

FOLDER is what createDataLoader, streamIds, streamBatches, Trainer and 'tokenbed train' read as a corpus, without holding it in
memory. It holds:
  manifest.json         what was encoded by what, and the digests of the other two; written last: a folder without it is none
  ids.DIGEST.bin        the ids of all documents end to end, u16 or u32, little endian
  documents.DIGEST.bin  u64: where each document begins among them, and where the last ends
The ids are in one file, however many they are. Memory stays the same for texts of any size.

Examples:
  $ tokenbed tokenize 'books/*.txt.gz' --out corpus
  $ zcat dump.gz | tokenbed tokenize --lines --separator '<|endoftext|>' --out corpus
  $ tokenbed inspect corpus --verify
  $ tokenbed train corpus --objective next-token --out model`

export function addTokenize(program: Command): void {
  program
    .command('tokenize')
    .summary('encode texts once, into a folder of token ids')
    .description('Encodes texts once, into a folder of token ids that is learned from without being held in memory.')
    .argument('[files...]', 'texts, patterns of them, or - for stdin')
    .requiredOption('-o, --out <folder>', 'where the ids go; made if it is not there')
    .addOption(tokenizerOption())
    .addOption(
      new Option('--dtype <type>', 'how an id is stored; auto is u16 where the vocabulary has at most 65,536 tokens')
        .choices(['auto', 'u16', 'u32'])
        .default('auto'),
    )
    .option('--lines', 'each line is a document, and not each file')
    .option('--separator <token>', 'a special token that ends every document, such as <|endoftext|> (default: none)')
    .option('--force', 'replace a folder of token ids that is there')
    .addOption(invalidUtf8Option())
    .addOption(specialOption('one in a text is an error'))
    .option('-q, --quiet', 'say nothing but errors')
    .option('--json', 'say what was done as one JSON object')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(tokenize)
}

async function tokenize(args: string[], options: Options): Promise<void> {
  const { out, dtype, lines, separator, force, invalidUtf8, quiet = false } = options
  const inputs = inputsOf(args)
  if (existsSync(out) && !statSync(out).isDirectory()) throw new WorkFailed(`--out ${out}: a file; name a folder`)
  const tokenizer = findTokenizer(options.tokenizer)
  const total = inputs.some(({ bytes }) => bytes === null) ? null : inputs.reduce((sum, { bytes }) => sum + bytes!, 0)
  const special = specialOf(options.allowedSpecial, tokenizer)
  const progress = startProgress(total, quiet)
  const start = performance.now()
  let info: TokensInfo
  try {
    info = await saveTokens(
      out,
      inputs.map((input) => sourceOf(input, invalidUtf8)),
      {
        tokenizer,
        dtype,
        lines,
        force,
        invalidUtf8,
        ...special,
        ...(separator === undefined ? {} : { separator }),
        onProgress: ({ ids, bytes }) => progress.update(ids, bytes),
      },
    )
  } catch (error) {
    throw told(error, inputs, out)
  } finally {
    progress.stop()
  }
  const seconds = (performance.now() - start) / 1e3
  if (options.json) await print(`${JSON.stringify(report(info, inputs, out, seconds))}\n`)
  else if (!quiet) await print(summary(info, out, seconds))
}

const sourceOf = ({ name }: Input, invalidUtf8: Options['invalidUtf8']): TokensInput =>
  name === STDIN ? { pieces: textOfStdin(invalidUtf8) } : { files: [name] }
const nameOf = ({ name }: Input) => (name === STDIN ? 'standard input' : name)

/** What the library says, as options have it. */
function told(error: unknown, inputs: Input[], out: string): unknown {
  const message =
    error instanceof TokenbedError && error.code === 'USAGE' ? error.message.replace(/^saveTokens: /, '') : ''
  if (/no ids/.test(message))
    return new WorkFailed(
      `no tokens: ${inputs.length === 1 ? `${nameOf(inputs[0])} is empty` : `all ${inputs.length} files are empty`}; nothing was written`,
      { cause: error },
    )
  if (/force: true/.test(message))
    return new WrongUse(`--out ${out}: a folder of token ids is there; --force replaces it, or name another folder`, {
      cause: error,
    })
  if (message.startsWith('separator ')) return new WrongUse(`--${message}`, { cause: error })
  if (message.startsWith('u16 ')) return new WrongUse(`--dtype ${message}`, { cause: error })
  if (/belongs to something else/.test(message)) return new WrongUse(`--out ${out}: ${message}`, { cause: error })
  return explained(error, inputs.length === 1 ? nameOf(inputs[0]) : 'the texts')
}

function report(
  { ids, documents, dtype, files, separator, tokenizer, sources }: TokensInfo,
  inputs: Input[],
  out: string,
  seconds: number,
): object {
  return {
    out,
    ids,
    documents,
    dtype,
    bytes: files.ids.bytes + files.documents.bytes,
    seconds: Number(seconds.toFixed(3)),
    idsPerSecond: Math.round(ids / seconds),
    tokenizer: tokenizer.name,
    separator: separator?.token ?? null,
    files: sources.map(({ ids: [firstId, endId], documents: [first, end] }, i) => ({
      name: inputs[i].name,
      ids: endId - firstId,
      documents: end - first,
    })),
  }
}

function summary({ ids, documents, dtype, files, tokenizer }: TokensInfo, out: string, seconds: number): string {
  const speed = `${seconds.toFixed(seconds < 10 ? 2 : 0)} s, ${shownShort(ids / seconds)} ids/s`
  return `${out}: ${shown(ids)} ids of ${tokenizer.name} in ${counted(documents, 'document')}, ${dtype}, ${shownBytes(files.ids.bytes + files.documents.bytes)}, ${speed}\n`
}
