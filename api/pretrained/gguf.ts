// The input layers of models in GGUF, as llama.cpp computes them: names of tensors, and what is done with them.

import { FormatError } from '../base/errors.js'
import type { Json } from '../base/json.js'
import { LazyMap } from '../base/lazy-map.js'
import { disposed } from '../base/receivers.js'
import { shown } from '../base/shape.js'
import { openGGUF, type OpenedGGUF } from '../files/gguf.js'
import { scopeless } from '../memory/scope.js'
import { Tokenizer } from '../text/tokenizer.js'
import type { Description } from './pretrained.js'

const TOKEN = 'token_embd.weight'
const POSITION = 'position_embd.weight'
const SEGMENT = 'token_types.weight'
const NORM = 'token_embd_norm'
const HEAD = 'output.weight'

/** Architectures that normalize their input; others use a tensor of this name in another place. */
const NORMALIZES = /^(bloom|rwkv\d|.*bert.*)$/
/** Architectures that multiply token vectors by the root of their length. */
const ROOT = /^gemma/
/** Factors of architectures whose files may not say them. */
const SCALES: Readonly<Record<string, number>> = { minicpm: 12, minicpm3: 12, grok: 78.38367176906169 }

/** Tensors that take part between ids and the first block, and that `layer()` does not run. */
const NOT_RUN: readonly (readonly [name: string, what: string])[] = [
  ['per_layer_token_embd.weight', 'per_layer_token_embd: the vectors that every block gets of its own'],
  ['altup_proj.weight', 'altup_proj: the inputs of the first block beside its first one'],
]

/** What a GGUF file says of its model. @internal */
export function describeGGUF(path: string, where: string): Description {
  const opened = openGGUF(path, where)
  const { metadata } = opened
  const names = [...opened.tensors.keys()]
  // Tensors belong to the model, and to no scope that happens to be open.
  const tensors = new LazyMap(names, (place) => scopeless(() => opened.tensors.get(names[place])!))
  const has = (name: string) => tensors.has(name)
  if (!has(TOKEN)) {
    const what = names.length === 0 ? 'it has a vocabulary and no tensors' : `it has no tensor "${TOKEN}"`
    throw new FormatError(`${path}: ${what}: it is not the file of a language model`, path, 0)
  }
  const architecture = metadata.get('general.architecture')
  const family = typeof architecture === 'string' ? architecture : ''
  const number = (key: string) => {
    const value = metadata.get(`${family}.${key}`)
    return typeof value === 'number' ? value : undefined
  }
  const normalizes = NORMALIZES.test(family) && has(`${NORM}.weight`)
  const dim = widthOf(opened)
  return {
    family,
    config: configOf(metadata),
    tensors,
    dispose: () => tensors.close(() => disposed('Pretrained', 'tensors')),
    token: TOKEN,
    position: has(POSITION) ? POSITION : null,
    segment: has(SEGMENT) ? SEGMENT : null,
    layerNorm: normalizes
      ? {
          weight: `${NORM}.weight`,
          bias: has(`${NORM}.bias`) ? `${NORM}.bias` : null,
          eps: number('attention.layer_norm_epsilon') ?? 1e-5,
        }
      : null,
    head: has(HEAD) ? HEAD : null,
    tied: !has(HEAD),
    scale: ROOT.test(family)
      ? Math.fround(Math.sqrt(dim))
      : Math.fround(number('embedding_scale') || SCALES[family] || 1),
    first: 0,
    skipsPadding: false,
    padding: undefined,
    notRun: NOT_RUN.filter(([name]) => has(name)).map(([, what]) => what),
    tokenizer: () => {
      const model = metadata.get('tokenizer.ggml.model')
      const isThere = model !== undefined && model !== 'none' && model !== 'no_vocab'
      return isThere || metadata.has('tokenizer.huggingface.json') ? Tokenizer.ofGGUF(opened) : null
    },
  }
}

/** The width of token vectors, which all tables of the input layer must have. */
function widthOf({ shapeOf, path }: OpenedGGUF): number {
  const wrong = (name: string, wanted: string) =>
    new FormatError(`${path}: tensor "${name}" has the shape ${shown(shapeOf(name)!)}, not ${wanted}`, path, 0)
  const shape = shapeOf(TOKEN)!
  if (shape.length !== 2 || shape[1] === 0) throw wrong(TOKEN, '[tokens, dim]')
  const [, dim] = shape
  for (const name of [POSITION, SEGMENT]) {
    const table = shapeOf(name)
    if (table !== undefined && (table.length !== 2 || table[1] !== dim)) throw wrong(name, `[rows, ${dim}]`)
  }
  for (const name of [`${NORM}.weight`, `${NORM}.bias`]) {
    const vector = shapeOf(name)
    if (vector !== undefined && (vector.length !== 1 || vector[0] !== dim)) throw wrong(name, `[${dim}]`)
  }
  const head = shapeOf(HEAD)
  if (head !== undefined && (head.length !== 2 || head[1] !== dim)) throw wrong(HEAD, `[tokens, ${dim}]`)
  return dim
}

/** The metadata without those of the tokenizer, which are large. */
function configOf(metadata: ReadonlyMap<string, Json>): Json {
  const keys = [...metadata.keys()].filter((key) => !key.startsWith('tokenizer.'))
  return Object.fromEntries(keys.map((key) => [key, metadata.get(key)]))
}
