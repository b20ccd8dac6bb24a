// Scenarios of refused memory for tensors: functions, losses, draws and optimizers.

import * as api from '../../index.js'
import { ids, drawn, learned, type Scenarios } from './exhausted-common.js'

const { Embedding, Generator, Tensor } = api

const step = async (make: (params: api.Tensor[]) => { step(): void; zeroGrad(): void }, sparse: boolean) => {
  const layer = new Embedding(600, 16, { sparse, generator: new Generator(1) })
  const optimizer = make([layer.weight])
  for (let i = 0; i < 3; i++) {
    layer.forward(ids(2000, 600)).sum().backward()
    optimizer.step()
    optimizer.zeroGrad()
  }
  return layer.weight.clone()
}

/** Functions, choices and reductions of tensors, and the way back. */
const functions = () => {
  const [a, b] = [drawn(64, 96).abs().add(0.1), drawn(64, 96)]
  const unary = [a.exp(), a.log(), a.log1p(), b.abs(), b.logSigmoid(), a.pow(2.5), a.pow(b), b.clamp(-1, 1)]
  const both = [a.maximum(b), a.minimum(b), a.gt(b), a.where(a.gt(b), b), api.stack([a, b]), a.sum([0, 1])]
  const found = [a.max(1), a.min(0), a.topk(9, 1), a.sort(0)].flatMap(({ values, indices }) => [values, indices])
  const moved = [a.index([1, 3, -1]), a.indexSelect(1, [4, 2]), a.gather(0, a.sort(0).indices), a.slice(1, 0, 90, 3)]
  const grown = [a.clone(), b.clone()]
  for (const one of grown) one.requiresGrad = true
  const grads = learned(grown, () => {
    const [x, y] = grown
    const top = x
      .topk(5, 1)
      .values.sum()
      .add(x.index([2, 2]).sum())
      .add(y.slice(1, 0, 96, 5).sum())
    return top
      .add(x.pow(y).mean())
      .add(x.maximum(y).log1p().sum())
      .add(api.einsum('ij,kj->ik', x, y).mean())
  })
  return [
    ...unary,
    ...both,
    ...found,
    ...moved,
    ...grads,
    a.argmax(),
    a.permute(1, 0),
    a.unsqueeze(0).expand(3, 64, 96),
  ]
}

/** Losses that are made of them, and a linear layer. */
const losses = () => {
  const parts = [drawn(300, 64), drawn(300, 64)]
  for (const part of parts) part.requiresGrad = true
  const targets = ids(300, 64)
  return [
    learned(parts, () => api.infoNCE(parts[0], parts[1], { symmetric: true })),
    learned([parts[0]], () => api.crossEntropy(parts[0], targets, { labelSmoothing: 0.1 })),
    learned([parts[0]], () => api.binaryCrossEntropyWithLogits(parts[0], parts[1].detach().sigmoid())),
    learned([parts[0]], () => new api.Linear(64, 32, { generator: new Generator(1) }).forward(parts[0])),
  ]
}

export const tensors: Scenarios = {
  arithmetic: () => {
    const [a, b] = [drawn(64, 96), drawn(96, 64)]
    const sum = a.transpose(0, 1).add(b).sub(1).mul(2).div(3)
    const unary = [sum.relu(), sum.gelu(), sum.tanh(), sum.sigmoid(), sum.sqrt(), sum.softmax(0), sum.logSoftmax(1)]
    const grown = [a.clone(), b.clone()]
    for (const one of grown) one.requiresGrad = true
    const grads = learned(grown, () => grown[0].matmul(grown[1]).gelu().softmax(0).mean(0).sum())
    return [...unary, a.to('float64'), a.to('float16'), a.sum(0), a.mean(1), api.concat([a, a], 1), ...grads]
  },
  functions,
  losses,
  network: () => {
    const parts = [drawn(300, 64), drawn(64), drawn(64)]
    for (const part of parts) part.requiresGrad = true
    const targets = ids(300, 64)
    return [
      learned(parts, () => api.layerNorm(parts[0], parts[1], parts[2])),
      learned([parts[0]], () => api.crossEntropy(parts[0], targets)),
      learned([parts[0]], () => api.dropout(parts[0], 0.5, { generator: new Generator(1) })),
    ]
  },
  draws: () => {
    const generator = new Generator(1)
    const state = generator.getState()
    const all = [api.randn([3000], { generator }), api.rand([3000], { generator }), api.randperm(3000, { generator })]
    const wide = { generator, dtype: 'float64' as const }
    all.push(api.randn(3000, wide), api.rand(3000, wide), api.randint(9, [3000], { generator }))
    all.push(api.multinomial(api.ones(3000), 900, { replacement: true, generator }))
    generator.setState(state)
    return [...all, api.randperm(300, { generator }), generator.manualSeed(2).getState()]
  },
  parallelDraws: () => api.randn([600_000], { generator: new Generator(1) }).sum(),
  dense: () => {
    const weight = api.randn([600, 16], { generator: new Generator(1), requiresGrad: true })
    const optimizer = new api.AdamW([weight], { lr: 0.1 })
    for (let i = 0; i < 2; i++) {
      weight.mul(weight).sum().backward()
      api.clipGradNorm([weight], 0.5)
      optimizer.lr = 0.1 / (i + 1)
      optimizer.step()
      optimizer.zeroGrad()
    }
    return weight.clone()
  },
  accumulated: () => {
    const layer = new Embedding(600, 16, { generator: new Generator(1) })
    layer.weight.grad = api.zeros([600, 16])
    layer.forward(ids(2000, 600)).sum().backward()
    const part = layer.weight.narrow(0, 10, 500).mul(2)
    const { grad } = layer.weight
    layer.weight.dispose()
    return [grad, part]
  },
  large: () => api.zeros([1100, 1000]).sum(),
  sgd: () => step((params) => new api.SGD(params, { lr: 0.1, momentum: 0.9 }), true),
  adam: () => step((params) => new api.Adam(params, { lr: 0.1 }), false),
  lazyAdam: () => step((params) => new api.AdamW(params, { lr: 0.1 }), true),
  sparseAdam: () => step((params) => new api.SparseAdam(params, { lr: 0.1 }), true),
  rmsprop: () => step((params) => new api.RMSprop(params, { momentum: 0.9, centered: true }), true),
  lion: () => step((params) => new api.Lion(params, { lr: 0.1, maximize: true }), true),
  adafactor: () => step((params) => new api.Adafactor(params, { lr: 0.1 }), true),
  muon: () => step((params) => new api.Muon(params, { lr: 0.1, nsSteps: 1 }), true),
  amsgrad: () => step((params) => new api.Adam(params, { lr: 0.1, amsgrad: true }), true),
  adagrad: () => step((params) => new api.Adagrad(params, { lr: 0.1 }), true),
  rowAdagrad: () => step((params) => new api.RowWiseAdagrad(params, { lr: 0.1 }), true),
  clip: () => {
    const layers = [true, false].map((sparse) => new Embedding(3000, 8, { sparse, generator: new Generator(1) }))
    for (const { weight, ...layer } of layers.map((it) => ({ weight: it.weight, forward: it.forward.bind(it) }))) {
      layer.forward(ids(2000, 3000)).sum().backward()
      layer.forward(ids(100, 3000)).sum().backward()
      void weight
    }
    const weights = layers.map(({ weight }) => weight)
    const norm = api.clipGradNorm(weights, 0.5)
    api.clipGradNorm(weights, 0.5, { normType: 3 })
    api.clipGradValue(weights, 0.001)
    return [norm, ...weights.map(({ grad }) => (grad instanceof Tensor ? grad : grad!.toDense()))]
  },
}
