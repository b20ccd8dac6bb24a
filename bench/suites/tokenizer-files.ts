// tokenizer.json files against the packages that read them: one thread, the same texts, the same ids.

import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { capabilities, setNumThreads, Tokenizer } from '../../index.js'
import { inChildren } from '../child.js'
import { median } from '../measure.js'
import { eventLoop } from './event-loop.js'
import { hostile } from './hostile-texts.js'
import { digestOf, huggingFace, pythonTokenizers, rustPeer, type HuggingFace } from '../peers/tokenizer-files.js'
import type { TurnProcess } from '../peers/turn-process.js'
import { ROOT, type Report } from '../report.js'
import { documents, megabytes } from '../texts.js'
import { gain } from '../quiet.js'
import { busy, rounds, type Player } from '../turns.js'

const FOLDER = join(ROOT, 'target', 'tokenizer-files')
const pathOf = (name: string) => join(FOLDER, `${name}.json`)

/**
 * The files, of which the first four are to be ten times as fast as Python's library for English, and all five times.
 * TOKENBED_FILES names others, with commas between them.
 */
const FILES = (
  'llama3 qwen3 gemma3 bert_uncased llama2 claude deepseek_v3 gpt4o mistral mistral_nemo static_model t5 ' +
  'bert_multilingual roberta clip whisper modern_bert falcon'
).split(' ')

/** Bytes of each kind of text. */
const SIZE = 200_000
const ROUNDS = 3
/** A turn takes at least this long, in milliseconds. */
const TURN = 60
const PLAIN = { addSpecialTokens: false }

type Texts = Record<'English' | 'mixed scripts' | 'code' | 'short' | 'pieces', string[]>
const KINDS = ['English', 'mixed scripts', 'code'] as const

/** The first texts that have `size` bytes together. */
function first(texts: readonly string[], size: number): string[] {
  let sum = 0
  return texts.filter((text) => (sum += Buffer.byteLength(text)) <= size)
}

/** Texts of so many characters each, cut from others. */
function cut(texts: readonly string[], length: number): string[] {
  const whole = texts.join(' ').replace(/\s+/g, ' ')
  return Array.from({ length: Math.floor(whole.length / length) }, (_, i) => whole.slice(i * length, (i + 1) * length))
}

function allTexts(): Texts {
  const paragraphs = documents('English').flatMap((text) => text.split(/\n{2,}/))
  const scripts = documents('multilingual').map((text) => text.slice(0, 4000))
  const English = first(paragraphs, SIZE)
  const code = documents('code').flatMap((text) => text.split(/(?<=\n\}\n)/))
  return {
    English,
    'mixed scripts': first(scripts, SIZE),
    code: first(code, SIZE),
    short: cut(English, 60).slice(0, 1000),
    pieces: cut(English, 108),
  }
}

interface Peers {
  python: TurnProcess | null
  crate: TurnProcess | null
  model2vec: TurnProcess | null
  npm: HuggingFace | null
}

export async function tokenizerFiles(report: Report): Promise<void> {
  const asked = process.env.TOKENBED_FILES?.split(',') ?? FILES
  const names = asked.filter((name) => existsSync(pathOf(name)))
  if (names.length === 0) {
    report.missing('anything', 'there are no files; `node scripts/tokenizer-files.mjs` fetches them')
    return
  }
  const found = [await pythonTokenizers(), await rustPeer('tokenizers'), await rustPeer('model2vec-rs'), huggingFace()]
  for (const one of found) if (!('peer' in one)) report.missing(one.name, one.why)
  const [python, crate, model2vec, npm] = found.map((one) => ('peer' in one ? one.peer : null)) as [
    ...(TurnProcess | null)[],
    HuggingFace | null,
  ] as [TurnProcess | null, TurnProcess | null, TurnProcess | null, HuggingFace | null]
  const peers = { python, crate, model2vec, npm }
  const versions = found.flatMap((one) => ('peer' in one ? [`${one.name} ${one.peer.version}`] : []))
  const folder = mkdtempSync(join(tmpdir(), 'tokenbed-bench-'))
  try {
    const texts = allTexts()
    const path = join(folder, 'texts.json')
    writeFileSync(path, JSON.stringify(texts))
    for (const peer of [python, crate, model2vec]) await peer?.ask({ do: 'texts', path })
    report.paragraph(
      `tokenbed ${capabilities().version}, ${versions.join(', ')}. One thread each, batches of the same texts, ` +
        `processor time, medians of ${ROUNDS} or more interleaved rounds. All have seen the texts before, so that their caches of pieces are full. ` +
        'In brackets, how many times as fast tokenbed is. Two threads: how many times as fast tokenbed is with two, by the clock, in turns ' +
        'during which other programs did nearly nothing.',
    )
    const rows = new Map<string, string[][]>()
    const add = (section: string, row: string[]) => rows.set(section, [...(rows.get(section) ?? []), row])
    const tokenizers = new Map<string, Tokenizer>()
    // All that is measured of a file is measured before the next, so that each peer loads it a few times only.
    for (const name of names) {
      add('loading', await loading(name, peers))
      const tokenizer = Tokenizer.fromFile(pathOf(name))
      tokenizers.set(name, tokenizer)
      const npm = peers.npm?.open(pathOf(name)) ?? null
      for (const kind of KINDS) add(kind, await compare(name, kind, texts[kind], { ...peers, npm }, tokenizer))
      add('short', await short(name, texts.short, peers, tokenizer))
      if (model2vec && OF_MODEL2VEC.includes(name))
        add('pieces', await pieces(name, texts.pieces, model2vec, tokenizer))
    }
    const titles = ["Python's tokenizers", 'the crate']
    for (const kind of KINDS) {
      report.section(
        `${kind}: ${texts[kind].length} texts, ${megabytes(texts[kind]).toFixed(2)} MB; megabytes a second`,
      )
      const more = ['npm @huggingface/tokenizers', 'two threads', 'ids']
      report.table(['', 'engine', 'tokenbed', ...titles, ...more], rows.get(kind)!)
    }
    report.section('Texts of 60 characters, one a call; microseconds of processor time')
    report.table(['', 'tokenbed', ...titles], rows.get('short')!)
    if (rows.has('pieces')) {
      report.section(`Texts of 108 bytes against model2vec-rs: ${texts.pieces.length} texts; megabytes a second`)
      report.paragraph(
        'Its tokenizer is private: it makes vectors of one number here, which adds one addition a token. tokenbed makes a batch of ids.',
      )
      report.table(['', 'tokenbed', 'model2vec-rs'], rows.get('pieces')!)
    }
    report.section('Loading: milliseconds of processor time, and megabytes of memory that stay')
    report.paragraph(
      `Medians of ${LOADS} fresh processes of tokenbed, and of one that loads it ${LOADS} times for the others. Memory is that of a second ` +
        'tokenizer in the process, `peak` the most that is held above it, and `content` the bytes of tokens and merges as text.',
    )
    report.table(['', 'file, MB', 'tokenbed', ...titles, 'memory', 'peak'], rows.get('loading')!)
    await eventLoop(report, tokenizers, texts.English)
    hostile(report, tokenizers)
  } finally {
    for (const peer of [python, crate, model2vec]) peer?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A process that has loaded a file, as a player with a job. */
const player = (name: string, peer: TurnProcess | null, job: string): Player[] =>
  peer === null ? [] : [{ name, turn: (milliseconds) => peer.turn(job, 1, milliseconds) }]

const ratio = (ours: number, us: number | undefined) => (us === undefined ? '' : ` (${(us / ours).toFixed(1)}x)`)

/** A text to ids in JavaScript. */
interface Encoder {
  encode: (text: string) => number[]
}

async function compare(
  name: string,
  kind: string,
  texts: string[],
  { python, crate, npm }: Omit<Peers, 'npm'> & { npm: Encoder | null },
  tokenizer: Tokenizer,
): Promise<string[]> {
  const run = () => tokenizer.encodeBatch(texts, PLAIN)
  const players = [busy('tokenbed', run, () => setNumThreads(1))]
  players.push(...player('python', python, kind), ...player('crate', crate, kind))
  if (npm) players.push(busy('npm', () => texts.forEach((text) => npm.encode(text))))
  const us = await rounds(players, ROUNDS, TURN)
  const two = await gain(
    run,
    () => setNumThreads(1),
    () => setNumThreads(2),
  )
  setNumThreads(availableParallelism())
  const ours = us.get('tokenbed')!.us
  const size = megabytes(texts)
  const speed = (who: string) => {
    const turn = us.get(who)
    return turn ? `${(size / (turn.us / 1e6)).toFixed(1)}${who === 'tokenbed' ? '' : ratio(ours, turn.us)}` : ''
  }
  const rows = texts.map((text) => tokenizer.encode(text, PLAIN))
  const same = python && (await python.ask({ do: 'digest', job: kind })).digest === digestOf(rows)
  const others = npm ? texts.filter((text, i) => String(npm.encode(text)) !== String(rows[i])).length : 0
  const ids = [
    same === null ? '' : same ? "Python's" : "NOT Python's",
    others > 0 ? `npm's differ in ${others} texts` : '',
  ]
  const scaling = `${two.ratio.toFixed(2)}x${two.pairs > 0 ? '' : ' (disturbed)'}`
  const cells = [...['tokenbed', 'python', 'crate', 'npm'].map(speed), scaling]
  return [name, tokenizer.engine, ...cells, ids.filter(Boolean).join('; ')]
}

/** Texts of 60 characters one at a time: microseconds of a call. */
async function short(name: string, texts: string[], peers: Peers, tokenizer: Tokenizer): Promise<string[]> {
  const players = [busy('tokenbed', () => texts.forEach((text) => tokenizer.encode(text, PLAIN)))]
  players.push(...player('python', peers.python, 'short'), ...player('crate', peers.crate, 'short'))
  const us = await rounds(players, 2 * ROUNDS, TURN)
  const ours = us.get('tokenbed')!.us
  const cell = (who: string) => (us.has(who) ? (us.get(who)!.us / texts.length).toFixed(2) : '')
  return [name, cell('tokenbed'), ...['python', 'crate'].map((who) => cell(who) + ratio(ours, us.get(who)?.us))]
}

/** Files that model2vec-rs has its own tokenizer for. */
const OF_MODEL2VEC = ['bert_uncased', 'bert_multilingual', 'static_model', 't5']

async function pieces(name: string, texts: string[], model2vec: TurnProcess, tokenizer: Tokenizer): Promise<string[]> {
  await model2vec.ask({ do: 'load', path: pathOf(name) })
  const run = () => tokenizer.encodeBatch(texts, PLAIN)
  const players = [busy('tokenbed', run, () => setNumThreads(1)), ...player('model2vec', model2vec, 'pieces')]
  const us = await rounds(players, 2 * ROUNDS + 1, TURN)
  setNumThreads(availableParallelism())
  const speed = (who: string) => megabytes(texts) / (us.get(who)!.us / 1e6)
  const [ours, theirs] = [speed('tokenbed'), speed('model2vec')]
  return [name, ours.toFixed(1), `${theirs.toFixed(1)} (${(ours / theirs).toFixed(2)}x)`]
}

/** Bytes of the tokens and merges of a file as text. */
function content(path: string): number {
  const { model } = JSON.parse(readFileSync(path, 'utf8'))
  const size = (text: string) => Buffer.byteLength(text)
  const tokens: string[] = Array.isArray(model.vocab)
    ? model.vocab.map(([token]: [string]) => token)
    : Object.keys(model.vocab)
  const merges: (string | [string, string])[] = model.merges ?? []
  const ofMerges = merges.reduce((sum, merge) => sum + size(typeof merge === 'string' ? merge : merge.join(' ')), 0)
  return tokens.reduce((sum, token) => sum + size(token), ofMerges)
}

/** Processes, or times, in which a file is loaded. */
const LOADS = 3

async function loading(name: string, peers: Peers): Promise<string[]> {
  const mb = (bytes: number) => (bytes / 1e6).toFixed(1)
  const path = pathOf(name)
  const own = inChildren(LOADS, 'loadFile', [path])
  const of = (key: 'milliseconds' | 'bytes' | 'peak') => median(own.map((run) => run[key]))
  const theirs = async (peer: TurnProcess | null) => {
    if (peer === null) return ''
    const runs: number[] = []
    for (let i = 0; i < LOADS; i++) runs.push(Number((await peer.ask({ do: 'load', path })).milliseconds))
    return `${median(runs).toFixed(0)}${ratio(of('milliseconds'), median(runs))}`
  }
  const others = [await theirs(peers.python), await theirs(peers.crate)]
  const memory = `${mb(of('bytes'))} (${(of('bytes') / content(path)).toFixed(1)}x content)`
  return [name, mb(statSync(path).size), of('milliseconds').toFixed(0), ...others, memory, mb(of('peak'))]
}
