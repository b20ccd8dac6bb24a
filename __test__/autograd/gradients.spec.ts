import test, { type ExecutionContext } from 'ava'
import {
  concat,
  crossEntropy,
  dropout,
  einsum,
  Generator,
  infoNCE,
  layerNorm,
  normalize,
  rand,
  tensor,
  type Tensor,
} from '../../index.js'
import { isGolden } from '../support/compare.js'
import { dtypeOf, fromGolden, readGolden, type Golden } from '../support/golden.js'

interface Case {
  op: string
  args: unknown[]
  native: boolean
  inputs: Golden[]
  out: Golden
  grad: Golden
  grads: Golden[]
  after?: number
}
type Section = 'binary' | 'matmul' | 'shape' | 'reduce' | 'unary' | 'softmax' | 'crossEntropy' | 'layerNorm' | 'dropout'

const goldens = readGolden<Record<Section, Case[]>>('gradients/gradients.json')

// Tolerances, relative to the largest element of a tensor. A single operation, or one that is computed in float64 and
// rounded once, may differ by its last rounding. Several operations, or a sum of products in the tensor's own type, may
// differ by a few roundings. A 16-bit result may differ by the rounding of what was saved in 16 bits.
const TOLERANCE: Record<string, number> = { float32: 5e-7, float64: 1e-13, float16: 2e-3, bfloat16: 1.6e-2 }
/** Smaller elements may be the result of cancellation and then consist of rounding errors only. */
const LEAST = 0.1
/** Operations that only move elements, and those that PyTorch computes in the type itself, must agree to the bit. */
const EXACT = new Set(['reshape', 'transpose', 'narrow', 'clone', 'concat', 'to', 'dropout'])

function close(t: ExecutionContext, found: Tensor, golden: Golden, exact: boolean, what: string): void {
  if (exact) return isGolden(t, found, golden, what)
  t.is(found.dtype, dtypeOf(golden), what)
  t.deepEqual(found.shape, golden.s, what)
  const numbers = (x: Tensor) => Array.from((x.dtype === 'float64' ? x : x.to('float64')).data, Number)
  const [a, b] = [numbers(found.detach()), numbers(fromGolden(golden))]
  const largest = Math.max(LEAST, ...b.map(Math.abs).filter(Number.isFinite))
  const fits = (x: number, y: number) =>
    Object.is(x, y) || x === y || Math.abs(x - y) <= TOLERANCE[found.dtype] * largest
  const bad = a.findIndex((x, i) => !fits(x, b[i]))
  t.is(bad, -1, `${what}: element ${bad} is ${a[bad]}, and ${b[bad]} in PyTorch`)
}

/** Runs the op of a case on its inputs. */
function compute({ op, args }: Case, inputs: Tensor[]): Tensor {
  const [x, ...rest] = inputs
  switch (op) {
    case 'concat':
      return concat(inputs, args[0] as number)
    case 'crossEntropy': {
      const targets = fromGolden(args[0] as Golden)
      return crossEntropy(x, targets, args[1] as object)
    }
    case 'layerNorm':
      return layerNorm(x, rest[0], rest[1], args[0] as number | undefined)
    case 'dropout':
      return dropout(x, args[0] as number, { generator: new Generator(7) })
    default:
      return (x as never as Record<string, (...args: unknown[]) => Tensor>)[op](...rest, ...args)
  }
}

const NAMES: Record<string, string> = { matmul: 'MatMul' }
const nameOf = (op: string) => `${NAMES[op] ?? op[0].toUpperCase() + op.slice(1)}Backward`

for (const [section, cases] of Object.entries(goldens).filter(([, cases]) => Array.isArray(cases))) {
  for (const op of new Set(cases.map((one) => one.op))) {
    test(`${section}: ${op} and its gradients equal PyTorch's`, (t) => {
      const ours = cases.filter((one) => one.op === op)
      for (const one of ours) {
        const what = `${op}(${JSON.stringify(one.args).slice(0, 60)}) of ${one.inputs.map((x) => `${x.t}[${x.s}]`).join(' ')}`
        const inputs = one.inputs.map((golden) => {
          const x = fromGolden(golden)
          x.requiresGrad = true
          return x
        })
        const out = compute(one, inputs)
        const exact = EXACT.has(op)
        close(t, out, one.out, exact, what)
        out.backward(fromGolden(one.grad))
        inputs.forEach((x, i) => close(t, x.grad as Tensor, one.grads[i], exact, `${what}: gradient ${i}`))
        // The result must be the same where no input learns.
        const again = compute(one, one.inputs.map(fromGolden))
        t.is(again.gradFn, null)
        t.deepEqual(again.data, out.data, what)
      }
    })
  }
}

for (const { op } of [...goldens.binary, ...goldens.unary, ...goldens.softmax, ...goldens.matmul].filter(
  (one, i, all) => all.findIndex(({ op }) => op === one.op) === i,
)) {
  test(`errors of ${op} name the op`, (t) => {
    const x = tensor(
      [
        [1, 2],
        [3, 4],
      ],
      { requiresGrad: true },
    )
    const one = [...goldens.binary, ...goldens.unary, ...goldens.softmax, ...goldens.matmul].find(
      (one) => one.op === op,
    )!
    const out = compute({ ...one, args: op.includes('oftmax') ? [1] : [] }, one.inputs.length > 1 ? [x, x] : [x])
    t.is(out.gradFn, nameOf(op))
  })
}

test('dropout draws the same numbers from the generator as PyTorch', (t) => {
  for (const one of goldens.dropout) {
    const generator = new Generator(7)
    dropout(fromGolden(one.inputs[0]), one.args[0] as number, { generator })
    t.is(rand([1], { generator }).item(), Math.fround(one.after!), JSON.stringify(one.args))
  }
})

// Finite differences, in float64 --------------------------------------------------------------------------------------

const STEP = 1e-5
/** The error of a central difference is of the order of the step squared. Rounding contributes less than that. */
const DIFFERENCE = 1e-7

/** Numbers so far from 0 that no step crosses the corner of relu. */
function numbers(shape: number[], seed: number): Tensor {
  const size = shape.reduce((product, n) => product * n, 1)
  return tensor(
    Float64Array.from({ length: size }, (_, i) => Math.sin(seed * 12.9898 + i * 78.233) * 1.5 + 0.3),
    { shape },
  )
}

function differs(t: ExecutionContext, what: string, shapes: number[][], run: (...inputs: Tensor[]) => Tensor): void {
  const inputs = shapes.map((shape, i) => numbers(shape, i + 1))
  inputs.forEach((x) => (x.requiresGrad = true))
  const out = run(...inputs)
  const weights = numbers([...out.shape], 9)
  out.backward(weights)
  const value = () =>
    run(...inputs.map((x) => x.detach()))
      .mul(weights)
      .sum()
      .item()
  inputs.forEach((x, which) => {
    const grad = (x.grad as Tensor).data as Float64Array
    const data = x.data as Float64Array
    for (let i = 0; i < data.length; i++) {
      const at = data[i]
      data[i] = at + STEP
      const above = value()
      data[i] = at - STEP
      const slope = (above - value()) / (2 * STEP)
      data[i] = at
      t.true(
        Math.abs(slope - grad[i]) <= DIFFERENCE * Math.max(1, Math.abs(slope)),
        `${what}: input ${which} at ${i}: ${grad[i]}, not ${slope}`,
      )
    }
  })
}

const DIFFERENCES: [string, number[][], (...x: Tensor[]) => Tensor][] = [
  ['add', [[2, 3], [3]], (x, y) => x.add(y)],
  [
    'sub',
    [
      [2, 3],
      [2, 1],
    ],
    (x, y) => x.sub(y),
  ],
  ['mul', [[2, 3], [3]], (x, y) => x.mul(y)],
  ['mul by itself', [[2, 3]], (x) => x.mul(x)],
  ['div', [[3], [2, 3]], (x, y) => x.div(y.mul(y).add(1))],
  ['numbers', [[5]], (x) => x.add(2).mul(3).sub(1).div(4)],
  [
    'matmul',
    [
      [2, 3],
      [3, 4],
    ],
    (x, y) => x.matmul(y),
  ],
  [
    'matmul of batches',
    [
      [2, 1, 2, 3],
      [3, 3, 2],
    ],
    (x, y) => x.matmul(y),
  ],
  ['matmul of vectors', [[4], [4]], (x, y) => x.matmul(y)],
  ['matmul by its own transpose', [[3, 2]], (x) => x.matmul(x.transpose(0, 1))],
  ['reshape, transpose, narrow', [[2, 3, 2]], (x) => x.reshape(3, 4).transpose(0, 1).narrow(1, 1, 2).narrow(0, 1, 2)],
  [
    'concat',
    [
      [2, 3],
      [2, 1],
    ],
    (x, y) => concat([x, y, x], 1),
  ],
  ['sum and mean', [[2, 3, 2]], (x) => x.sum(1).add(x.mean(1)).mul(x.mean()).add(x.sum())],
  ['relu', [[7]], (x) => x.relu()],
  ['gelu', [[7]], (x) => x.gelu()],
  ['tanh', [[7]], (x) => x.tanh()],
  ['sigmoid', [[7]], (x) => x.sigmoid()],
  ['sqrt', [[7]], (x) => x.mul(x).add(1).sqrt()],
  ['exp and log', [[7]], (x) => x.exp().log1p().mul(x.mul(x).add(1).log())],
  ['logSigmoid and abs', [[7]], (x) => x.logSigmoid().add(x.abs())],
  ['pow', [[2, 3], [3]], (x, y) => x.exp().pow(y).add(x.pow(3))],
  ['maximum and clamp', [[2, 3], [3]], (x, y) => x.maximum(y).minimum(0.7).add(x.clamp(-0.5, 0.5))],
  ['max and topk', [[3, 4]], (x) => x.max(1).values.add(x.topk(2, 1).values.sum(1)).mul(x.max())],
  [
    'index and gather',
    [[3, 4]],
    (x) =>
      x.index([2, 0, 2]).mul(
        x.gather(1, [
          [0, 1, 1, 0],
          [3, 2, 1, 0],
          [2, 2, 2, 2],
        ]),
      ),
  ],
  ['slice, permute and expand', [[3, 4]], (x) => x.slice(1, 0, 4, 3).permute(1, 0).unsqueeze(1).expand(2, 3, 3)],
  [
    'einsum',
    [
      [2, 3, 4],
      [2, 4, 2],
    ],
    (x, y) => einsum('bij,bjk->ki', x, y),
  ],
  ['normalize', [[3, 4]], (x) => normalize(x)],
  [
    'infoNCE',
    [
      [3, 4],
      [3, 4],
    ],
    (x, y) => infoNCE(x, y, { symmetric: true, temperature: 0.5 }),
  ],
  ['softmax', [[2, 3, 2]], (x) => x.softmax(1)],
  ['logSoftmax', [[2, 3]], (x) => x.logSoftmax(-1)],
  ['crossEntropy', [[3, 4]], (x) => crossEntropy(x, [1, 3, -100])],
  [
    'crossEntropy of dimensions',
    [[2, 3, 2]],
    (x) =>
      crossEntropy(
        x,
        [
          [0, 2],
          [1, 1],
        ],
        { reduction: 'none' },
      ),
  ],
  ['layerNorm', [[3, 5], [5], [5]], (x, w, b) => layerNorm(x, w, b)],
  ['dropout', [[12]], (x) => dropout(x, 0.4, { generator: new Generator(3) })],
  ['to', [[3]], (x) => x.mul(2).to('float64').clone()],
]

for (const [what, shapes, run] of DIFFERENCES) {
  test(`finite differences: ${what}`, (t) => differs(t, what, shapes, run))
}
