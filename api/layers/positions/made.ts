// Shared parts of positional schemes: results and learned tables.

import { Contents } from '../../base/contents.js'
import { facts, type DType } from '../../base/dtype.js'
import { DTypeError, ShapeError, UsageError } from '../../base/errors.js'
import { checkInit, type Init } from '../init.js'
import { loadInto, type Layer } from '../layer.js'
import { check } from '../../native/native.js'
import { checkGenerator, type Generator } from '../../tensor/random.js'
import { guardReceivers } from '../../base/receivers.js'
import { sameShape, shown, sizeOf } from '../../base/shape.js'
import { uninitialized, zeroTable } from '../../tensor/allocate.js'
import { Tensor } from '../../tensor/tensor.js'
import { checkBytes, show } from '../../base/validate.js'

/** A tensor for a result that is written whole: the caller's `out`, after checks, or new memory. */
export function target(out: Tensor | undefined, shape: readonly number[], dtype: DType, where: string): Tensor {
  if (out === undefined) return uninitialized(dtype, [...shape], where)
  if (!(out instanceof Tensor)) throw new UsageError(`${where}: out must be a tensor, not ${show(out)}`)
  if (out.dtype !== dtype) throw new DTypeError(`${where}: out must be ${dtype}, not ${out.dtype}`)
  if (!sameShape(out.shape, shape))
    throw new ShapeError(`${where}: out must have the shape of the result, ${shown(shape)}, not ${shown(out.shape)}`)
  out.beginWrite(where)
  return out
}

/**
 * The result after a native call that returned `done`. If the call failed, a new result is freed. Results in `out` are
 * not recorded for gradients.
 */
export function written(result: Tensor, out: Tensor | undefined, done: boolean): Tensor {
  if (!done && out === undefined) result.dispose()
  check(done)
  out?.forget()
  return result
}

/** A new result that `write` fills. */
export function made(
  shape: readonly number[],
  dtype: DType,
  where: string,
  write: (result: Tensor) => boolean,
): Tensor {
  const result = target(undefined, shape, dtype, where)
  return written(result, undefined, write(result))
}

/** Checks a tensor of heads: float32 (batch, heads, length, headDim). */
export function checkHeads(x: unknown, what: string, where: string): Tensor {
  if (!(x instanceof Tensor)) throw new UsageError(`${where}: ${what} must be a tensor, not ${show(x)}`)
  if (x.dtype !== 'float32')
    throw new DTypeError(`${where}: ${what} must be float32, not ${x.dtype}: write ${what}.to('float32')`)
  if (x.shape.length !== 4)
    throw new ShapeError(`${where}: ${what} must have the shape (batch, heads, length, headDim), not ${shown(x.shape)}`)
  return x
}

/** A learned table in native memory, initialised by `init`, or else drawn from N(0, std^2). */
export function learned(
  shape: readonly number[],
  { generator, init }: { generator?: Generator; init?: Init },
  where: string,
  std = 1,
): Tensor {
  const bytes = sizeOf(shape) * facts('float32').bytes
  checkBytes(bytes, where, shown(shape))
  const source = checkGenerator(generator, where)
  const fill = checkInit(init, `${where}: init`, (generator, out) => generator.normal(out, 0, std))
  const weight = zeroTable('float32', [...shape])
  fill(source, weight.operand())
  weight.requiresGrad = true
  return weight
}

/** Checks a tensor that replaces a learned one. */
export function replacement(before: Tensor, after: unknown, where: string): Tensor {
  if (!(after instanceof Tensor)) throw new UsageError(`${where} must be a tensor, not ${show(after)}`)
  if (after.dtype !== 'float32') throw new DTypeError(`${where} must be float32, not ${after.dtype}`)
  if (!sameShape(after.shape, before.shape))
    throw new ShapeError(`${where} must have the shape ${shown(before.shape)}, not ${shown(after.shape)}`)
  return after
}

const CONTENTS = new Contents<Learned>('The layer', {
  instead: 'use the tensors of stateDict(), with share() for other threads or saveSafetensors for files',
})

/** A positional scheme with learned parameters. */
export abstract class Learned implements Layer {
  readonly #own = true
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /** The parameters by name; they share the layer's memory. */
  abstract stateDict(): Record<string, Tensor>

  /** The parameters. */
  parameters(): Tensor[] {
    return Object.values(this.stateDict())
  }

  /**
   * Copies all parameters from `state`. @throws UsageError for other names, ShapeError for other shapes; then nothing
   * is written.
   */
  loadStateDict(state: Record<string, Tensor>): this {
    loadInto(this.stateDict(), state, `${this.constructor.name}.loadStateDict`)
    return this
  }

  /**
   * Frees the parameters now, where no other tensor shares their memory. The layer, and whatever else holds the very
   * same tensors, is of no more use.
   */
  dispose(): void {
    for (const parameter of Object.values(this.stateDict())) parameter.dispose()
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  static {
    guardReceivers(this, (value) => #own in value)
    CONTENTS.guard(this, (value) => #own in value)
  }
}
