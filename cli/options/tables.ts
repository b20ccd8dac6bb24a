// The tables of vectors that embed looks up: drawn for a seed, or taken from files.

import { existsSync } from 'node:fs'
import {
  Embedding,
  Generator,
  loadSafetensors,
  TokenPositionEmbedding,
  type LoadedTensors,
  type Tensor,
} from '../../index.js'
import { WorkFailed, WrongUse, isFolder } from '../terminal/failure.js'

export interface TableOptions {
  readonly vocabSize: number
  readonly tokenizer: string
  readonly maxLength: number
  /** Length of vectors in drawn tables; undefined if the user did not say. */
  readonly dim?: number
  readonly seed: bigint
  readonly table?: string
  readonly positionTable?: string
  /** Whether positions are added. */
  readonly positions: boolean
}

export type Tables = Embedding | TokenPositionEmbedding

export const DEFAULT_DIM = 256

/**
 * Makes the tables. Draws come in PyTorch's order for the seed, token table first, then positions. A table from a
 * file replaces the drawn one, and the other keeps its numbers.
 *
 * @throws WrongUse for sizes that contradict one another, WorkFailed for a table that does not fit.
 */
export function makeTables(options: TableOptions): Tables {
  const { vocabSize, tokenizer, maxLength, seed, positions } = options
  const token = options.table === undefined ? null : readTable(options.table, '--table')
  const position = options.positionTable === undefined ? null : readTable(options.positionTable, '--position-table')
  const dim = agreedDim(options, token, position)
  const tokens =
    token &&
    rowsOf(
      token,
      vocabSize,
      `${tokenizer} has ${vocabSize} tokens`,
      '; --tokenizer names the one that the table is for',
    )
  if (!positions)
    return tokens ? Embedding.fromPretrained(tokens) : new Embedding(vocabSize, dim, { generator: new Generator(seed) })
  const layer = new TokenPositionEmbedding({ vocabSize, contextLength: maxLength, dim, generator: new Generator(seed) })
  if (tokens) layer.token.weight = tokens
  if (position)
    layer.position.weight = rowsOf(
      position,
      maxLength,
      `--max-length is ${maxLength}`,
      `: --max-length ${position.weight.shape[0]} goes with it`,
    )
  return layer
}

interface Table {
  readonly weight: Tensor
  readonly name: string
}

function agreedDim({ dim }: TableOptions, token: Table | null, position: Table | null): number {
  const said: [number, string][] = []
  if (token) said.push([token.weight.shape[1], `the vectors of ${token.name} have ${token.weight.shape[1]} numbers`])
  if (position) said.push([position.weight.shape[1], `those of ${position.name} have ${position.weight.shape[1]}`])
  if (dim !== undefined) said.push([dim, `--dim is ${dim}`])
  const other = said.find(([value]) => value !== said[0][0])
  if (other)
    throw new WrongUse(
      `${said[0][1]}, and ${other[1]}: they must be the same${dim === undefined || said.length > 2 ? '' : '; leave --dim out'}`,
    )
  return said[0]?.[0] ?? DEFAULT_DIM
}

/**
 * The first `rows` rows of a table, which must have at least as many. Models often have some more than tokens, to be
 * divisible.
 */
function rowsOf({ weight, name }: Table, rows: number, why: string, instead: string): Tensor {
  const has = weight.shape[0]
  if (has < rows)
    throw new WorkFailed(
      `${name}: a table of ${has} rows, and ${why}, of which every one needs a row${has > 0 ? instead : ''}`,
    )
  return has === rows ? weight : weight.narrow(0, 0, rows)
}

const readTable = (said: string, option: string) => openTable(said, `${option} `)

/**
 * The table that `FILE` or `FILE:tensor` names, as float32. If no tensor is named, it is the only one in the file, or
 * the only one that is a table.
 *
 * @throws WrongUse if there is none or there are several, WorkFailed if it is not a table.
 */
export function openTable(said: string, option = ''): Table {
  const { tensor, name: what } = openTensor(said, option)
  const { shape, dtype } = tensor
  if (shape.length !== 2 || shape[1] === 0)
    throw new WorkFailed(`${option}${what}: a table has two sizes, rows and numbers a row, not [${shape.join(', ')}]`)
  if (!dtype.includes('float'))
    throw new WorkFailed(`${option}${what}: vectors of floating-point numbers are needed, not ${dtype}`)
  return { weight: dtype === 'float32' ? tensor : tensor.to('float32'), name: what }
}

/**
 * The tensor that `FILE` or `FILE:tensor` names, as it is stored.
 *
 * @throws WrongUse if there is none or there are several, WorkFailed if it is no file of tensors.
 */
export function openTensor(said: string, option = ''): { tensor: Tensor; name: string } {
  const { path, name } = splitTable(said)
  if (isFolder(path)) throw new WorkFailed(`${option}${path}: a folder, not a safetensors file`)
  const [key, tensor] = chosen(loadSafetensors(path), name, option, said, path)
  return { tensor, name: `${path}:${key}` }
}

const isTable = ({ shape, dtype }: Tensor) => shape.length === 2 && shape[1] > 0 && dtype.includes('float')

function chosen(
  tensors: LoadedTensors,
  name: string | null,
  option: string,
  said: string,
  path: string,
): [string, Tensor] {
  // For a tensor whose type no Tensor has, this throws an error that says so.
  const named = name === null ? undefined : tensors.get(name)
  if (named !== undefined) return [name!, named]
  const known = [
    ...Array.from(tensors, ([name, { shape }]) => `${name} [${shape.join(', ')}]`),
    ...Array.from(tensors.skipped.values(), ({ name, shape, stored }) => `${name} [${shape.join(', ')}] of ${stored}`),
  ]
  const list =
    known.length > 12 ? `${known.slice(0, 12).join(', ')} and ${known.length - 12} more` : known.join(', ') || 'none'
  if (name !== null)
    throw new WrongUse(`${option}${said}: ${path} has no tensor ${JSON.stringify(name)}; it has: ${list}`)
  const candidates = tensors.size === 1 ? [...tensors] : [...tensors].filter(([, tensor]) => isTable(tensor))
  if (candidates.length !== 1)
    throw new WrongUse(`${option}${said}: which of its tensors? Write ${said}:NAME; it has: ${list}`)
  return candidates[0]
}

/**
 * Splits `FILE` or `FILE:tensor`. File names may contain colons, too, and may begin with a drive on Windows; which
 * files exist decides.
 */
export function splitTable(said: string): { path: string; name: string | null } {
  if (existsSync(said)) return { path: said, name: null }
  const isDrive = (at: number) => at === 1 && /^[a-z]:/i.test(said) && /[\\/]/.test(said[2] ?? '')
  for (let at = said.lastIndexOf(':'); at > 0; at = said.lastIndexOf(':', at - 1)) {
    if (!isDrive(at) && existsSync(said.slice(0, at))) return { path: said.slice(0, at), name: said.slice(at + 1) }
  }
  const last = said.lastIndexOf(':')
  const isPart = last > 0 && !isDrive(last)
  return { path: isPart ? said.slice(0, last) : said, name: isPart ? said.slice(last + 1) : null }
}
