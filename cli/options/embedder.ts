// Opens what embeds texts, and says which model it is.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { modelDigest, TextEmbedder, type AsyncEmbedder } from '../../index.js'
import { WorkFailed, isFolder } from '../terminal/failure.js'

export interface Opened {
  readonly embedder: AsyncEmbedder
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
  const embedder = /\.[cm]?js$/.test(path) && !isFolder(path) ? await fromModule(path) : TextEmbedder.load(path)
  return { embedder, model: await modelDigest(path) }
}

async function fromModule(path: string): Promise<AsyncEmbedder> {
  const { open } = (await import(pathToFileURL(resolve(path)).href)) as { open?: () => unknown }
  if (typeof open !== 'function') throw new WorkFailed(`--model ${path}: it exports no function open`)
  const embedder = (await open()) as Partial<AsyncEmbedder> | null
  if (typeof embedder?.embedAsync !== 'function' || typeof embedder.dim !== 'number')
    throw new WorkFailed(`--model ${path}: open() must return { dim, embedAsync }`)
  return embedder as AsyncEmbedder
}
