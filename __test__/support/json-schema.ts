// Checks values by JSON Schema: the words of it that tokenbed's own schemas use, and no other.

import type { ExecutionContext } from 'ava'
import { output, type Setting } from './command.js'

type Schema = boolean | { readonly [word: string]: unknown }

const KNOWN = [
  '$schema',
  'title',
  'description',
  'type',
  'enum',
  'anyOf',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'prefixItems',
  'minItems',
  'minimum',
]

function isOf(type: unknown, value: unknown): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return type === 'integer' ? Number.isInteger(value) : typeof value === type
}

/** What is wrong with a value, each as a place and a reason; none if it fits. */
export function misfits(value: unknown, schema: Schema, place = ''): string[] {
  if (typeof schema === 'boolean') return schema ? [] : [`${place}: nothing may be here`]
  const unknown = Object.keys(schema).filter((word) => !KNOWN.includes(word))
  if (unknown.length > 0) throw new Error(`${place}: this validator does not know ${unknown.join(', ')}`)
  const { type, enum: words, anyOf, minimum } = schema
  if (type !== undefined && !isOf(type, value)) return [`${place}: ${JSON.stringify(value)} is no ${String(type)}`]
  if (Array.isArray(words) && !words.includes(value))
    return [`${place}: ${JSON.stringify(value)} is none of ${words.join()}`]
  if (typeof minimum === 'number' && !(Number(value) >= minimum)) return [`${place}: below ${minimum}`]
  if (Array.isArray(anyOf)) {
    const all = anyOf.map((one: Schema) => misfits(value, one, place))
    return all.some((found) => found.length === 0) ? [] : all.flat()
  }
  if (Array.isArray(value)) return misfitsOfList(value, schema, place)
  return isOf('object', value) ? misfitsOfObject(value as Record<string, unknown>, schema, place) : []
}

function misfitsOfList(value: unknown[], schema: Exclude<Schema, boolean>, place: string): string[] {
  const { items = true, prefixItems = [], minItems = 0 } = schema
  const first = prefixItems as Schema[]
  if (value.length < (minItems as number)) return [`${place}: ${value.length} items are too few`]
  return value.flatMap((one, i) => misfits(one, i < first.length ? first[i] : (items as Schema), `${place}[${i}]`))
}

function misfitsOfObject(value: Record<string, unknown>, schema: Exclude<Schema, boolean>, place: string): string[] {
  const { properties = {}, required = [], additionalProperties = true } = schema
  const known = properties as Record<string, Schema>
  const missing = (required as string[]).filter((name) => !Object.hasOwn(value, name))
  return [
    ...missing.map((name) => `${place}.${name}: missing`),
    ...Object.entries(value).flatMap(([name, one]) =>
      misfits(one, Object.hasOwn(known, name) ? known[name] : (additionalProperties as Schema), `${place}.${name}`),
    ),
  ]
}

/** The schema that the command gives of the output of a command. */
export const schemaOf = async (t: ExecutionContext, name: string): Promise<{ title: string }> =>
  JSON.parse(await output(t, ['schema', ...name.split(' ')]))

/** What a command prints with --json, whose schema it must fit; of several lines the last one is returned. */
export async function fitsSchema(
  t: ExecutionContext,
  name: string,
  args: readonly string[],
  setting: Setting = {},
): Promise<unknown> {
  const schema = await schemaOf(t, name)
  const printed = await output(t, [...name.split(' '), ...args, '--json'], setting)
  const values = schema.title.startsWith('a line') ? printed.trim().split('\n') : [printed]
  const parsed = values.map((value) => JSON.parse(value))
  for (const value of parsed) t.deepEqual(misfits(value, schema), [], `${name} ${args.join(' ')}`)
  return parsed.at(-1)
}
