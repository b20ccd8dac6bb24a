// Checks the places for results before the work, so that no work is lost, and nothing is replaced by mistake.

import { existsSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { WorkFailed, WrongUse, isFolder } from '../terminal/failure.js'

/** The file by which a model's folder is recognised. */
const DESCRIPTION = 'model.json'
/** The file in which a model keeps its tokenizer, if that came from a file. */
export const TOKENIZER = 'tokenizer.json'
/** The files of a model. */
const MODEL_FILES = [DESCRIPTION, 'model.safetensors', 'vocab.txt', TOKENIZER]

/** A file that the work reads or also writes. */
export interface Needed {
  /** A noun, as in `this text would be replaced`. */
  readonly what: string
  readonly path: string
}

/**
 * Checks a place for a file: its folder must exist, and it must not replace a file that is needed or belongs to a
 * model.
 */
export function checkPlace(option: string, path: string, needed: readonly Needed[] = []): void {
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) throw new WorkFailed(`${option} ${path}: the folder ${folder} does not exist; make it first`)
  if (isFolder(path)) throw new WorkFailed(`${option} ${path}: a folder; name a file in it`)
  const lost = needed.find((one) => isSameFile(one.path, path))
  if (lost) throw new WrongUse(`${option} ${path}: this ${lost.what} would be replaced; name another file`)
  const isOfModel = MODEL_FILES.includes(basename(path)) && existsSync(path) && existsSync(join(folder, DESCRIPTION))
  if (isOfModel) throw new WrongUse(`${option} ${path}: a file of the model in ${folder}; name another file`)
}

/** The files in a folder that saving a model there would replace. */
export function modelFilesIn(folder: string): string[] {
  return MODEL_FILES.filter((name) => existsSync(join(folder, name)))
}

export function isSameFile(a: string, b: string): boolean {
  if (resolve(a) === resolve(b)) return true
  if (!existsSync(a) || !existsSync(b)) return false
  const [x, y] = [statSync(a, { bigint: true }), statSync(b, { bigint: true })]
  return x.ino === y.ino && x.dev === y.dev
}
