// The tokenizer of a model by the model's name, as a function.

import { encodingNameOf } from './models-encodings.js'
import { Tokenizer } from './tokenizer.js'

/** `Tokenizer.encodingForModel`. */
export function encodingForModel(model: string): Tokenizer {
  return Tokenizer.load(encodingNameOf(model, 'encodingForModel'))
}
