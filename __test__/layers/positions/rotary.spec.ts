import test from 'ava'
import {
  convertRotaryWeights,
  getNumThreads,
  positionIds,
  randn,
  RotaryEmbedding,
  setNumThreads,
  tensor,
  zeros,
  type RotaryScaling,
  type Tensor,
} from '../../../index.js'
import { digest, isGolden } from '../../support/compare.js'
import { refuses } from '../../support/errors.js'
import { elements, fromGolden, readGolden, type Golden } from '../../support/golden.js'

interface Case {
  model: string
  dim: number
  base: number
  scaling: RotaryScaling | null
  layout: 'half' | 'interleaved'
  out: Golden
  grad: Golden
  plain: Golden | null
}
const { rotary } = readGolden<{ rotary: { positions: number[]; x: Golden; gradOutput: Golden; cases: Case[] } }>(
  'positions/positions.json',
)
const { positions } = rotary

for (const { model, out, grad, plain, scaling, ...rest } of rotary.cases) {
  test(`equals Transformers: ${model}, ${JSON.stringify({ ...rest, scaling })}`, (t) => {
    const options = { ...rest, scaling: scaling ?? undefined }
    const rope = new RotaryEmbedding(options)
    const x = fromGolden(rotary.x)
    isGolden(t, rope.forward(x, { positions }), out, 'rotated by angles of float64')
    const leaf = fromGolden(rotary.x)
    leaf.requiresGrad = true
    rope.forward(leaf, { positions }).backward(fromGolden(rotary.gradOutput))
    isGolden(t, leaf.grad as Tensor, grad, 'its gradient')
    const place = fromGolden(rotary.x)
    t.is(rope.forward(place, { positions, out: place }), place)
    isGolden(t, place, out, 'in place')
    if (plain === null) return
    // The error of float32 angles, which grows with the position.
    const [ours, theirs] = [rope.forward(x, { positions }).data, elements(plain)] as Float32Array[]
    const each = ours.length / positions.length
    const worst = positions.map((_, i) =>
      Math.max(...ours.slice(i * each, i * each + each).map((v, k) => Math.abs(v - theirs[i * each + k]))),
    )
    worst.forEach((apart, i) =>
      t.true(apart <= 2 ** -20 + positions[i] * 2 ** -21, `position ${positions[i]}: ${apart}`),
    )
  })
}

const values = (x: Tensor) => x.data as Float32Array

for (const layout of ['half', 'interleaved'] as const) {
  test(`${layout}: norms are kept, and scores depend only on distance`, (t) => {
    const rope = new RotaryEmbedding({ dim: 32, layout })
    const [q, k] = [randn([1, 1, 1, 32]), randn([1, 1, 1, 32])]
    const at = (x: Tensor, position: number) => values(rope.forward(x, { positions: [position] }))
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, v, i) => sum + v * b[i], 0)
    const norm = dot(values(q), values(q))
    for (const position of [0, 1, 77, 12345, 1_000_000]) {
      t.true(Math.abs(dot(at(q, position), at(q, position)) / norm - 1) < 1e-6)
    }
    for (const distance of [0, 3, 100]) {
      const score = dot(at(q, distance), at(k, 0))
      for (const shift of [1, 50, 4000, 1_000_000]) {
        t.true(Math.abs(dot(at(q, distance + shift), at(k, shift)) - score) < 1e-5)
      }
    }
    t.is(digest(rope.forward(q)), digest(q))
  })

  test(`${layout}: the result is the same token by token, in parts and with threads`, (t) => {
    const threads = getNumThreads()
    for (const scaling of [undefined, { type: 'yarn', factor: 2, originalContext: 32 }] as const) {
      const rope = new RotaryEmbedding({ dim: 24, layout, scaling })
      const x = randn([3, 60, 2, 40])
      const whole = rope.forward(x)
      const places = tensor(
        Array.from({ length: 60 }, (_, i) => i),
        { dtype: 'int32' },
      )
      t.is(digest(rope.forward(x, { positions: places })), digest(whole))
      for (const from of [0, 7, 59]) {
        const token = tensor([0, 1, 2].map((b) => (x.toArray() as number[][][][])[b].slice(from, from + 1)))
        const wanted = [0, 1, 2].map((b) => (whole.toArray() as number[][][][])[b][from])
        t.deepEqual(
          rope
            .forward(token, { offset: from })
            .toArray()
            .map((b: number[][][]) => b[0]),
          wanted,
        )
      }
      for (const count of [1, 2, 3]) {
        setNumThreads(count)
        const large = randn([64, 512, 2, 24])
        const first = digest(rope.forward(large))
        setNumThreads(1)
        t.is(digest(rope.forward(large)), first)
      }
      setNumThreads(threads)
    }
  })
}

test('the gradient is the inverse rotation', (t) => {
  const rope = new RotaryEmbedding({ dim: 16 })
  const x = randn([2, 9, 3, 20], { requiresGrad: true })
  const turned = rope.forward(x, { offset: 100 })
  t.is(turned.gradFn, 'RotaryEmbeddingBackward')
  turned.backward(turned.detach())
  const [back, before] = [values(x.grad as Tensor), values(x)]
  t.true(back.every((v, i) => Math.abs(v - before[i]) < 2e-6))
  // Backward uses the positions of the call, even if their array changes.
  const places = Int32Array.from({ length: 9 }, (_, i) => 3 * i)
  const y = randn([1, 9, 1, 16], { requiresGrad: true })
  const result = rope.forward(y, { positions: places })
  places.fill(0)
  result.backward(result.detach())
  t.true(values(y.grad as Tensor).every((v, i) => Math.abs(v - values(y)[i]) < 2e-6))
})

test('16-bit floats are rotated in float32 and rounded once', (t) => {
  for (const layout of ['half', 'interleaved'] as const) {
    for (const dtype of ['float16', 'bfloat16'] as const) {
      const rope = new RotaryEmbedding({ dim: 40, layout })
      const x = randn([2, 5, 3, 48]).to(dtype)
      const wanted = rope.forward(x.to('float32'), { offset: 9 }).to(dtype)
      const found = rope.forward(x, { offset: 9 })
      t.is(found.dtype, dtype)
      t.is(digest(found), digest(wanted))
      t.is(digest(rope.forward(x, { offset: 9, out: x })), digest(wanted))
      const leaf = randn([1, 2, 1, 40]).to(dtype)
      leaf.requiresGrad = true
      rope.forward(leaf).backward(leaf.detach())
      t.is((leaf.grad as Tensor).dtype, dtype)
    }
  }
})

test('distant positions are as exact as near ones', (t) => {
  // These positions also lie beyond the cached ones.
  const dim = 64
  const rope = new RotaryEmbedding({ dim })
  const x = tensor([[[[...Array(32).fill(1), ...Array(32).fill(0)]]]])
  for (const position of [0, 262143, 262144, 1_000_000, 123_456_789]) {
    for (const call of [
      { offset: position },
      { positions: [position] },
      { positions: BigInt64Array.of(BigInt(position)) },
    ]) {
      const found = values(rope.forward(x, call))
      for (let p = 0; p < 32; p++) {
        const angle = position * 10000 ** ((-2 * p) / dim)
        const bound = 2 ** -25 + position * 2 ** -50
        t.true(Math.abs(found[p] - Math.cos(angle)) <= bound && Math.abs(found[32 + p] - Math.sin(angle)) <= bound)
      }
    }
  }
  const both = rope.forward(tensor([x.toArray()[0], x.toArray()[0]]), { positions: [[5], [1_000_000]] })
  t.is(digest(both.narrow(0, 1, 1)), digest(rope.forward(x, { offset: 1_000_000 })))
  t.is(digest(both.narrow(0, 0, 1)), digest(rope.forward(x, { offset: 5 })))
})

test('dynamic scaling follows the length of each call', (t) => {
  const dynamic = new RotaryEmbedding({ dim: 16, scaling: { type: 'dynamic', factor: 2, originalContext: 8 } })
  const plain = new RotaryEmbedding({ dim: 16 })
  const [short, long] = [randn([1, 8, 1, 16]), randn([1, 12, 1, 16])]
  const first = digest(dynamic.forward(short))
  t.is(first, digest(plain.forward(short)))
  t.not(digest(dynamic.forward(long)), digest(plain.forward(long)))
  const base = 10000 * ((2 * 12) / 8 - 1) ** (16 / 14)
  const grown = new RotaryEmbedding({ dim: 16, base })
  t.true(values(dynamic.forward(long)).every((v, i) => Math.abs(v - values(grown.forward(long))[i]) < 1e-6))
  t.is(digest(dynamic.forward(short)), first)
})

test('ragged rows have positions of their own', (t) => {
  const rope = new RotaryEmbedding({ dim: 8 })
  const rows = [randn([3, 2, 8]), randn([1, 2, 8]), randn([4, 2, 8])]
  const x = tensor(rows.flatMap((row) => row.toArray()))
  const places = positionIds({ values: new Int32Array(8), offsets: [0, 3, 4, 8] })
  t.deepEqual(
    rope.forward(x, { positions: places }).toArray(),
    rows.flatMap((row) => rope.forward(row).toArray()),
  )
})

test('weights of one layout work in the other after a permutation', (t) => {
  const [heads, headDim, input] = [3, 12, 7]
  for (const dim of [12, 8, 2, 0]) {
    const x = randn([5, input])
    const score = (wq: Tensor, wk: Tensor, layout: 'half' | 'interleaved') => {
      const rope = dim === 0 ? null : new RotaryEmbedding({ dim, layout })
      const of = (w: Tensor) => {
        const y = x.matmul(w.transpose(0, 1)).reshape(5, heads, headDim)
        return (rope === null ? y : rope.forward(y)).transpose(0, 1)
      }
      return values(of(wq).matmul(of(wk).transpose(1, 2)))
    }
    const [wq, wk] = [randn([heads * headDim, input]), randn([heads * headDim, input])]
    const turned = (w: Tensor, from: 'half' | 'interleaved', to: 'half' | 'interleaved') =>
      convertRotaryWeights(w, { heads, from, to, dim })
    const before = score(wq, wk, 'interleaved')
    const after = score(turned(wq, 'interleaved', 'half'), turned(wk, 'interleaved', 'half'), 'half')
    t.true(before.every((v, i) => Math.abs(v - after[i]) < 1e-4))
    t.is(digest(turned(turned(wq, 'interleaved', 'half'), 'half', 'interleaved')), digest(wq))
    t.is(digest(turned(wq, 'half', 'half')), digest(wq))
  }
  const bias = tensor([0, 1, 2, 3, 4, 5, 6, 7], { dtype: 'bfloat16' })
  t.deepEqual(
    convertRotaryWeights(bias, { heads: 2, from: 'interleaved', to: 'half' }).toArray(),
    [0, 2, 1, 3, 4, 6, 5, 7],
  )
  refuses(t, () => convertRotaryWeights(bias, { heads: 3, from: 'half', to: 'interleaved' }), 'SHAPE', '3 heads')
  refuses(t, () => convertRotaryWeights(bias, { heads: 8, from: 'half', to: 'interleaved' }), 'USAGE', 'even')
  refuses(t, () => convertRotaryWeights(bias, { heads: 2, from: 'half', to: 'interleaved', dim: 6 }), 'SHAPE', '6')
  refuses(t, () => convertRotaryWeights(bias, { heads: 2, from: 'neox' as never, to: 'half' }), 'USAGE', 'neox')
})

test('rejects what cannot be rotated', (t) => {
  const make = (options: object) => () => new RotaryEmbedding({ dim: 8, ...options })
  refuses(t, make({ dim: 7 }), 'USAGE', 'even', '7')
  refuses(t, make({ dim: 0 }), 'USAGE', 'dim')
  refuses(t, make({ layout: 'neox' }), 'USAGE', 'neox', 'half')
  for (const base of [1, 0, -2, NaN, '3']) refuses(t, make({ base }), 'USAGE', 'base')
  refuses(t, make({ scaling: { type: 'ntk', factor: 2 } }), 'USAGE', 'ntk', 'yarn')
  refuses(t, make({ scaling: 'linear' }), 'USAGE', 'type')
  refuses(t, make({ scaling: { type: 'linear' } }), 'USAGE', 'linear', 'factor')
  refuses(t, make({ scaling: { type: 'linear', factor: 0.5 } }), 'USAGE', 'at least 1')
  refuses(t, make({ scaling: { type: 'dynamic', factor: 2 } }), 'USAGE', 'dynamic', 'originalContext')
  refuses(t, make({ dim: 2, scaling: { type: 'dynamic', factor: 2, originalContext: 4 } }), 'USAGE', 'at least 4')
  refuses(t, make({ scaling: { type: 'yarn', originalContext: 4 } }), 'USAGE', 'yarn', 'factor')
  refuses(
    t,
    make({ scaling: { type: 'yarn', factor: 2, originalContext: 4, betaFast: 1, betaSlow: 2 } }),
    'USAGE',
    'betaSlow',
  )
  refuses(t, make({ scaling: { type: 'llama3', factor: 2, originalContext: 4 } }), 'USAGE', 'llama3', 'lowFreqFactor')
  refuses(
    t,
    make({ scaling: { type: 'llama3', factor: 2, originalContext: 4, lowFreqFactor: 4, highFreqFactor: 1 } }),
    'USAGE',
    'below',
  )
  refuses(t, make({ scaling: { type: 'linear', factor: 2, original: 3 } }), 'USAGE', '"original"')

  const rope = new RotaryEmbedding({ dim: 8 })
  const x = zeros([2, 3, 1, 8])
  refuses(t, () => rope.forward(zeros([2, 3, 1, 6])), 'SHAPE', '6', '8')
  refuses(t, () => rope.forward(zeros([3, 8])), 'SHAPE', '[3, 8]')
  refuses(t, () => rope.forward(zeros([2, 3, 1, 8], { dtype: 'float64' })), 'DTYPE', 'float64')
  refuses(t, () => rope.forward([1] as never), 'USAGE', 'tensor')
  refuses(t, () => rope.forward(x, { offset: -1 }), 'USAGE', 'offset')
  refuses(t, () => rope.forward(x, { offset: 1, positions: [1, 2, 3] }), 'USAGE', 'not both')
  refuses(t, () => rope.forward(x, { positions: [0, 1] }), 'SHAPE', '[2]', '[2, 3]')
  refuses(t, () => rope.forward(x, { positions: [0, -4, 1] }), 'USAGE', 'must not be negative', 'token 1', '-4')
  refuses(t, () => rope.forward(x, { positions: zeros([3]) }), 'DTYPE', 'positions')
  refuses(t, () => rope.forward(x, { out: zeros([2, 3, 1, 9]) }), 'SHAPE', '[2, 3, 1, 9]')
  refuses(t, () => rope.forward(x, { out: zeros([2, 3, 1, 8], { dtype: 'float16' }) }), 'DTYPE', 'float16')
  refuses(t, () => rope.forward(x, { out: x.reshape(2, 3, 1, 8) }), 'USAGE', 'shares memory')
  t.deepEqual(rope.forward(zeros([0, 3, 1, 8])).shape, [0, 3, 1, 8])
  t.deepEqual(rope.forward(zeros([2, 0, 1, 8])).shape, [2, 0, 1, 8])
  t.deepEqual(rope.forward(zeros([2, 3, 0, 8]), { positions: [0, 1, 2] }).shape, [2, 3, 0, 8])
})
