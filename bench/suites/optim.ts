// Steps of optimizers on a layer's table, against a memcpy of the same traffic, plain JavaScript, and PyTorch.

import {
  Adagrad,
  Adam,
  AdamW,
  Embedding,
  Generator,
  getNumThreads,
  LRSchedule,
  randn,
  RowWiseAdagrad,
  setNumThreads,
  SGD,
  SparseAdam,
} from '../../index.js'
import type { Optimizer, Tensor } from '../../index.js'
import { drawIds, exchange, type Case, type Spread } from '../ids.js'
import { TorchProcess } from '../peers/torch-process.js'
import { time, times, type Report } from '../report.js'
import { local, rounds, type Player, type Turn } from '../turns.js'

const ROUNDS = 5
const MILLISECONDS = 25

const CASES: readonly Case[] = (['uniform', 'zipf'] as const).flatMap((spread) => [
  { name: `(8, 4) x 256, ${spread}`, rows: 50257, batch: 8, length: 4, dim: 256, spread },
  { name: `(32, 1024) x 768, ${spread}`, rows: 50257, batch: 32, length: 1024, dim: 768, spread },
])

/** A kind of step to measure. */
interface Kind {
  name: string
  make: (params: Tensor[]) => Optimizer<any>
  /** Whether the layer's gradient is a SparseGrad. */
  sparse: boolean
  /** Whether the dense gradient is read before, so that the step reads it instead of the rows. */
  seen?: boolean
  /** How often an element that is stepped is read and written, not counting its gradient. */
  moves: number
  /** Whether all rows are stepped. */
  all?: boolean
  /** PyTorch's job to compare with. */
  torch?: string
  /** The step in plain JavaScript. */
  plain?: (table: Float32Array, grad: Float32Array, ids: Int32Array, dim: number) => void
}

const KINDS: readonly Kind[] = [
  {
    name: 'SGD, rows',
    make: (p) => new SGD(p, { lr: 1e-3 }),
    sparse: true,
    moves: 2,
    torch: 'SGD, sparse',
    plain: plainSgd,
  },
  { name: 'RowWiseAdagrad, rows', make: (p) => new RowWiseAdagrad(p, { lr: 1e-3 }), sparse: true, moves: 2 },
  {
    name: 'Adagrad, rows',
    make: (p) => new Adagrad(p, { lr: 1e-3 }),
    sparse: true,
    moves: 4,
    torch: 'Adagrad, sparse',
  },
  { name: 'SparseAdam', make: (p) => new SparseAdam(p, { lr: 1e-3 }), sparse: true, moves: 6, torch: 'SparseAdam' },
  {
    name: 'Adam, dense gradient',
    make: (p) => new Adam(p, { lr: 1e-3 }),
    sparse: false,
    seen: true,
    moves: 7,
    all: true,
    torch: 'Adam, dense',
  },
  {
    name: 'Adam, all rows, gradient in rows',
    make: (p) => new Adam(p, { lr: 1e-3 }),
    sparse: false,
    moves: 6,
    all: true,
    torch: 'Adam, dense',
  },
  {
    name: 'AdamW, all rows, gradient in rows',
    make: (p) => new AdamW(p, { lr: 1e-3 }),
    sparse: false,
    moves: 6,
    all: true,
    torch: 'AdamW, dense',
  },
]

/** Keeps no sums: each occurrence is a step of its own, the simplest way to write it. */
function plainSgd(table: Float32Array, grad: Float32Array, ids: Int32Array, dim: number): void {
  for (let i = 0; i < ids.length; i++) {
    const [to, from] = [ids[i] * dim, i * dim]
    for (let d = 0; d < dim; d++) table[to + d] -= 1e-3 * grad[from + d]
  }
}

export async function optim(report: Report): Promise<void> {
  const before = getNumThreads()
  const found = await TorchProcess.start('torch_optim.py')
  const torch = 'peer' in found ? found.peer : null
  if (!('peer' in found)) report.missing(found.name, found.why)
  report.paragraph(
    `${torch ? `PyTorch ${torch.version}. ` : ''}\`optimizer.step()\` with the gradient of one batch, not yet summed: summing is part of the step, as in ` +
      'PyTorch\'s step on an uncoalesced gradient. "memcpy": a copy of as many bytes as the step reads and writes. Medians of ' +
      `${ROUNDS} rounds, in each of which every candidate runs for ${MILLISECONDS} ms.`,
  )
  try {
    for (const one of CASES)
      for (const threads of one.batch > 8 ? [1, 2] : [1]) await measure(report, one, threads, torch)
    await behind(report)
    await curve(report)
  } finally {
    torch?.stop()
    setNumThreads(before)
  }
}

/** A layer whose weight has the gradient of a batch. */
function learned({ rows, dim, batch, length, spread }: Case, sparse: boolean): { layer: Embedding; ids: Int32Array } {
  const layer = new Embedding(rows, dim, { sparse, generator: new Generator(1) })
  const ids = drawIds(batch * length, rows, spread)
  const out = layer.forward(ids)
  const grad = randn(out.shape.slice(), { generator: new Generator(2) })
  out.backward(grad)
  out.dispose()
  grad.dispose()
  return { layer, ids }
}

async function measure(report: Report, one: Case, threads: number, torch: TorchProcess | null): Promise<void> {
  report.section(`${one.name}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`)
  const { rows, dim, batch, length, spread } = one
  const files = exchange()
  const path = files.write('ids', drawIds(batch * length, rows, spread))
  const lines: string[][] = []
  for (const kind of KINDS) {
    const { layer, ids } = learned(one, kind.sparse)
    if (kind.seen) void layer.weight.grad
    const optimizer = kind.make([layer.weight])
    // The first step makes the state.
    optimizer.step()
    const unique = new Set(ids).size
    const stepped = kind.all ? rows : unique
    const traffic = (kind.seen ? 0 : ids.length * dim * 4) + stepped * dim * 4 * kind.moves
    const source = new Float32Array(Math.ceil(traffic / 8)).fill(1)
    const target = new Float32Array(source.length).fill(2)
    const set = () => setNumThreads(threads)
    const players: Player[] = [
      local('memcpy', () => target.set(source)),
      local('tokenbed', () => optimizer.step(), set),
    ]
    if (kind.plain && threads === 1) {
      const [table, grad] = [
        Float32Array.from(layer.weight.data as Float32Array),
        new Float32Array(ids.length * dim).fill(0.5),
      ]
      players.push(local('plain', () => kind.plain!(table, grad, ids, dim)))
    }
    if (torch && kind.torch) {
      const job = kind.torch
      await torch.ask({ do: 'steps', rows, dim, ids: path, only: [job] })
      players.push({ name: 'torch', turn: (ms) => torch.turn(job, threads, ms) })
    }
    const result = await rounds(players, ROUNDS, MILLISECONDS)
    lines.push(lineOf(kind.name, result))
    optimizer.dispose()
    layer.weight.dispose()
  }
  files.remove()
  report.table(['', 'a step', 'against memcpy', 'PyTorch', 'times as fast', 'plain JavaScript', 'times as fast'], lines)
}

function lineOf(name: string, result: Map<string, Turn>): string[] {
  const us = (of: string) => result.get(of)?.us
  const own = us('tokenbed')!
  const against = (of: string) => (us(of) === undefined ? ['', ''] : [time(us(of)!), times(us(of)! / own)])
  return [name, time(own), times(us('memcpy')! / own), ...against('torch'), ...against('plain')]
}

/** Number of training steps before measuring. Each makes a new gradient, so rows fall behind and catch up. */
const WARM = 300

/** AdamW that replays missed steps exactly against AdamW on all rows, for a whole training step. */
async function behind(report: Report): Promise<void> {
  report.section('AdamW on the table of a sparse layer, whose rows catch up later')
  report.paragraph(
    `zeroGrad, forward, backward and step with a schedule, over at least ${WARM} batches; both give the same bits. "sparse": the rows that a lookup reads catch up first. ` +
      'The dense table also takes its gradient as rows. 1 thread.',
  )
  setNumThreads(1)
  const lines: string[][] = []
  for (const [batch, dim] of [
    [32, 256],
    [1024, 256],
    [8192, 256],
    [32768, 256],
  ]) {
    for (const spread of ['uniform', 'zipf'] as const) {
      const held = [true, false].map((sparse) => training(50257, dim, batch, spread, sparse))
      const result = await rounds(
        held.map(({ run }, i) => local(['sparse', 'dense'][i], run)),
        5,
        200,
      )
      for (const { dispose } of held) dispose()
      const [sparse, dense] = [result.get('sparse')!.us, result.get('dense')!.us]
      lines.push([`${batch} ids x ${dim}, ${spread}`, time(dense), time(sparse), times(dense / sparse)])
    }
  }
  report.table(['', 'dense', 'sparse', 'times as fast'], lines)
}

/** A training step on changing batches, and a function that frees it. */
function training(
  rows: number,
  dim: number,
  count: number,
  spread: Spread,
  sparse: boolean,
): { run(): void; dispose(): void } {
  const layer = new Embedding(rows, dim, { sparse, generator: new Generator(1) })
  const optimizer = new AdamW(layer.parameters(), { lr: 1e-3 })
  const schedule = new LRSchedule(optimizer, { type: 'cosine', totalSteps: 1e6 })
  const ids = drawIds(count * 64, rows, spread)
  const grad = randn([count, dim], { generator: new Generator(2) })
  let at = 0
  const run = () => {
    const batch = ids.subarray(at * count, (at + 1) * count)
    at = (at + 1) % 64
    optimizer.zeroGrad()
    const out = layer.forward(batch)
    out.backward(grad)
    out.dispose()
    optimizer.step()
    schedule.step()
  }
  if (sparse) for (let step = 0; step < WARM; step++) run()
  const dispose = () => {
    optimizer.dispose()
    for (const tensor of [...layer.parameters(), grad]) tensor.dispose()
  }
  return { run, dispose }
}

/** The cost of a step as the vocabulary grows. */
async function curve(report: Report): Promise<void> {
  report.section('A step on 4096 zipf ids x 64, for tables of different numbers of rows')
  setNumThreads(1)
  const makers: [string, boolean, (params: Tensor[]) => Optimizer<any>][] = [
    ['SGD, rows', false, (p) => new SGD(p, { lr: 1e-3 })],
    ['RowWiseAdagrad, rows', false, (p) => new RowWiseAdagrad(p, { lr: 1e-3 })],
    ['SparseAdam', true, (p) => new SparseAdam(p, { lr: 1e-3 })],
    ['AdamW, all rows', false, (p) => new AdamW(p, { lr: 1e-3 })],
  ]
  const lines: string[][] = []
  for (const rows of [10_000, 50_000, 250_000, 1_000_000]) {
    const held = makers.map(([name, sparse, make]) => {
      const { layer } = learned({ name, rows, dim: 64, batch: 4, length: 1024, spread: 'zipf' }, sparse)
      return { name, layer, optimizer: make([layer.weight]) }
    })
    const result = await rounds(
      held.map(({ name, optimizer }) => local(name, () => optimizer.step())),
      5,
      30,
    )
    lines.push([String(rows), ...held.map(({ name }) => time(result.get(name)!.us))])
    for (const { layer, optimizer } of held) {
      optimizer.dispose()
      layer.weight.dispose()
    }
  }
  report.table(['rows', ...makers.map(([name]) => name)], lines)
}
