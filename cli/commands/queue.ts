// tokenbed queue: the vectors of a corpus by any number of workers, which share a queue of BullMQ.

import { Option, type Command } from '../bundled/commander.js'
import type { RecordFormat, StreamedVectors } from '../../index.js'
import { addJobs, plan, status, work, type FailedPart, type WorkEvent } from '../../queue.js'
import { WrongUse, PartsFailed } from '../terminal/failure.js'
import { inputsOf, STDIN } from '../options/inputs.js'
import { MODEL_OPTION, openEmbedder } from '../options/embedder.js'
import { counted, parseNumber, parseSize, shown } from '../terminal/numbers.js'
import { insteadOfEnding } from '../terminal/signals.js'
import { print, sayError } from '../terminal/streams.js'
import { addTo as addVerifyTo } from './verify.js'

interface Common {
  server?: string
  queue: string
  quiet?: boolean
  json?: boolean
}

interface AddOptions extends Common, StreamedVectors {
  out: string
  model: string
  parts?: number
  shardRows: number
  output: 'safetensors' | 'npy'
  format?: RecordFormat
  field?: string
  id?: string
  attempts: number
}

interface WorkerOptions extends Common {
  model: string
  concurrency: number
  grace: number
  lock: number
  stalled: number
  forever?: boolean
}

const NOTES = `
A corpus is divided into parts, and each part is a job. Workers on any number of machines take jobs, and write shards of vectors
into one folder, which all of them see under the same path, as they do the files. The folder says what is done: the queue may be
lost at any time, and 'queue add' adds what is missing.

The packages bullmq and ioredis (for Redis and Valkey) or bullmq and pg (for Postgres) must be installed beside tokenbed.
TOKENBED_QUEUE is the server where --server is not given, so that no password is seen in a list of processes.

Examples:
  $ export TOKENBED_QUEUE=redis://10.0.0.5:6379
  $ tokenbed queue add 'reviews/*.jsonl' --field body --model model --out /shared/vectors
  $ tokenbed queue work --model model
  $ tokenbed queue status /shared/vectors
  $ tokenbed queue verify /shared/vectors`

const ADD_NOTES = `
It may be run again at any time: a part has one job, and one that failed is tried again.

Examples:
  $ tokenbed queue add reviews.jsonl --field body --model model --out /shared/vectors --server redis://10.0.0.5:6379`

const WORK_NOTES = `
It ends when the queue is empty; with --forever it waits for further jobs. SIGTERM and Ctrl-C let it finish its part, or give the
part back after --grace seconds; a second one ends it at once, and another worker does the part later.

Exit codes: 0 done, 1 the work failed, 2 wrong use, 3 parts failed at every attempt: they are named.

Examples:
  $ TOKENBED_QUEUE=redis://10.0.0.5:6379 tokenbed queue work --model model
  $ tokenbed queue work --model model --server postgres://10.0.0.5/jobs --forever --grace 60`

export function addQueue(program: Command): void {
  const queue = program
    .command('queue')
    .summary('embed a corpus by many workers, with a queue in Redis, Valkey or Postgres')
    .description('Embeds a corpus by any number of workers, which share a queue in Redis, Valkey or Postgres.')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .addHelpText('after', NOTES)
  common(queue.command('add'))
    .summary('put the parts of a corpus that are not done into the queue')
    .description('Puts the parts of a corpus that are not done into the queue.')
    .argument(
      '<files...>',
      'records: .txt with one in a line, .jsonl, .csv, .tsv, also as .gz and .zst; patterns of them',
    )
    .requiredOption('-o, --out <folder>', 'where the shards go; made if it is not there')
    .requiredOption(...MODEL_OPTION)
    .option('--parts <n>', 'number of jobs (default: one for each 256 MB)', parseSize(1))
    .option('--shard-rows <n>', 'rows of a shard', parseSize(1), 100_000)
    .addOption(
      new Option('--output <format>', 'how shards are written').choices(['safetensors', 'npy']).default('safetensors'),
    )
    .addOption(
      new Option('--format <format>', 'how files are read (default: by their endings)').choices([
        'text',
        'jsonl',
        'csv',
      ]),
    )
    .option('--field <name>', 'the field or column of the text')
    .option('--id <name>', 'the field or column of the id')
    .option('--dim <n>', 'numbers that are kept of a vector (default: all)', parseSize(1))
    .option('--normalize', 'make all vectors as long as 1')
    .option('--no-normalize', 'leave vectors as long as they are (default: as the model says)')
    .addOption(
      new Option('--dtype <type>', 'type of the vectors')
        .choices(['float32', 'float16', 'int8', 'binary'])
        .default('float32'),
    )
    .option('--attempts <n>', 'how often a part is tried', parseSize(1), 3)
    .addHelpText('after', ADD_NOTES)
    .action(add)
  common(queue.command('work'))
    .summary('work on the parts in the queue')
    .description('Works on the parts in the queue, until it is empty.')
    .requiredOption(...MODEL_OPTION)
    .option('--concurrency <n>', 'parts that are worked on at a time', parseSize(1), 1)
    .option('--grace <seconds>', 'how long a part may go on after SIGTERM', parseNumber(0), 20)
    .option('--lock <seconds>', 'how long a worker may say nothing before its part goes to another', atLeast(0.1), 30)
    .option('--stalled <seconds>', 'how often workers look for such parts', atLeast(0.1), 30)
    .option('--forever', 'wait for further jobs when the queue is empty')
    .addHelpText('after', WORK_NOTES)
    .action(run)
  common(queue.command('status'))
    .summary('say how far a folder is')
    .description('Says what is done of the plan of a folder, and what is in the queue.')
    .argument('<folder>', 'what --out of queue add named')
    .action(tell)
  addVerifyTo(queue)
}

/** A parser for seconds, up to a day. */
const atLeast = (least: number) => parseNumber(least, 86_400)

function common(command: Command): Command {
  return command
    .option('-s, --server <url>', 'redis://, rediss://, valkey:// or postgres:// (default: $TOKENBED_QUEUE)')
    .option('--queue <name>', 'name of the queue', 'tokenbed')
    .option('-q, --quiet', 'print nothing but errors')
    .option('--json', 'print the result as one JSON object')
    .helpOption('-h, --help', 'print this help')
}

function placeOf({ server = process.env.TOKENBED_QUEUE, queue }: Common) {
  if (server === undefined || server === '')
    throw new WrongUse(
      '--server is missing: name the server of the queue, such as redis://127.0.0.1:6379, or set TOKENBED_QUEUE',
    )
  if (!/^(rediss?|valkeys?|postgres(ql)?):\/\/./.test(server))
    throw new WrongUse('--server must begin with redis://, rediss://, valkey:// or postgres://')
  return { connection: server, queue }
}

async function add(args: string[], options: AddOptions): Promise<void> {
  const { out, parts, shardRows, output, format, field, id, dim, normalize, dtype, attempts } = options
  const place = placeOf(options)
  const files = inputsOf(args).map(({ name }) => name)
  if (files.includes(STDIN)) throw new WrongUse('-: standard input cannot be divided among workers; name files')
  const opened = await openEmbedder(options.model)
  const chosen = { parts, format, field, id, dim, normalize, dtype, shardRows, output }
  const made = await plan(out, files, {
    ...opened,
    ...Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined)),
  })
  const counts = await addJobs(made, { ...place, attempts })
  if (options.json) await print(`${JSON.stringify({ folder: made.folder, parts: made.parts, ...counts })}\n`)
  else if (!options.quiet)
    await print(
      `${out}: ${counted(made.parts, 'part')}: ${shown(counts.done)} done, ${shown(counts.added)} added${counts.retried > 0 ? ` (${shown(counts.retried)} that had failed)` : ''}, ${shown(counts.there)} already in the queue\n`,
    )
}

async function run(options: WorkerOptions): Promise<void> {
  const place = placeOf(options)
  const stop = new AbortController()
  const forget = insteadOfEnding((code) => {
    process.exitCode = code
    stop.abort()
  })
  try {
    const { done, returned, lost, failed } = await work({
      ...place,
      open: () => openEmbedder(options.model),
      concurrency: options.concurrency,
      graceMs: Math.round(options.grace * 1e3),
      lockMs: Math.round(options.lock * 1e3),
      stalledMs: Math.round(options.stalled * 1e3),
      until: options.forever ? 'signal' : 'empty',
      signal: stop.signal,
      onEvent: options.quiet ? () => {} : say,
    })
    if (options.json) await print(`${JSON.stringify({ done, returned, lost, failed })}\n`)
    else if (!options.quiet)
      await print(`${counted(done, 'part')} done${returned > 0 ? `, ${shown(returned)} given back` : ''}\n`)
    if (failed.length > 0 && !stop.signal.aborted) throw new PartsFailed(told(failed))
  } finally {
    forget()
  }
}

function say({ kind, part, error, isLast }: WorkEvent): void {
  const what = part === undefined ? '' : `${part.folder}: part ${part.index} of ${part.count}`
  if (kind === 'trouble') sayError(`tokenbed: ${error!.message}`)
  else if (kind === 'failed') sayError(`tokenbed: ${what}: ${error!.message}${isLast ? '' : '; it is tried again'}`)
  else if (kind === 'returned') sayError(`tokenbed: ${what}: given back`)
  else if (kind === 'lost') sayError(`tokenbed: ${what}: another worker has it by now`)
  else sayError(`tokenbed: ${what}: ${kind}`)
}

const FEW = 8

function told(failed: readonly FailedPart[]): string {
  const some = failed
    .slice(0, FEW)
    .map(({ folder, index, count, reason }) => `${folder}: part ${index} of ${count}: ${reason}`)
  const rest = failed.length > FEW ? `; and ${shown(failed.length - FEW)} more` : ''
  return `${counted(failed.length, 'part')} failed: ${some.join('; ')}${rest}`
}

async function tell(folder: string, options: Common): Promise<void> {
  const found = await status(folder, placeOf(options))
  if (options.json) {
    await print(`${JSON.stringify(found)}\n`)
    return
  }
  const { parts, done, isComplete, waiting, active, delayed, failed, missing } = found
  const lines: [string, string][] = [
    ['parts', `${shown(done)} of ${shown(parts)} done${isComplete ? '; the manifest is there' : ''}`],
    ['in the queue', `${shown(waiting)} waiting, ${shown(active)} worked on, ${shown(delayed)} to be tried again`],
    ['failed', failed.length === 0 ? 'none' : told(failed)],
    ['missing', missing === 0 ? 'none' : `${shown(missing)}: 'tokenbed queue add' adds them`],
  ]
  await print(`${folder}\n${lines.map(([what, text]) => `  ${what.padEnd(13)} ${text}\n`).join('')}`)
}
