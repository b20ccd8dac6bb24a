// Positional schemes and input layers, each beside a copy or a fill of the same bytes, plain JavaScript and PyTorch.

import {
  alibiBias,
  alibiSlopes,
  Embedding,
  getNumThreads,
  randn,
  RotaryEmbedding,
  setNumThreads,
  ShawRelativePositions,
  sinusoidalPositions,
  T5RelativeBias,
  t5RelativeBuckets,
  TokenPositionEmbedding,
  TransformerXLPositions,
  zeros,
  type Tensor,
} from '../../index.js'
import { drawIds } from '../ids.js'
import { TorchProcess } from '../peers/torch-process.js'
import { time, times, type Report } from '../report.js'
import { local, rounds, type Player, type Turn } from '../turns.js'

const ROUNDS = 7
const MILLISECONDS = 25
const DIM = 64

/** Rows that are compared within one run, and what each is measured against. */
interface Group {
  title: string
  /** The row that only copies or fills. */
  yardstick: string
  players: Player[]
  /** PyTorch's command, and its job for each row of ours. */
  torch: { command: Record<string, unknown>; jobs: Record<string, string> }
  /** Targets: ratios of one row's time to another's. */
  targets: { what: string; of: string; over: string; least?: number; most?: number }[]
  free: () => void
}

const oneThread = (name: string, run: () => unknown) => local(name, run, () => setNumThreads(1))
const twoThreads = (name: string, run: () => unknown) => local(name, run, () => setNumThreads(2))
const f32 = (x: { data: unknown }) => x.data as Float32Array

function rotary(): Group {
  const [batch, length, heads] = [32, 1024, 12]
  const x = randn([batch, length, heads, DIM])
  const out = zeros([batch * length, heads * DIM])
  const brain = x.to('bfloat16')
  const [half, pairs] = [new RotaryEmbedding({ dim: DIM }), new RotaryEmbedding({ dim: DIM, layout: 'interleaved' })]
  // Looking up the rows of a table in order is a copy with stores past the caches.
  const table = Embedding.fromPretrained(x.reshape(batch * length, heads * DIM))
  const inOrder = Int32Array.from({ length: batch * length }, (_, i) => i)
  const angles = Float32Array.from({ length: length * DIM }, (_, i) => {
    const angle = Math.floor(i / DIM) * 10000 ** ((-2 * (i % (DIM / 2))) / DIM)
    return i % DIM < DIM / 2 ? Math.cos(angle) : Math.sin(angle)
  })
  const plain = Float32Array.from(f32(x))
  const javaScript = () => {
    for (let at = 0, token = 0; at < plain.length; token++) {
      const row = (token % length) * DIM
      for (let h = 0; h < heads; h++, at += DIM) {
        for (let p = 0; p < DIM / 2; p++) {
          const [a, b, c, s] = [plain[at + p], plain[at + DIM / 2 + p], angles[row + p], angles[row + DIM / 2 + p]]
          plain[at + p] = a * c - b * s
          plain[at + DIM / 2 + p] = b * c + a * s
        }
      }
    }
  }
  const target = new Float32Array(plain.length).fill(1)
  return {
    title: `Rotary, (${batch}, ${length}, ${heads}, ${DIM})`,
    yardstick: 'copy past the caches, 1T',
    players: [
      oneThread('copy past the caches, 1T', () => table.forward(inOrder, { out })),
      oneThread('memcpy', () => target.set(plain)),
      oneThread('half, in place, 1T', () => half.forward(x, { out: x })),
      twoThreads('half, in place, 2T', () => half.forward(x, { out: x })),
      oneThread('interleaved, in place, 1T', () => pairs.forward(x, { out: x })),
      oneThread('half, into another tensor, 1T', () =>
        half.forward(x, { out: out.reshape(batch, length, heads, DIM) }),
      ),
      oneThread('half, bfloat16, in place, 1T', () => half.forward(brain, { out: brain })),
      oneThread('plain JavaScript, half, in place', javaScript),
    ],
    torch: {
      command: { do: 'rotary', batch, length, heads, dim: DIM },
      jobs: {
        'half, in place, 1T': 'rotary, half',
        'interleaved, in place, 1T': 'rotary, interleaved',
        'half, bfloat16, in place, 1T': 'rotary, half, bfloat16',
      },
    },
    targets: [
      {
        what: "rotary in place, of the copy's speed, 1 thread",
        of: 'copy past the caches, 1T',
        over: 'half, in place, 1T',
        least: 0.6,
      },
    ],
    free: () => [x, out, brain].forEach((tensor) => tensor.dispose()),
  }
}

function biases(): Group {
  const [heads, length] = [12, 1024]
  const out = zeros([heads, length, length])
  const target = new Float32Array(out.size)
  const t5 = new T5RelativeBias({ heads, bidirectional: true })
  const slopes = alibiSlopes(heads)
  const plain = () => {
    for (let h = 0, at = 0; h < heads; h++) {
      for (let i = 0; i < length; i++) for (let j = 0; j < length; j++) target[at++] = slopes[h] * (j - i)
    }
  }
  const [buckets, weight] = [
    t5RelativeBuckets(length, length, { bidirectional: true }).data as Int32Array,
    f32(t5.weight),
  ]
  const plainT5 = () => {
    for (let h = 0, at = 0; h < heads; h++)
      for (let k = 0; k < buckets.length; k++) target[at++] = weight[buckets[k] * heads + h]
  }
  return {
    title: `Biases by distance, ${heads} heads, ${length} x ${length}`,
    yardstick: 'fill',
    players: [
      oneThread('fill', () => target.fill(1.5)),
      oneThread('ALiBi, 1T', () => alibiBias(heads, length, length, { out })),
      twoThreads('ALiBi, 2T', () => alibiBias(heads, length, length, { out })),
      oneThread('T5, 1T', () => t5.forward(length, length, { out })),
      twoThreads('T5, 2T', () => t5.forward(length, length, { out })),
      oneThread('plain JavaScript: ALiBi', plain),
      oneThread('plain JavaScript: T5, buckets given', plainT5),
    ],
    torch: { command: { do: 'biases', heads, length }, jobs: { 'ALiBi, 1T': 'ALiBi', 'T5, 1T': 'T5' } },
    targets: ['ALiBi, 1T', 'T5, 1T'].map((over) => ({
      what: `${over} thread, of the speed of a fill`,
      of: 'fill',
      over,
      least: 0.9,
    })),
    free: () => out.dispose(),
  }
}

function scores(): Group {
  const [batch, heads, length] = [4, 12, 512]
  const [query, key] = [randn([batch, heads, length, DIM]), randn([batch, heads, length, DIM])]
  const shaw = new ShawRelativePositions({ maxDistance: length - 1, headDim: DIM, kind: 'relative_key_query' })
  const xl = new TransformerXLPositions({ heads, headDim: DIM, dim: heads * DIM })
  const run = (layer: { forward(query: Tensor, key: Tensor): Tensor }) => () => layer.forward(query, key).dispose()
  const target = new Float32Array(batch * heads * length * length)
  return {
    title: `Scores by relative position, (${batch}, ${heads}, ${length}, ${DIM})`,
    yardstick: 'fill',
    players: [
      oneThread('fill', () => target.fill(1.5)),
      oneThread('Shaw, relative_key_query, 1T', run(shaw)),
      twoThreads('Shaw, relative_key_query, 2T', run(shaw)),
      oneThread('Transformer-XL, 1T', run(xl)),
      twoThreads('Transformer-XL, 2T', run(xl)),
    ],
    torch: {
      command: { do: 'scores', batch, heads, length, dim: DIM },
      jobs: { 'Shaw, relative_key_query, 1T': 'Shaw', 'Transformer-XL, 1T': 'Transformer-XL' },
    },
    targets: [],
    free: () => [query, key].forEach((tensor) => tensor.dispose()),
  }
}

function sinusoids(): Group {
  const [length, dim] = [4096, 768]
  const out = zeros([length, dim])
  const target = new Float32Array(length * dim)
  const plain = () => {
    for (let p = 0, at = 0; p < length; p++) {
      for (let i = 0; i < dim / 2; i++) {
        const angle = p / 10000 ** ((2 * i) / dim)
        target[at++] = Math.sin(angle)
        target[at++] = Math.cos(angle)
      }
    }
  }
  return {
    title: `Sinusoids, (${length}, ${dim})`,
    yardstick: 'fill',
    players: [
      oneThread('fill', () => target.fill(1.5)),
      oneThread('sinusoids, float64, 1T', () => sinusoidalPositions(length, dim, { out })),
      twoThreads('sinusoids, float64, 2T', () => sinusoidalPositions(length, dim, { out })),
      oneThread('plain JavaScript', plain),
    ],
    torch: { command: { do: 'sinusoids', length, dim }, jobs: { 'sinusoids, float64, 1T': 'sinusoids' } },
    targets: [],
    free: () => out.dispose(),
  }
}

function layers(): Group {
  const [rows, batch, length, dim] = [30522, 64, 512, 768]
  const options = { vocabSize: rows, contextLength: length, dim }
  const shape = [batch, length]
  const ids = drawIds(batch * length, rows, 'uniform')
  const out = zeros([...shape, dim])
  const made = {
    'GPT-2': TokenPositionEmbedding.preset('gpt2', options),
    BERT: TokenPositionEmbedding.preset('bert', options),
    Llama: TokenPositionEmbedding.preset('llama', options),
    Gemma: TokenPositionEmbedding.preset('gemma', options),
  }
  const [table, positions] = [made['GPT-2'].token.weight, made['GPT-2'].position.weight].map(f32)
  const target = new Float32Array(out.size)
  const javaScript = () => {
    for (let i = 0; i < ids.length; i++) {
      const [at, row, from] = [i * dim, ids[i] * dim, (i % length) * dim]
      for (let d = 0; d < dim; d++) target[at + d] = table[row + d] + positions[from + d]
    }
  }
  const inputs = Object.entries(made).map(([name, layer]) =>
    oneThread(`${name}, 1T`, () => layer.forward(ids, { shape, out })),
  )
  return {
    title: `Input layers, (${batch}, ${length}) ids of ${rows} rows of ${dim}`,
    yardstick: 'gather, 1T',
    players: [
      oneThread('gather, 1T', () => made['GPT-2'].token.forward(ids, { shape, out })),
      ...inputs,
      twoThreads('BERT, 2T', () => made.BERT.forward(ids, { shape, out })),
      oneThread('plain JavaScript: GPT-2', javaScript),
    ],
    torch: {
      command: { do: 'layers', rows, batch, length, dim },
      jobs: Object.fromEntries(Object.keys(made).map((name) => [`${name}, 1T`, name])),
    },
    targets: [
      { what: "BERT's layer, of the time of a gather, 1 thread", of: 'BERT, 1T', over: 'gather, 1T', most: 2.1 },
      {
        what: "BERT's layer against PyTorch as users call it, 1 thread",
        of: 'PyTorch: BERT',
        over: 'BERT, 1T',
        least: 14,
      },
    ],
    free: () =>
      [out, ...Object.values(made).flatMap((layer) => layer.parameters())].forEach((tensor) => tensor.dispose()),
  }
}

export async function positions(report: Report): Promise<void> {
  const before = getNumThreads()
  const found = await TorchProcess.start('torch_positions.py')
  const torch = 'peer' in found ? found.peer : null
  if ('why' in found) report.missing(found.name, found.why)
  report.paragraph(
    `${torch ? `PyTorch ${torch.version}. ` : ''}Medians of ${ROUNDS} rounds, in each of which every candidate runs for ` +
      `${MILLISECONDS} ms; PyTorch runs in between, in a process of its own, in inference mode and on one thread. Results go into ` +
      'existing tensors, except for scores. The other rows of each table are measured against the first.',
  )
  const reached: string[][] = []
  try {
    for (const make of [rotary, biases, scores, sinusoids, layers])
      reached.push(...(await measure(report, make(), torch)))
  } finally {
    torch?.stop()
    setNumThreads(before)
  }
  report.section('Targets')
  report.table(['', 'required', 'measured', ''], reached)
}

async function measure(report: Report, group: Group, torch: TorchProcess | null): Promise<string[][]> {
  const { title, yardstick, players, targets } = group
  report.section(title)
  const all = [...players]
  if (torch) {
    await torch.ask({ ...group.torch.command })
    const jobs = new Set(Object.values(group.torch.jobs))
    all.push(...[...jobs].map((job) => ({ name: `PyTorch: ${job}`, turn: (ms: number) => torch.turn(job, 1, ms) })))
  }
  const results = await rounds(all, ROUNDS, MILLISECONDS)
  const us = (name: string) => results.get(name)?.us
  const peerOf = (name: string) => us(`PyTorch: ${group.torch.jobs[name]}`)
  const row = ([name, { us: took, faults }]: [string, Turn]) => {
    const peer = peerOf(name)
    return [
      name,
      time(took),
      times(us(yardstick)! / took),
      peer === undefined ? '' : times(peer / took),
      faults.toFixed(0),
    ]
  }
  report.table(['', 'a call', 'of the first', 'as fast as PyTorch', 'page faults'], [...results].map(row))
  group.free()
  if (torch) await torch.ask({ do: 'clear' })
  return targets.map(({ what, of, over, least, most }) => {
    const [a, b] = [us(of), us(over)]
    const limit = least === undefined ? `at most ${times(most!)}` : times(least)
    if (a === undefined || b === undefined) return [what, limit, '', 'not measured']
    const ratio = a / b
    return [what, limit, times(ratio), (least === undefined ? ratio <= most! : ratio >= least) ? 'met' : 'missed']
  })
}
