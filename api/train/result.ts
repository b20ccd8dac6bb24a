// How far a training is, and what it learned.

import type { Embedding } from '../layers/embedding.js'
import type { TrainingRecord } from '../models/description.js'
import type { Tensor } from '../tensor/tensor.js'
import type { Tokenizer } from '../text/tokenizer.js'
import type { Objective } from './objectives.js'

/** The progress of a trainer. */
export interface TrainProgress {
  /** Number of batches so far. */
  step: number
  /** Number of completed epochs, and of all epochs. */
  epoch: number
  epochs: number
  /** Number of corpus tokens so far, over all epochs, and in total. */
  tokens: number
  totalTokens: number
  /** The mean loss since the last report; null if there was no batch. */
  loss: number | null
  /** Tokens a second since the last report, and the seconds left at that pace; 0 if not known. */
  tokensPerSecond: number
  secondsLeft: number
  /** The learning rate of the next batch. */
  lr: number
  /** With `heldOut`: the last mean loss over it in this run. With `earlyStopping` alone: its last value. */
  heldOut?: number
  /** Of a classifier with `heldOut`: the share of its texts whose most probable class is one of theirs. */
  accuracy?: number
}

/** The result of training. */
export interface TrainResult {
  objective: Objective
  /** The vectors of tokens, (tokens, dim), as a layer that can go on learning. */
  embedding: Embedding
  /**
   * All tables by name. All objectives have `token.weight`. Training on pairs adds `output.weight`, the tokens as
   * centers; next-token adds `position.weight` and, unless tied, `head.weight`; classify adds `output.weight`,
   * (classes, dim).
   */
  tensors: Record<string, Tensor>
  /** The names of the rows of `token.weight`; null for a corpus of ids without a tokenizer. */
  vocabulary: string[] | Tokenizer | null
  /** How often each token occurs in the corpus. */
  counts: Float64Array
  /** The class names; null unless the objective is classify. */
  labels: string[] | null
  /** The record of the training, as `saveModel` keeps it. */
  training: TrainingRecord
  progress: TrainProgress
}
