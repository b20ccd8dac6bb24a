import test, { type ExecutionContext } from 'ava'
import {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  cosineSimilarity,
  crossEntropy,
  einsum,
  infoNCE,
  mseLoss,
  normalize,
  ShapeError,
  stack,
  tensor,
  TokenIndexError,
  UsageError,
  where,
  zeros,
  type Found,
  type Tensor,
} from '../../index.js'
import { dtypeOf, fromGolden, readGolden, type Golden } from '../support/golden.js'

interface Case {
  op: string
  args: unknown[]
  inputs: Golden[]
  out: Golden
  grad: Golden
  grads: Golden[]
}

const goldens = readGolden<Record<'functions' | 'choices' | 'losses', Case[]>>('operations/operations.json')

// Tolerances, relative to the largest element of a tensor: those of single operations, and those of losses and of the
// gradients of powers, which are made of several in the tensor's own type.
const TOLERANCE: Record<string, number> = { float32: 5e-7, float64: 1e-13 }
const OF_LOSSES: Record<string, number> = { float32: 4e-6, float64: 1e-12 }
/** Smaller elements may be the result of cancellation. */
const LEAST = 0.1

function close(t: ExecutionContext, found: Tensor, golden: Golden, tolerance: number, what: string): void {
  t.is(found.dtype, dtypeOf(golden), what)
  t.deepEqual(found.shape, golden.s, what)
  const numbers = (x: Tensor) => Array.from(x.detach().to('float64').data, Number)
  const [a, b] = [numbers(found), numbers(fromGolden(golden))]
  const largest = Math.max(LEAST, ...b.map(Math.abs).filter(Number.isFinite))
  // Functions of elements are compared element by element: a large one must not hide a small one.
  const scale = (y: number) => (what.startsWith('exp') ? Math.max(Math.abs(y), 1e-30) : largest)
  const bad = a.findIndex(
    (x, i) => !(Object.is(x, b[i]) || x === b[i] || Math.abs(x - b[i]) <= tolerance * scale(b[i])),
  )
  t.is(bad, -1, `${what}: element ${bad} is ${a[bad]}, and ${b[bad]} in PyTorch`)
}

function compute({ op, args }: Case, inputs: Tensor[]): Tensor {
  const [x, y, z] = inputs
  const [options] = args as [object]
  switch (op) {
    case 'stack':
      return stack(inputs, args[0] as number)
    case 'where':
      return where(tensor(args[0] as never, { dtype: 'bool' }), x, y)
    case 'einsum':
      return einsum(args[0] as string, ...(inputs as [Tensor]))
    case 'crossEntropy':
      return crossEntropy(x, args[0] as never, { ...(args[1] as object), weight: y?.detach() })
    case 'expectedEntropy':
      return crossEntropy(x, y, { ...options, weight: z?.detach() })
    case 'binaryCrossEntropy':
      return binaryCrossEntropy(x, y, options)
    case 'binaryCrossEntropyWithLogits':
      return binaryCrossEntropyWithLogits(x, y, options)
    case 'posWeight':
      return binaryCrossEntropyWithLogits(x, y, { posWeight: z.detach() })
    case 'mseLoss':
      return mseLoss(x, y, options)
    case 'cosineSimilarity':
      return cosineSimilarity(x, y, args[0] as number)
    case 'normalize':
      return normalize(x, { p: Number(args[0]), dim: args[1] as number })
    case 'infoNCE':
      return infoNCE(x, y, options)
    default: {
      const given = args.map((arg) => (arg === null ? undefined : arg))
      const call = x as never as Record<string, (...args: unknown[]) => Tensor | Found<Tensor>>
      const made = call[op](...inputs.slice(1), ...given)
      return 'values' in made ? made.values : made
    }
  }
}

for (const [section, cases] of Object.entries(goldens).filter(([, cases]) => Array.isArray(cases))) {
  if (!['functions', 'choices', 'losses'].includes(section)) continue
  for (const op of new Set(cases.map((one) => one.op))) {
    test(`${section}: ${op} and its gradients equal PyTorch's`, (t) => {
      for (const one of cases.filter((one) => one.op === op)) {
        const what = `${op}(${JSON.stringify(one.args).slice(0, 60)}) of ${one.inputs.map((x) => `${x.t}[${x.s}]`).join(' ')}`
        const inputs = one.inputs.map((golden) => {
          const x = fromGolden(golden)
          x.requiresGrad = true
          return x
        })
        const out = compute(one, inputs)
        const isMade = section === 'losses' || op === 'pow'
        const tolerance = (isMade ? OF_LOSSES : TOLERANCE)[one.out.t]
        close(t, out, one.out, tolerance, what)
        out.backward(fromGolden(one.grad))
        inputs.forEach((x, i) => {
          const grad = (x.grad as Tensor | null) ?? zeros(x.shape, { dtype: x.dtype })
          close(t, grad, one.grads[i], tolerance, `${what}: gradient ${i}`)
        })
        const again = compute(one, one.inputs.map(fromGolden))
        t.is(again.gradFn, null)
        t.deepEqual(again.data, out.data, what)
      }
    })
  }
}

test('comparisons are bool, broadcast, and false for NaN', (t) => {
  const x = tensor([
    [1, 2],
    [3, NaN],
  ])
  t.deepEqual(x.gt(tensor([1, 1])).toArray(), [
    [false, true],
    [true, false],
  ])
  t.deepEqual(x.le(2).toArray(), [
    [true, true],
    [false, false],
  ])
  t.deepEqual(x.ne(x).toArray(), [
    [false, false],
    [false, true],
  ])
  t.deepEqual(tensor([1, 2, 3], { dtype: 'int32' }).ge(2.5).toArray(), [false, false, true])
  t.deepEqual(tensor([0.1]).eq(0.1).toArray(), [false], 'the number is not rounded to the type')
})

test('extremes: NaN, ties, integers and places', (t) => {
  const x = tensor([
    [1, NaN, 3],
    [2, 2, -1],
  ])
  t.deepEqual(x.max(1).indices.toArray(), [1, 0])
  t.deepEqual(x.min(1).indices.toArray(), [1, 2])
  t.deepEqual(x.argmax().item(), 1)
  t.deepEqual(x.argmax(0).toArray(), [1, 0, 0])
  t.deepEqual(x.topk(2, 1, { largest: false }).indices.toArray(), [
    [0, 2],
    [2, 0],
  ])
  t.deepEqual(x.max(0, { keepdim: true }).values.shape, [1, 3])
  const whole = tensor([5, 2 ** 31 - 1, -7], { dtype: 'int32' })
  t.is(whole.max().item(), 2 ** 31 - 1)
  t.is(whole.min().dtype, 'int32')
  t.deepEqual(whole.abs().toArray(), [5, 2 ** 31 - 1, 7])
  t.deepEqual(whole.sort().values.toArray(), [-7, 5, 2 ** 31 - 1])
  t.throws(() => zeros([0]).max(), { instanceOf: ShapeError })
  t.throws(() => x.topk(4), { instanceOf: ShapeError })
})

test('choices by index: masks, negative indices, and what is out of range', (t) => {
  const x = tensor([
    [1, 2],
    [3, 4],
    [5, 6],
  ])
  t.deepEqual(x.index([-1, 0]).toArray(), [
    [5, 6],
    [1, 2],
  ])
  t.deepEqual(x.index(tensor([true, false, true] as never)).toArray(), [
    [1, 2],
    [5, 6],
  ])
  const error = t.throws(() => x.index([[0, 3]]), { instanceOf: TokenIndexError })
  t.deepEqual(error?.position, [0, 1])
  t.throws(() => x.gather(1, [[2], [0], [0]]), { instanceOf: TokenIndexError })
  t.throws(() => x.indexSelect(1, [-1]), { instanceOf: TokenIndexError })
  t.throws(() => x.select(0, 3), { instanceOf: ShapeError })
  t.deepEqual(
    x.split(2).map((part) => part.shape),
    [
      [2, 2],
      [1, 2],
    ],
  )
  t.deepEqual(
    x.split([1, 2]).map((part) => part.shape),
    [
      [1, 2],
      [2, 2],
    ],
  )
  t.throws(() => x.split([1, 1]), { instanceOf: ShapeError })
  t.deepEqual(x.slice(0, 1, 100).toArray(), [
    [3, 4],
    [5, 6],
  ])
})

test('hooks see, replace and leave gradients', (t) => {
  const x = tensor([1, 2], { requiresGrad: true })
  const y = x.mul(3)
  const seen: unknown[] = []
  const handle = y.registerHook((grad) => void seen.push((grad as Tensor).toArray()))
  x.registerHook((grad) => (grad as Tensor).mul(10))
  y.sum().backward(undefined, { retainGraph: true })
  t.deepEqual(seen, [[1, 1]])
  t.deepEqual((x.grad as Tensor).toArray(), [30, 30])
  handle.remove()
  y.sum().backward()
  t.is(seen.length, 1)
  t.deepEqual((x.grad as Tensor).toArray(), [60, 60])
  x.registerHook(() => tensor([1]))
  t.throws(() => x.sum().backward(), { instanceOf: ShapeError })
  t.deepEqual((x.grad as Tensor).toArray(), [60, 60], 'an error leaves gradients as they were')
  t.throws(() => tensor([1]).registerHook(() => {}), { instanceOf: UsageError })
})

test('einsum refuses what is not an equation for its operands', (t) => {
  const [x, y] = [zeros(2, 3), zeros(3, 4)]
  for (const equation of ['ij', 'ij,jk,kl->il', 'ij,jk->iz', 'ij,jk->ii', 'i1,jk->ik'])
    t.throws(() => einsum(equation, x, y), { instanceOf: UsageError }, equation)
  t.throws(() => einsum('ij,kj->ik', x, y), { instanceOf: ShapeError })
  t.throws(() => einsum('ijk,jk->i', x, y), { instanceOf: ShapeError })
})
