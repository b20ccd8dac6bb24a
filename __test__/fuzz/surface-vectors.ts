// The arguments of models, vectors, text embedders, searches and streams of vectors; see surface.ts.

import { GIVEN, type Slot } from './surface-learning.js'

const NEIGHBOURS = { topN: 'small' }
const EMBED = { dim: 'dim', normalize: 'boolean', dtype: 'word:float32,float16,int8,binary', out: 'tensor' }
const SEMANTICS = 'word:model2vec,model2vec@0.9,sentence-transformers,wordllama,mean'
const EVALUATION = { restrictTo: 'small', caseInsensitive: 'boolean', dummy4unknown: 'boolean' }
const TOP_K = { k: 'small', metric: 'word:cosine,dot,euclidean,hamming', among: 'ids' }
const DEDUPE = { threshold: 'probability', metric: 'word:cosine,hamming' }
const CLUSTER = { k: 'one', seed: 'small', iterations: 'one', restarts: 'one' }
const SPLIT = { maxTokens: 'hundred', tokenizer: 'tokenizer', overlap: 'small', by: 'word:token,sentence,meaning' }
const SEARCH = { ...NEIGHBOURS, restrictTo: 'small' }
const RECORDS = {
  format: 'word:text,jsonl,csv',
  field: 'text',
  id: 'text',
  invalidUtf8: 'word:throw,replace',
  maxRatio: 'hundred',
  maxRecordBytes: 'hundred',
  signal: 'signal',
}
const STREAM = {
  embedder: 'any',
  batchTokens: 'hundred',
  maxBytes: 'hundred',
  onError: 'word:throw,skip,collect',
  signal: 'signal',
  dim: 'dim',
  normalize: 'boolean',
  dtype: 'word:float32,float16,int8,binary',
}

const MODEL = {
  objective: 'text',
  tensors: { 'token.weight': 'table' },
  vocabulary: 'words',
  counts: 'numbers',
  labels: 'words',
  training: { tokens: 'small' },
}

/** The slots of their members. */
export const CLASSES_OF_VECTORS: Record<string, Record<string, readonly Slot[]>> = {
  Model: {
    new: ['any', 'any', 'any', 'any', 'any', 'any'],
    save: ['path'],
    saveAsync: ['path', { signal: 'signal' }],
    dispose: [],
    '[Symbol.dispose]': [],
    objective: [],
    words: [],
    tokenizer: [],
    labels: [],
    weight: [],
    embedding: [GIVEN],
    classify: ['text', NEIGHBOURS],
    vectors: [],
  },
  FastText: {
    new: ['any', 'any'],
    words: [],
    labels: [],
    vector: ['text'],
    sentenceVector: ['text'],
    classify: ['text', { topN: 'small' }],
    vectors: [],
    dispose: [],
    '[Symbol.dispose]': [],
  },
  Vectors: {
    new: ['table', 'words', { fixed: 'boolean' }],
    dispose: [],
    '[Symbol.dispose]': [],
    weight: [],
    words: [],
    tokenizer: [],
    tokens: [],
    has: ['word'],
    id: ['word'],
    token: ['id'],
    vector: ['word'],
    mostSimilar: ['query', SEARCH],
    mostSimilarAsync: ['query', { ...SEARCH, signal: 'signal' }],
    mostSimilarBatch: [['query'], SEARCH],
    mostSimilarBatchAsync: [['query'], { ...SEARCH, signal: 'signal' }],
    mostSimilarCosmul: ['query', SEARCH],
    distances: ['word', ['word']],
    distance: ['word', 'word'],
    nSimilarity: [['word'], ['word']],
    closerThan: ['word', 'word'],
    meanVector: [
      ['word'],
      { weights: 'numbers', preNormalize: 'boolean', postNormalize: 'boolean', ignoreMissing: 'boolean' },
    ],
    evaluateWordPairs: ['file', { ...EVALUATION, delimiter: 'text' }],
    evaluateAnalogies: ['file', EVALUATION],
    evaluateWordPairsAsync: ['file', { ...EVALUATION, delimiter: 'text', signal: 'signal' }],
    evaluateAnalogiesAsync: ['file', { ...EVALUATION, signal: 'signal' }],
    add: ['words', 'table', { replace: 'boolean' }],
    remove: [['word']],
    analogy: ['word', 'word', 'word', SEARCH],
    similarities: ['query'],
    similarity: ['word', 'word'],
    doesntMatch: [['word']],
    rank: ['word', 'word'],
  },
  RowStore: {
    new: ['any', 'any', 'any', 'any'],
    // Without a connection, so that nothing is sent to a server that happens to run.
    'static open': [
      { file: 'npy', tensor: 'text' },
      { cacheBytes: 'hundred', maxAgeMs: 'number' },
    ],
    'static save': ['table', { table: 'text' }, { force: 'boolean', onProgress: 'callback', signal: 'signal' }],
    stats: [],
    lookup: ['ids', { signal: 'signal' }],
    set: ['ids', 'tensor', { signal: 'signal' }],
    invalidate: ['ids'],
    close: [],
  },
  TextEmbedder: {
    new: [{ tokenizer: 'tokenizer', table: 'table', weights: 'tensor', mapping: 'ids', normalize: 'boolean' }],
    'static load': ['folder', { semantics: SEMANTICS, tokenizer: 'path' }],
    'static fromVectors': [
      'vectors',
      { weights: 'word:sif,zipf', counts: 'numbers', a: 'number', removeComponent: 'boolean', dim: 'dim' },
    ],
    embed: ['text', EMBED],
    embedAsync: ['text', { ...EMBED, signal: 'signal' }],
    embedSoon: ['text'],
    save: ['path'],
    table: [],
    tokenizer: [],
    dispose: [],
    '[Symbol.dispose]': [],
  },
}

/** The slots of functions. */
export const FUNCTIONS_OF_VECTORS: Record<string, readonly Slot[]> = {
  loadModel: ['folder'],
  loadModelAsync: ['folder', { verify: 'boolean', signal: 'signal' }],
  saveModel: ['path', MODEL],
  saveModelAsync: ['path', MODEL, { signal: 'signal' }],
  topK: ['tensor', 'table', TOP_K],
  topKAsync: ['tensor', 'table', { ...TOP_K, signal: 'signal' }],
  dedupe: ['table', DEDUPE],
  dedupeAsync: ['table', { ...DEDUPE, signal: 'signal' }],
  cluster: ['table', CLUSTER],
  clusterAsync: ['table', { ...CLUSTER, signal: 'signal' }],
  splitText: ['text', SPLIT],
  splitTextAsync: ['text', { ...SPLIT, signal: 'signal' }],
  loadWord2Vec: [
    'word2vec',
    { binary: 'boolean', limit: 'small', invalidUtf8: 'word:throw,replace', escape: 'boolean' },
  ],
  saveWord2Vec: ['path', 'vectors', { binary: 'boolean', escape: 'boolean', header: 'boolean' }],
  loadGlove: ['glove', { limit: 'small', invalidUtf8: 'word:throw,replace' }],
  loadFastText: ['fasttext'],
  saveProjector: ['path', 'vectors'],
  tableHealth: ['table', { counts: 'numbers', initial: 'table' }],
  principalComponents: ['table', { count: 'small' }],
  principalComponentsAsync: ['table', { count: 'small', signal: 'signal' }],
  records: ['path', RECORDS],
  embedStream: ['source', STREAM],
  embedTransform: [STREAM],
  embedShards: [
    'path',
    ['path'],
    { embedder: 'any', model: 'text', shardRows: 'small', shard: 'any', resume: 'boolean' },
  ],
  verifyShards: ['path'],
  modelDigest: ['path'],
  shardFromEnvironment: ['any', { count: 'small' }],
}
