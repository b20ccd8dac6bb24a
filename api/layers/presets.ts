// The input layers of well-known models, by the names that TokenPositionEmbedding.preset takes.

import { UsageError } from '../base/errors.js'
import type { TokenPositionOptions } from './token-position-options.js'
import { checkSize, isObject, show } from '../base/validate.js'

/** Presets whose layers add learned positions. */
export type PositionedPreset = 'gpt2' | 'bert' | 'roberta'
/** Presets whose layers have only token vectors: their models place tokens in attention. */
export type TokenPreset = 't5' | 'llama' | 'gemma'

/**
 * The layer's options; a layer without positions needs no contextLength, but if one is given, it limits the length of
 * sequences.
 */
export type PresetOptions<N extends PositionedPreset | TokenPreset> = N extends TokenPreset
  ? Omit<TokenPositionOptions, 'contextLength'> & { contextLength?: number }
  : TokenPositionOptions

/** How a layer places tokens. */
export interface Placing {
  /** Whether there is a table of positions. */
  readonly learned: boolean
  /** Whether positions skip padding and start behind the padding id, as fairseq's do. */
  readonly skipsPadding: boolean
  /** The row of the first position, as OPT's and BART's tables begin with two rows that no token has. */
  readonly first: number
}

/** The placing of a layer that is made by `new`. */
export const LEARNED: Placing = { learned: true, skipsPadding: false, first: 0 }
/** The placing of RoBERTa, whose first row follows from the padding id. */
export const SKIPPING: Placing = { learned: true, skipsPadding: true, first: 0 }
/** The placing of a layer without positions. */
export const NONE: Placing = { learned: false, skipsPadding: false, first: 0 }

/** The settings of the published models, used where the caller gives none. */
const PRESETS: Record<
  PositionedPreset | TokenPreset,
  { placing: Placing; defaults: (dim: number) => Partial<TokenPositionOptions> }
> = {
  gpt2: { placing: LEARNED, defaults: () => ({}) },
  bert: { placing: LEARNED, defaults: () => ({ segments: 2, layerNorm: { eps: 1e-12 }, paddingIdx: 0 }) },
  roberta: { placing: SKIPPING, defaults: () => ({ segments: 1, layerNorm: { eps: 1e-5 }, paddingIdx: 1 }) },
  t5: { placing: NONE, defaults: () => ({}) },
  llama: { placing: NONE, defaults: () => ({}) },
  gemma: { placing: NONE, defaults: (dim) => ({ scale: Math.sqrt(dim), paddingIdx: 0 }) },
}

/** The options of a preset, which the caller's options override, and how it places tokens. */
export function presetOf(
  name: unknown,
  options: object,
  where: string,
): { options: TokenPositionOptions; placing: Placing } {
  if (typeof name !== 'string' || !Object.hasOwn(PRESETS, name)) {
    throw new UsageError(`${where}: no preset is called ${show(name)}; known: ${Object.keys(PRESETS).join(', ')}`)
  }
  if (!isObject(options)) throw new UsageError(`${where}: options must be an object, not ${show(options)}`)
  const { placing, defaults } = PRESETS[name as PositionedPreset]
  const dim = checkSize((options as { dim?: unknown }).dim, `${where}: dim`, 1)
  // An option that is given as undefined counts as not given.
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  return { options: { ...defaults(dim), ...given } as TokenPositionOptions, placing }
}
