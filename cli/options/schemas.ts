// What commands print with --json, as JSON Schema (draft 2020-12).

/** A schema, or a part of one. */
export type Schema = Readonly<Record<string, unknown>>

const of = (type: string, about?: string): Schema => (about === undefined ? { type } : { type, description: about })
const text = (about?: string) => of('string', about)
const number = (about?: string) => of('number', about)
/** A whole number from 0 on. */
const count = (about?: string): Schema => ({ ...of('integer', about), minimum: 0 })
const truth = (about?: string) => of('boolean', about)
const list = (items: Schema, about?: string): Schema => ({ ...of('array', about), items })
const words = (...values: readonly unknown[]): Schema => ({ enum: values })
const either = (...schemas: readonly Schema[]): Schema => ({ anyOf: schemas })
const orNull = (schema: Schema): Schema => either(schema, of('null'))
/** A list of so many parts. */
const tuple = (...parts: readonly Schema[]): Schema => ({
  type: 'array',
  prefixItems: parts,
  minItems: parts.length,
  items: false,
})

/** An object that has these fields, may have some others, and has no more. */
function object(fields: Readonly<Record<string, Schema>>, more: Readonly<Record<string, Schema>> = {}): Schema {
  return {
    type: 'object',
    properties: { ...fields, ...more },
    required: Object.keys(fields),
    additionalProperties: false,
  }
}

/** An object whose fields are not known before. */
const open = (values?: Schema, about?: string): Schema => ({
  ...of('object', about),
  additionalProperties: values ?? true,
})

const shape = list(count(), 'the sizes of its dimensions')
const range = (what: string) => ({
  ...tuple(count(), count()),
  description: `the first ${what}, and the one after the last`,
})
const path = text('a path, as it was given')
const seconds = number('how long it took, in seconds')
const bytes = count('the size in bytes')
const vectorType = words('float32', 'float16', 'bfloat16', 'int8', 'binary', 'uint8')

const nearest = list(
  object({ token: text(), id: count(), similarity: number('the cosine of the angle between the vectors') }),
  'the nearest tokens, the most similar one first',
)

const failedPart = object({ folder: text(), index: count(), count: count(), reason: text(), attempts: count() })

const tensors = list(object({ name: text(), dtype: text(), shape }), 'the tensors in the file')

const tokens = object(
  { tokenizer: text(), tokens: count(), characters: count(), bytes, charactersPerToken: orNull(number()) },
  {
    pieces: list(
      object(
        { id: count() },
        {
          text: text(),
          bytes: text('the bytes in hexadecimal, of a token that is no whole text'),
          special: words(true),
        },
      ),
    ),
    ids: list(count()),
  },
)

const embed = either(
  object(
    {
      out: path,
      bytes,
      shape: tuple(count(), count(), count()),
      dtype: vectorType,
      tokens: count(),
      windows: count(),
      seconds,
      tokensPerSecond: count(),
      tokenizer: text(),
      seed: of('integer', 'of any size up to 64 bits, which not every reader of JSON keeps'),
      files: list(object({ name: path, tokens: count(), windows: range('window of the file') })),
    },
    { tablesOut: path },
  ),
  object({
    out: path,
    bytes,
    shape: tuple(count(), count()),
    dtype: vectorType,
    texts: count(),
    seconds,
    textsPerSecond: count(),
    model: path,
    files: list(object({ name: path, rows: range('row of the file') })),
  }),
  object({
    out: path,
    shard: object({ index: count(), count: count() }),
    rows: count(),
    width: count('elements of a row'),
    shards: count('the number of shards'),
    seconds,
  }),
)

const table = { dtype: text(), shape }
const ids = list(count())

const pretrained = either(
  object({
    family: text(),
    token: object({ name: orNull(text()), ...table }),
    position: orNull(object(table)),
    segment: orNull(object(table)),
    layerNorm: orNull(object({ shape, eps: number() })),
    head: orNull(object(table)),
    tied: truth(),
    scale: number(),
    tokenizer: orNull(
      either(
        object({ name: text(), vocabSize: count(), engine: text(), engineReason: orNull(text()) }),
        object({ error: text() }),
      ),
    ),
    layer: text('what its input layer does'),
    notRun: list(text(), 'what comes before the first block and is not run'),
  }),
  object({ family: words('fasttext'), words: count(), dim: count(), labels: orNull(list(text())) }),
  object({ error: object({ code: text(), message: text('why the model does not load') }) }),
)

const inspect = either(
  object(
    {
      path: text(),
      bytes,
      tensors: list(object({ name: text(), dtype: text(), shape, bytes }, { file: text() })),
      tables: list(
        object({
          name: text(),
          rows: count(),
          dim: count(),
          norms: orNull(object({ min: number(), median: number(), mean: number(), max: number() })),
          zero: ids,
          notFinite: ids,
          unseen: orNull(ids),
          unchanged: orNull(ids),
          hot: orNull(list(object({ id: count(), count: number(), share: number() }))),
          outliers: list(object({ id: count(), norm: number(), deviation: number() })),
        }),
        'the tables that were examined',
      ),
    },
    {
      model: object({ objective: text(), vocabulary: open(), training: open() }),
      pretrained,
      metadata: open(text()),
      files: list(text()),
      verified: words(true),
    },
  ),
  object(
    {
      tokens: object({
        path: text(),
        ids: count(),
        documents: count(),
        dtype: words('u16', 'u32'),
        vocabSize: count(),
        tokenizer: object({ name: text(), sha256: orNull(text()) }),
        separator: orNull(object({ token: text(), id: count() })),
        lines: truth(),
        files: open(),
        sources: list(open()),
      }),
    },
    { verified: words(true) },
  ),
)

const doctor = object({
  ok: truth('whether nothing failed'),
  tokenbed: text('the version'),
  host: open(orNull(text())),
  checks: list(object({ name: text(), state: words('ok', 'note', 'fail'), says: text() }, { todo: text() })),
  capabilities: orNull(
    object({
      version: text(),
      isa: text(),
      detected: list(text()),
      features: list(object({ name: text(), available: truth() })),
      threads: count(),
      liveData: truth(),
      binary: text(),
      path: text(),
      source: words('package', 'build', 'environment'),
    }),
  ),
  kernels: list(open(), 'each op on each instruction set'),
})

const verify = object({
  folder: path,
  rows: count(),
  width: count(),
  dtype: text(),
  shards: count(),
  verified: words(true),
})

/** The schemas by command. Of those that are `lines`, each line is such an object. */
export const SCHEMAS: Readonly<Record<string, { readonly schema: Schema; readonly lines?: true }>> = {
  embed: { schema: embed },
  tokens: { schema: tokens },
  tokenize: {
    schema: object({
      out: path,
      ids: count(),
      documents: count(),
      dtype: words('u16', 'u32'),
      bytes,
      seconds,
      idsPerSecond: count(),
      tokenizer: text(),
      separator: orNull(text()),
      files: list(object({ name: path, ids: count(), documents: count() })),
    }),
  },
  train: {
    schema: object(
      {
        out: path,
        objective: words('skip-gram', 'cbow', 'next-token', 'classify'),
        vocabulary: count('the number of tokens'),
        dim: count(),
        tokens: count('the tokens that were trained on, over all epochs'),
        steps: count(),
        seconds,
        loss: orNull(number('the last mean loss')),
      },
      {
        labels: count('the number of classes'),
        heldOut: orNull(number('the mean loss over what was held out')),
        accuracy: number('of a classifier, over what was held out'),
      },
    ),
  },
  classify: {
    schema: object({ text: text(), classes: list(object({ label: text(), probability: number() })) }),
    lines: true,
  },
  'queue add': {
    schema: object({ folder: text(), parts: count(), done: count(), added: count(), retried: count(), there: count() }),
  },
  'queue work': {
    schema: object({ done: count(), returned: count(), lost: count(), failed: list(failedPart) }),
  },
  'queue status': {
    schema: object({
      folder: text(),
      parts: count(),
      done: count(),
      isComplete: truth(),
      waiting: count(),
      active: count(),
      delayed: count(),
      failed: list(failedPart),
      missing: count(),
    }),
  },
  'queue verify': { schema: verify },
  verify: { schema: verify },
  neighbors: { schema: object({ neighbors: list(object({ token: text(), id: count(), nearest })) }) },
  analogy: { schema: object({ a: text(), b: text(), c: text(), nearest }) },
  search: {
    schema: object({
      queries: list(
        object({ text: text(), nearest: list(object({ id: count('the row'), score: number() }, { text: text() })) }),
      ),
    }),
  },
  dedupe: { schema: object({ rows: count(), threshold: number(), groups: list(ids) }) },
  split: {
    schema: object({
      file: path,
      start: count('in UTF-16 code units'),
      end: count(),
      tokens: count(),
      text: text(),
    }),
    lines: true,
  },
  inspect: { schema: inspect },
  convert: { schema: object({ in: path, kind: text(), out: path, format: text(), bytes, tensors }) },
  quantize: {
    schema: object({
      in: path,
      kind: text('what IN is'),
      out: path,
      dtype: words('int8', 'int4', 'int2', 'float8', 'float16', 'bfloat16'),
      bytes,
      tensors: list(
        object(
          { name: text(), dtype: text(), shape },
          { error: object({ max: number(), mean: number(), rms: number() }) },
        ),
      ),
    }),
  },
  explore: {
    schema: object(
      {
        rows: count(),
        drawn: count('how many of the rows are drawn'),
        dim: count(),
        projection: words('pca', 'umap', 'tsne'),
      },
      { url: text('the address of the page, while it is served'), out: path, bytes },
    ),
  },
  plot: {
    schema: object(
      {
        out: path,
        tokens: list(object({ token: text(), id: count(), x: number(), y: number(), labelled: truth() })),
        explained: list(number(), 'the share of the variance of each of the two directions'),
      },
      { loss: list(tuple(count(), number()), 'pairs of a step and a loss') },
    ),
  },
  doctor: { schema: doctor },
}
