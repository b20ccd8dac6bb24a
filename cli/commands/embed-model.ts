// tokenbed embed --model: a vector for each line or record, by a static embedding model.

import { statSync } from 'node:fs'
import { extname } from 'node:path'
import { embedStream, FormatError, records, TensorWriter, TextEmbedder, type DType, type RowSpec } from '../../index.js'
import { inputsOf, STDIN, type Input } from '../options/inputs.js'
import { checkPlace } from '../options/places.js'
import { explained } from '../options/tokenizer.js'
import { asWrongUse, WorkFailed, WrongUse } from '../terminal/failure.js'
import { embedInShards, isSharded, type ShardOptions } from './embed-shards.js'
import { shownBytes, shownShort } from '../terminal/numbers.js'
import { startProgress } from '../terminal/progress.js'
import { print } from '../terminal/streams.js'

export interface ModelOptions {
  readonly model: string
  readonly field?: string
  readonly id?: string
  readonly dim?: number
  readonly dtype: string
  readonly out: string
  readonly invalidUtf8: 'throw' | 'replace'
  readonly quiet?: boolean
  readonly json?: boolean
}

/** The types that vectors may have in the file. */
const TYPES = ['float32', 'float16', 'int8', 'binary'] as const
type Element = (typeof TYPES)[number]

interface Done {
  readonly name: string
  /** The first row of a file, and the one after its last. */
  readonly rows: [number, number]
}

export async function embedByModel(args: string[], options: ModelOptions & ShardOptions): Promise<void> {
  const inputs = inputsOf(args)
  if (isSharded(options)) return embedInShards(inputs, options, elementOf(options.dtype))
  const element = checkTogether(options)
  const texts = inputs.filter(({ name }) => name !== STDIN).map(({ name }) => ({ what: 'text', path: name }))
  checkPlace('--out', options.out, texts)
  const embedder = TextEmbedder.load(options.model)
  const { dim = embedder.dim } = options
  if (dim > embedder.dim)
    throw new WrongUse(`--dim ${dim} is more than the ${embedder.dim} numbers of a vector of ${options.model}`)
  if (element === 'binary' && dim % 8 !== 0)
    throw new WrongUse(`--dtype binary packs eight bits in a byte: --dim ${dim} must be a multiple of 8`)
  const width = element === 'binary' ? dim / 8 : dim
  const dtype: DType = element === 'binary' ? 'uint8' : element
  const isBare = extname(options.out).toLowerCase() === '.npy'
  const files: Record<string, RowSpec> = isBare ? {} : { file_rows: { dtype: 'int32', shape: [2] } }
  const metadata = isBare ? undefined : metadataOf(options, embedder, dim, element, inputs)
  const writer = asWrongUse(
    () => new TensorWriter(options.out, { embeddings: { dtype, shape: [width] }, ...files }, { metadata }),
  )
  const start = performance.now()
  const done: Done[] = []
  let rows = 0
  const progress = startProgress(null, options.quiet ?? false, 0, 'texts')
  try {
    for (const input of inputs) {
      const first = rows
      for await (const vectors of vectorsOf(input, embedder, { ...options, dim, element })) {
        writer.write('embeddings', vectors)
        rows += vectors.shape[0]
        vectors.dispose()
        progress.update(rows, 0)
      }
      if (!isBare) writer.write('file_rows', Int32Array.of(first, rows))
      done.push({ name: input.name, rows: [first, rows] })
    }
    if (rows === 0) throw new WorkFailed('no texts: the files are empty; nothing was written')
    writer.close()
  } catch (error) {
    // A failure leaves nothing behind, here and not only when the process ends.
    writer.abort()
    throw error
  } finally {
    progress.stop()
  }
  const seconds = (performance.now() - start) / 1e3
  const said = { shape: [rows, width], dtype, seconds, done }
  if (options.json) await print(`${JSON.stringify(report(options, said))}\n`)
  else if (!options.quiet) await print(summary(options, said))
}

/** The vectors of a file, a batch at a time. */
async function* vectorsOf(
  { name }: Input,
  embedder: TextEmbedder,
  { dim, element, field, id, invalidUtf8 }: ModelOptions & { dim: number; element: Element },
) {
  const texts = records(name, { ...(field !== undefined && { field }), ...(id !== undefined && { id }), invalidUtf8 })
  try {
    for await (const { vectors } of embedStream(texts, { embedder, dim, dtype: element })) yield vectors
  } catch (error) {
    if (error instanceof FormatError && /no field|its field|a field/.test(error.message))
      throw new WorkFailed(`${error.message}; --field names the one that holds the text`, { cause: error })
    throw explained(error, name === STDIN ? 'standard input' : name)
  }
}

function checkTogether({ out, dtype }: ModelOptions): Element {
  const ending = extname(out).toLowerCase()
  if (!['.safetensors', '.npy'].includes(ending))
    throw new WrongUse(`--out ${out}: the ending says the format; end it in .safetensors or .npy`)
  return elementOf(dtype)
}

function elementOf(dtype: string): Element {
  const element = TYPES.find((type) => type === dtype)
  if (element === undefined) throw new WrongUse(`--dtype ${dtype}: with --model it is one of ${TYPES.join(', ')}`)
  return element
}

function metadataOf(
  { model, field }: ModelOptions,
  embedder: TextEmbedder,
  dim: number,
  element: Element,
  inputs: Input[],
): Record<string, string> {
  return {
    model,
    semantics: embedder.semantics,
    dim: String(dim),
    normalize: String(embedder.normalize),
    element,
    field: field ?? 'text',
    files: JSON.stringify(inputs.map(({ name }) => name)),
  }
}

interface Said {
  readonly shape: number[]
  readonly dtype: DType
  readonly seconds: number
  readonly done: Done[]
}

function report({ out, model }: ModelOptions, { shape, dtype, seconds, done }: Said): object {
  return {
    out,
    bytes: statSync(out).size,
    shape,
    dtype,
    texts: shape[0],
    seconds: Number(seconds.toFixed(3)),
    textsPerSecond: Math.round(shape[0] / seconds),
    model,
    files: done,
  }
}

function summary({ out }: ModelOptions, { shape, dtype, seconds }: Said): string {
  const speed = `${seconds.toFixed(seconds < 10 ? 2 : 0)} s, ${shownShort(shape[0] / seconds)} texts/s`
  return `${out}: ${dtype} [${shape.join(', ')}], ${shownBytes(statSync(out).size)}, ${speed}\n`
}
