// Ops of tensors, forward and backward, against PyTorch if there is a Python that has it.

import {
  crossEntropy,
  dropout,
  getNumThreads,
  layerNorm,
  manualSeed,
  ones,
  randn,
  scope,
  setNumThreads,
  type Tensor,
} from '../../index.js'
import { TorchProcess } from '../peers/torch-process.js'
import { time, times, type Report } from '../report.js'
import { local, rounds, type Player, type Turn } from '../turns.js'

const ROUNDS = 5
const MILLISECONDS = 25
const THREADS = [1, 2]
const SIZES = { rows: 4096, dim: 768, batch: 256, vocabulary: 50257, square: 512 }

/** A run, and the units of its work. */
interface Job {
  run: () => Tensor | void
  /** Number of multiplications and additions of a product. */
  flops?: number
  /** Number of elements that are processed. */
  elements?: number
}

function leaf(shape: number[]): Tensor {
  return randn(shape, { requiresGrad: true })
}

/** A recorded forward with its backward. Gradients are dropped, as a training step does. */
function back(leaves: Tensor[], make: () => Tensor): () => void {
  return () => {
    const out = make()
    out.backward(out.size === 1 ? undefined : ones([...out.shape]))
    for (const one of leaves) one.grad = null
  }
}

/** The jobs, with the names of PyTorch's jobs. */
function jobs(): Record<string, Job> {
  const { rows, dim, batch, vocabulary, square } = SIZES
  manualSeed(1)
  const [x, y, bias] = [randn([rows, dim]), randn([rows, dim]), randn([dim])]
  const [learning, weight, shift] = [leaf([rows, dim]), leaf([dim]), leaf([dim])]
  const [a, b] = [randn([square, square]), randn([square, square])]
  const [hidden, head] = [leaf([batch, dim]), leaf([dim, vocabulary])]
  const [logits, learningLogits] = [randn([batch, vocabulary]), leaf([batch, vocabulary])]
  const targets = Int32Array.from({ length: batch }, (_, i) => (i * 37) % vocabulary)
  const one = randn([1, dim])
  const [elements, scores, product] = [rows * dim, batch * vocabulary, 2 * batch * dim * vocabulary]
  return {
    add: { run: () => x.add(y), elements },
    'add a row': { run: () => x.add(bias), elements },
    gelu: { run: () => x.gelu(), elements },
    'gelu, and back': { run: back([learning], () => learning.gelu()), elements },
    tanh: { run: () => x.tanh(), elements },
    sum: { run: () => x.sum(), elements },
    transpose: { run: () => x.transpose(0, 1), elements },
    softmax: { run: () => logits.softmax(1), elements: scores },
    'cross-entropy': { run: () => crossEntropy(logits, targets), elements: scores },
    'cross-entropy, and back': {
      run: back([learningLogits], () => crossEntropy(learningLogits, targets)),
      elements: scores,
    },
    'layer norm': { run: () => layerNorm(x, weight.detach(), shift.detach()), elements },
    'layer norm, and back': {
      run: back([learning, weight, shift], () => layerNorm(learning, weight, shift)),
      elements,
    },
    dropout: { run: () => dropout(x, 0.1), elements },
    'matmul, square': { run: () => a.matmul(b), flops: 2 * square ** 3 },
    'matmul, head': { run: () => hidden.detach().matmul(head.detach()), flops: product },
    'matmul, head, and back': { run: back([hidden, head], () => hidden.matmul(head)), flops: 3 * product },
    'matmul, one row by the head': { run: () => one.matmul(head.detach()), flops: 2 * dim * vocabulary },
  }
}

export async function ops(report: Report): Promise<void> {
  const before = getNumThreads()
  const found = await TorchProcess.start('torch_ops.py')
  const torch = 'peer' in found ? found.peer : null
  if (!('peer' in found)) report.missing(found.name, found.why)
  const { rows, dim, batch, vocabulary, square } = SIZES
  report.paragraph(
    `float32. Elements: (${rows}, ${dim}); logits: (${batch}, ${vocabulary}); head: (${batch}, ${dim}) by (${dim}, ${vocabulary}); ` +
      `square: ${square}. "and back": forward and backward, gradients dropped. Results return to the pool (\`scope\`), as PyTorch's return to its ` +
      `allocator. Medians of ${ROUNDS} rounds, in each of which every candidate runs for ${MILLISECONDS} ms` +
      `${torch ? `; PyTorch ${torch.version} in a process of its own, on the same number of threads` : ''}.`,
  )
  try {
    if (torch) await torch.ask({ do: 'ops', ...SIZES })
    const work = jobs()
    const players: Player[] = []
    for (const [name, { run }] of Object.entries(work)) {
      for (const threads of THREADS) {
        players.push(
          local(
            `${name}, ${threads}T`,
            () => scope(() => void run()),
            () => setNumThreads(threads),
          ),
        )
        if (torch) players.push({ name: `PyTorch: ${name}, ${threads}T`, turn: (ms) => torch.turn(name, threads, ms) })
      }
    }
    const results = await rounds(players, ROUNDS, MILLISECONDS)
    report.table(
      ['', '1 thread', '2 threads', 'speed, 1T', 'against PyTorch, 1T', '2T'],
      Object.entries(work).map(([name, job]) => row(name, job, results)),
    )
  } finally {
    torch?.stop()
    setNumThreads(before)
  }
}

function row(name: string, { flops, elements }: Job, results: Map<string, Turn>): string[] {
  const [one, two] = THREADS.map((threads) => results.get(`${name}, ${threads}T`)!.us)
  const [torchOne, torchTwo] = THREADS.map((threads) => results.get(`PyTorch: ${name}, ${threads}T`)?.us)
  const speed = flops
    ? `${(flops / one / 1e3).toFixed(0)} GFLOP/s`
    : `${((one * 1e3) / elements!).toFixed(2)} ns an element`
  const against = (ours: number, theirs: number | undefined) => (theirs === undefined ? '' : times(theirs / ours))
  return [name, time(one), time(two), speed, against(one, torchOne), against(two, torchTwo)]
}
