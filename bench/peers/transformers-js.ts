// The feature extraction of transformers.js, with a table that is written as an ONNX model of one Gather. Its
// pipeline fills up the texts of a call to the longest, and takes the mean and the length in JavaScript.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gatherModel } from './onnx.js'
import { find, type Found } from './peer.js'

export interface TransformersJs {
  version: string
  /** Opens a folder of model2vec on one thread, by a copy of it in a folder that is empty. */
  open(folder: string, table: { data: Float32Array; rows: number; dim: number }, copy: string): Promise<Extractor>
}
export interface Extractor {
  /** (texts, dim), end to end. */
  embed(texts: string[]): Promise<Float32Array>
  close(): Promise<void>
}

/** As model2vec has them: it cuts texts after 512 tokens. */
const SETTINGS = { tokenizer_class: 'PreTrainedTokenizerFast', pad_token: '[PAD]', model_max_length: 512 }

export function transformersJs(): Found<TransformersJs> {
  return find('@huggingface/transformers', (load, version) => {
    const { pipeline, env } = load('@huggingface/transformers')
    env.allowRemoteModels = false
    const open: TransformersJs['open'] = async (folder, { data, rows, dim }, copy) => {
      mkdirSync(join(copy, 'onnx'), { recursive: true })
      // Static models take the texts' own tokens alone.
      const tokenizer = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'))
      const files = {
        'tokenizer.json': JSON.stringify({ ...tokenizer, post_processor: null }),
        'tokenizer_config.json': JSON.stringify(SETTINGS),
        'config.json': JSON.stringify({ model_type: 'bert' }),
        'onnx/model.onnx': gatherModel(data, rows, dim, { ids: 'input_ids', out: 'last_hidden_state', type: 'int64' }),
      }
      for (const [name, content] of Object.entries(files)) writeFileSync(join(copy, name), content)
      const extract = await pipeline('feature-extraction', copy, {
        dtype: 'fp32',
        local_files_only: true,
        session_options: { intraOpNumThreads: 1, interOpNumThreads: 1 },
      })
      return {
        embed: async (texts) => (await extract(texts, { pooling: 'mean', normalize: true })).data,
        close: () => extract.dispose(),
      }
    }
    return { version, open }
  })
}
