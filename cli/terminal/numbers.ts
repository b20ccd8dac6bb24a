// Reads numbers from options, and writes numbers for people.

import { InvalidArgumentError } from '../bundled/commander.js'

/** A parser for a whole number of at least `least`. */
export function parseSize(least: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN
    if (!Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`It must be a whole number from ${least} on.`)
    return value
  }
}

/** Two numbers from 0 to below 1, with a comma between them. */
export function parseBetas(text: string): [number, number] {
  const [one, other, ...more] = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)))
  const isBeta = (value: number | undefined): value is number => value !== undefined && value >= 0 && value < 1
  if (!isBeta(one) || !isBeta(other) || more.length > 0)
    throw new InvalidArgumentError('It must be two numbers from 0 to below 1, as in 0.9,0.999.')
  return [one, other]
}

/** A parser for a number of at least `least` and at most `most`. */
export function parseNumber(least: number, most = Infinity): (text: string) => number {
  const bounds = most === Infinity ? (least === -Infinity ? '' : ` from ${least} on`) : ` from ${least} to ${most}`
  return (text) => {
    const value = text.trim() === '' ? NaN : Number(text)
    if (!Number.isFinite(value) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a number${bounds}.`)
    return value
  }
}

/** A seed as PyTorch accepts it: 64 bits, with or without a sign. */
export function parseSeed(text: string): bigint {
  const value = /^-?\d+$/.test(text) ? BigInt(text) : null
  if (value === null || value < -(2n ** 63n) || value >= 2n ** 64n) {
    throw new InvalidArgumentError('It must be a whole number from -2^63 to 2^64 - 1.')
  }
  return value
}

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 3 })

/** 1234567 -> `1,234,567` */
export const shown = (value: number) => grouped.format(value)

/** 1234567 -> `1.23M` */
export const shownShort = (value: number) => short.format(value)

/** `1 window`, `2 windows` */
export const counted = (count: number, what: string) => `${shown(count)} ${what}${count === 1 ? '' : 's'}`

/** 75 -> `1:15`, 3675 -> `1:01:15` */
export function shownTime(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  const two = (n: number) => String(n).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`
}

/** 1536000 -> `1.5 MB` */
export function shownBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  const unit = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  const value = bytes / 1000 ** unit
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`
}
