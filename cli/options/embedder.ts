// Opens what embeds texts, and says which model it is.

import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as tokenbed from '../../index.js'
import { WorkFailed, isFolder } from '../terminal/failure.js'

export interface Opened {
  readonly embedder: tokenbed.EmbedsTexts
  /** The SHA-256 of all files of the model. */
  readonly model: string
}

export const MODEL_OPTION = [
  '-m, --model <path>',
  'what embeds: the folder of a model, or a JavaScript module that exports open(), which returns { dim, embedAsync }',
] as const

/** Opens a model. The same files give the same digest on every machine. */
export async function openEmbedder(path: string): Promise<Opened> {
  if (!existsSync(path)) throw new WorkFailed(`--model ${path}: no such file or directory`)
  const embedder = /\.[cm]?js$/.test(path) && !isFolder(path) ? await fromModule(path) : fromModel(path)
  return { embedder, model: await digestOf(path) }
}

async function fromModule(path: string): Promise<tokenbed.EmbedsTexts> {
  const { open } = (await import(pathToFileURL(resolve(path)).href)) as { open?: () => unknown }
  if (typeof open !== 'function') throw new WorkFailed(`--model ${path}: it exports no function open`)
  const embedder = (await open()) as Partial<tokenbed.EmbedsTexts> | null
  if (typeof embedder?.embedAsync !== 'function' || typeof embedder.dim !== 'number')
    throw new WorkFailed(`--model ${path}: open() must return { dim, embedAsync }`)
  return embedder as tokenbed.EmbedsTexts
}

interface Loader {
  load(path: string): tokenbed.EmbedsTexts
}

function fromModel(path: string): tokenbed.EmbedsTexts {
  const { TextEmbedder } = tokenbed as unknown as { TextEmbedder?: Loader }
  if (TextEmbedder === undefined)
    throw new WorkFailed(`--model ${path}: this version opens no folders of models here; name a module`)
  return TextEmbedder.load(path)
}

/** The SHA-256 of a file; of a folder, that of the names and digests of its files. */
async function digestOf(path: string): Promise<string> {
  if (!isFolder(path)) return digestOfFile(path)
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => !/(^|\/)\./.test(name) && statSync(join(path, name)).isFile())
    .sort()
  const all = createHash('sha256')
  for (const name of names) all.update(`${name}\n${await digestOfFile(join(path, name))}\n`)
  return all.digest('hex')
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(part as Buffer)
  return hash.digest('hex')
}
