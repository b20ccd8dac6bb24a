// Random draws with the same bits as PyTorch's on x86-64: Mersenne Twister, normal, uniform and randperm.

import { types } from 'node:util'
import { Contents } from '../base/contents.js'
import { randomSeed } from '../base/late.js'
import { facts } from '../base/dtype.js'
import { UsageError } from '../base/errors.js'
import { call, check, native, type Operand } from '../native/native.js'
import { guardReceivers, isInstance } from '../base/receivers.js'
import { uninitialized } from './allocate.js'
import { shapeOf, type ShapeArguments } from './shape-arguments.js'
import type { Tensor } from './tensor.js'
import { checkAttached, checkBoolean, checkOptions, checkShape, checkSize, checkWord, show } from '../base/validate.js'

/** PyTorch's default seed of a new generator. */
const DEFAULT_SEED = 67280421310721n

function checkSeed(seed: unknown, where: string): bigint {
  const whole = typeof seed === 'bigint' || Number.isSafeInteger(seed)
  const big = whole ? BigInt(seed as number | bigint) : null
  if (big !== null && big >= -(2n ** 63n) && big < 2n ** 64n) return big
  throw new UsageError(`${where}: a seed must be a whole number from -2^63 to 2^64 - 1, not ${show(seed)}`)
}

const CONTENTS = new Contents<Generator>('Generator', {
  instead: 'save getState() and restore it with setState()',
})

/** A Mersenne Twister (MT19937): the same seed gives the same draws as `torch.Generator`. */
export class Generator {
  readonly #native
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /**
   * Seeds the generator with `seed`; the default is that of a new `torch.Generator`. Only the low 32 bits of a seed
   * count, as in PyTorch.
   */
  constructor(seed: number | bigint = DEFAULT_SEED) {
    this.#native = call(native.generatorNew(checkSeed(seed, 'Generator')))
  }

  /** Restarts the generator from a seed. */
  manualSeed(seed: number | bigint): this {
    check(native.generatorSeed(this.#native, checkSeed(seed, 'manualSeed')))
    return this
  }

  /**
   * The state that all later draws depend on, in the layout of `torch.get_rng_state()`; PyTorch can continue from it.
   */
  getState(): Uint8Array {
    return call(native.generatorState(this.#native))
  }

  /** Continues from a state that `getState` or PyTorch gave. @throws UsageError for other bytes. */
  setState(state: Uint8Array): this {
    if (!types.isUint8Array(state)) throw new UsageError(`setState: a state must be a Uint8Array, not ${show(state)}`)
    checkAttached(state, 'setState')
    // Copy the bytes: those of a shared buffer could change while they are checked.
    check(native.generatorSetState(this.#native, Uint8Array.from(state)))
    return this
  }

  /** Fills with N(mean, std^2). @internal */
  normal(out: Operand, mean = 0, std = 1): void {
    check(native.drawNormal(this.#native, out, mean, std))
  }

  /** Fills uniformly from [low, high). @internal */
  uniform(out: Operand, low = 0, high = 1): void {
    check(native.drawUniform(this.#native, out, low, high))
  }

  /** Fills float64 with N(mean, std^2). @internal */
  normal64(out: Operand, mean = 0, std = 1): void {
    check(native.drawNormal64(this.#native, out, mean, std))
  }

  /** Fills float64 uniformly from [low, high). @internal */
  uniform64(out: Operand, low = 0, high = 1): void {
    check(native.drawUniform64(this.#native, out, low, high))
  }

  /** Fills int64 with integers from `low` to below `high`. @internal */
  integers(out: Operand, low: number, high: number): void {
    check(native.drawIntegers(this.#native, out, low, high))
  }

  /** Fills with a permutation. @internal */
  permutation(out: Operand): void {
    check(native.drawPermutation(this.#native, out))
  }

  /** Draws one bit for each element, set with probability `keep`. @internal */
  kept(keep: number, elements: number, bits: Operand): void {
    check(native.drawKept(this.#native, keep, elements, bits))
  }

  /**
   * Draws the shuffled order of a DataLoader's epoch; `own` says that the loader was given this generator. @internal
   */
  beginEpoch(own: boolean, order: Uint32Array): void {
    check(native.epochBegin(this.#native, own, order))
  }

  /** Draws what an epoch without shuffling draws. @internal */
  beginEpochInOrder(): void {
    check(native.epochBeginInOrder(this.#native))
  }

  /** Draws what the end of an epoch draws from the loader's own generator. @internal */
  finishEpoch(length: number): void {
    check(native.epochFinish(this.#native, length))
  }

  /** @internal */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #native in value && isInstance(this, Generator, value)
  }

  static {
    guardReceivers(this, (value) => #native in value)
    CONTENTS.guard(this, (value) => #native in value)
  }
}

let unnamed: Generator | null = null

/** The generator used if none is given; randomly seeded, as PyTorch's default generator is. */
export const defaultGenerator = (): Generator => (unnamed ??= new Generator(randomSeed()))

/** Reseeds the default generator. `torch.manual_seed`. */
export function manualSeed(seed: number | bigint): void {
  defaultGenerator().manualSeed(seed)
}

/** Checks a `generator` option; if it is undefined, gives the default generator. */
export function checkGenerator(generator: unknown, where: string): Generator {
  if (generator === undefined) return defaultGenerator()
  if (generator instanceof Generator) return generator
  throw new UsageError(`${where}: generator must be a Generator, not ${show(generator)}`)
}

export interface DrawOptions {
  /** default: the default generator, which `manualSeed` seeds */ generator?: Generator
  /** default 'float32' */ dtype?: 'float32' | 'float64'
  /** default false */ requiresGrad?: boolean
}

/**
 * A tensor of a shape, `rand([4, 2])` or `rand(4, 2)`, drawn from the uniform distribution on [0, 1); float32 by
 * default. `torch.rand`.
 */
export function rand(...args: ShapeArguments<DrawOptions>): Tensor {
  const { shape, options } = shapeOf(args, 'rand')
  return drawn(shape, options, 'rand', (generator, out, wide) =>
    wide ? generator.uniform64(out) : generator.uniform(out),
  )
}

/**
 * A tensor of a shape, `randn([4, 2])` or `randn(4, 2)`, drawn from the standard normal distribution; float32 by
 * default. `torch.randn`.
 */
export function randn(...args: ShapeArguments<DrawOptions>): Tensor {
  const { shape, options } = shapeOf(args, 'randn')
  return drawn(shape, options, 'randn', (generator, out, wide) =>
    wide ? generator.normal64(out) : generator.normal(out),
  )
}

/** A new tensor of drawn values. `fill` is told whether they are float64. @internal */
export function drawn(
  shape: number[],
  options: DrawOptions | undefined,
  where: string,
  fill: (generator: Generator, out: Operand, wide: boolean) => void,
): Tensor {
  const known = ['generator', 'requiresGrad', 'dtype']
  const { generator, requiresGrad = false, dtype = 'float32' } = checkOptions(options, known, where)
  const source = checkGenerator(generator, where)
  checkBoolean(requiresGrad, `${where}: requiresGrad`)
  checkWord(dtype, ['float32', 'float64'], `${where}: dtype`)
  const sizes = checkShape(shape, facts(dtype).bytes, where)
  const tensor = uninitialized(dtype, sizes)
  fill(source, tensor.operand(), dtype === 'float64')
  tensor.requiresGrad = requiresGrad
  return tensor
}

/** The numbers 0 to n - 1 in random order, as int32. `torch.randperm`. */
export function randperm(n: number, options?: { generator?: Generator }): Tensor {
  const { generator } = checkOptions(options, ['generator'], 'randperm')
  const source = checkGenerator(generator, 'randperm')
  const { bytes } = facts('int32')
  const shape = checkShape([checkSize(n, 'randperm: n')], bytes, 'randperm')
  if (n > 2 ** 31) throw new UsageError(`randperm: n must be at most 2^31, because the result is int32, not ${n}`)
  const tensor = uninitialized('int32', shape)
  source.permutation(tensor.operand())
  return tensor
}
