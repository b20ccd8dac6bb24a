import test from 'ava'
import { dropout, Generator, noGrad, randn, TokenPositionEmbedding, zeros, type Tensor } from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'

const options = { vocabSize: 9, contextLength: 4, dim: 6, layerNorm: true }
const IDS = [
  [1, 2, 8, 1],
  [0, 0, 5, 2],
]
const make = (dropout: number) => new TokenPositionEmbedding({ ...options, dropout, generator: new Generator(3) })
const draw = (shape: number[]) => randn(shape, { generator: new Generator(4) })

/** A generator in the state in which the layer's generator is after its tables are drawn. */
function after(): Generator {
  const generator = new Generator(3)
  new TokenPositionEmbedding({ ...options, generator })
  return generator
}

test("training applies dropout with the layer's generator and learns through it", (t) => {
  const [whole, apart] = [make(0.3), make(0)]
  t.true(whole.training)
  t.is(whole.dropout, 0.3)
  const generator = after()
  for (let call = 0; call < 2; call++) {
    const [ours, wanted] = [whole.forward(IDS), dropout(apart.forward(IDS), 0.3, { generator })]
    t.is(ours.gradFn, 'DropoutBackward')
    t.is(digest(ours), digest(wanted))
    for (const out of [ours, wanted]) out.backward(draw([2, 4, 6]))
  }
  whole
    .parameters()
    .forEach((parameter, i) => t.is(digest(parameter.grad as Tensor), digest(apart.parameters()[i].grad as Tensor)))
})

test('eval disables dropout, train enables it, and out gets the result of training', (t) => {
  const [layer, plain] = [make(0.5), make(0)]
  const wanted = digest(plain.forward(IDS))
  t.is(layer.eval(), layer)
  t.is(digest(layer.forward(IDS)), wanted)
  layer.train(false)
  t.is(digest(layer.forward(IDS)), wanted)
  layer.train()
  const out = zeros([2, 4, 6])
  const result = layer.forward(IDS, { out })
  t.is(result, out)
  t.is(result.requiresGrad, false)
  t.is(digest(out), digest(dropout(plain.forward(IDS), 0.5, { generator: after() })))
  // As in PyTorch, dropout depends on training mode, not on whether the call is recorded.
  t.not(digest(noGrad(() => layer.forward(IDS))), wanted)
  t.true((make(1).forward(IDS).data as Float32Array).every((x) => x === 0))
  refuses(t, () => layer.train(1 as never), 'USAGE', 'train')
})

test('forwardAsync refuses to train with dropout', async (t) => {
  const layer = make(0.5)
  const error = await t.throwsAsync(layer.forwardAsync(IDS))
  t.regex(error.message, /dropout 0.5 .* eval\(\)/)
  t.is(digest(await layer.eval().forwardAsync(IDS)), digest(make(0).forward(IDS)))
})
