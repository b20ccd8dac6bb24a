// Where results go: what would only be found after the work is said before it, and nothing is replaced that nobody meant.

import { existsSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { WorkFailed, WrongUse, isFolder } from '../terminal/failure.js'

/** What a model's folder is known by. */
const DESCRIPTION = 'model.json'
/** Where a model keeps the tokenizer that it was made with, if that came from a file. */
export const TOKENIZER = 'tokenizer.json'
/** The files that make a model. */
const MODEL_FILES = [DESCRIPTION, 'model.safetensors', 'vocab.txt', TOKENIZER]

/** A file that the work reads, or writes besides. */
export interface Needed {
  /** As in `this text would be replaced`. */
  readonly what: string
  readonly path: string
}

/** A place for a file: in a folder that is there, and over none that is needed or belongs to a model. */
export function checkPlace(option: string, path: string, needed: readonly Needed[] = []): void {
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) throw new WorkFailed(`${option} ${path}: the folder ${folder} is not there; make it first`)
  if (isFolder(path)) throw new WorkFailed(`${option} ${path}: a folder; name a file in it`)
  const lost = needed.find((one) => isSameFile(one.path, path))
  if (lost) throw new WrongUse(`${option} ${path}: this ${lost.what} would be replaced; name another file`)
  const isOfModel = MODEL_FILES.includes(basename(path)) && existsSync(path) && existsSync(join(folder, DESCRIPTION))
  if (isOfModel) throw new WrongUse(`${option} ${path}: a file of the model in ${folder}; name another file`)
}

/** The files in a folder that a model which is saved there replaces. */
export function modelFilesIn(folder: string): string[] {
  return MODEL_FILES.filter((name) => existsSync(join(folder, name)))
}

export function isSameFile(a: string, b: string): boolean {
  if (resolve(a) === resolve(b)) return true
  if (!existsSync(a) || !existsSync(b)) return false
  const [x, y] = [statSync(a, { bigint: true }), statSync(b, { bigint: true })]
  return x.ino === y.ino && x.dev === y.dev
}
