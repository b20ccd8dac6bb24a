// The way back through the ops of tensors: what `record` takes.

import type { Backward, Save } from './autograd.js'
import type { Tensor } from './tensor.js'

/** The sum over what broadcasting repeated, so that `grad` has the shape of an operand again. */
function unbroadcast(grad: Tensor, shape: readonly number[]): Tensor {
  let sum = grad
  const before = grad.shape.length - shape.length
  for (let dim = 0; dim < before; dim++) sum = sum.sum(0)
  shape.forEach((n, dim) => {
    if (n === 1 && sum.shape[dim] !== 1) sum = sum.sum(dim).reshape(...shape.slice(0, dim + 1), ...sum.shape.slice(dim + 1))
  })
  return sum
}

/** The same elements in the shape they came in. */
export function reshape(x: Tensor): Backward {
  const { shape } = x
  return (grad) => [grad.reshape(...shape)]
}

/** Of a sum or a difference, whose second operand may be a number. */
export function sum(a: Tensor, b: Tensor | number, sign: 1 | -1): Backward {
  const shapes = [a.shape, typeof b === 'number' ? [] : b.shape]
  const types = [a.dtype, typeof b === 'number' ? a.dtype : b.dtype]
  return (grad, wanted) => [
    wanted[0] ? unbroadcast(grad, shapes[0]).to(types[0]) : null,
    wanted[1] ? unbroadcast(sign === 1 ? grad.detach() : grad.mul(-1), shapes[1]).to(types[1]) : null,
  ]
}

/** Of a product. */
export function product(a: Tensor, b: Tensor | number, save: Save): Backward {
  if (typeof b === 'number') {
    const { dtype } = a
    return (grad) => [grad.mul(b).to(dtype), null]
  }
  const [x, y] = [b.requiresGrad ? save(a) : null, a.requiresGrad ? save(b) : null]
  const [of, by] = [a, b].map(({ shape, dtype }) => ({ shape, dtype }))
  return (grad) => [
    y && unbroadcast(grad.mul(y()), of.shape).to(of.dtype),
    x && unbroadcast(grad.mul(x()), by.shape).to(by.dtype),
  ]
}
