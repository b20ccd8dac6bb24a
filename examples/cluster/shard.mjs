// One of several workers of an array: node shard.mjs OUT MODEL FILES...
//
// The scheduler says which worker this is. Whatever was killed is completed by running the same again.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { embedShards, shardFromEnvironment, TextEmbedder } from 'tokenbed'

const [out, folder, ...files] = process.argv.slice(2)
const shard = shardFromEnvironment()
const { rows } = await embedShards(out, files, {
  embedder: TextEmbedder.load(folder),
  // What tells this model from others: a folder that was begun with another is refused.
  model: createHash('sha256')
    .update(readFileSync(join(folder, 'model.safetensors')))
    .digest('hex'),
  shard,
  resume: true,
})
console.log(`worker ${shard.index} of ${shard.count}: ${rows} rows`)
