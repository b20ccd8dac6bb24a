// What scenarios of refused memory share: their inputs, and objects that are made once.

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as api from '../../index.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const { Generator, Tensor, Tokenizer, Trainer } = api

/** Functions by name. Each gives the same results every time. */
export type Scenarios = Record<string, () => unknown>

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

const folder = temporaryFolder()
export const file = (name: string) => join(folder, name)
export const golden = join(root, 'testdata/golden/pretrained')
export const TEXT = Array.from(
  { length: 4000 },
  (_, i) => `word${(i * 31) % 97} of line ${i % 13}${i % 20 === 0 ? '\n' : ' '}`,
).join('')
export const tokenizer = () => Tokenizer.load('gpt2')

export const PAIRS = { dim: 16, epochs: 1, minCount: 1, seed: 1 } as const
async function* cut(): AsyncGenerator<string> {
  yield TEXT.slice(0, 9000)
  yield TEXT.slice(9000)
}
export const pieces = () => ({ pieces: cut() })
export const train = async (options: api.TrainerOptions, source: () => api.Corpus = pieces) => {
  const { tensors } = await new Trainer(source(), options).run({ steps: 3 })
  return Object.values(tensors)
}
export async function collected(stream: AsyncIterable<Uint32Array>): Promise<number[]> {
  const all: number[] = []
  for await (const part of stream) all.push(...part)
  return all
}

/** A folder of token ids, written once. */
export const corpus = () => once('corpus', () => api.saveTokens(file('ids'), { ids: [ids(9000, 900), ids(50, 40)] }))

export function writeText(): void {
  if (!existsSync(file('text.txt'))) writeFileSync(file('text.txt'), TEXT)
}

/** Objects that are made once and kept between runs of a scenario. */
const made = new Map<string, unknown>()
export function once<T>(name: string, make: () => T): T {
  if (!made.has(name)) made.set(name, make())
  return made.get(name) as T
}
