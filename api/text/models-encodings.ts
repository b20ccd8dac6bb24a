// Which encoding a model of OpenAI's has (tiktoken: `model.py`).

import { UsageError } from '../base/errors.js'
import { checkText, show } from '../base/validate.js'

/** The encodings that `Tokenizer.load` knows. */
export type EncodingName =
  | 'gpt2'
  | 'r50k_base'
  | 'p50k_base'
  | 'p50k_edit'
  | 'cl100k_base'
  | 'o200k_base'
  | 'o200k_harmony'

const MODELS: readonly (readonly [encoding: EncodingName, models: string])[] = [
  ['o200k_base', 'o1 o3 o4-mini gpt-5 gpt-4.1 gpt-4o'],
  [
    'cl100k_base',
    'gpt-4 gpt-3.5-turbo gpt-3.5 gpt-35-turbo davinci-002 babbage-002 text-embedding-ada-002 text-embedding-3-small text-embedding-3-large',
  ],
  [
    'p50k_base',
    'text-davinci-003 text-davinci-002 code-davinci-002 code-davinci-001 code-cushman-002 code-cushman-001 davinci-codex cushman-codex',
  ],
  ['p50k_edit', 'text-davinci-edit-001 code-davinci-edit-001'],
  [
    'r50k_base',
    'text-davinci-001 text-curie-001 text-babbage-001 text-ada-001 davinci curie babbage ada text-similarity-davinci-001 text-similarity-curie-001 text-similarity-babbage-001 text-similarity-ada-001 text-search-davinci-doc-001 text-search-curie-doc-001 text-search-babbage-doc-001 text-search-ada-doc-001 code-search-babbage-code-001 code-search-ada-code-001',
  ],
  ['gpt2', 'gpt2 gpt-2'],
]

/** How names begin, such as those with a date; the first that fits counts. */
const BEGINNINGS: readonly (readonly [beginning: string, encoding: EncodingName])[] = [
  ['o1-', 'o200k_base'],
  ['o3-', 'o200k_base'],
  ['o4-mini-', 'o200k_base'],
  ['gpt-5', 'o200k_base'],
  ['gpt-4.5-', 'o200k_base'],
  ['gpt-4.1-', 'o200k_base'],
  ['chatgpt-4o-', 'o200k_base'],
  ['gpt-4o-', 'o200k_base'],
  ['gpt-4-', 'cl100k_base'],
  ['gpt-3.5-turbo-', 'cl100k_base'],
  ['gpt-35-turbo-', 'cl100k_base'],
  ['gpt-oss-', 'o200k_harmony'],
  ['ft:gpt-4o', 'o200k_base'],
  ['ft:gpt-4', 'cl100k_base'],
  ['ft:gpt-3.5-turbo', 'cl100k_base'],
  ['ft:davinci-002', 'cl100k_base'],
  ['ft:babbage-002', 'cl100k_base'],
]

/** The name of a model's encoding. @internal */
export function encodingNameOf(model: string, where: string): EncodingName {
  checkText(model, `${where}: the name of a model`)
  const named = MODELS.find(([, models]) => models.split(' ').includes(model))
  const encoding = named?.[0] ?? BEGINNINGS.find(([beginning]) => model.startsWith(beginning))?.[1]
  if (encoding !== undefined) return encoding
  throw new UsageError(
    `${where}: the encoding of ${show(model)} is not known: name it yourself with Tokenizer.load, or read the model's file with Tokenizer.fromFile`,
  )
}
