// The contents of model.json, and their checks.

import { constants } from 'node:buffer'
import { join } from 'node:path'
import type { DType } from '../base/dtype.js'
import { FormatError, UsageError } from '../base/errors.js'
import type { Json } from '../base/json.js'
import { DESCRIPTION, type Digests } from './parts.js'
import { sha256 } from '../base/late.js'
import { isRangeError } from '../base/realm.js'
import { show } from '../base/validate.js'

export const FORMAT = 'tokenbed-model'
/** The version of the format; readers refuse later ones. */
export const VERSION = 1

/** Where the names of the rows come from. */
export type VocabularyDescription =
  | { readonly kind: 'words'; readonly file: string; readonly size: number }
  | { readonly kind: 'encoding'; readonly name: string; readonly size: number }
  | { readonly kind: 'tokenizer'; readonly file: string; readonly size: number }

/** A record of what was trained, on what and how. All fields are optional, and you may add more. */
export interface TrainingRecord {
  hyperParameters?: { readonly [name: string]: Json | undefined }
  /** The training texts: their names and sizes. */
  corpus?: readonly { readonly file: string; readonly bytes?: number; readonly tokens?: number }[]
  /** Number of tokens trained on, over all epochs. */
  tokens?: number
  epochs?: number
  steps?: number
  seconds?: number
  /**
   * The course of the loss: pairs of a step and the mean loss since the pair before. `tokenbed plot --loss` draws it.
   */
  loss?: readonly (readonly [step: number, loss: number])[]
  /** With `earlyStopping`: pairs of a step and the value over held-out text. */
  heldOut?: readonly (readonly [step: number, value: number])[]
  /** The date, in any form that the writer chose. */
  date?: string
  readonly [more: string]: Json | undefined
}

/** The contents of model.json. */
export interface ModelDescription {
  readonly format: typeof FORMAT
  readonly version: number
  /** The version of tokenbed that wrote it. */
  readonly tokenbed: string
  readonly objective: string
  readonly vocabulary: VocabularyDescription
  /** The names of a classifier's classes. */
  readonly labels?: readonly string[]
  readonly tensors: Readonly<Record<string, { readonly dtype: DType; readonly shape: readonly number[] }>>
  readonly training: { readonly [name: string]: Json | undefined }
  /** The SHA-256 of each file of the save, by name; for model.safetensors it is the digest of its tensors. */
  readonly files: Digests
  /** The SHA-256 of model.json itself, computed with 64 zeros in its place. */
  readonly digest?: string
}

const NONE = '0'.repeat(64)
/** Matches the digest, which is the last entry. */
const SEAL = /"digest": "([0-9a-f]{64})"\n\}\n$/

/** The text of a model.json with its digest. For readability arrays of numbers stay on one line. */
export function sealed(description: Omit<ModelDescription, 'digest'>): string {
  // JSON strings never contain line breaks, so every line break is layout.
  const indented = asJson({ ...description, digest: NONE })
  const text = `${indented.replace(/\[\n\s*([^[\]{}"]*?)\n\s*\]/g, (_, list: string) => `[${list.replace(/,\n\s*/g, ', ')}]`)}\n`
  return withDigest(text, sha256(Buffer.from(text)))
}

/** @throws UsageError for more text than one string can hold, which nobody could read back. */
function asJson(description: ModelDescription): string {
  try {
    const text = JSON.stringify(description, null, 2)
    if (Buffer.byteLength(text) <= constants.MAX_STRING_LENGTH) return text
  } catch (error) {
    if (!isRangeError(error)) throw error
  }
  throw new UsageError(
    `saveModel: with objective, labels, names of tensors and training, ${DESCRIPTION} would have more than ${constants.MAX_STRING_LENGTH} bytes and could not be read: shorten them`,
  )
}

const withDigest = (text: string, digest: string) => text.replace(SEAL, `"digest": "${digest}"\n}\n`)

/** Checks that a model.json is as it was saved. @throws FormatError if it is not. */
export function checkSeal(text: string, folder: string): void {
  const [, digest] = SEAL.exec(text) ?? []
  if (digest !== undefined && digest === sha256(Buffer.from(withDigest(text, NONE)))) return
  const path = join(folder, DESCRIPTION)
  throw new FormatError(`${path}: its digest does not match its text: it is damaged or was edited`, path, 0)
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isSize = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
const isText = (value: unknown) => typeof value === 'string'
const all = (value: unknown, holds: (one: unknown) => boolean) => isObject(value) && Object.values(value).every(holds)

/** Parses the text of a model.json. @throws FormatError if it is not one, or is of a later version. */
export function parseDescription(text: string, folder: string): ModelDescription {
  const path = join(folder, DESCRIPTION)
  const wrong = (why: string, offset = 0) => new FormatError(`${path}: ${why}`, path, offset)
  let it: unknown
  try {
    it = JSON.parse(text)
  } catch (error) {
    const [, at] = /position (\d+)/.exec((error as Error).message) ?? []
    throw wrong(`it is not JSON: ${(error as Error).message}`, at === undefined ? text.length : Number(at))
  }
  if (!isObject(it) || it.format !== FORMAT)
    throw wrong(`it is not the description of a model: "format" must be "${FORMAT}"`)
  const { version } = it
  if (!isSize(version) || (version as number) < 1)
    throw wrong(`"version" must be a whole number of at least 1, not ${show(version)}`)
  if ((version as number) > VERSION)
    throw wrong(
      `it has version ${version} of the format, but this tokenbed reads versions up to ${VERSION}: install a later one`,
    )
  const expect = (holds: boolean, name: string, what: string) => {
    if (!holds) throw wrong(`"${name}" must be ${what}, not ${show(it[name])}`)
  }
  expect(isText(it.tokenbed), 'tokenbed', 'the version that wrote it')
  expect(isText(it.objective), 'objective', 'a string')
  expect(isVocabulary(it.vocabulary), 'vocabulary', '{ kind, size, file or name }')
  expect(it.labels === undefined || (Array.isArray(it.labels) && it.labels.every(isText)), 'labels', 'strings')
  expect(
    all(it.tensors, (one) => isObject(one) && isText(one.dtype) && Array.isArray(one.shape) && one.shape.every(isSize)),
    'tensors',
    'dtypes and shapes by name',
  )
  expect(isObject(it.training), 'training', 'an object')
  expect(all(it.files, isText), 'files', 'digests by name')
  expect(it.digest === undefined || isText(it.digest), 'digest', 'a string')
  const needed = [
    'model.safetensors',
    ...(isObject(it.vocabulary) && isText(it.vocabulary.file) ? [it.vocabulary.file] : []),
  ]
  for (const name of needed)
    expect(isText((it.files as Digests)[name]), 'files', `digests by name, including that of ${name}`)
  return it as unknown as ModelDescription
}

const FILES: Record<string, string> = { words: 'vocab.txt', tokenizer: 'tokenizer.json' }

function isVocabulary(value: unknown): boolean {
  if (!isObject(value) || !isSize(value.size)) return false
  return value.kind === 'encoding'
    ? isText(value.name)
    : isText(value.kind) && Object.hasOwn(FILES, value.kind) && value.file === FILES[value.kind]
}
