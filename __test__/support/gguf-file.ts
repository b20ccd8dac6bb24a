// GGUF files of metadata alone, put together by hand: also such as no writer makes.

import { writeFileSync } from 'node:fs'

export type GGUFValue = string | number | boolean | readonly string[] | readonly number[]

const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer)
const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
const f32 = (value: number) => Buffer.from(Float32Array.of(value).buffer)
const text = (value: string) => [u64(Buffer.byteLength(value)), Buffer.from(value)]

/** A value with its type: numbers are u32, those in arrays f32. */
function typed(value: GGUFValue): Buffer[] {
  if (typeof value === 'string') return [u32(8), ...text(value)]
  if (typeof value === 'boolean') return [u32(7), Buffer.of(Number(value))]
  if (typeof value === 'number') return [u32(4), u32(value)]
  const isTexts = typeof value[0] === 'string'
  const elements = isTexts ? (value as string[]).flatMap(text) : (value as number[]).map(f32)
  return [u32(9), u32(isTexts ? 8 : 6), u64(value.length), ...elements]
}

export function writeGGUF(path: string, metadata: Readonly<Record<string, GGUFValue>>): string {
  const pairs = Object.entries(metadata).flatMap(([key, value]) => [...text(key), ...typed(value)])
  writeFileSync(path, Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(Object.keys(metadata).length), ...pairs]))
  return path
}
