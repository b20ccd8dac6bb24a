// What models that classify texts answer.

/** A class and its probability. */
export interface Prediction {
  label: string
  probability: number
}

export interface ClassifyOptions {
  /** The largest number of classes to return, the most probable first; default all. */
  topN?: number
}
