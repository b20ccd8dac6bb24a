// Sums of products by names of dimensions, for one operand or two.

import { ShapeError, UsageError } from '../base/errors.js'
import { shown, sizeOf } from '../base/shape.js'
import { checkText, show } from '../base/validate.js'
import { scope } from '../memory/scope.js'
import { Tensor } from './tensor.js'

const WHERE = 'einsum'

/** An operand and the names of its dimensions. */
interface Named {
  readonly x: Tensor
  readonly names: readonly string[]
}

/** The names of one side of the equation; the dimensions of an ellipsis are `0`, `1`, ... counted from the right. */
function namesOf(text: string, rank: number | null, equation: string): { names: string[]; more: number } {
  const parts = text.split('...')
  if (parts.length > 2 || !/^[A-Za-z]*$/.test(parts.join('')))
    throw new UsageError(`${WHERE}: "${equation}" must be letters, commas and at most one "..." for each operand`)
  const named = parts.join('').length
  if (rank === null) return { names: [...parts[0], ...(parts.length > 1 ? ['...', ...parts[1]] : [])], more: 0 }
  const more = rank - named
  if (parts.length === 1 ? more !== 0 : more < 0)
    throw new ShapeError(`${WHERE}: "${text}" in "${equation}" names ${named} dimensions, but the operand has ${rank}`)
  const rest = parts.length > 1 ? Array.from({ length: more }, (_, i) => String(more - 1 - i)) : []
  return { names: [...parts[0], ...rest, ...(parts[1] ?? '')], more: rest.length }
}

/** Keeps the diagonal of dimensions with the same name. */
function diagonal({ x, names }: Named): Named {
  const second = names.findIndex((name, i) => names.indexOf(name) < i)
  if (second < 0) return { x, names }
  const first = names.indexOf(names[second])
  const n = x.shape[first]
  if (x.shape[second] !== n)
    throw new ShapeError(`${WHERE}: "${names[first]}" names dimensions of sizes ${n} and ${x.shape[second]}`)
  const others = names.map((_, d) => d).filter((d) => d !== first && d !== second)
  const turned = x.permute(...others, first, second)
  const rest = others.map((d) => x.shape[d])
  const line = turned.reshape(...rest, n * n).slice(others.length, 0, Infinity, n + 1)
  return diagonal({ x: line, names: [...others.map((d) => names[d]), names[first]] })
}

/** Sums over the dimensions whose names are not in `kept`. */
function summed({ x, names }: Named, kept: ReadonlySet<string>): Named {
  const gone = names.map((_, d) => d).filter((d) => !kept.has(names[d]))
  if (gone.length === 0) return { x, names }
  return { x: x.sum(gone), names: names.filter((name) => kept.has(name)) }
}

/** Dimensions of size 1 that broadcasting repeats are left out. */
function squeezed({ x, names }: Named, other: Named): Named {
  const isRepeated = (d: number) => {
    const at = other.names.indexOf(names[d])
    return x.shape[d] === 1 && at >= 0 && other.x.shape[at] !== 1
  }
  const kept = names.map((_, d) => d).filter((d) => !isRepeated(d))
  if (kept.length === names.length) return { x, names }
  return { x: x.reshape(...kept.map((d) => x.shape[d])), names: kept.map((d) => names[d]) }
}

function ordered({ x, names }: Named, order: readonly string[]): Tensor {
  const dims = order.map((name) => names.indexOf(name))
  return dims.every((dim, i) => dim === i) ? x : x.permute(...dims)
}

/** The product of two operands, summed over the names that `kept` lacks. */
function product(a: Named, b: Named, kept: ReadonlySet<string>): Named {
  const sizes = new Map<string, number>()
  for (const { x, names } of [a, b]) {
    names.forEach((name, d) => {
      const known = sizes.get(name)
      if (known !== undefined && known !== x.shape[d])
        throw new ShapeError(`${WHERE}: "${name}" names dimensions of sizes ${known} and ${x.shape[d]}`)
      sizes.set(name, x.shape[d])
    })
  }
  const inBoth = a.names.filter((name) => b.names.includes(name))
  const batch = inBoth.filter((name) => kept.has(name))
  const inner = inBoth.filter((name) => !kept.has(name))
  const left = a.names.filter((name) => !b.names.includes(name))
  const right = b.names.filter((name) => !a.names.includes(name))
  const sizeOfAll = (names: readonly string[]) => sizeOf(names.map((name) => sizes.get(name)!))
  const [n, m, k, p] = [batch, left, inner, right].map(sizeOfAll)
  const first = ordered(a, [...batch, ...left, ...inner]).reshape(n, m, k)
  const second = ordered(b, [...batch, ...inner, ...right]).reshape(n, k, p)
  const names = [...batch, ...left, ...right]
  return { x: first.matmul(second).reshape(...names.map((name) => sizes.get(name)!)), names }
}

/**
 * The sum of products that an equation names, as Einstein wrote them, for one operand or two: `'bij,bjk->bik'`
 * multiplies batches of matrices, `'ij->j'` sums rows, `'ii->i'` is a diagonal, `'...i,i->...'` a product with a
 * vector. Without `->` the result has the names that occur once, in alphabetical order. `torch.einsum`.
 *
 * Products are matrix products, whose precision they have.
 *
 * @throws UsageError for an equation that is none; ShapeError for operands that do not fit it.
 */
export function einsum(equation: string, ...operands: [Tensor] | [Tensor, Tensor]): Tensor {
  const text = checkText(equation, `${WHERE}: the equation`).replaceAll(' ', '')
  const given = operands as readonly unknown[]
  if (given.length < 1 || given.length > 2)
    throw new UsageError(`${WHERE}: give one operand or two, not ${given.length}: multiply more of them step by step`)
  for (const x of given)
    if (!(x instanceof Tensor)) throw new UsageError(`${WHERE}: operands must be tensors, not ${show(x)}`)
  const [sides, target, ...more] = text.split('->')
  const inputs = sides.split(',')
  if (more.length > 0 || inputs.length !== given.length)
    throw new UsageError(`${WHERE}: "${text}" names ${inputs.length} operands, but ${given.length} are given`)
  const read = inputs.map((side, i) => {
    const x = given[i] as Tensor
    const { names, more } = namesOf(side, x.shape.length, text)
    return { x, names, more }
  })
  const ellipsis = Array.from({ length: Math.max(...read.map(({ more }) => more)) }, (_, i) => String(i)).reverse()
  const result = resultOf(
    target,
    read.flatMap(({ names }) => names),
    ellipsis,
    text,
  )
  const kept = new Set(result)
  return scope(() => {
    const [a, b] = read.map(diagonal)
    if (b === undefined) return finished(summed(a, kept), result)
    const [p, q] = [squeezed(a, b), squeezed(b, a)]
    const both = new Set([...kept, ...p.names.filter((name) => q.names.includes(name))])
    return finished(product(summed(p, both), summed(q, both), kept), result)
  })
}

function resultOf(
  target: string | undefined,
  all: readonly string[],
  ellipsis: readonly string[],
  text: string,
): string[] {
  if (target === undefined) {
    const once = all.filter((name) => /[A-Za-z]/.test(name) && all.indexOf(name) === all.lastIndexOf(name))
    return [...ellipsis, ...once.sort()]
  }
  const names = namesOf(target, null, text).names.flatMap((name) => (name === '...' ? ellipsis : [name]))
  const bad = names.find((name, i) => !all.includes(name) || names.indexOf(name) < i)
  if (bad !== undefined)
    throw new UsageError(
      `${WHERE}: "${bad}" in the result of "${text}" must occur in an operand, and once in the result`,
    )
  return names
}

function finished(made: Named, result: readonly string[]): Tensor {
  const x = ordered(made, result)
  if (x.shape.length !== result.length) throw new ShapeError(`${WHERE}: the result has the shape ${shown(x.shape)}`)
  // A tensor of its own, even where nothing is to be done.
  return x.reshape(...x.shape)
}
