// The arguments of the trainer, layers without a table, optimizers and schedules; see surface.ts.

/** The kind of an argument: a kind of value, an object with named members such as options, or a list of a kind. */
export type Slot = string | { readonly [name: string]: Slot } | readonly [Slot]

export const GENERATOR = { generator: 'generator' }
export const LAYER = { parameters: [], stateDict: [], loadStateDict: ['state'] }
const CLIMBS = { maximize: 'boolean' }
const ADAM = { lr: 'rate', betas: 'betas', eps: 'rate', weightDecay: 'rate', amsgrad: 'boolean', ...CLIMBS }
const SCHEDULE = { current: [], lr: [], getLastLr: [], step: [], stateDict: [], loadStateDict: ['any'] }

export const INIT = { std: 'number', mean: 'number', uniform: 'number' }
export const DRAWN = { ...GENERATOR, init: INIT }
export const TABLE = {
  paddingIdx: 'id',
  maxNorm: 'number',
  normType: 'number',
  scaleGradByFreq: 'boolean',
  sparse: 'boolean',
  dtype: 'resultType',
  ...DRAWN,
  requiresGrad: 'boolean',
  onBadId: 'word:throw,clamp,padding',
}
export const GIVEN = { ...TABLE, freeze: 'boolean' }

export const TRAINER = {
  objective: 'objective',
  tokenizer: 'tokenizer',
  vocabSize: 'rows',
  dim: 'dim',
  epochs: 'one',
  minCount: 'one',
  seed: 'small',
  invalidUtf8: 'word:throw,replace',
  maxRatio: 'hundred',
  pretrained: 'vectors',
  lockFactor: 'number',
}

/** The slots of their members. */
export const LEARNING: Record<string, Record<string, readonly Slot[]>> = {
  Trainer: {
    new: ['corpus', TRAINER],
    'static resume': ['checkpoint', 'corpus', { tokenizer: 'tokenizer', signal: 'signal' }],
    run: [
      {
        onProgress: 'callback',
        signal: 'signal',
        checkpoint: { path: 'path', every: 'number' },
        steps: 'small',
        earlyStopping: { evaluate: 'callback', every: 'small', patience: 'small', minDelta: 'number' },
        heldOut: { corpus: 'corpus', every: 'small' },
      },
    ],
    progress: [],
    save: ['path'],
    result: [],
    iterate: [
      {
        signal: 'signal',
        checkpoint: { path: 'path', every: 'number' },
        steps: 'small',
        heldOut: { corpus: 'corpus', every: 'small' },
      },
    ],
    '[Symbol.asyncIterator]': [],
    dispose: [],
    '[Symbol.dispose]': [],
  },
  Linear: {
    new: ['dim', 'dim', { bias: 'boolean', ...GENERATOR, dtype: 'word:float32,float64' }],
    forward: ['tensor'],
    dispose: [],
    '[Symbol.dispose]': [],
    ...LAYER,
  },
  LayerNorm: {
    new: ['dim', { eps: 'rate', elementwiseAffine: 'boolean', bias: 'boolean', dtype: 'word:float32,float64' }],
    eps: [],
    forward: ['tensor'],
    dispose: [],
    '[Symbol.dispose]': [],
    ...LAYER,
  },
  Dropout: {
    new: ['probability', GENERATOR],
    training: [],
    train: ['boolean'],
    eval: [],
    forward: ['tensor'],
    ...LAYER,
  },
  Optimizer: {
    new: ['any', 'params', 'any'],
    groups: [],
    addParamGroup: ['any'],
    torchStateDict: [],
    loadTorchStateDict: [{ tensors: 'state', metadata: 'any' }],
    lr: [],
    'lr=': ['rate'],
    step: [],
    zeroGrad: [],
    flush: [],
    stateDict: [],
    loadStateDict: ['optimizerState'],
    dispose: [],
    '[Symbol.dispose]': [],
  },
  SGD: {
    new: [
      'params',
      { lr: 'rate', momentum: 'rate', nesterov: 'boolean', weightDecay: 'rate', dampening: 'rate', ...CLIMBS },
    ],
  },
  Adam: { new: ['params', ADAM] },
  AdamW: { new: ['params', ADAM] },
  SparseAdam: { new: ['params', { lr: 'rate', betas: 'betas', eps: 'rate', ...CLIMBS }] },
  Adagrad: {
    new: [
      'params',
      { lr: 'rate', eps: 'rate', weightDecay: 'rate', initialAccumulatorValue: 'rate', lrDecay: 'rate', ...CLIMBS },
    ],
  },
  RMSprop: {
    new: [
      'params',
      {
        lr: 'rate',
        alpha: 'rate',
        eps: 'rate',
        weightDecay: 'rate',
        momentum: 'rate',
        centered: 'boolean',
        ...CLIMBS,
      },
    ],
  },
  Adafactor: {
    new: ['params', { lr: 'rate', beta2Decay: 'rate', eps: ['rate'], d: 'rate', weightDecay: 'rate', ...CLIMBS }],
  },
  Muon: {
    new: [
      'params',
      {
        lr: 'rate',
        weightDecay: 'rate',
        momentum: 'rate',
        nesterov: 'boolean',
        nsCoefficients: ['rate'],
        eps: 'rate',
        nsSteps: 'small',
        adjustLrFn: 'word:original,match_rms_adamw,spectral_unclamped',
      },
    ],
  },
  Lion: { new: ['params', { lr: 'rate', betas: 'betas', weightDecay: 'rate', ...CLIMBS }] },
  LRScheduler: { new: ['any', 'any'], ...SCHEDULE },
  StepLR: { new: ['optimizer', { stepSize: 'small', gamma: 'rate' }] },
  MultiStepLR: { new: ['optimizer', { milestones: ['small'], gamma: 'rate' }] },
  ExponentialLR: { new: ['optimizer', { gamma: 'rate' }] },
  PolynomialLR: { new: ['optimizer', { totalIters: 'small', power: 'rate' }] },
  LambdaLR: { new: ['optimizer', 'callback'] },
  CosineAnnealingWarmRestarts: { new: ['optimizer', { t0: 'small', tMult: 'small', etaMin: 'rate' }] },
  OneCycleLR: {
    new: [
      'optimizer',
      {
        maxLr: 'rate',
        totalSteps: 'hundred',
        pctStart: 'probability',
        annealStrategy: 'word:cos,linear',
        cycleMomentum: 'boolean',
        baseMomentum: 'probability',
        maxMomentum: 'probability',
        divFactor: 'rate',
        finalDivFactor: 'rate',
        threePhase: 'boolean',
      },
    ],
  },
  ReduceLROnPlateau: {
    new: [
      'optimizer',
      {
        mode: 'word:min,max',
        factor: 'probability',
        patience: 'small',
        threshold: 'rate',
        thresholdMode: 'word:rel,abs',
        cooldown: 'small',
        minLr: 'rate',
        eps: 'rate',
      },
    ],
    lr: [],
    getLastLr: [],
    step: ['number'],
    stateDict: [],
    loadStateDict: ['any'],
  },
  ChainedScheduler: {
    new: ['any'],
    lr: [],
    getLastLr: [],
    step: [],
    stateDict: [],
    loadStateDict: ['any'],
  },
  EmbeddingBagCollection: {
    new: [[{ name: 'word:a,b', numEmbeddings: 'rows', embeddingDim: 'dim', ...TABLE }]],
    forward: [
      { a: 'ragged', b: 'ragged' },
      { out: 'tensor', dtype: 'resultType', perSampleWeights: { a: 'tensor' } },
    ],
    forwardAsync: [
      { a: 'ragged', b: 'ragged' },
      { signal: 'signal', dtype: 'resultType', perSampleWeights: { a: 'tensor' } },
    ],
    split: ['tensor'],
    dispose: [],
    '[Symbol.dispose]': [],
    ...LAYER,
  },
  RotaryEmbedding: {
    new: [
      {
        dim: 'even',
        base: 'hundred',
        layout: 'word:half,interleaved',
        scaling: 'scaling',
        mropeSection: 'shape',
        mropeInterleaved: 'boolean',
      },
    ],
    forward: ['heads', { offset: 'small', positions: 'ids', out: 'tensor' }],
    dispose: [],
    '[Symbol.dispose]': [],
  },
  RowWiseAdagrad: { new: ['params', { lr: 'rate', eps: 'rate', weightDecay: 'rate', decoupled: 'boolean' }] },
  LRSchedule: {
    new: [
      'optimizer',
      { type: 'word:constant,linear,cosine', warmupSteps: 'small', totalSteps: 'hundred', minLr: 'rate' },
    ],
    current: [],
    lr: [],
    at: ['small', 'rate'],
    step: [],
    stateDict: [],
    loadStateDict: ['scheduleState'],
  },
}
