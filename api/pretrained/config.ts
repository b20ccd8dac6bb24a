// Reading the JSON files of a model folder, whose contents nobody promised.

import { FormatError } from '../base/errors.js'
import { readWhole } from '../base/read-file.js'

/** An object of JSON. */
export type JsonObject = Readonly<Record<string, unknown>>

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The object that a file of JSON holds.
 *
 * @throws FileError if it cannot be read; FormatError, with the place, if it is not JSON, or no object.
 */
export function readJsonObject(path: string): JsonObject {
  const value = readJson(path)
  if (isJsonObject(value)) return value
  throw new FormatError(`${path}: an object of JSON should be here`, path, 0)
}

/** The list that a file of JSON holds. @throws FileError and FormatError as `readJsonObject`. */
export function readJsonList(path: string): readonly unknown[] {
  const value = readJson(path)
  if (Array.isArray(value)) return value
  throw new FormatError(`${path}: a list of JSON should be here`, path, 0)
}

function readJson(path: string): unknown {
  const text = textOf(readWhole(path), path)
  try {
    return JSON.parse(text)
  } catch (error) {
    const { message } = error as Error
    const [, at] = /position (\d+)/.exec(message) ?? []
    throw new FormatError(`${path}: no JSON: ${message}`, path, at === undefined ? text.length : Number(at))
  }
}

function textOf(bytes: Buffer, path: string): string {
  try {
    return bytes.toString('utf8')
  } catch (error) {
    throw new FormatError(`${path}: ${(error as Error).message}`, path, 0)
  }
}

/** A finite number of a config; undefined if there is none. */
export function numberOf(config: JsonObject, name: string): number | undefined {
  const value = Object.hasOwn(config, name) ? config[name] : undefined
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

/** Whether a config says something; `otherwise` if it is silent. */
export function flagOf(config: JsonObject, name: string, otherwise: boolean): boolean {
  const value = Object.hasOwn(config, name) ? config[name] : undefined
  return typeof value === 'boolean' ? value : otherwise
}

/** A text of a config; undefined if there is none. */
export function textIn(config: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(config, name) ? config[name] : undefined
  return typeof value === 'string' ? value : undefined
}
