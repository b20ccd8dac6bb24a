import test from 'ava'
import { crossEntropy, EmbeddingBag, manualSeed, randn, SGD, zeros, type Tensor } from '../../index.js'
import { readGolden } from '../support/golden.js'

interface Golden {
  tokens: number
  dim: number
  classes: number
  bags: number
  steps: number
  rate: number
  losses: number[]
}
const golden = readGolden<Golden>('network/network.json')

/** Tolerance of the loss after up to 200 steps, in which sums are computed in another order. */
const LOSS = 1e-5

/** The batch that the golden's script defines. */
function batch(): { ids: number[]; offsets: number[]; targets: number[] } {
  const [ids, offsets, targets]: number[][] = [[], [], []]
  for (let i = 0; i < golden.bags; i++) {
    offsets.push(ids.length)
    for (let j = 0; j < 1 + (i % 5); j++) ids.push((7 * i + 13 * j) % golden.tokens)
    targets.push((3 * i) % golden.classes)
  }
  return { ids, offsets, targets }
}

/** The means of bags as a product with a matrix of weights, using only ops of tensors. */
function byMatrix(table: Tensor): () => Tensor {
  const { ids, offsets } = batch()
  const shares = zeros([golden.bags, golden.tokens])
  offsets.forEach((from, bag) => {
    const to = offsets[bag + 1] ?? ids.length
    for (const id of ids.slice(from, to)) (shares.data as Float32Array)[bag * golden.tokens + id] += 1 / (to - from)
  })
  return () => shares.matmul(table)
}

/** Trains as the golden's script does, and returns the losses. */
function train(bag: EmbeddingBag, means: () => Tensor): number[] {
  const weight = randn([golden.dim, golden.classes]).mul(0.1)
  const bias = zeros([golden.classes])
  const parameters = [bag.weight, weight, bias]
  for (const parameter of parameters) parameter.requiresGrad = true
  const { targets } = batch()
  const optimizer = new SGD(parameters, { lr: golden.rate })
  return Array.from({ length: golden.steps }, () => {
    const loss = crossEntropy(means().matmul(weight).add(bias), targets)
    loss.backward()
    optimizer.step()
    optimizer.zeroGrad()
    return loss.item()
  })
}

test('bags, a linear layer and cross-entropy learn as in PyTorch for 200 steps', (t) => {
  manualSeed(0)
  const bag = new EmbeddingBag(golden.tokens, golden.dim, { mode: 'mean' })
  const losses = train(bag, byMatrix(bag.weight))
  losses.forEach((loss, i) =>
    t.true(Math.abs(loss - golden.losses[i]) <= LOSS, `step ${i}: ${loss}, not ${golden.losses[i]}`),
  )
})

for (const sparse of [false, true]) {
  test(`EmbeddingBag learns the same, ${sparse ? 'its gradient as rows' : 'its gradient dense'}`, (t) => {
    manualSeed(0)
    const bag = new EmbeddingBag(golden.tokens, golden.dim, { mode: 'mean', sparse })
    const { ids, offsets } = batch()
    const losses = train(bag, () => bag.forward(ids, offsets))
    losses.forEach((loss, i) =>
      t.true(Math.abs(loss - golden.losses[i]) <= LOSS, `step ${i}: ${loss}, not ${golden.losses[i]}`),
    )
  })
}
