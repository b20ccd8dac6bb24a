// tokenbed schema: what commands print with --json, as JSON Schema.

import type { Command } from '../bundled/commander.js'
import { SCHEMAS } from '../options/schemas.js'
import { WrongUse } from '../terminal/failure.js'
import { print } from '../terminal/streams.js'

const NOTES = `
COMMAND may be two words, as in 'tokenbed schema queue status'. Without it the schemas of all commands are printed, in one object
by their names. Where a title says that it is of a line, each line of the output is such an object.

Examples:
  $ tokenbed schema neighbors
  $ tokenbed schema > schemas.json`

export function addSchema(program: Command): void {
  program
    .command('schema')
    .summary('print the JSON Schema of what --json prints')
    .description('Prints the JSON Schema (draft 2020-12) of what a command prints with --json.')
    .argument('[command...]', 'such as embed')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(schema)
}

async function schema(said: readonly string[]): Promise<void> {
  const name = said.join(' ')
  const all = Object.keys(SCHEMAS)
  if (name === '') return print(`${shown(Object.fromEntries(all.map((one) => [one, written(one)])))}\n`)
  if (!all.includes(name)) throw new WrongUse(`${name}: it prints no JSON; there are ${all.join(', ')}`)
  await print(`${shown(written(name))}\n`)
}

const shown = (value: object) => JSON.stringify(value, null, 2)

function written(name: string): object {
  const { schema: its, lines } = SCHEMAS[name]
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `${lines ? 'a line' : 'the output'} of tokenbed ${name} --json`,
    ...its,
  }
}
