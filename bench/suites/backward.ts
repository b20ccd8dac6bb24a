// Gradients of tables, dense and as rows, against a copy of the same traffic, plain JavaScript and PyTorch.

import { Embedding, Generator, getNumThreads, randn, setNumThreads, type SparseGrad, type Tensor } from '../../index.js'
import { difference, drawIds, exchange, type Case, type Spread } from '../ids.js'
import { readFloats } from '../peers/floats.js'
import { TorchProcess } from '../peers/torch-process.js'
import { time, times, type Report } from '../report.js'
import { local, rounds, type Player, type Turn } from '../turns.js'

const SEED = 1
const ROUNDS = 7
const MILLISECONDS = 25
const THREADS = [1, 2]
const FORMS = ['dense', 'sparse'] as const
type Form = (typeof FORMS)[number]

const LARGE = { rows: 50257, batch: 32, length: 1024, dim: 768 }
const SMALL = { rows: 50257, batch: 8, length: 4, dim: 256 }
const CASES: Case[] = [
  { ...SMALL, name: '(8, 4) x 256, uniform', spread: 'uniform' },
  { ...SMALL, name: '(8, 4) x 256, zipf', spread: 'zipf' },
  { ...LARGE, name: '(32, 1024) x 768, uniform', spread: 'uniform' },
  { ...LARGE, name: '(32, 1024) x 768, zipf', spread: 'zipf' },
]
/** Sizes of tables from few rows to many, for a batch of the same size. */
const CURVE = { rows: [1e3, 1e4, 1e5, 1e6], batch: 4, length: 1024, dim: 64 }

const TARGETS: {
  what: string
  must: number
  reach: number
  of: (us: (player: string) => number) => number
  large: boolean
  spread?: Spread
}[] = [
  {
    what: 'dense, 1 thread, against memcpy of the same traffic',
    must: 0.8,
    reach: 1.15,
    of: (us) => us('memcpy: dense') / us(ours('dense', 1)),
    large: true,
  },
  {
    what: 'rows, 1 thread, against memcpy of the same traffic',
    must: 0.75,
    reach: 1.15,
    of: (us) => us('memcpy: sparse') / us(ours('sparse', 1)),
    large: true,
  },
  {
    what: 'rows, 2 threads against 1',
    must: 1.25,
    reach: 1.7,
    of: (us) => us(ours('sparse', 1)) / us(ours('sparse', 2)),
    large: true,
    spread: 'zipf',
  },
  {
    what: 'dense, 1 thread, against PyTorch',
    must: 9,
    reach: 15,
    of: (us) => us('PyTorch: dense, 1T') / us(ours('dense', 1)),
    large: true,
  },
]

const ours = (form: Form, threads: number) => `tokenbed: ${form}, ${threads}T`

/** Runs a layer's backward, reads the gradient, and drops it. */
function backward(layer: Embedding, out: Tensor, given: Tensor): void {
  out.backward(given, { retainGraph: true })
  const { weight } = layer
  const grad = weight.grad as Tensor | SparseGrad
  weight.grad = null
  grad.dispose()
}

function layers(one: Pick<Case, 'rows' | 'dim'>): Record<Form, Embedding> {
  const dense = new Embedding(one.rows, one.dim, { generator: new Generator(SEED) })
  return { dense, sparse: Embedding.fromPretrained(dense.weight, { freeze: false, sparse: true }) }
}

export async function backwardSuite(report: Report): Promise<void> {
  const before = getNumThreads()
  const found = await TorchProcess.start('torch_backward.py')
  const torch = 'peer' in found ? found.peer : null
  if ('why' in found) report.missing(found.name, found.why)
  report.paragraph(
    `${torch ? `PyTorch ${torch.version}. ` : ''}Medians of ${ROUNDS} rounds, in each of which every candidate runs for ${MILLISECONDS} ms. A call is ` +
      '`backward` of a lookup from a given gradient, and a first read of `grad`, which builds it: the whole table, or the rows that the batch ' +
      'uses. "memcpy": a copy that reads and writes as many bytes. Times as fast: tokenbed on the same number of threads over the peer.',
  )
  const verdicts: string[][] = []
  try {
    for (const one of CASES) await backwardCase(report, one, torch, verdicts)
    await curve(report)
  } finally {
    torch?.stop()
    setNumThreads(before)
  }
  report.section('Targets')
  report.table(['', 'required', 'worth reaching', 'measured', ''], verdicts)
}

async function backwardCase(
  report: Report,
  one: Case,
  torch: TorchProcess | null,
  verdicts: string[][],
): Promise<void> {
  const { rows, dim, batch, length, spread } = one
  report.section(one.name)
  const made = layers(one)
  const generator = new Generator(SEED)
  // The table's draws come first, as in PyTorch. Its array is never read, so that nobody can change it unseen.
  randn([rows, dim], { generator }).dispose()
  const given = randn([batch, length, dim], { generator })
  const ids = drawIds(batch * length, rows, spread)
  const unique = new Set(ids).size
  const outs = {
    dense: made.dense.forward(ids, { shape: [batch, length] }),
    sparse: made.sparse.forward(ids, { shape: [batch, length] }),
  }
  const players: Player[] = []
  const results = new Map<string, { form: Form; threads: number; result: string }>()
  const add = (player: Player, form: Form, threads: number, result = '') => {
    players.push(player)
    results.set(player.name, { form, threads, result })
  }
  const written = { dense: rows, sparse: unique }
  for (const form of FORMS) {
    const source = new Float32Array(Math.ceil(((ids.length + written[form]) * dim) / 2)).fill(1)
    const target = source.slice()
    add(
      local(`memcpy: ${form}`, () => target.set(source)),
      form,
      1,
    )
  }
  for (const threads of THREADS) {
    for (const form of FORMS)
      add(
        local(
          ours(form, threads),
          () => backward(made[form], outs[form], given),
          () => setNumThreads(threads),
        ),
        form,
        threads,
      )
  }
  const wanted = wantedOf(made, outs, given)
  addJavaScript(add, one, ids, given, wanted)
  const files = exchange()
  try {
    if (torch) {
      await torch.ask({ do: 'jobs', rows, dim, batch, length, seed: SEED, ids: files.write('ids', ids) })
      for (const form of FORMS) {
        await torch.ask({ do: 'save', job: form, path: files.path('result') })
        const { largest, words } = difference(wanted[form], readFloats(files.path('result')))
        if (largest > 0) throw new Error(`PyTorch's ${form} gradient of ${one.name} is not tokenbed's: ${words}`)
        for (const threads of THREADS)
          add(
            { name: `PyTorch: ${form}, ${threads}T`, turn: (ms) => torch.turn(form, threads, ms) },
            form,
            threads,
            words,
          )
      }
    }
    const measured = await rounds(players, ROUNDS, MILLISECONDS)
    report.paragraph(`${ids.length} ids, ${unique} of them different.`)
    report.table(
      ['', 'a call', 'of memcpy', 'tokenbed is', 'page faults', 'against tokenbed'],
      table(measured, results),
    )
    judge(one, measured, verdicts)
  } finally {
    files.remove()
    await torch?.ask({ do: 'clear' })
    for (const tensor of [given, outs.dense, outs.sparse, made.dense.weight, made.sparse.weight]) tensor.dispose()
  }
}

/** Copies of the gradients: dense, and as rows. */
function wantedOf(
  made: Record<Form, Embedding>,
  outs: Record<Form, Tensor>,
  given: Tensor,
): Record<Form, Float32Array> {
  outs.dense.backward(given, { retainGraph: true })
  outs.sparse.backward(given, { retainGraph: true })
  const [dense, rows] = [made.dense.weight.grad as Tensor, made.sparse.weight.grad as SparseGrad]
  const copies = {
    dense: Float32Array.from(dense.data as Float32Array),
    sparse: Float32Array.from(rows.rows.data as Float32Array),
  }
  made.dense.weight.grad = made.sparse.weight.grad = null
  dense.dispose()
  rows.dispose()
  return copies
}

function addJavaScript(
  add: (player: Player, form: Form, threads: number, result?: string) => void,
  { rows, dim }: Case,
  ids: Int32Array,
  given: Tensor,
  wanted: Record<Form, Float32Array>,
): void {
  // It is a copy, because reading the tensor's own array would make tokenbed sum at once.
  const copy = given.clone()
  const grad = copy.data as Float32Array
  const sums = new Float32Array(rows * dim)
  const run = () => {
    sums.fill(0)
    for (let i = 0; i < ids.length; i++) {
      const [to, from] = [ids[i] * dim, i * dim]
      for (let d = 0; d < dim; d++) sums[to + d] += grad[from + d]
    }
  }
  run()
  add(local('plain JavaScript: dense', run), 'dense', 1, difference(wanted.dense, sums).words)
}

function table(
  measured: Map<string, Turn>,
  results: Map<string, { form: Form; threads: number; result: string }>,
): string[][] {
  return [...measured].map(([name, { us, faults }]) => {
    const { form, threads, result } = results.get(name)!
    const copy = measured.get(`memcpy: ${form}`)!.us
    return [
      name,
      time(us),
      times(copy / us),
      times(us / measured.get(ours(form, threads))!.us),
      faults.toFixed(1),
      result,
    ]
  })
}

function judge({ name, spread, batch }: Case, measured: Map<string, Turn>, verdicts: string[][]): void {
  for (const target of TARGETS) {
    if (target.large !== batch > 8 || (target.spread ?? spread) !== spread) continue
    const value = target.of((player) => measured.get(player)?.us ?? NaN)
    const verdict = !Number.isFinite(value)
      ? 'not measured'
      : value >= target.reach
        ? 'reached'
        : value >= target.must
          ? 'met'
          : 'missed'
    verdicts.push([`${name}: ${target.what}`, times(target.must), times(target.reach), times(value), verdict])
  }
}

/**
 * Measures batches of the same size in larger and larger tables, to see which cost grows with the batch and which
 * with the table.
 */
async function curve(report: Report): Promise<void> {
  const { batch, length, dim } = CURVE
  report.section(`Rows of the table: (${batch}, ${length}) x ${dim}, zipf`)
  report.paragraph(
    'The cost of a gradient as rows grows with the rows that the batch uses; that of a dense gradient grows with the table.',
  )
  setNumThreads(1)
  const lines: string[][] = []
  for (const rows of CURVE.rows) {
    const made = layers({ rows, dim })
    const given = randn([batch, length, dim], { generator: new Generator(SEED) })
    const ids = drawIds(batch * length, rows, 'zipf')
    const players = FORMS.map((form) => {
      const out = made[form].forward(ids, { shape: [batch, length] })
      return local(form, () => backward(made[form], out, given))
    })
    const measured = await rounds(players, ROUNDS, MILLISECONDS)
    lines.push([String(rows), String(new Set(ids).size), ...FORMS.map((form) => time(measured.get(form)!.us))])
    for (const tensor of [given, made.dense.weight, made.sparse.weight]) tensor.dispose()
  }
  report.table(['rows of the table', 'different ids', ...FORMS], lines)
}
