// What inspect says of somebody's model: its family, its tables, its tokenizer, and what its input layer runs.

import { TokenPositionEmbedding, TokenbedError, type FastText, type Pretrained, type Tokenizer } from '../../index.js'
import { kindName, tokenTable, type Table } from '../options/openers.js'
import { shown } from '../terminal/numbers.js'
import { visibleText } from '../terminal/pieces.js'

/** Lines of a label and a text, and the same for programs. */
export interface Description {
  readonly lines: readonly (readonly [label: string, text: string])[]
  readonly json: object
}

/** Describes a model that opens. */
export function described(model: Pretrained): Description {
  const { family, token, position, segment, layerNorm, head, tied, scale, notRun } = model
  const name = tokenTable(model)
  const tokenizer = tokenizerOf(model)
  const layer = layerOf(model)
  const lines: [string, string][] = [
    ['family', family === '' ? 'not said' : visibleText(family)],
    ['token', `${name === null ? '' : `${visibleText(name)} `}${sizesOf(token)}`],
    ...(position === null ? [] : [['position', sizesOf(position)] as [string, string]]),
    ...(segment === null ? [] : [['segment', sizesOf(segment)] as [string, string]]),
    ...(layerNorm === null
      ? []
      : [['norm', `[${layerNorm.weight.shape.join(', ')}], eps ${layerNorm.eps}`] as [string, string]]),
    ['head', tied ? 'the token table (tied)' : head === null ? 'none in the files' : sizesOf(head)],
    ['tokenizer', tokenizer.text],
    ['layer()', layer.text],
    ...(notRun.length === 0
      ? [['not run', 'nothing: layer() is the whole'] as [string, string]]
      : notRun.map((what) => ['not run', lineFor(what)] as [string, string])),
  ]
  const json = {
    family,
    token: { name, ...typeOf(token) },
    position: position && typeOf(position),
    segment: segment && typeOf(segment),
    layerNorm: layerNorm && { shape: layerNorm.weight.shape, eps: layerNorm.eps },
    head: tied || head === null ? null : typeOf(head),
    tied,
    scale,
    tokenizer: tokenizer.json,
    layer: layer.text,
    notRun,
  }
  return { lines, json }
}

/** Describes a model of fastText. */
export function describedFastText({ dim, labels, vectors }: FastText): Description {
  const lines: [string, string][] = [
    ['words', `${shown(vectors.size)}, each the mean of its sub-words, of ${shown(dim)} numbers`],
    ...(labels === null ? [] : [['classes', listOf(labels)] as [string, string]]),
  ]
  return { lines, json: { family: 'fasttext', words: vectors.size, dim, labels } }
}

const FEW = 8
const listOf = (names: readonly string[]) =>
  `${shown(names.length)}: ${names.slice(0, FEW).map(visibleText).join(', ')}${names.length > FEW ? ', ...' : ''}`

/** Describes why a model does not open. */
export function undescribed(error: TokenbedError): Description {
  return {
    lines: [['does not load', lineFor(error.message)]],
    json: { error: { code: error.code, message: error.message } },
  }
}

/** A sentence on one line, whatever a file put into it. */
const lineFor = (text: string) => text.replace(/\p{Cc}+/gu, ' ')

const typeOf = (table: Table) => ({ dtype: kindName(table), shape: table.shape })
const sizesOf = (table: Table) => `${kindName(table)} [${table.shape.join(', ')}]`

function tokenizerOf(model: Pretrained): { text: string; json: object | null } {
  let tokenizer: Tokenizer | null
  try {
    ;({ tokenizer } = model)
  } catch (error) {
    if (!(error instanceof TokenbedError)) throw error
    return { text: `cannot be read: ${lineFor(error.message)}`, json: { error: error.message } }
  }
  if (tokenizer === null) return { text: 'none in the files', json: null }
  const { name, vocabSize, engine, engineReason } = tokenizer
  const by = engineReason === null ? engine : `${engine}, because of ${lineFor(engineReason)}`
  return {
    text: `${shown(vocabSize)} tokens, engine: ${by}`,
    json: { name, vocabSize, engine, engineReason },
  }
}

/** What the model's own input layer does. Making it may copy a table, so it is read from the parts. */
function layerOf({ token, position, segment, layerNorm, scale }: Pretrained): { text: string } {
  const isPlaced = position !== null && position.shape[1] === token.shape[1]
  const isLookup = !isPlaced && segment === null && layerNorm === null && scale === 1
  const steps = [
    `token vectors${scale === 1 ? '' : ` times ${scale}`}`,
    ...(segment === null ? [] : ['plus segments']),
    ...(isPlaced ? ['plus positions'] : []),
    ...(layerNorm === null ? [] : ['normalized']),
  ]
  return { text: `${isLookup ? 'Embedding' : TokenPositionEmbedding.name}: ${steps.join(', ')}` }
}
