// What the input layers of model families consist of, as Transformers computes them: names of tensors, and what is done
// with them. Names are without what stands before them in a file (`transformer.`, `bert.`, `model.language_model.`).

import { flagOf, numberOf, type JsonObject } from './config.js'

/** What the input layer of a family does. */
export interface Family {
  /** The token table's name, and others that it may have; they are tried in this order. */
  readonly token: readonly string[]
  /** The table of learned positions. */
  readonly position?: string
  /** The row of the first position. */
  readonly first?: number
  /** Whether positions skip padding and start behind the padding id. */
  readonly skipsPadding?: boolean
  readonly segment?: string
  /** The layer normalization: its weight and bias are below this name. */
  readonly layerNorm?: string
  /** The name of the normalization's eps in the config, and its default. */
  readonly eps?: readonly [name: string, otherwise: number]
  /** Whether the output head is the token table if the config does not say. */
  readonly tied: boolean
  /** Whether the row of the config's `pad_token_id` gets no gradient. */
  readonly pads?: boolean
  /** What token vectors are multiplied by. */
  readonly scale?: (config: JsonObject, dim: number) => number
  /** Whether the factor is rounded to the type of the weights. */
  readonly roundsScale?: boolean
  /** Whether the config turns learned positions off. */
  readonly without?: (config: JsonObject) => boolean
  /** What the model does between the input layer and its first block that nothing here runs. */
  readonly notRun?: (config: JsonObject, sizes: Sizes) => readonly string[]
}

/** The sizes of a model. */
export interface Sizes {
  /** Number of elements of a token vector. */
  readonly dim: number
  /** Number of elements of what its blocks take. */
  readonly hidden: number
}

const ROOT = (_: JsonObject, dim: number) => Math.sqrt(dim)

/** A projection of token vectors to the width of the blocks. */
const projection =
  (name: string, always = false) =>
  (_: JsonObject, { dim, hidden }: Sizes) =>
    always || dim !== hidden ? [`${name}: the projection of vectors from ${dim} to ${hidden}`] : []

/** Token vectors alone, as of models that place tokens in attention. */
const tokens = (token: readonly string[], tied: boolean, more: Partial<Family> = {}): Family => ({
  token,
  tied,
  ...more,
})

const EMBED_TOKENS = ['embed_tokens.weight']
const UNTIED = tokens(EMBED_TOKENS, false, { pads: true })
const TIED = tokens(EMBED_TOKENS, true, { pads: true })
const GEMMA = tokens(EMBED_TOKENS, true, { pads: true, scale: ROOT, roundsScale: true })
const GPT: Family = { token: ['wte.weight'], position: 'wpe.weight', tied: true }

const BERT: Family = {
  token: ['embeddings.word_embeddings.weight'],
  position: 'embeddings.position_embeddings.weight',
  segment: 'embeddings.token_type_embeddings.weight',
  layerNorm: 'embeddings.LayerNorm',
  eps: ['layer_norm_eps', 1e-12],
  tied: true,
  pads: true,
}
const ROBERTA: Family = { ...BERT, skipsPadding: true, eps: ['layer_norm_eps', 1e-5] }
const DEBERTA: Family = {
  ...BERT,
  eps: ['layer_norm_eps', 1e-7],
  without: (config) => !flagOf(config, 'position_biased_input', true),
  notRun: projection('embeddings.embed_proj'),
}

/** Encoders and decoders; the layer is the encoder's. */
const SHARED = ['shared.weight', 'encoder.embed_tokens.weight']
const scaled = (config: JsonObject, dim: number) => (flagOf(config, 'scale_embedding', false) ? Math.sqrt(dim) : 1)
const BART: Family = {
  token: SHARED,
  position: 'encoder.embed_positions.weight',
  first: 2,
  layerNorm: 'encoder.layernorm_embedding',
  tied: true,
  pads: true,
  scale: scaled,
}
const T5 = tokens(SHARED, true)
const SINUSOIDS = 'positions: sinusoids that the file does not have; sinusoidalPositions() makes such tables'

const FAMILIES: Readonly<Record<string, Family>> = {
  gpt2: GPT,
  gpt_neo: GPT,
  gpt_bigcode: GPT,
  'openai-gpt': { token: ['tokens_embed.weight'], position: 'positions_embed.weight', tied: true },
  gptj: tokens(['wte.weight'], false),
  codegen: tokens(['wte.weight'], false),
  mpt: tokens(['wte.weight'], true),
  gpt_neox: tokens(['embed_in.weight'], false),
  bloom: {
    token: ['word_embeddings.weight'],
    layerNorm: 'word_embeddings_layernorm',
    eps: ['layer_norm_epsilon', 1e-5],
    tied: true,
  },
  falcon: tokens(['word_embeddings.weight'], true),
  mamba: tokens(['backbone.embeddings.weight', 'embeddings.weight'], true),
  mamba2: tokens(['backbone.embeddings.weight', 'embeddings.weight'], false),

  llama: UNTIED,
  mistral: UNTIED,
  mixtral: UNTIED,
  qwen2: UNTIED,
  qwen2_moe: UNTIED,
  qwen3: UNTIED,
  qwen3_moe: UNTIED,
  phi: UNTIED,
  phi3: UNTIED,
  olmo: UNTIED,
  olmo2: UNTIED,
  stablelm: UNTIED,
  gpt_oss: UNTIED,
  deepseek_v3: UNTIED,
  cohere: TIED,
  cohere2: TIED,
  starcoder2: TIED,
  smollm3: TIED,
  granite: { ...UNTIED, scale: (config) => numberOf(config, 'embedding_multiplier') ?? 1 },
  gemma: GEMMA,
  gemma2: GEMMA,
  gemma3: GEMMA,
  gemma3_text: GEMMA,
  gemma3n: { ...GEMMA, notRun: () => PER_LAYER },
  gemma3n_text: { ...GEMMA, notRun: () => PER_LAYER },

  opt: {
    token: ['decoder.embed_tokens.weight'],
    position: 'decoder.embed_positions.weight',
    first: 2,
    tied: true,
    pads: true,
    notRun: projection('decoder.project_in'),
  },
  whisper: {
    token: ['decoder.embed_tokens.weight'],
    position: 'decoder.embed_positions.weight',
    tied: true,
    pads: true,
  },
  bart: BART,
  mbart: BART,
  pegasus: { ...BART, first: 0, layerNorm: undefined },
  marian: { ...BART, position: undefined, layerNorm: undefined, notRun: () => [SINUSOIDS] },
  t5: T5,
  mt5: T5,
  umt5: T5,

  bert: BERT,
  roberta: ROBERTA,
  'xlm-roberta': ROBERTA,
  camembert: ROBERTA,
  longformer: ROBERTA,
  'data2vec-text': ROBERTA,
  mpnet: { ...ROBERTA, segment: undefined },
  electra: { ...BERT, notRun: projection('embeddings_project') },
  albert: { ...BERT, notRun: projection('encoder.embedding_hidden_mapping_in', true) },
  deberta: DEBERTA,
  'deberta-v2': DEBERTA,
  distilbert: { ...BERT, segment: undefined, eps: undefined },
  modernbert: {
    token: ['embeddings.tok_embeddings.weight'],
    layerNorm: 'embeddings.norm',
    eps: ['norm_eps', 1e-5],
    tied: true,
    pads: true,
  },
}

const PER_LAYER = [
  'embed_tokens_per_layer: the vectors that every block gets of its own',
  'altup_projections: the inputs of the first block beside its first one',
]

/** The eps of families that do not say it in their config. */
export const EPS: Readonly<Record<string, number>> = { distilbert: 1e-12 }

/** The names that output heads have, in the order in which they are looked for. */
export const HEADS = [
  'lm_head.weight',
  'embed_out.weight',
  'proj_out.weight',
  'cls.predictions.decoder.weight',
  'lm_head.decoder.weight',
  'vocab_projector.weight',
] as const

/** The family that a config names; undefined if nothing is known of it. */
export const familyOf = (name: string | undefined): Family | undefined =>
  name !== undefined && Object.hasOwn(FAMILIES, name) ? FAMILIES[name] : undefined
