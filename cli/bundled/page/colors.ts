// Colours of points, by categories or by numbers, for dark and for light.

import type { Values } from './format.js'

export interface Painted {
  /** The number of each row's colour. */
  readonly codes: Uint8Array
  readonly colors: readonly string[]
  readonly legend: Legend
}

export type Legend =
  | { readonly kind: 'none' }
  | { readonly kind: 'ramp'; readonly low: number; readonly high: number; readonly colors: readonly string[] }
  | {
      readonly kind: 'categories'
      readonly rows: readonly {
        readonly name: string
        readonly color: string
        readonly count: number
        readonly code: number
      }[]
      /** How many categories share the last colour, and which that is. */
      readonly others: number
      readonly grey: string
    }

/** Colours that differ in hue and lightness: Tableau's twenty, without the greys. */
const LIGHT = [
  '#1f77b4',
  '#e6550d',
  '#2ca02c',
  '#d62728',
  '#8c54c8',
  '#8c564b',
  '#d64fa8',
  '#0f9aa8',
  '#98971a',
  '#5254a3',
  '#e7a02b',
  '#637939',
  '#ad494a',
  '#3f8fd2',
  '#a55194',
  '#31a354',
  '#756bb1',
  '#c49c94',
]
const DARK = [
  '#5aa9e6',
  '#ff9d5c',
  '#6fd36f',
  '#ff7b7b',
  '#b794f6',
  '#c99b8b',
  '#f48fd0',
  '#4fd1de',
  '#d8d65c',
  '#8f93f0',
  '#ffcf70',
  '#a8c76a',
  '#ee8f90',
  '#8fc5ff',
  '#dd9bd0',
  '#7fe0a0',
  '#bcb4f0',
  '#e8cfc6',
]
const GREYS = { light: '#9aa3af', dark: '#5d6878' }
/** Stops of a ramp that grows evenly darker, or, on dark ground, evenly lighter. */
const RAMPS = {
  light: ['#f4c44e', '#ef8a3c', '#d2466b', '#8c2f8f', '#3b1d77'],
  dark: ['#4b3fa8', '#9b4bb5', '#e2607c', '#f7a35c', '#fbf0a8'],
}
const STEPS = 63

export function painted(column: Values | null, count: number, isDark: boolean): Painted {
  const theme = isDark ? 'dark' : 'light'
  if (column === null)
    return { codes: new Uint8Array(count), colors: [isDark ? DARK[0] : LIGHT[0]], legend: { kind: 'none' } }
  if (column.kind === 'category') return byCategory(column, isDark ? DARK : LIGHT, GREYS[theme])
  const { values } = column
  const scale = column.log ? (value: number) => Math.log(Math.max(value, 1e-12)) : (value: number) => value
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) {
    if (!Number.isFinite(value) || (column.log && value <= 0)) continue
    if (value < low) low = value
    if (value > high) high = value
  }
  const ramp = rampOf(RAMPS[theme])
  const codes = new Uint8Array(count)
  const [from, to] = [scale(low), scale(high)]
  for (let i = 0; i < count; i++) {
    const value = values[i]
    const isThere = Number.isFinite(value) && !(column.log && value <= 0)
    // The first colour is that of no value.
    codes[i] = isThere ? 1 + Math.round((to > from ? (scale(value) - from) / (to - from) : 0.5) * (STEPS - 1)) : 0
  }
  return {
    codes,
    colors: [GREYS[theme], ...ramp],
    legend: low <= high ? { kind: 'ramp', low, high, colors: ramp } : { kind: 'none' },
  }
}

function byCategory({ values, categories = [] }: Values, palette: readonly string[], grey: string): Painted {
  const counts = new Float64Array(categories.length)
  for (const code of values) counts[code]++
  const own = Math.min(categories.length, categories.length > palette.length ? palette.length - 1 : palette.length)
  const codes = Uint8Array.from(values, (code) => Math.min(code, own))
  const rows = categories.slice(0, own).map((name, code) => ({ name, color: palette[code], count: counts[code], code }))
  return {
    codes,
    colors: [...palette.slice(0, own), grey],
    legend: { kind: 'categories', rows, others: categories.length - own, grey },
  }
}

function rampOf(stops: readonly string[]): string[] {
  const parts = stops.map((stop) => [1, 3, 5].map((at) => parseInt(stop.slice(at, at + 2), 16)))
  return Array.from({ length: STEPS }, (_, step) => {
    const place = (step / (STEPS - 1)) * (stops.length - 1)
    const [before, part] = [
      Math.min(stops.length - 2, Math.floor(place)),
      place - Math.min(stops.length - 2, Math.floor(place)),
    ]
    const mixed = parts[before].map((one, i) => Math.round(one + (parts[before + 1][i] - one) * part))
    return `#${mixed.map((value) => value.toString(16).padStart(2, '0')).join('')}`
  })
}
