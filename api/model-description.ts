// model.json: what it says, and whether it does.

import { join } from 'node:path'
import type { DType } from './dtype.js'
import { FormatError } from './errors.js'
import type { Json } from './json.js'
import { DESCRIPTION, type Digests } from './model-files.js'
import { show } from './validate.js'

export const FORMAT = 'tokenbed-model'
/** Readers refuse later ones. */
export const VERSION = 1

/** Where the names of rows come from. */
export type VocabularyDescription =
  | { readonly kind: 'words'; readonly file: string; readonly size: number }
  | { readonly kind: 'encoding'; readonly name: string; readonly size: number }
  | { readonly kind: 'tokenizer'; readonly file: string; readonly size: number }

/** The contents of model.json. */
export interface ModelDescription {
  readonly format: typeof FORMAT
  readonly version: number
  /** The version of tokenbed that wrote it. */
  readonly tokenbed: string
  readonly objective: string
  readonly vocabulary: VocabularyDescription
  /** Names of the classes of a classifier. */
  readonly labels?: readonly string[]
  readonly tensors: Readonly<Record<string, { readonly dtype: DType; readonly shape: readonly number[] }>>
  readonly training: { readonly [name: string]: Json | undefined }
  /** SHA-256 of the files it was saved with, by their names; of model.safetensors that of its tensors. */
  readonly files: Digests
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const isSize = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
const isText = (value: unknown) => typeof value === 'string'
const all = (value: unknown, holds: (one: unknown) => boolean) => isObject(value) && Object.values(value).every(holds)

/** Reads the text of a model.json. @throws FormatError for what is none, and for one of a later version. */
export function parseDescription(text: string, folder: string): ModelDescription {
  const path = join(folder, DESCRIPTION)
  const wrong = (why: string, offset = 0) => new FormatError(`${path}: ${why}`, path, offset)
  let it: unknown
  try {
    it = JSON.parse(text)
  } catch (error) {
    const [, at] = /position (\d+)/.exec((error as Error).message) ?? []
    throw wrong(`no JSON: ${(error as Error).message}`, at === undefined ? text.length : Number(at))
  }
  if (!isObject(it) || it.format !== FORMAT) throw wrong(`not the description of a model: "format" must be "${FORMAT}"`)
  const { version } = it
  if (!isSize(version) || (version as number) < 1) throw wrong(`"version" must be a number from 1 on, not ${show(version)}`)
  if ((version as number) > VERSION) throw wrong(`version ${version} of the format, and this tokenbed reads up to ${VERSION}: install a later one`)
  const expect = (holds: boolean, name: string, what: string) => {
    if (!holds) throw wrong(`"${name}" must be ${what}, not ${show((it as Record<string, unknown>)[name])}`)
  }
  expect(isText(it.tokenbed), 'tokenbed', 'the version that wrote it')
  expect(isText(it.objective), 'objective', 'a string')
  expect(isVocabulary(it.vocabulary), 'vocabulary', '{ kind, size, file or name }')
  expect(it.labels === undefined || (Array.isArray(it.labels) && it.labels.every(isText)), 'labels', 'strings')
  expect(all(it.tensors, (one) => isObject(one) && isText(one.dtype) && Array.isArray(one.shape) && one.shape.every(isSize)), 'tensors', 'dtypes and shapes by name')
  expect(isObject(it.training), 'training', 'an object')
  expect(all(it.files, isText), 'files', 'digests by name')
  const needed = ['model.safetensors', ...(isObject(it.vocabulary) && isText(it.vocabulary.file) ? [it.vocabulary.file as string] : [])]
  for (const name of needed) expect(isText((it.files as Digests)[name]), 'files', `digests by name, of ${name} too`)
  return it as unknown as ModelDescription
}

const FILES: Record<string, string> = { words: 'vocab.txt', tokenizer: 'tokenizer.json' }

function isVocabulary(value: unknown): boolean {
  if (!isObject(value) || !isSize(value.size)) return false
  return value.kind === 'encoding' ? isText(value.name) : isText(value.kind) && Object.hasOwn(FILES, value.kind as string) && value.file === FILES[value.kind as string]
}
