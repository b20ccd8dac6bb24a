// tokenbed embed --model --shard-rows: the vectors of whole corpora, as shards in a folder.

import { extname } from 'node:path'
import { embedShards, modelDigest, shardFromEnvironment, TextEmbedder, UsageError, type Shard } from '../../index.js'
import { STDIN, type Input } from '../options/inputs.js'
import { asWrongUse, WrongUse } from '../terminal/failure.js'
import { shown } from '../terminal/numbers.js'
import { startProgress } from '../terminal/progress.js'
import { print } from '../terminal/streams.js'

export interface ShardOptions {
  readonly model: string
  readonly out: string
  readonly field?: string
  readonly id?: string
  readonly dim?: number
  readonly shardRows?: number
  readonly shard: string
  readonly shardFormat: 'safetensors' | 'npy'
  readonly resume?: boolean
  readonly quiet?: boolean
  readonly json?: boolean
}

/** Whether vectors go to a folder; the options of shards need `--shard-rows`. */
export function isSharded({ shardRows, shard, resume }: Partial<ShardOptions>): boolean {
  if (shardRows !== undefined) return true
  const other = resume ? '--resume' : shard !== undefined && shard !== '0/1' ? '--shard' : null
  if (other === null) return false
  throw new WrongUse(`${other} is for a folder of shards: give --shard-rows, how many vectors each has`)
}

export async function embedInShards(
  inputs: Input[],
  options: ShardOptions,
  dtype: 'float32' | 'float16' | 'int8' | 'binary',
): Promise<void> {
  const { model, out, shardRows, resume = false, shardFormat: output, field, id, dim, quiet = false } = options
  if (inputs.some(({ name }) => name === STDIN))
    throw new WrongUse('shards need files, which can be read again: standard input cannot')
  if (['.safetensors', '.npy'].includes(extname(out).toLowerCase()))
    throw new WrongUse(`--out ${out}: with --shard-rows it is a folder, whose files get their names by themselves`)
  const shard = shardOf(options.shard)
  const [embedder, digest] = [TextEmbedder.load(model), await modelDigest(model)]
  const progress = startProgress(null, quiet, 0, 'texts')
  const start = performance.now()
  try {
    const manifest = await embedShards(
      out,
      inputs.map(({ name }) => name),
      {
        embedder,
        model: digest,
        shardRows,
        shard,
        resume,
        output,
        dtype,
        onProgress: ({ records }) => progress.update(records, 0),
        ...(field !== undefined && { field }),
        ...(id !== undefined && { id }),
        ...(dim !== undefined && { dim }),
      },
    )
    progress.stop()
    const seconds = Number(((performance.now() - start) / 1e3).toFixed(3))
    const { rows, width, shards } = manifest
    if (options.json) await print(`${JSON.stringify({ out, shard, rows, width, shards: shards.length, seconds })}\n`)
    else if (!quiet)
      await print(`${out}: ${shown(rows)} vectors of ${width} in ${shards.length} shards, ${seconds} s\n`)
  } catch (error) {
    if (!(error instanceof UsageError) || error.constructor !== UsageError) throw error
    const message = error.message.replace(/^embedShards: /, '').replace('with resume', 'with --resume')
    throw new WrongUse(message, { cause: error })
  } finally {
    progress.stop()
  }
}

/** Which worker this is. */
function shardOf(said: string): Shard {
  if (said === 'auto') return asWrongUse(() => shardFromEnvironment())
  const [, index, count] = /^(\d{1,7})\/(\d{1,7})$/.exec(said) ?? []
  if (count !== undefined && Number(index) < Number(count)) return { index: Number(index), count: Number(count) }
  throw new WrongUse(`--shard ${said}: write i/n, such as 0/4 to 3/4, or auto`)
}
