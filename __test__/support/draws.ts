// Runs the cases of testdata/golden/draws, which contain digests of what PyTorch drew.

import type { ExecutionContext } from 'ava'
import { createHash } from 'node:crypto'
import { createDataLoader, Embedding, Generator, manualSeed, rand, randn, randperm, type Tensor } from '../../index.js'
import { defaultGenerator } from '../../api/tensor/random.js'
import { digest } from './compare.js'
import { readGolden } from './golden.js'

interface Step {
  op: 'normal' | 'uniform' | 'randperm' | 'random63' | 'random31' | 'manual_seed' | 'state' | 'embedding' | 'epoch'
  sha256: string
  base64?: string
  shape: number[]
  seed: string
  n: number
  rows: number
  dim: number
  padding_idx?: number
  batch?: number
  drop_last?: boolean
  own?: boolean
  leave_after?: number
  mean?: number
  std?: number
  low?: number
  high?: number
}
interface DrawCase {
  name: string
  seed: string
  steps: Step[]
}

const cases = readGolden<{ cases: DrawCase[] }>('draws/draws.json').cases

/** Cases that the public functions can draw. Rust's tests run the others (32-bit integers, giant permutations). */
export const drawCases = cases.filter(({ steps }) => steps.every(isPublic))

function isPublic(step: Step): boolean {
  return step.op !== 'random31' && !(step.n > 10 ** 6)
}

/** A table of the shape, drawn with bounds, or with a mean and a deviation, that `rand` and `randn` do not offer. */
function initialised({ shape: [rows, dim = 1], mean, std = 1, low, high }: Step, options: Source['options']): Tensor {
  const init = high === undefined ? { std, mean } : { uniform: low === -high ? high : ([low!, high] as const) }
  return new Embedding(rows, dim, { init, ...options }).weight
}

/** The source of draws: the default generator, for functions called without one, or an explicit generator. */
export interface Source {
  readonly generator: Generator
  readonly options: { generator?: Generator }
}

export function seeded(seed: bigint, own: boolean): Source {
  if (own) {
    const generator = new Generator(seed)
    return { generator, options: { generator } }
  }
  manualSeed(seed)
  return { generator: defaultGenerator(), options: {} }
}

/** Runs a step, and asserts that it draws the same numbers as PyTorch. */
export function runStep(t: ExecutionContext, step: Step, source: Source): void {
  const { generator, options } = source
  if (['mean', 'std', 'low'].some((name) => name in step)) {
    return void t.is(digest(initialised(step, options)), step.sha256, `${step.op} ${step.shape}`)
  }
  switch (step.op) {
    case 'normal':
      return void t.is(digest(randn(step.shape, options)), step.sha256, `normal ${step.shape}`)
    case 'uniform':
      return void t.is(digest(rand(step.shape, options)), step.sha256, `uniform ${step.shape}`)
    case 'randperm':
      return void t.is(digest(randperm(step.n, options)), step.sha256, `randperm ${step.n}`)
    case 'random31':
      throw new Error(`${step.op} is drawn by nothing public`)
    case 'random63':
      // An epoch without shuffling makes exactly these draws.
      return generator.beginEpochInOrder()
    case 'manual_seed':
      return void generator.manualSeed(BigInt(step.seed))
    case 'state': {
      const state = generator.getState()
      if (step.base64 !== undefined) t.is(Buffer.from(state).toString('base64'), step.base64)
      return void t.is(digest(state), step.sha256, 'state')
    }
    case 'embedding': {
      const layer = new Embedding(step.rows, step.dim, { paddingIdx: step.padding_idx, ...options })
      return void t.is(digest(layer.weight), step.sha256, `embedding ${step.rows} x ${step.dim}`)
    }
    case 'epoch':
      return void t.is(epoch(step, source), step.sha256, 'epoch')
  }
}

/**
 * The order of an epoch of n windows of one id each. A loader's own generator draws differently from the default one.
 */
function epoch({ n, batch = 50, drop_last = false, own = false, leave_after }: Step, { generator }: Source): string {
  const mine = new Generator().setState(generator.getState())
  const ids = Int32Array.from({ length: n + 1 }, (_, i) => i)
  const options = own ? { generator: mine } : {}
  const loader = createDataLoader(ids, { batchSize: batch, maxLength: 1, stride: 1, dropLast: drop_last, ...options })
  const order: number[] = []
  let left = leave_after ?? Infinity
  for (const { inputs } of loader) {
    order.push(...(inputs.data as Int32Array))
    if (--left === 0) break
  }
  if (own) generator.setState(mine.getState())
  return createHash('sha256').update(Uint32Array.from(order)).digest('hex')
}
