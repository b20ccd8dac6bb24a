import test from 'ava'
import { full, ones, tensor, type DType, type Tensor } from '../../index.js'
import { isGolden, withinUlp } from '../support/compare.js'
import { fromGolden, readGolden, type Golden } from '../support/golden.js'

type Op = 'add' | 'sub' | 'mul' | 'div'
/** Three elements; one element with a dimension; one element without dimensions. */
type Kind = 'n' | '1' | '0'
type Elements = Golden['v']
interface Case {
  of: `${Kind}${Kind}`
  op: Op
  a: DType
  b: DType
  t: DType
  v: Elements
  grads?: [Elements, Elements]
}
const { operands, cases } = readGolden<{ operands: Record<DType, Record<Kind, Elements>>; cases: Case[] }>(
  'tensor/single.json',
)

const SHAPES: Record<Kind, number[]> = { n: [3], 1: [1], 0: [] }
const make = (dtype: DType, kind: Kind) => fromGolden({ t: dtype, s: SHAPES[kind], v: operands[dtype][kind] })
const shapeOf = ([a, b]: string) => (a === 'n' || b === 'n' ? [3] : a === '1' || b === '1' ? [1] : [])

for (const of of ['n0', '0n', '00', 'n1', '1n', '10', '01'] as const) {
  test(`${of}: every pair of types gives PyTorch's type and elements`, (t) => {
    const its = cases.filter((one) => one.of === of)
    t.true(its.length >= 280)
    for (const { op, a, b, t: dtype, v } of its) {
      isGolden(
        t,
        make(a, of[0] as Kind)[op](make(b, of[1] as Kind)),
        { t: dtype, s: shapeOf(of), v },
        `${a} ${op} ${b}`,
      )
    }
  })
}

test("gradients have the types of their inputs and PyTorch's values", (t) => {
  const its = cases.filter((one) => one.grads !== undefined)
  t.true(its.length >= 400)
  for (const { of, op, a, b, t: dtype, grads } of its) {
    const [x, y] = [make(a, of[0] as Kind), make(b, of[1] as Kind)]
    x.requiresGrad = y.requiresGrad = true
    const out = x[op](y)
    out.backward(full(out.shape as number[], 1, { dtype }))
    for (const [i, leaf] of [x, y].entries()) {
      const what = `${of}: ${a} ${op} ${b}: that of ${i === 0 ? 'the first' : 'the second'}`
      t.is((leaf.grad as Tensor).dtype, leaf.dtype, what)
      t.deepEqual(leaf.grad!.shape, leaf.shape, what)
      // Sums over broadcast dimensions are rounded once here, and then to the result's type. PyTorch adds in that type.
      const [found, wanted] = [
        leaf.grad as Tensor,
        fromGolden({ t: leaf.dtype, s: leaf.shape as number[], v: grads![i] }),
      ].map((one) => one.to(dtype))
      withinUlp(t, found, { t: dtype, s: leaf.shape as number[], v: Array.from(wanted.data, Number) }, 1, what)
    }
  }
})

test('a tensor without dimensions does not change the type of a 16-bit tensor, including results of sums', (t) => {
  t.is(ones([2, 3], { dtype: 'bfloat16' }).mul(tensor(0.5)).dtype, 'bfloat16')
  t.is(tensor(0.5).mul(ones([2, 3], { dtype: 'bfloat16' })).dtype, 'bfloat16')
  t.is(ones([2], { dtype: 'float32' }).add(tensor(0.5, { dtype: 'float64' })).dtype, 'float32')
  t.is(ones([2], { dtype: 'int32' }).add(tensor(5, { dtype: 'int64' })).dtype, 'int32')
  t.is(ones([2], { dtype: 'int32' }).add(tensor(0.5, { dtype: 'float64' })).dtype, 'float64')
  t.is(ones([0, 3], { dtype: 'float16' }).add(tensor(0.5)).dtype, 'float16')
  // `sum()` and `mean()` return such tensors.
  t.is(ones([2], { dtype: 'float16' }).div(ones([3]).sum()).dtype, 'float16')
})
