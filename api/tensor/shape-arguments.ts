// Shapes as PyTorch takes them: `zeros([4, 2])` and `zeros(4, 2)`, each with options behind it.

import { UsageError } from '../base/errors.js'
import { show } from '../base/validate.js'

/** A shape as an array or as several arguments, then options. */
export type ShapeArguments<O> =
  | [shape: readonly number[], options?: O]
  | [...shape: number[]]
  | [...shapeAndOptions: [...number[], O]]

/** The shape and the options among arguments; both are unchecked. */
export function shapeOf<O>(args: ShapeArguments<O>, where: string): { shape: number[]; options: O | undefined } {
  const given = args as readonly unknown[]
  if (typeof given[0] !== 'number') {
    if (given.length > 2)
      throw new UsageError(`${where}: arguments must be (shape, options), not (${given.map(show).join(', ')})`)
    return { shape: given[0] as number[], options: given[1] as O | undefined }
  }
  const last = given.at(-1)
  const shape = typeof last === 'number' ? [...given] : given.slice(0, -1)
  if (shape.every((n) => typeof n === 'number'))
    return { shape: shape, options: typeof last === 'number' ? undefined : (last as O | undefined) }
  throw new UsageError(
    `${where}: arguments must be the sizes of the shape and then options, not (${given.map(show).join(', ')})`,
  )
}
