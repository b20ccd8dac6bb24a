// Opens the models that people have.

import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { checkDType, isFloat, type DType } from '../base/dtype.js'
import { DTypeError, FileError } from '../base/errors.js'
import { isThere } from '../base/look.js'
import { readStart } from '../base/read-file.js'
import { scope } from '../memory/scope.js'
import { Tokenizer } from '../text/tokenizer.js'
import { checkOptions, checkPath, type FilePath } from '../base/validate.js'
import type { Json } from '../base/json.js'
import { readJsonObject, textIn } from './config.js'
import { describeGGUF } from './gguf.js'
import { findParts } from './parts.js'
import { PretrainedModel, roundedTo, type Description, type Pretrained, type PretrainedOptions } from './pretrained.js'
import { Weights } from './weights.js'

/**
 * Opens a model: a folder of Hugging Face, which is `config.json` with `model.safetensors` or `pytorch_model.bin`, each
 * in one file or in several with an index; or a `.gguf` of llama.cpp, whose blocks are a QuantizedTable. Tables are
 * mapped, the tokenizer is read when `tokenizer` is, nothing is downloaded, and no code is run. It takes milliseconds,
 * whatever the size of the files.
 *
 * The token table and what stands beside it are found by the names of the model's family (`model_type`). Of a family
 * that is not known, the token table is the only tensor with `vocab_size` rows, besides an output head.
 *
 * @throws FileError if a file is missing or cannot be read; FormatError, with the path, if one is not what it should be;
 * UsageError if several tensors could be the token table (it names them), or none.
 */
export function loadPretrained(path: FilePath, options?: PretrainedOptions): Pretrained {
  const where = 'loadPretrained'
  const full = resolve(checkPath(path, where))
  const { dtype } = checkOptions(options, ['dtype'], where)
  if (dtype !== undefined && !isFloat(checkDType(dtype, where)))
    throw new DTypeError(`${where}: dtype is a type of floats, not ${dtype}`)
  return new PretrainedModel(describe(full, dtype, where), dtype)
}

/** What a path leads to: each format that a model can be in is a line here. */
function describe(path: string, dtype: DType | undefined, where: string): Description {
  let isFile: boolean
  try {
    isFile = !statSync(path).isDirectory()
  } catch (cause) {
    throw new FileError(`cannot open ${path}: ${(cause as Error).message}`, path, cause)
  }
  if (isFile && (path.endsWith('.gguf') || readStart(path, 4).toString('latin1') === 'GGUF'))
    return describeGGUF(path, where)
  if (isFile)
    throw new FileError(
      `${path}: it is a file, where a model is a folder with a config.json, or a .gguf: name that, or read its tensors with loadSafetensors or loadTorch`,
      path,
      undefined,
    )
  return describeFolder(path, dtype)
}

/** A folder of Hugging Face. The tables will be of type `dtype`, if there is one. */
function describeFolder(folder: string, dtype: DType | undefined): Description {
  const config = readJsonObject(join(folder, 'config.json'))
  const weights = Weights.open(folder)
  const { roundsScale, scale, ...parts } = findParts(weights, config, folder)
  const type = roundsScale ? (dtype ?? weights.stored(parts.token)!.dtype!) : 'float32'
  return {
    ...parts,
    family: textIn(config, 'model_type') ?? '',
    config: config as Json,
    tensors: weights,
    dispose: () => weights.dispose(),
    scale: scale === 1 ? 1 : scope(() => roundedTo(type, scale)),
    tokenizer: () => {
      const path = join(folder, 'tokenizer.json')
      return isThere(path) ? Tokenizer.fromFile(path) : null
    },
  }
}
