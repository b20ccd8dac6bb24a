// tokenbed verify: whether a folder of shards has the bytes that its manifest names.

import type { Command } from '../bundled/commander.js'
import { verifyShards } from '../../index.js'
import { counted, shown } from '../terminal/numbers.js'
import { print } from '../terminal/streams.js'

interface Options {
  json?: boolean
}

const NOTES = `
Every byte of every shard is read, and compared with the SHA-256 that the manifest names. A folder without a manifest is not
done yet.

Examples:
  $ tokenbed verify vectors
  $ tokenbed verify vectors --json`

export function addVerify(program: Command): void {
  addTo(program)
}

/** Adds the command to the program, or to another command. */
export function addTo(parent: Command): void {
  parent
    .command('verify')
    .summary('compare a folder of shards with its manifest')
    .description('Compares all files of a folder of shards with its manifest.')
    .argument('<folder>', 'a folder of shards')
    .option('--json', 'print the result as one JSON object')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(verify)
}

async function verify(folder: string, options: Options): Promise<void> {
  const { rows, width, dtype, shards } = await verifyShards(folder)
  if (options.json) {
    await print(`${JSON.stringify({ folder, rows, width, dtype, shards: shards.length, verified: true })}\n`)
    return
  }
  await print(
    `${folder}: ${counted(rows, 'row')} of ${shown(width)} ${dtype} in ${counted(shards.length, 'shard')}; every byte is as it was written\n`,
  )
}
