// tokenbed quantize: tables in fewer bits.

import { existsSync, statSync } from 'node:fs'
import { Option, type Command } from '../bundled/commander.js'
import { isFolder, WorkFailed, WrongUse } from '../terminal/failure.js'
import { counted, shownBytes, shownTime } from '../terminal/numbers.js'
import { openTables, QUANTIZED, type QuantizedKind, type Table } from '../options/openers.js'
import { checkPlace } from '../options/places.js'
import { print } from '../terminal/streams.js'
import { visibleText } from '../terminal/pieces.js'
import { chosen, TableFile, type QuantizedError } from './table-file.js'

const KINDS = [...QUANTIZED, 'float16', 'bfloat16'] as const

interface Options {
  dtype: (typeof KINDS)[number]
  out: string
  tensor?: string[]
  force?: boolean
  quiet?: boolean
  json?: boolean
}

const NOTES = `
IN is a file or a folder as 'tokenbed convert' reads them. Of a model the token table is taken, of other files all tensors;
--tensor chooses by name, and may be repeated. Tables of floating-point numbers are stored in fewer bits, other tensors as they
are. Rows of int8, int4 and int2 have a scale and a bias each, in the layout of FBGEMM's fused rows. float8 is FBGEMM's as well:
its largest value is 240. All four become a tensor of uint8, whose kind and shape stand in the metadata of OUT as 'quantized:NAME',
for QuantizedTable.fromBytes. 'tokenbed convert' makes floats of them again. Memory stays flat, and OUT appears whole or not at
all.

Examples:
  $ tokenbed quantize word-vectors --dtype int8 --out vectors.safetensors
  $ tokenbed quantize models/gpt2 --dtype int4 --out wte.safetensors
  $ tokenbed convert wte.safetensors wte.npy`

export function addQuantize(program: Command): void {
  program
    .command('quantize')
    .summary('store tables in fewer bits')
    .description('Stores tables in fewer bits, and says how far they are from what they were.')
    .argument('<in>', 'a file, or the folder of a model')
    .addOption(new Option('--dtype <type>', 'what elements become').choices(KINDS).makeOptionMandatory())
    .requiredOption('-o, --out <file>', 'the .safetensors file to write')
    .option(
      '--tensor <name>',
      'a tensor of IN to take; may be repeated',
      (name: string, list: string[] | undefined) => [...(list ?? []), name],
    )
    .option('--force', 'replace OUT if it is there')
    .option('-q, --quiet', 'say nothing but errors')
    .option('--json', 'say what was done as one JSON object')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(quantize)
}

/** Whether rows become bytes, of which the metadata says what they are. */
const isOfBytes = (dtype: Options['dtype']): dtype is QuantizedKind => (QUANTIZED as readonly string[]).includes(dtype)

/** Whether a table has floating-point numbers. */
const isOfFloats = (table: Table) => !('dtype' in table) || table.dtype.includes('float')

async function quantize(input: string, { dtype, out, tensor, force, quiet = false, json }: Options): Promise<void> {
  if (!out.toLowerCase().endsWith('.safetensors'))
    throw new WrongUse(`--out ${out}: its ending must be .safetensors, which says what its bytes mean`)
  checkPlace('--out', out, isFolder(input) ? [] : [{ what: 'input', path: input }])
  if (!force && existsSync(out))
    throw new WrongUse(`--out ${out}: a file is there; --force replaces it, or name another`)
  const start = performance.now()
  const opened = openTables(input)
  const names = chosen(opened, input, tensor, 'safetensors')
  const tables = new Map(names.map((name) => [name, opened.tensors.get(name)!]))
  const work = new TableFile(out, isOfBytes(dtype) ? { kind: dtype } : { dtype }, tables, quiet)
  const isChanged = (table: Table) => (isOfBytes(dtype) ? work.isQuantized(table) : isOfFloats(table))
  if (![...tables.values()].some(isChanged))
    throw new WorkFailed(`${input}: ${names.map(visibleText).join(', ')}: no table of floating-point numbers`)
  try {
    await work.write('safetensors', opened.metadata)
  } finally {
    work.end()
  }
  const seconds = (performance.now() - start) / 1e3
  const written = names.map((name) => {
    const table = tables.get(name)!
    const error = work.errorOf(table)
    const type = isChanged(table) ? dtype : work.typeOf(table)
    return { name, dtype: type, shape: table.shape, ...(error === null ? {} : { error }) }
  })
  const { size: bytes } = statSync(out)
  if (json) return print(`${JSON.stringify({ in: input, kind: opened.kind, out, dtype, bytes, tensors: written })}\n`)
  if (quiet) return
  const time = seconds < 60 ? `${seconds.toFixed(2)} s` : shownTime(seconds)
  const lines = written.map(
    ({ name, dtype: type, shape, error }) =>
      `  ${visibleText(name)}: ${type} [${shape.join(', ')}]${error === undefined ? '' : `, ${lossOf(error)}`}\n`,
  )
  await print(
    `${out}: ${dtype} of ${counted(written.length, 'tensor')}, ${shownBytes(bytes)}, ${time}\n${lines.join('')}`,
  )
}

const lossOf = ({ max, rms }: QuantizedError) =>
  `differs by ${Number(max.toPrecision(3))} at most, ${Number(rms.toPrecision(3))} by its root mean square`
