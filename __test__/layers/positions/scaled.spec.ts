import test from 'ava'
import { randn, RotaryEmbedding, tensor, type RotaryScaling, type Tensor } from '../../../index.js'
import { digest, isGolden } from '../../support/compare.js'
import { refuses } from '../../support/errors.js'
import { fromGolden, readGolden, type Golden } from '../../support/golden.js'

interface Rotated {
  dim: number
  out: Golden
  grad: Golden
}
const golden = readGolden<{
  x: Golden
  gradOutput: Golden
  scaled: (Rotated & { scaling: RotaryScaling; positions: number[] })[]
  multimodal: (Rotated & {
    section: number[]
    interleaved: boolean
    positions: Golden
    x: Golden
    gradOutput: Golden
  })[]
}>('positions/scaled.json')

for (const { scaling, dim, positions, out, grad } of golden.scaled) {
  test(`equals Transformers: ${JSON.stringify({ scaling, dim, positions })}`, (t) => {
    const rope = new RotaryEmbedding({ dim, scaling })
    const part = (whole: Golden) => fromGolden(whole).narrow(1, 0, positions.length)
    const x = part(golden.x).detach()
    x.requiresGrad = true
    const result = rope.forward(x, { positions })
    isGolden(t, result, out, 'rotated')
    result.backward(part(golden.gradOutput))
    isGolden(t, x.grad as Tensor, grad, 'its gradient')
  })
}

for (const { section, interleaved, dim, positions, x, gradOutput, out, grad } of golden.multimodal) {
  test(`equals Transformers with positions of three axes: ${section}, interleaved ${interleaved}`, (t) => {
    const rope = new RotaryEmbedding({ dim, mropeSection: section, mropeInterleaved: interleaved })
    const leaf = fromGolden(x)
    leaf.requiresGrad = true
    const places = fromGolden(positions)
    const result = rope.forward(leaf, { positions: places })
    isGolden(t, result, out, 'rotated')
    result.backward(fromGolden(gradOutput))
    isGolden(t, leaf.grad as Tensor, grad, 'its gradient')
  })
}

test('longrope follows the length of each call', (t) => {
  const factors = { shortFactor: [1, 1], longFactor: Float32Array.of(2, 4) }
  const rope = new RotaryEmbedding({ dim: 4, scaling: { type: 'longrope', factor: 4, originalContext: 8, ...factors } })
  const x = randn([1, 8, 1, 4])
  const first = digest(rope.forward(x))
  t.not(digest(rope.forward(x, { offset: 1 })), digest(rope.forward(x, { positions: [1, 2, 3, 4, 5, 6, 7, 7] })))
  t.is(digest(rope.forward(x)), first)
  const plain = new RotaryEmbedding({ dim: 4 })
  const scale = Math.sqrt(1 + Math.log(4) / Math.log(8))
  const wanted = plain.forward(x).data
  t.true(rope.forward(x).data.every((v, i) => Math.abs(Number(v) - Number(wanted[i]) * scale) < 1e-6))
})

test('pairs that proportional scaling leaves out stay as they are', (t) => {
  const rope = new RotaryEmbedding({ dim: 8, scaling: { type: 'proportional', partialRotaryFactor: 0.5 } })
  const x = randn([1, 5, 1, 8])
  const [before, after] = [x, rope.forward(x, { offset: 70 })].map((y) => y.toArray() as number[][][][])
  const stay = (y: number[][][][]) => y[0].map(([head]) => [2, 3, 6, 7].map((d) => head[d]))
  t.deepEqual(stay(after), stay(before))
})

test('positions of one axis stand for all', (t) => {
  const options = { dim: 8, layout: 'interleaved' } as const
  const [plain, rope] = [new RotaryEmbedding(options), new RotaryEmbedding({ ...options, mropeSection: [1, 1, 2] })]
  const x = randn([2, 3, 2, 8])
  t.is(digest(rope.forward(x)), digest(plain.forward(x)))
  t.is(digest(rope.forward(x, { offset: 4 })), digest(plain.forward(x, { offset: 4 })))
  const flat = Int32Array.of(3, 1, 2, 9, 8, 7)
  for (const positions of [
    flat,
    tensor(
      [
        [3, 1, 2],
        [9, 8, 7],
      ],
      { dtype: 'int32' },
    ),
  ])
    t.is(digest(rope.forward(x, { positions })), digest(plain.forward(x, { positions: flat })))
  const each = [3, 1, 2]
  const one = randn([3, 2, 8])
  for (const positions of [each, [each, each, each]])
    t.is(digest(rope.forward(one, { positions })), digest(plain.forward(one, { positions: each })))
  t.is(digest(rope.forward(x, { positions: each })), digest(plain.forward(x, { positions: each })))
  t.is(
    digest(rope.forward(x, { positions: [each, each, each].map((row) => [row, row]) })),
    digest(plain.forward(x, { positions: each })),
  )
  const far = each.map((position) => position + 3_000_000)
  t.is(digest(rope.forward(one, { positions: [far, far, far] })), digest(plain.forward(one, { positions: far })))
})

test('rejects scalings and sections that do not fit', (t) => {
  const make = (options: object) => () => new RotaryEmbedding({ dim: 8, ...options })
  const long = { type: 'longrope', factor: 2, originalContext: 8, shortFactor: [1, 1, 1, 1], longFactor: [1, 1, 1, 1] }
  const scaled = (scaling: object) => make({ scaling })
  t.notThrows(scaled(long))
  refuses(t, scaled({ ...long, longFactor: [1, 1, 1] }), 'USAGE', 'longFactor', '4 pairs', '3')
  refuses(t, scaled({ ...long, longFactor: undefined }), 'USAGE', 'longFactor')
  refuses(t, scaled({ ...long, shortFactor: [1, 1, 0, 1] }), 'USAGE', 'shortFactor[2]', 'positive')
  refuses(t, scaled({ ...long, shortFactor: new Array(2 ** 32 - 1) }), 'USAGE', 'shortFactor')
  refuses(t, scaled({ ...long, originalContext: 1 }), 'USAGE', 'attentionFactor')
  t.notThrows(scaled({ ...long, originalContext: 1, attentionFactor: 1 }))
  refuses(t, scaled({ ...long, factor: undefined }), 'USAGE', 'factor')
  const yarn = { type: 'yarn', factor: 2, originalContext: 8 }
  refuses(t, scaled({ ...yarn, mscale: -1 }), 'USAGE', 'mscale')
  refuses(t, scaled({ ...yarn, mscaleAllDim: '1' }), 'USAGE', 'mscaleAllDim')
  refuses(t, scaled({ ...yarn, mscale: 1, attentionFactor: 1 }), 'USAGE', 'not both')
  refuses(t, scaled({ type: 'proportional', partialRotaryFactor: 1.5 }), 'USAGE', 'at most 1')
  refuses(t, scaled({ type: 'proportional', factor: 0 }), 'USAGE', 'factor')

  refuses(t, make({ mropeSection: [2, 1] }), 'USAGE', '4 pairs', '3')
  refuses(t, make({ mropeSection: [] }), 'USAGE', 'mropeSection')
  refuses(t, make({ mropeSection: [5, -1] }), 'USAGE', 'mropeSection[0]')
  refuses(t, make({ mropeSection: 4 }), 'USAGE', 'mropeSection')
  refuses(t, make({ mropeSection: new Array(2 ** 32 - 1) }), 'USAGE', 'mropeSection')
  refuses(t, make({ mropeInterleaved: true }), 'USAGE', 'mropeSection')
  refuses(t, make({ mropeSection: [2, 1, 1], mropeInterleaved: 1 }), 'USAGE', 'mropeInterleaved')
  const rope = new RotaryEmbedding({ dim: 8, mropeSection: [2, 1, 1] })
  const x = randn([2, 3, 1, 8])
  refuses(t, () => rope.forward(x, { positions: [[1, 2]] }), 'SHAPE', '[1, 2]', '[2, 3]')
  refuses(t, () => rope.forward(x, { positions: [[[1, 2, 3]]] }), 'SHAPE', '[3, 2, 3]', '[1, 1, 3]')
  const wrong = [[1, 2, 3], [1, -2, 3], [1, 2, 3]] // prettier-ignore
  refuses(t, () => rope.forward(randn([3, 1, 8]), { positions: wrong }), 'USAGE', 'negative', 'token 1', '-2')
})
