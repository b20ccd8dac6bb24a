import test from 'ava'
import {
  bernoulli,
  Generator,
  LayerNorm,
  Linear,
  Dropout,
  manualSeed,
  multinomial,
  normal,
  rand,
  randint,
  randn,
  tensor,
  UsageError,
  zeros,
  type Tensor,
} from '../../index.js'
import { isGolden, withinUlp } from '../support/compare.js'
import { readGolden, type Golden } from '../support/golden.js'

interface Draw {
  op: string
  args: any[]
  out: Golden
  after: Golden
}

const { draws, layers } = readGolden<{ draws: Draw[]; layers: Record<string, any>[] }>('operations/operations.json')

/** Logarithms and cosines of float64 are the platform's. */
const FUNCTION_64 = 8

function drawn({ op, args }: Draw): Tensor {
  switch (op) {
    case 'randint':
      return args.length === 2 ? randint(args[0], args[1]) : randint(args[0], args[1], args[2], args[3])
    case 'bernoulli':
      return bernoulli(tensor(args[0], { dtype: args[1] }))
    case 'multinomial':
      return multinomial(tensor(args[0], { dtype: args[1] }), args[2], { replacement: args[3] })
    case 'normal':
      return normal(args[0], args[1], args[2])
    case 'normalOf':
      return normal(tensor(args[0]), tensor(args[1]))
    default:
      return (op === 'rand' ? rand : randn)(args[0], args[1])
  }
}

for (const one of draws) {
  test(`${one.op}(${JSON.stringify(one.args)}) draws what PyTorch draws`, (t) => {
    manualSeed(11)
    const found = drawn(one)
    const out = one.out.t === 'int64' && found.dtype === 'int32' ? { ...one.out, t: 'int32' as const } : one.out
    if (out.t === 'float64' && one.op === 'randn') withinUlp(t, found, out, FUNCTION_64, one.op)
    else isGolden(t, found, out, one.op)
    isGolden(t, rand(1), one.after, 'the next draw')
  })
}

test('shapes may be written as numbers', (t) => {
  t.deepEqual(zeros(2).shape, [2])
  t.deepEqual(randn(4, 2, { dtype: 'float64' }).shape, [4, 2])
  const [a, b] = [new Generator(1), new Generator(1)]
  t.deepEqual(rand(3, 2, { generator: a }).data, rand([3, 2], { generator: b }).data)
  t.throws(() => zeros('2' as never), { instanceOf: UsageError })
  t.throws(() => zeros(2, [3] as never), { instanceOf: UsageError })
  t.throws(() => (zeros as Function)(2, {}, 3), { instanceOf: UsageError })
})

test('draws refuse what has no distribution', (t) => {
  t.throws(() => randint(3, 3, [2]), { instanceOf: UsageError })
  t.throws(() => bernoulli(tensor([0.5, 1.5])), { instanceOf: UsageError })
  t.throws(() => bernoulli(tensor([NaN])), { instanceOf: UsageError })
  t.throws(() => multinomial(tensor([1, -1]), 1), { instanceOf: UsageError })
  t.throws(() => multinomial(tensor([1, 0]), 2), { instanceOf: UsageError })
  t.throws(() => multinomial(tensor([0, 0]), 1, { replacement: true }), { instanceOf: UsageError })
  t.throws(() => normal(0, -1, [2]), { instanceOf: UsageError })
})

test('Linear begins as torch.nn.Linear and learns', (t) => {
  for (const one of layers) {
    manualSeed(one.seed)
    const layer = new Linear(7, 5, { bias: one.bias })
    isGolden(t, layer.weight, one.state.weight, 'weight')
    if (layer.bias !== null) isGolden(t, layer.bias, one.state.bias, 'bias')
    const y = layer.forward(randn(2, 3, 7))
    t.deepEqual(y.shape, [2, 3, 5])
    y.sum().backward()
    t.deepEqual(layer.weight.grad?.shape, [5, 7])
  }
})

test('LayerNorm and Dropout as layers', (t) => {
  const norm = new LayerNorm(8)
  const y = norm.forward(randn(4, 8))
  t.true(Math.abs(y.mean().item()) < 1e-6)
  t.deepEqual(Object.keys(norm.stateDict()), ['weight', 'bias'])
  t.is(new LayerNorm([2, 3], { elementwiseAffine: false }).parameters().length, 0)
  t.deepEqual(new LayerNorm([2, 3], { elementwiseAffine: false }).forward(randn(4, 2, 3)).shape, [4, 2, 3])
  const drop = new Dropout(0.5, { generator: new Generator(1) })
  const x = randn(10, 10)
  t.true(drop.forward(x).eq(0).to('float32').sum().item() > 20)
  t.deepEqual(drop.eval().forward(x).data, x.data)
})
