// The command, workers and a queue of workers, against the bare embedder in a process of its own; and a service.

import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { autocannon, type Load } from '../load.js'
import { command, commandOnCore, isInstalled, redis, start, type Program } from '../programs.js'
import { median } from '../measure.js'
import { ROOT, time, times, type Report } from '../report.js'

const ROUNDS = 3
/** Rows of a shard. */
const ROWS = 50_000
/** Texts of a batch of the bare embedder. */
export const BATCH = 2000
/** What puts load on a service. */
const LOAD = join(__dirname, '..', 'load.js')
/** A service that does nothing but answer. */
const BARE = join(__dirname, '..', 'bare-service.js')

/** What the bare embedder does in a process of its own: the lines of a file, with their vectors into another. */
async function embedFile(lines: string, folder: string, out: string): Promise<void> {
  const { TensorWriter, TextEmbedder } = require('../../index.js') as typeof import('../../index.js')
  const embedder = TextEmbedder.load(folder)
  const writer = new TensorWriter(out, { vectors: { dtype: 'float32', shape: [embedder.dim] } })
  for (const texts of blocksOf(lines)) {
    for (let i = 0; i < texts.length; i += BATCH) {
      const vectors = await embedder.embedAsync(texts.slice(i, i + BATCH))
      writer.write('vectors', vectors)
      vectors.dispose()
    }
  }
  await writer.closeAsync()
}

/** The lines of a file, a few hundred megabytes at a time: a string of JavaScript has at most 512 MB. */
function* blocksOf(path: string): Generator<string[]> {
  const [file, block, decoder] = [openSync(path, 'r'), Buffer.alloc(2 ** 28), new StringDecoder('utf8')]
  let rest = ''
  for (let read = readSync(file, block); read > 0; read = readSync(file, block)) {
    const texts = (rest + decoder.write(block.subarray(0, read))).split('\n')
    rest = texts.pop()!
    yield texts
  }
  closeSync(file)
  if (rest !== '') yield [rest]
}

/** Runs the bare embedder over the lines of a file in a process of its own. */
export const bare = (threads: number, lines: string, folder: string, out: string) =>
  start(process.execPath, [__filename, lines, folder, `${out}.safetensors`], { TOKENBED_NUM_THREADS: String(threads) })
    .done

/** Puts the lines of a file into a queue in so many jobs, and works on them: one worker has all threads. */
export async function queued({
  lines,
  folder,
  url,
  out,
  parts,
  workers = 1,
}: {
  lines: string
  folder: string
  url: string
  out: string
  parts: number
  workers?: number
}): Promise<void> {
  const queue = ['--queue', basename(out), '--server', url, '--quiet']
  const jobs = ['--shard-rows', String(ROWS), '--parts', String(parts)]
  await command(1, 'queue', 'add', lines, '--model', folder, '--out', out, ...jobs, ...queue).done
  const threads = workers === 1 ? availableParallelism() : 1
  const work = () => command(threads, 'queue', 'work', '--model', folder, ...queue).done
  await Promise.all(Array.from({ length: workers }, work))
}

/** A way to embed the corpus, and the way that it is compared with. */
interface Way {
  of?: string
  run: (out: string) => Promise<unknown>
}

/** Compares what embeds the lines of a file in processes: all of them write the same vectors to the same disk. */
export async function workers(report: Report, at: string, lines: string, folder: string): Promise<void> {
  const size = statSync(lines).size / 1e6
  const all = availableParallelism()
  const shards = ['--model', folder, '--shard-rows', String(ROWS), '--quiet']
  const embed = (threads: number, out: string, ...more: string[]) =>
    command(threads, 'embed', lines, '--out', out, ...shards, ...more).done
  const onCore = (core: number, out: string, ...more: string[]) =>
    commandOnCore(core, 'embed', lines, '--out', out, ...shards, ...more).done
  const ways: Record<string, Way> = {
    [`the bare embedder, ${all} threads`]: { run: (out) => bare(all, lines, folder, out) },
    [`tokenbed embed, ${all} threads`]: { of: `the bare embedder, ${all} threads`, run: (out) => embed(all, out) },
    'the bare embedder, one thread': { run: (out) => bare(1, lines, folder, out) },
    'one worker, one thread': { of: 'the bare embedder, one thread', run: (out) => embed(1, out) },
  }
  if (!isInstalled('taskset')) report.missing('workers with a core each', 'taskset is not installed')
  else {
    ways['one worker, one thread, on one core'] = { run: (out) => onCore(0, out) }
    ways['two workers, one thread, on a core each'] = {
      of: 'one worker, one thread, on one core',
      run: (out) => Promise.all([0, 1].map((core) => onCore(core, out, '--shard', `${core}/2`))),
    }
    ways['one worker, two threads'] = {
      of: 'two workers, one thread, on a core each',
      run: (out) => embed(2, out),
    }
  }
  const server = isInstalled('redis-server') ? await redis(at) : null
  if (server === null) report.missing('a queue', 'redis-server is not installed')
  else {
    const of = `the bare embedder, ${all} threads`
    const asked = { lines, folder, url: server.url }
    ways[`a queue, one worker of ${all} threads`] = { of, run: (out) => queued({ ...asked, out, parts: 2 }) }
    ways['a queue, two workers of one thread'] = { of, run: (out) => queued({ ...asked, out, parts: 4, workers: 2 }) }
  }
  const seconds = new Map(Object.keys(ways).map((name) => [name, [] as number[]]))
  let runs = 0
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, { run }] of Object.entries(ways)) {
      const out = join(at, `out-${runs++}`)
      const begun = performance.now()
      await run(out)
      seconds.get(name)!.push((performance.now() - begun) / 1e3)
      for (const path of [out, `${out}.safetensors`]) rmSync(path, { recursive: true, force: true })
    }
  }
  server?.child.kill('SIGKILL')
  const rate = (name: string) => size / median(seconds.get(name)!)
  report.section('Processes that embed a corpus')
  report.paragraph(
    `${size.toFixed(0)} MB of lines, shards of ${ROWS} rows; the start of each process and its reading of the model are counted, of a queue ` +
      `the adding of its jobs, too. A worker with a core of its own has it for all its threads, those that read and write ` +
      `among them. Medians of ${ROUNDS} rounds in turn.`,
  )
  report.table(
    ['', 'seconds', 'MB of text/s', 'of'],
    Object.entries(ways).map(([name, { of }]) => [
      name,
      median(seconds.get(name)!).toFixed(2),
      rate(name).toFixed(1),
      of === undefined ? '' : `${((100 * rate(name)) / rate(of)).toFixed(0)} % of ${of}`,
    ]),
  )
}

/** Puts load on a server that says its address: for some seconds to warm it up, then as often as there are rates. */
async function loaded(server: Program, rates: (most: Load) => number[]): Promise<{ most: Load; found: Load[] }> {
  const [said] = (await Promise.race([once(server.child.stdout!, 'data'), server.done])) as [string]
  const load = async (rate: number, seconds: number) => {
    const args = [LOAD, said.trim(), String(rate), String(seconds)]
    return JSON.parse(await start(process.execPath, args).done) as Load
  }
  await load(0, 2)
  const most = await load(0, 5)
  const found: Load[] = []
  for (const rate of rates(most)) found.push(await load(rate, 5))
  return { most, found }
}

/** Puts load on examples/service: as much as it can answer, and then 70 % of it. */
export async function service(report: Report, at: string, folder: string): Promise<void> {
  const example = join(ROOT, 'examples', 'service')
  if (!existsSync(join(example, 'node_modules', 'fastify'))) {
    report.missing('a service', 'npm ci in examples/service comes first')
    return
  }
  const cannon = autocannon()
  if ('why' in cannon) {
    report.missing('a service', `${cannon.name}: ${cannon.why}`)
    return
  }
  const project = mkdtempSync(join(at, 'service-'))
  mkdirSync(join(project, 'node_modules'))
  symlinkSync(ROOT, join(project, 'node_modules', 'tokenbed'), 'junction')
  for (const name of readdirSync(join(example, 'node_modules')))
    symlinkSync(join(example, 'node_modules', name), join(project, 'node_modules', name), 'junction')
  for (const name of ['server.js', 'service.js', 'package.json']) symlinkSync(join(example, name), join(project, name))
  const links = ['--preserve-symlinks', '--preserve-symlinks-main', 'server.js']
  const server = start(process.execPath, links, { MODEL: folder, PORT: '0', DRAIN_MS: '0' }, project)
  const part = (rate: number) => Array.from({ length: ROUNDS }, () => Math.round(0.7 * rate))
  const { most, found } = await loaded(server, ({ rate }) => part(rate))
  server.child.kill('SIGTERM')
  await server.done
  const bareServer = start(process.execPath, [BARE])
  const { found: control } = await loaded(bareServer, () => part(most.rate))
  bareServer.child.kill('SIGKILL')
  report.section('A service')
  report.paragraph(
    `examples/service on this machine together with autocannon ${cannon.peer.version}: one text a request, 16 connections, ` +
      `${most.rate.toFixed(0)} requests a second at most; then 70 % of that, ${ROUNDS} times for 5 seconds: autocannon sends those of a ` +
      'second as fast as they are answered, and then waits for the next second. Latency is that of each answer, in fractions of ' +
      'milliseconds. A server of node:http that answers at once with a kilobyte gets the same load.',
  )
  report.table(
    ['', 'requests a second', 'median', 'p99', 'p99 of the median', 'not answered with 200'],
    [
      ...found.map((load) => ({ name: 'the service', load })),
      ...control.map((load) => ({ name: 'one that answers at once', load })),
    ].map(({ name, load: { rate, p50, p99, errors } }) => [
      name,
      rate.toFixed(0),
      time(p50),
      time(p99),
      times(p99 / p50),
      String(errors),
    ]),
  )
}

if (require.main === module) {
  const [lines, folder, out] = process.argv.slice(2)
  void embedFile(lines, folder, out)
}
