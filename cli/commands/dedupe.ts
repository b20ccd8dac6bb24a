// tokenbed dedupe: which vectors are near copies of each other.

import { Option, type Command } from '../bundled/commander.js'
import { dedupeAsync } from '../../index.js'
import { linesOf, openRows, ROWS_ARGUMENT } from '../options/rows.js'
import { counted, parseNumber, shown } from '../terminal/numbers.js'
import { startProgress } from '../terminal/progress.js'
import { print, sayError } from '../terminal/streams.js'

interface Options {
  threshold: number
  texts?: string
  json?: boolean
  quiet?: boolean
}

const NOTES = `
Rows are taken in their order: each joins the earliest group whose first row is as similar to it as the threshold says, and
begins a group if there is none. The similarity is the cosine; for uint8 rows, which are bits, 1 - 2 h / bits, where h is the
number of bits that differ.

Without --texts it prints each group of more than one row, the first and then its copies. With --texts it prints the lines
that are left when the copies are gone, as they are.

Examples:
  $ tokenbed dedupe vectors.npy
  $ tokenbed dedupe vectors.npy --threshold 0.95 --texts lines.txt > unique.txt
  $ tokenbed dedupe vectors.safetensors:embeddings --json`

export function addDedupe(program: Command): void {
  program
    .command('dedupe')
    .summary('find vectors that are near copies of each other')
    .description('Groups vectors that are near copies of each other. The search is exact.')
    .argument(...ROWS_ARGUMENT)
    .addOption(
      new Option('--threshold <x>', 'the least similarity, from -1 to 1, of a row and the first of its group')
        .argParser(parseNumber(-1, 1))
        .default(0.9),
    )
    .option('--texts <file>', 'the texts of the vectors, one in a line')
    .option('-q, --quiet', 'say nothing but results and errors')
    .option('--json', 'one JSON object: { rows, threshold, groups: [[row, ...]] }')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(dedupe)
}

async function dedupe(path: string, { threshold, texts, json, quiet }: Options): Promise<void> {
  const rows = openRows(path)
  const lines = texts === undefined ? null : await linesOf(texts, rows.shape[0])
  const progress = startProgress(rows.shape[0], quiet ?? false, 0, 'vectors')
  const groups = await dedupeAsync(rows, { threshold, onProgress: (done) => progress.update(done, done) }).finally(() =>
    progress.stop(),
  )
  if (json) return print(`${JSON.stringify({ rows: rows.shape[0], threshold, groups })}\n`)
  if (!quiet) {
    const copies = rows.shape[0] - groups.length
    sayError(
      `tokenbed: ${counted(rows.shape[0], 'vector')}, of which ${shown(copies)} ${copies === 1 ? 'is a copy' : 'are copies'}`,
    )
  }
  const out = lines
    ? groups.map(([first]) => lines[first])
    : groups.filter(({ length }) => length > 1).map((group) => group.join(' '))
  for (let from = 0; from < out.length; from += LINES) {
    // eslint-disable-next-line no-await-in-loop -- the lines are printed in their order
    await print(`${out.slice(from, from + LINES).join('\n')}\n`)
  }
}

/** Lines that are printed at once. */
const LINES = 4096
