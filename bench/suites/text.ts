// Texts to vectors, against the libraries of static embedding models: the same folder, the same texts.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { capabilities, Generator, loadSafetensors, randn, setNumThreads, TextEmbedder, Tokenizer } from '../../index.js'
import { pythonEmbedder } from '../peers/embed.js'
import { transformersJs, type Extractor, type TransformersJs } from '../peers/transformers-js.js'
import { rustPeer } from '../peers/tokenizer-files.js'
import type { TurnProcess } from '../peers/turn-process.js'
import { ROOT, type Report } from '../report.js'
import { documents } from '../texts.js'
import { busy, busyLater, local, rounds, type Player } from '../turns.js'

/** Rounds in which the players take turns, and how long a turn takes at least, in milliseconds. */
const [ROUNDS, TURN] = [7, 100]
const LENGTHS = [100, 500]
/**
 * Lengths that texts have in turn where they are mixed: libraries that fill up a batch to its longest text are slow
 * then.
 */
const MIXED = [30, 100, 250, 60, 500, 1000, 40, 4000]
const DIM = 256
/** Texts in a batch. */
const TEXTS = 2000
/** Texts in a call of transformers.js, which fills up all of a call to the longest. */
const TEXTS_OF_JS = 32
/** How far an element of a vector of transformers.js may be from ours; vectors have the length 1. */
const TOLERANCE = 1e-6

/** Texts of so many characters each. */
function cut(length: number): string[] {
  const whole = documents('English').join(' ').replace(/\s+/g, ' ')
  const count = Math.min(TEXTS, Math.floor(whole.length / length))
  return Array.from({ length: count }, (_, i) => whole.slice(i * length, (i + 1) * length))
}

/** Texts of the mixed lengths, in turn. */
function mixed(): string[] {
  const whole = documents('English').join(' ').replace(/\s+/g, ' ')
  const texts: string[] = []
  for (let at = 0; at < whole.length && texts.length < TEXTS; at += texts.at(-1)!.length)
    texts.push(whole.slice(at, at + MIXED[texts.length % MIXED.length]))
  return texts
}

/** Folders of model2vec: TOKENBED_TEXT_MODELS, or one that is made of BERT's tokenizer and a drawn table. */
export function folders(at: string): string[] {
  const given = process.env.TOKENBED_TEXT_MODELS?.split(',').filter(Boolean) ?? []
  const bert = join(ROOT, 'target', 'tokenizer-files', 'bert_uncased.json')
  if (given.length > 0 || !existsSync(bert)) return given
  const tokenizer = Tokenizer.fromFile(bert)
  const table = randn([tokenizer.vocabSize, DIM], { generator: new Generator(1) })
  const folder = join(at, 'bert-uncased-drawn')
  new TextEmbedder({ tokenizer, table, normalize: true, semantics: 'model2vec' }).save(folder)
  return [folder]
}

const batches = (texts: string[], size: number): string[][] =>
  Array.from({ length: Math.ceil(texts.length / size) }, (_, i) => texts.slice(i * size, (i + 1) * size))

const turns = (name: string, peer: TurnProcess | null, job: string): Player[] =>
  peer === null ? [] : [{ name, turn: (milliseconds) => peer.turn(job, 1, milliseconds) }]

export async function text(report: Report): Promise<void> {
  const found = [await rustPeer('model2vec-rs'), await pythonEmbedder('model2vec'), await pythonEmbedder('wordllama')]
  const inNode = transformersJs()
  for (const one of [...found, inNode]) if (!('peer' in one)) report.missing(one.name, one.why)
  const [rust, python, llama] = found.map((one) => ('peer' in one ? one.peer : null))
  const versions = [...found, inNode].flatMap((one) => ('peer' in one ? [`${one.name} ${one.peer.version}`] : []))
  const at = mkdtempSync(join(tmpdir(), 'tokenbed-bench-'))
  try {
    const texts: Record<string, string[]> = {
      ...Object.fromEntries(LENGTHS.map((length) => [String(length), cut(length)])),
      mixed: mixed(),
    }
    const path = join(at, 'texts.json')
    writeFileSync(path, JSON.stringify(texts))
    for (const peer of [rust, python, llama]) await peer?.ask({ do: 'texts', path })
    report.paragraph(
      `tokenbed ${capabilities().version}, ${versions.join(', ')}. Batches of the same ${TEXTS} texts or fewer, by the same folder. ` +
        `transformers.js extracts features by an ONNX model of one Gather, ${TEXTS_OF_JS} texts a call. ` +
        `Microseconds of processor time a text on one thread, medians of ${ROUNDS} interleaved rounds, all warm. In brackets, how many times as ` +
        'fast tokenbed is. Two threads: how many times as fast tokenbed is with two, by the clock.',
    )
    const rows: string[][] = []
    for (const folder of folders(at)) {
      for (const peer of [rust, python]) await peer?.ask({ do: 'load', path: folder })
      const extractor = 'peer' in inNode ? await opened(inNode.peer, folder, join(at, 'transformers.js')) : null
      rows.push(...(await compare(folder, texts, { 'model2vec-rs': rust, "Python's library": python }, extractor)))
      await extractor?.close()
    }
    if (llama !== null) {
      const { folder } = await llama.ask({ do: 'version' })
      await llama.ask({ do: 'load', path: folder })
      rows.push(...(await compare(String(folder), texts, { "Python's library": llama }, null)))
    }
    const titles = ['', 'characters', 'tokenbed', ...OTHERS, 'two threads', 'one text a call']
    report.table(titles, rows)
  } finally {
    for (const peer of [rust, python, llama]) peer?.stop()
    rmSync(at, { recursive: true, force: true })
  }
}

/** What is compared with, in the order of the columns. */
const OTHERS = ['model2vec-rs', "Python's library", 'transformers.js']

/** The feature extraction of transformers.js by a folder of model2vec. */
function opened(peer: TransformersJs, folder: string, copy: string): Promise<Extractor> {
  const embeddings = loadSafetensors(join(folder, 'model.safetensors')).get('embeddings')!
  const [rows, dim] = embeddings.shape
  return peer.open(folder, { data: embeddings.data as Float32Array, rows, dim }, copy)
}

/**
 * Whether transformers.js gives the vectors that we do, for the first texts without an unknown token: model2vec leaves
 * those out, and a model of one Gather takes them.
 */
async function agrees(embedder: TextEmbedder, folder: string, texts: string[], extractor: Extractor): Promise<boolean> {
  const tokenizer = Tokenizer.fromFile(join(folder, 'tokenizer.json'))
  const unknown = tokenizer.id('[UNK]') ?? -1
  const some = texts.filter((text) => !tokenizer.encode(text).includes(unknown)).slice(0, TEXTS_OF_JS)
  const [ours, theirs] = [embedder.embed(some).data as Float32Array, await extractor.embed(some)]
  return ours.length === theirs.length && ours.every((x, i) => Math.abs(x - theirs[i]) <= TOLERANCE)
}

async function compare(
  folder: string,
  texts: Record<string, string[]>,
  peers: Record<string, TurnProcess | null>,
  extractor: Extractor | null,
): Promise<string[][]> {
  const embedder = TextEmbedder.load(folder)
  const rows: string[][] = []
  for (const [length, some] of Object.entries(texts)) {
    const run = () => embedder.embed(some).dispose()
    const players = [busy('tokenbed', run, () => setNumThreads(1))]
    for (const threads of [1, 2]) players.push(local(`${threads}`, run, () => setNumThreads(threads)))
    players.push(busy('alone', () => some.forEach((one) => embedder.embed(one).dispose())))
    for (const [name, peer] of Object.entries(peers)) players.push(...turns(name, peer, length))
    if (extractor !== null) {
      if (!(await agrees(embedder, folder, some, extractor)))
        throw new Error(`transformers.js has other vectors: ${length}`)
      const parts = batches(some, TEXTS_OF_JS)
      players.push(
        busyLater('transformers.js', async () => {
          for (const part of parts) await extractor.embed(part)
        }),
      )
    }
    const us = await rounds(players, ROUNDS, TURN)
    setNumThreads(availableParallelism())
    const each = (who: string) => us.get(who)!.us / some.length
    const cell = (who: string) =>
      us.has(who) ? `${each(who).toFixed(2)} (${(each(who) / each('tokenbed')).toFixed(2)}x)` : ''
    const scaling = `${(us.get('1')!.us / us.get('2')!.us).toFixed(2)}x`
    const others = OTHERS.map(cell)
    const name = folder.split(/[\\/]/).at(-1)!
    rows.push([name, length, each('tokenbed').toFixed(2), ...others, scaling, each('alone').toFixed(2)])
  }
  return rows
}
