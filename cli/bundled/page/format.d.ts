// What the command gives to the page.

/** A row of the legend and of the menu of colours. */
export interface ColumnInfo {
  readonly name: string
  readonly kind: 'number' | 'category'
  /** Whether colours follow the logarithm. */
  readonly log?: boolean
  /** The names of the categories, the most frequent one first. */
  readonly categories?: readonly string[]
  /** Whether it is made when it is asked for. */
  readonly late?: boolean
}

/** A column with its values: numbers, or the numbers of categories. */
export type Values = ColumnInfo & { readonly values: Float32Array | Uint16Array }

export type ProjectionName = 'pca' | 'umap' | 'tsne'

export interface ProjectionInfo {
  readonly name: ProjectionName
  /** What is to be said of it, such as how many rows it shows. */
  readonly note: string
  /** Whether it shows some of the rows, whose numbers are in the section `shown.NAME`. */
  readonly isSample: boolean
}

/** The head of what the page reads: JSON before the sections. */
export interface Head {
  readonly title: string
  readonly noun: string
  /** Number of rows that are drawn. */
  readonly count: number
  readonly dim: number
  readonly notes: readonly string[]
  /** Whether names are more than the rows' numbers. */
  readonly hasNames: boolean
  readonly columns: readonly ColumnInfo[]
  /** The column by which points are coloured first. */
  readonly color: number
  /** The projection that is shown first. */
  readonly projection: ProjectionName
  readonly projections: readonly ProjectionInfo[]
  /** Neighbours of each row in the section `neighbours`; 0 if there are none. */
  readonly k: number
  /** Whether a server answers. */
  readonly isServed: boolean
  /** Where the sections begin and end, after the head. */
  readonly sections: Readonly<Record<string, readonly [from: number, to: number]>>
}

/** A neighbour of a row, by its number among the drawn ones. */
export interface Near {
  readonly id: number
  readonly similarity: number
}
