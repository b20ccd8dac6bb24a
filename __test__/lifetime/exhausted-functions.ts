// Scenarios of exhausted.ts for functions of tensors and losses, and what scenarios are made of.

import * as api from '../../index.js'

const { Generator, Tensor } = api
/** Ids below `rows` without a pattern. */
export const ids = (count: number, rows: number) =>
  Int32Array.from({ length: count }, (_, i) => (i * 7919 + (i >> 3)) % rows)
/** Normal numbers that depend on the shape alone. */
export const drawn = (...shape: number[]) => api.randn(shape, { generator: new Generator(shape.length + shape[0]) })

/** The result of a layer and its gradients. */
export function learned(parameters: api.Tensor[], forward: () => api.Tensor): unknown[] {
  for (const parameter of parameters) parameter.grad = null
  const out = forward()
  out.sum().backward()
  return [out, ...parameters.map(({ grad }) => (grad instanceof Tensor ? grad : grad!.toDense()))]
}

/** Functions, choices and reductions of tensors, and the way back. */
export const functions = () => {
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
export const losses = () => {
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
