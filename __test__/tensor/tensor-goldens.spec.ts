import test, { type ExecutionContext } from 'ava'
import { arange, type DType, type Tensor } from '../../index.js'
import { isGolden, withinUlp } from '../support/compare.js'
import { fromGolden, readGolden, type Golden } from '../support/golden.js'

type Op = 'add' | 'sub' | 'mul' | 'div'
type Floating = 'relu' | 'gelu' | 'tanh' | 'sigmoid'
interface Goldens {
  operands: Record<'left' | 'right', Record<DType, Golden>>
  binary: { op: Op; a: DType; b: DType; out: Golden }[]
  scalar: { op: Op; a: DType; b: number; out: Golden }[]
  broadcast: { a: number[]; b: number[]; sub: Golden }[]
  matmul: { t: DType; a: number[]; b: number[]; out: Golden }[]
  unary: { op: Floating; x: Golden; out: Golden }[]
  reduce: { op: 'sum' | 'mean'; x: Golden | DType; dim: number | null; out: Golden }[]
  softmax: { op: 'softmax' | 'logSoftmax'; x: Golden | DType; dim: number; out: Golden }[]
  cast: { x: Golden; to: DType; out: Golden }[]
}

const goldens = readGolden<Goldens>('tensor/tensor.json')
const { left, right } = goldens.operands

// Tolerances, in units in the last place. Elementwise arithmetic, casts and relu are exact, and so is what is computed
// in float64 and rounded once to a shorter type. Only float64 results may differ: those of functions, those of sums in
// another order, where terms cancel, and those of gelu, whose erfc turns the rounding of its argument into x^2 ulp.
const EXACT = 0
const FUNCTION_64 = 2
const GELU_64 = 512
const SUM_64 = 128

for (const op of ['add', 'sub', 'mul', 'div'] as const) {
  test(`${op}: every pair of types gives PyTorch's type and bits`, (t) => {
    const cases = goldens.binary.filter((golden) => golden.op === op)
    t.true(cases.length >= 64)
    for (const { a, b, out } of cases)
      isGolden(t, fromGolden(left[a])[op](fromGolden(right[b])), out, `${a} ${op} ${b}`)
  })

  test(`${op}: numbers take the tensor's type`, (t) => {
    const cases = goldens.scalar.filter((golden) => golden.op === op)
    t.true(cases.length >= 24)
    for (const { a, b, out } of cases) isGolden(t, fromGolden(left[a])[op](b), out, `${a} ${op} ${b}`)
  })
}

function numbered(shape: number[], start: number, step: number): Tensor {
  const size = shape.reduce((product, n) => product * n, 1)
  return arange(size, { dtype: 'float32' })
    .mul(step)
    .add(start)
    .reshape(...shape)
}

for (const { a, b, sub } of goldens.broadcast) {
  test(`broadcasts [${a}] with [${b}]`, (t) => {
    isGolden(t, numbered(a, 0, 0.5).sub(numbered(b, 10, 1)), sub, 'sub')
  })
}

function cycled(shape: number[], modulus: number, dtype: DType, less: number): Tensor {
  const size = shape.reduce((product, n) => product * n, 1)
  const numbers = Int32Array.from({ length: size }, (_, i) => (i % modulus) - less)
  return arange(size)
    .set(numbers)
    .to(dtype)
    .reshape(...shape)
}

for (const { t: dtype, a, b, out } of goldens.matmul) {
  test(`matmul of ${dtype} [${a}] by [${b}] equals PyTorch's`, (t) => {
    const [p, q] = dtype === 'float32' ? [3, 2] : [0, 0]
    isGolden(t, cycled(a, 7, dtype, p).matmul(cycled(b, 5, dtype, q)), out, 'matmul')
  })
}

for (const { op, x, out } of goldens.unary) {
  test(`${op} of ${x.t} equals PyTorch's`, (t) => {
    const ulp = x.t === 'float64' && op !== 'relu' ? (op === 'gelu' ? GELU_64 : FUNCTION_64) : EXACT
    withinUlp(t, fromGolden(x)[op](), out, ulp, op)
  })
}

/** The fixture writes each input once, and refers to it by its type afterwards. */
function inputs<C extends { x: Golden | DType }>(cases: C[]): (C & { input: Golden })[] {
  const seen = new Map<string, Golden>()
  return cases.map((golden) => {
    if (typeof golden.x !== 'string') seen.set(golden.x.t, golden.x)
    return { ...golden, input: typeof golden.x === 'string' ? seen.get(golden.x)! : golden.x }
  })
}

function compare(t: ExecutionContext, found: Tensor, out: Golden, loose: number, what: string): void {
  withinUlp(t, found, out, found.dtype === 'float64' ? loose : EXACT, what)
}

for (const { op, dim, input, out } of inputs(goldens.reduce)) {
  test(`${op} of ${input.t} along ${dim ?? 'all'} equals PyTorch's`, (t) => {
    compare(t, dim === null ? fromGolden(input)[op]() : fromGolden(input)[op](dim), out, SUM_64, op)
  })
}

for (const { op, dim, input, out } of inputs(goldens.softmax)) {
  test(`${op} of ${input.t} along ${dim} equals PyTorch's`, (t) => {
    compare(t, fromGolden(input)[op](dim), out, SUM_64, op)
  })
}

for (const { x, to, out } of goldens.cast) {
  test(`${x.t} to ${to} equals PyTorch's`, (t) => {
    isGolden(t, fromGolden(x).to(to), out, 'to')
  })
}
