// An embedder as a folder of model2vec.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { FileError, UsageError } from '../base/errors.js'
import { saveSafetensors } from '../files/tensors.js'
import { QuantizedTable } from '../layers/quantize.js'
import { check, native } from '../native/native.js'
import { concat, tensor, zeros } from '../tensor/create.js'
import type { Tensor } from '../tensor/tensor.js'
import type { CheckedParts } from './parts.js'

/**
 * Writes a folder that model2vec opens. Each file is whole or not there; the config, which says what it is, comes last.
 */
export function saveModel2Vec(folder: string, parts: CheckedParts, where: string): void {
  const { tokenizer, weights, mapping, normalize, maxLength, sizes } = parts
  // Words have no row for what is unknown. In the file it needs one, and does not count by model2vec's rule.
  const isOfWords = parts.semantics === 'mean' && mapping === null && tokenizer.vocabSize > sizes[0]
  const semantics = isOfWords ? 'model2vec' : parts.semantics
  const { file } = tokenizer
  if (file === null)
    throw new UsageError(
      `${where}: ${tokenizer.name} is an encoding, which has no tokenizer.json: make the embedder with Tokenizer.fromFile`,
    )
  const json = file.read()
  try {
    mkdirSync(folder, { recursive: true })
  } catch (cause) {
    throw new FileError(`cannot make ${folder}: ${(cause as Error).message}`, folder, cause)
  }
  const embeddings = tableFor(parts)
  const tensors: Record<string, Tensor> = { embeddings }
  if (weights !== null) tensors.weights = fitted(weights, tokenizer.vocabSize)
  if (mapping !== null) tensors.mapping = tensor(BigInt64Array.from(mapping as Int32Array, BigInt))
  saveSafetensors(join(folder, 'model.safetensors'), tensors)
  const write = (name: string, bytes: Uint8Array) => check(native.writeWhole(join(folder, name), bytes))
  write('tokenizer.json', json)
  const modules = [{ idx: 0, name: '0', path: '.', type: 'sentence_transformers.models.StaticEmbedding' }]
  if (normalize)
    modules.push({ idx: 1, name: '1', path: '1_Normalize', type: 'sentence_transformers.models.Normalize' })
  write('modules.json', Buffer.from(`${JSON.stringify(modules, null, 4)}\n`))
  const config = {
    model_type: 'model2vec',
    architectures: ['StaticModel'],
    normalize,
    max_length: maxLength,
    hidden_dim: embeddings.shape[1],
    pooling: 'mean',
    embedding_dtype: embeddings.dtype,
    ...(mapping === null ? {} : { vocabulary_quantization: embeddings.shape[0] }),
    ...(semantics === 'model2vec' ? {} : { tokenbed: { semantics } }),
  }
  write('config.json', Buffer.from(`${JSON.stringify(config, null, 4)}\n`))
}

/** The table as numpy reads it, with a row for each token. */
function tableFor({ table, mapping, tokenizer, semantics }: CheckedParts): Tensor {
  const plain = table instanceof QuantizedTable ? ofQuantized(table) : table.detach()
  const known = plain.dtype === 'bfloat16' ? plain.to('float32') : plain
  if (mapping !== null) return known
  // WordLlama takes the last row for a token behind the table; no other token without a row counts.
  return fitted(known, tokenizer.vocabSize, semantics === 'wordllama')
}

function ofQuantized(table: QuantizedTable): Tensor {
  return table.kind === 'float16' ? table.toTensor() : table.dequantize()
}

/**
 * The rows of all tokens: rows behind the last token are left out, and zeros, or copies of the last row, stand for
 * tokens without one.
 */
function fitted(rows: Tensor, tokens: number, repeats = false): Tensor {
  const [count, ...rest] = rows.shape
  if (count === tokens) return rows
  if (count > tokens) return rows.narrow(0, 0, tokens)
  const more = tokens - count
  if (repeats) return concat([rows, ...Array.from({ length: more }, () => rows.narrow(0, count - 1, 1))])
  return concat([rows, zeros([more, ...rest], { dtype: rows.dtype })])
}
