// Lookups against other packages, with the same ids and tables. Their results are compared first, then the times,
// then the targets.

import { freemem } from 'node:os'
import { Generator, setNumThreads, getNumThreads, TokenPositionEmbedding, zeros } from '../../index.js'
import { difference, drawIds, exchange, type Case } from '../ids.js'
import { onnx } from '../peers/onnx.js'
import { tfjs } from '../peers/tfjs.js'
import { TorchProcess } from '../peers/torch-process.js'
import { readFloats } from '../peers/floats.js'
import { time, times, type Report } from '../report.js'
import { Targets } from '../targets.js'
import { later, local, rounds, type Player, type Turn } from '../turns.js'
import { compareBags } from './compare-bags.js'

const SEED = 1
const ROUNDS = 7
const MILLISECONDS = 25
const THREADS = [1, 2]

interface Lookup extends Case {
  /** The table is so large that there is room for only one: nothing may copy it. */
  large?: boolean
}

const GPT2 = { rows: 50257, batch: 32, length: 1024, dim: 768 }
const CASES: Lookup[] = [
  { ...GPT2, name: '(8, 4) x 256, uniform', batch: 8, length: 4, dim: 256, spread: 'uniform' },
  { ...GPT2, name: '(8, 4) x 256, zipf', batch: 8, length: 4, dim: 256, spread: 'zipf' },
  { ...GPT2, name: '(32, 1024) x 768, uniform', spread: 'uniform' },
  { ...GPT2, name: '(32, 1024) x 768, zipf', spread: 'zipf' },
  { ...GPT2, name: '(32, 1024) x 32: rows of 128 bytes, uniform', dim: 32, spread: 'uniform' },
  { ...GPT2, name: '(32, 1024) x 32: rows of 128 bytes, zipf', dim: 32, spread: 'zipf' },
  {
    ...GPT2,
    name: '(32, 1024) x 768 of 1398101 rows: a table of 4 GiB, uniform',
    rows: 1398101,
    spread: 'uniform',
    large: true,
  },
  {
    ...GPT2,
    name: '(32, 1024) x 768 of 1398101 rows: a table of 4 GiB, zipf',
    rows: 1398101,
    spread: 'zipf',
    large: true,
  },
]

/** Number of bytes for the large case: the table here and in PyTorch's process, and the rest. */
const LARGE_NEEDS = 11 * 2 ** 30

/** The peers that are installed. */
interface Peers {
  torch: TorchProcess | null
  onnx: Extract<ReturnType<typeof onnx>, { peer: unknown }>['peer'] | null
  tfjs: Extract<ReturnType<typeof tfjs>, { peer: unknown }>['peer'] | null
}

async function findPeers(report: Report): Promise<Peers> {
  const peer = <T>(found: { name: string; peer: T } | { name: string; why: string }): T | null => {
    if ('peer' in found) return found.peer
    report.missing(found.name, found.why)
    return null
  }
  return { torch: peer(await TorchProcess.start()), onnx: peer(onnx()), tfjs: peer(tfjs()) }
}

export async function compare(report: Report): Promise<void> {
  const before = getNumThreads()
  const peers = await findPeers(report)
  const targets = new Targets()
  const versions = Object.entries({
    PyTorch: peers.torch,
    'onnxruntime-node': peers.onnx,
    '@tensorflow/tfjs': peers.tfjs,
  })
  report.paragraph(
    `${versions.flatMap(([name, peer]) => (peer ? [`${name} ${peer.version}`] : [])).join(', ') || 'No other package is installed'}. ` +
      `Medians of ${ROUNDS} rounds, in each of which every candidate runs for ${MILLISECONDS} ms; PyTorch, in a process of its own and in ` +
      'inference mode, runs in between; a candidate whose call takes half a second has only 3 rounds. "reused": into existing buffers. "NT copy": a copy of the rows of a table one ' +
      'after the other, with non-temporal stores if the output has 64 MiB or more. tfjs-node is not compared, ' +
      'because it downloads its library from outside the registry. Times as fast: tokenbed on the same number of threads over the peer.',
  )
  try {
    for (const one of CASES) {
      if (one.large && freemem() < LARGE_NEEDS) {
        report.section(one.name)
        report.paragraph(`Left out, because it needs ${LARGE_NEEDS / 2 ** 30} GiB of free memory.`)
        continue
      }
      await compareCase(report, one, peers, targets)
    }
    await compareBags(report, peers.torch, targets, { seed: SEED, rounds: ROUNDS, milliseconds: MILLISECONDS })
  } finally {
    peers.torch?.stop()
    setNumThreads(before)
  }
  targets.report(report)
}

/** The work that a row is compared for: tokenbed's row of the same work. */
const WORKS = ['gather', 'fused', 'norm'] as const
type Work = (typeof WORKS)[number]
const TITLES: Record<Work, string> = {
  gather: 'gather',
  fused: 'gather + position',
  norm: 'gather + position + LayerNorm',
}
const ours = (work: Work, threads: number) => `tokenbed: ${TITLES[work]}, ${threads}T`

/** The other yardstick: the fastest copy that the machine can do. */
const nonTemporal = (threads: number) => `NT copy: rows in order, ${threads}T`

const worksOf = ({ large }: Lookup) => WORKS.filter((work) => work !== 'norm' || !large)

/** A layer that uses another layer's tables. */
function overTables(of: TokenPositionEmbedding, layer: TokenPositionEmbedding): TokenPositionEmbedding {
  for (const part of ['token', 'position'] as const) {
    const own = layer[part].weight
    layer[part].weight = of[part].weight
    own.dispose()
  }
  return layer
}

async function compareCase(report: Report, one: Lookup, peers: Peers, targets: Targets): Promise<void> {
  const { rows, dim, batch, length, spread } = one
  report.section(one.name)
  const options = { vocabSize: rows, contextLength: length, dim, generator: new Generator(SEED) }
  const layer = new TokenPositionEmbedding(options)
  const normed = one.large
    ? null
    : overTables(layer, new TokenPositionEmbedding({ ...options, layerNorm: { eps: 1e-5 } }))
  const ids = drawIds(batch * length, rows, spread)
  const shape = [batch, length]
  const out = zeros([...shape, dim])
  const target = (out.data as Float32Array).fill(1)
  const runs: Record<Work, () => unknown> = {
    gather: () => layer.token.forward(ids, { shape, out }),
    fused: () => layer.forward(ids, { shape, out }),
    norm: () => normed?.forward(ids, { shape, out }),
  }
  const expected = (work: Work) => (runs[work](), target)
  const players: Player[] = []
  const work = new Map<string, { work: Work; threads: number; result: string }>()
  const add = (player: Player, of: Work, threads: number, result: string) => {
    players.push(player)
    work.set(player.name, { work: of, threads, result })
  }
  const source = Float32Array.from(target)
  players.push(local('memcpy of the bytes', () => target.set(source)))
  const inOrder = Int32Array.from(ids, (_, i) => i % rows)
  for (const threads of THREADS) {
    players.push(
      local(
        nonTemporal(threads),
        () => layer.token.forward(inOrder, { shape, out }),
        () => setNumThreads(threads),
      ),
    )
  }
  for (const threads of THREADS) {
    for (const of of worksOf(one)) players.push(local(ours(of, threads), runs[of], () => setNumThreads(threads)))
  }
  addJavaScript(add, one, layer, ids, target, expected)
  const close = [() => {}]
  const files = exchange()
  try {
    if (peers.torch) await addTorch(add, one, peers.torch, files, ids, expected)
    if (!one.large) close.push(...(await addPackages(add, one, peers, layer, ids, target, expected)))
    const results = await rounds(players, ROUNDS, MILLISECONDS)
    report.table(
      ['', 'a call', "of memcpy's speed", "of NT copy's, 1T", 'tokenbed is as fast as it', 'page faults', 'results'],
      table(results, work),
    )
    collect(one, results, targets)
  } finally {
    files.remove()
    for (const release of close) release()
    for (const tensor of [...layer.parameters(), ...(normed?.parameters().slice(2) ?? []), out]) tensor.dispose()
    if (peers.torch) await peers.torch.ask({ do: 'clear' })
  }
}

type Add = (player: Player, work: Work, threads: number, result: string) => void
type Expected = (work: Work) => Float32Array

function addJavaScript(
  add: Add,
  one: Lookup,
  layer: TokenPositionEmbedding,
  ids: Int32Array,
  target: Float32Array,
  expected: Expected,
): void {
  const { dim, length } = one
  // It has arrays of its own, as a user's code would.
  const [table, positions] = [layer.token, layer.position].map(({ weight }) => {
    const data = weight.data as Float32Array
    return one.large ? data : Float32Array.from(data)
  })
  const gather = () => {
    for (let i = 0; i < ids.length; i++) target.set(table.subarray(ids[i] * dim, ids[i] * dim + dim), i * dim)
  }
  const fused = () => {
    gather()
    for (let i = 0; i < ids.length; i++) {
      const [at, from] = [i * dim, (i % length) * dim]
      for (let d = 0; d < dim; d++) target[at + d] += positions[from + d]
    }
  }
  for (const [of, run] of [
    ['gather', gather],
    ['fused', fused],
  ] as const) {
    const wanted = expected(of).slice()
    run()
    add(local(`plain JavaScript: ${TITLES[of]}`, run), of, 1, difference(wanted, target).words)
  }
}

async function addTorch(
  add: Add,
  one: Lookup,
  torch: TorchProcess,
  files: ReturnType<typeof exchange>,
  ids: Int32Array,
  expected: Expected,
): Promise<void> {
  const { rows, dim, batch, length } = one
  const setUp = { do: 'forward', rows, dim, batch, length, seed: SEED, ids: files.write('ids', ids) }
  for (const job of (await torch.ask(setUp)).jobs as string[]) {
    const of = job.split(',')[0] as Work
    if (!worksOf(one).includes(of)) continue
    await torch.ask({ do: 'save', job, path: files.path('result') })
    const { largest, words } = difference(expected(of), readFloats(files.path('result')))
    // Sums over a row are added in another order.
    if (largest > (of === 'norm' ? 1e-5 : 0))
      throw new Error(`PyTorch's ${job} of ${one.name} is not tokenbed's: ${words}`)
    const title = TITLES[of] + job.slice(of.length)
    for (const threads of THREADS) {
      add({ name: `PyTorch: ${title}, ${threads}T`, turn: (ms) => torch.turn(job, threads, ms) }, of, threads, words)
    }
  }
}

async function addPackages(
  add: Add,
  one: Lookup,
  { onnx, tfjs }: Peers,
  layer: TokenPositionEmbedding,
  ids: Int32Array,
  target: Float32Array,
  expected: Expected,
): Promise<(() => void)[]> {
  const [table, positions] = [layer.token, layer.position].map(({ weight }) => weight.data as Float32Array)
  const wanted = expected('gather').slice()
  const close: (() => void)[] = []
  const same = (who: string, theirs: Float32Array) => {
    const { largest, words } = difference(wanted, theirs)
    if (largest > 0) throw new Error(`${who} of ${one.name} is not tokenbed's: ${words}`)
    return words
  }
  for (const threads of onnx ? THREADS : []) {
    const lookup = await onnx!.open(table, one, threads)
    target.fill(0)
    await lookup.run(ids, target)
    add(
      later(`onnxruntime-node: gather into an output given, ${threads}T`, () => lookup.run(ids, target)),
      'gather',
      threads,
      same('onnxruntime-node', target),
    )
    close.push(() => void lookup.close())
  }
  if (tfjs) {
    const lookup = await tfjs.open(table, positions, ids, one)
    add(local('@tensorflow/tfjs: gather', lookup.gather), 'gather', 1, same('@tensorflow/tfjs', lookup.data()))
    add(local('@tensorflow/tfjs: gather + position', lookup.fused), 'fused', 1, '')
    close.push(lookup.close)
  }
  return close
}

function table(
  results: Map<string, Turn>,
  work: Map<string, { work: Work; threads: number; result: string }>,
): string[][] {
  const copy = results.get('memcpy of the bytes')!.us
  const streamed = results.get(nonTemporal(1))!.us
  return [...results].map(([name, { us, faults }]) => {
    const of = work.get(name)
    const ratio = of ? times(us / results.get(ours(of.work, of.threads))!.us) : ''
    return [name, time(us), times(copy / us), times(streamed / us), ratio, faults.toFixed(1), of?.result ?? '']
  })
}

function collect({ name }: Lookup, results: Map<string, Turn>, targets: Targets): void {
  const us = (player: string) => results.get(player)?.us ?? NaN
  const [gather, fused, norm] = WORKS.map((work) => us(ours(work, 1)))
  const copy = us('memcpy of the bytes')
  if (name === '(8, 4) x 256, uniform') {
    targets.measured('small', fused)
    targets.measured('jsSmall', us(`plain JavaScript: ${TITLES.fused}`) / fused)
  }
  if (name === '(32, 1024) x 768, zipf') targets.measured('zipf', gather / us(ours('gather', 2)))
  if (name !== '(32, 1024) x 768, uniform') return
  targets.measured('gather1', copy / gather)
  targets.measured('fused1', copy / fused)
  targets.measured('gather2', copy / us(ours('gather', 2)))
  targets.measured('fused2', copy / us(ours('fused', 2)))
  targets.measured('fusedTime', fused / gather)
  targets.measured('normTime', norm / gather)
  targets.measured('jsGather', us(`plain JavaScript: ${TITLES.gather}`) / gather)
  targets.measured('jsFused', us(`plain JavaScript: ${TITLES.fused}`) / fused)
  targets.measured('torchGather', us(`PyTorch: ${TITLES.gather}, 1T`) / gather)
  targets.measured('torchFused', us(`PyTorch: ${TITLES.fused}, 1T`) / fused)
  targets.measured('torchNorm', us(`PyTorch: ${TITLES.norm}, 1T`) / norm)
  targets.measured('torchGatherReused', us(`PyTorch: ${TITLES.gather}, reused, 1T`) / gather)
  targets.measured('torchFusedReused', us(`PyTorch: ${TITLES.fused}, reused, 1T`) / fused)
}
