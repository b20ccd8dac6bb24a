// Trains tables on text: the trainer works on another thread and reports its progress.

import { resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { checkSignal, whenAborted } from '../layers/async.js'
import { Contents } from '../base/contents.js'
import { checkCorpus, CORPUS, gather, vocabularyOf, type Corpus } from './corpus.js'
import { Embedding } from '../layers/embedding.js'
import { AbortedError, UsageError } from '../base/errors.js'
import type { TrainingRecord } from '../models/description.js'
import { notAwaitedAtExit } from '../native/leaving.js'
import { call, check, failureOf, native } from '../native/native.js'
import { guardReceivers } from '../base/receivers.js'
import { untrack } from '../memory/scope.js'
import { readSource, type Source } from '../text/source.js'
import { adopted } from '../tensor/allocate.js'
import { type Tensor } from '../tensor/tensor.js'
import type { Tokenizer } from '../text/tokenizer.js'
import { Watch, type EarlyStopping, type HeldOutOptions } from './early-stopping.js'
import type { TrainProgress, TrainResult } from './result.js'
import type { Objective, TrainerOptions } from './objectives.js'
import { Kept, keptIn, startNames, type Config } from './kept.js'
import { checkTrainer, hyperParameters, type CheckedOptions } from './options.js'
import {
  checkNumber,
  checkOptions,
  checkPath,
  checkSize,
  checkFunction,
  isObject,
  type FilePath,
} from '../base/validate.js'
import { allocating } from '../memory/arrays.js'
import { inTurns } from '../base/turns.js'
import { begin, isOfWords, START, type Start, type StartOptions } from './start.js'

export interface RunOptions {
  /** Called a few times a second. */
  onProgress?: (progress: TrainProgress) => void
  /**
   * Ends the run after the present batch; the run rejects with an AbortedError. The trainer can be run again or saved.
   */
  signal?: AbortSignal
  /**
   * Where checkpoints are written: at least `every` seconds apart (default 60), when the run is aborted, and at its
   * end.
   */
  checkpoint?: { path: FilePath; every?: number }
  /**
   * Number of batches after which the run returns, whether training is done or not; by default there is no such limit.
   * With 0 it only reads the corpus and makes the tables.
   */
  steps?: number
  /**
   * Stops when a value over held-out text does not become lower any more. The run then returns what was learned where
   * it was lowest, also if the training comes to its end, and `training.heldOut` has all values. Each run begins to
   * count anew. With `heldOut` the value is the loss over that.
   */
  earlyStopping?: EarlyStopping
  /**
   * Text that the run does not learn from. After each `every` batches, and at the end, the mean loss over it is
   * computed: of pairs of neighbours with the same negative samples each time, of the softmax over all tokens for
   * `next-token`, of the classes for `classify`, which has its accuracy, too. The progress has the last value, and
   * `training.heldOut` of the result all of them. It changes nothing that is learned.
   */
  heldOut?: HeldOutOptions
}

/** What a loop over a training takes: whoever iterates stops by leaving it. */
export type IterateOptions = Pick<RunOptions, 'signal' | 'checkpoint' | 'steps' | 'heldOut'>

/** What a run was asked for, and how far it came. */
interface Course {
  readonly where: string
  readonly signal: AbortSignal | undefined
  readonly saving: { readonly path: string; readonly every: number } | null
  readonly steps: number
  readonly held: Source | null
  readonly watch: Watch | null
  /** The step at which it began; null before. */
  first: number | null
  /** When the last checkpoint was written, or the run began. */
  saved: number
}

type Native = NonNullable<Awaited<ReturnType<typeof native.trainerNew> & object>['trainer']>

interface Ready {
  readonly native: Native
  readonly words: string[] | null
  readonly labels: string[] | null
  readonly counts: Float64Array
}

/** Milliseconds between two reports. The first reports come sooner, so that a short run has a loss curve too. */
const [FIRST_REPORT, REPORT] = [2, 250]
const RUN_OPTIONS = ['onProgress', 'signal', 'checkpoint', 'steps', 'earlyStopping', 'heldOut']
const ITERATE_OPTIONS = ['signal', 'checkpoint', 'steps', 'heldOut']
/** The most points of the loss that are kept; beyond that every other one is dropped. */
const MOST_LOSSES = 2000

const CONTENTS = new Contents<Trainer>('Trainer', {
  instead: 'write it with save() and read it with Trainer.resume, or use the tensors of result()',
})

/**
 * Trains tables on a corpus. It works off this thread, on as many threads as `setNumThreads` says. The result depends
 * only on corpus, options and seed: it has the same bits with any number of threads, also if the run is aborted and
 * continued, or continued from a checkpoint after the process was killed.
 *
 * ```ts
 * const trainer = new Trainer({ files: ['book.txt'] }, { objective: 'skip-gram', dim: 100 })
 * const { embedding, vocabulary } = await trainer.run({ onProgress: ({ loss }) => console.log(loss) })
 * ```
 */
export class Trainer {
  readonly objective: Objective
  readonly #source: Source
  readonly #options: CheckedOptions
  readonly #tokenizer: Tokenizer | null
  readonly #start: Start | null
  #ready: Ready | null = null
  #busy = false
  #disposed = false
  #losses: [number, number][]
  #seconds: number
  /** The last accuracy over what is held out. */
  #accuracy: number | null = null
  /** The run whose text is held out. */
  #holder: Course | null = null
  /** The values of the last loop over what it holds out. */
  #heldOut: Watch['values'] | null = null
  /** @internal */
  readonly structuredClone = CONTENTS.uncloneable

  /**
   * Checks corpus and options. The first `run` reads the corpus.
   *
   * @throws UsageError for an option that does not exist or is out of range, and for a corpus that does not name its
   * kind, such as an array of strings, or from which the objective cannot be learned.
   */
  constructor(corpus: Corpus, options: TrainerOptions)
  /** @internal */
  constructor(corpus: Corpus, options: TrainerOptions | Kept)
  constructor(corpus: Corpus, options: TrainerOptions | Kept) {
    const where = 'Trainer'
    const kept =
      isObject(options) && options instanceof Kept
        ? options
        : new Kept(readSource(corpus, CORPUS, where), checkTrainer(options, where), where)
    this.objective = kept.options.objective
    this.#source = kept.source
    this.#options = kept.options
    this.#tokenizer = kept.tokenizer
    this.#start = kept.start
    this.#losses = kept.losses
    this.#seconds = kept.seconds
  }

  /**
   * Continues from a checkpoint, with its options and the same corpus: the result has the bits of an uninterrupted run.
   * A tokenizer that was read from a file must be given again, and so must `from`, `pretrained` and `lockFactor`.
   *
   * @throws FileError, FormatError if the checkpoint cannot be read or was cut short; UsageError if it is not a
   * checkpoint, or belongs to another version or corpus, and as the constructor does.
   */
  static async resume(
    path: FilePath,
    corpus: Corpus,
    options?: { tokenizer?: Tokenizer; signal?: AbortSignal } & StartOptions,
  ): Promise<Trainer> {
    const where = 'Trainer.resume'
    const { tokenizer, signal, ...start } = checkOptions(options, ['tokenizer', 'signal', ...START], where)
    const file = resolve(checkPath(path, where))
    const source = readSource(corpus, CORPUS, where)
    const { saved, config, failure: failed } = await call(native.checkpointOpen(file))
    if (failed || !saved) throw failureOf(failed)
    const trainer = new Trainer(corpus, new Kept(source, keptIn(file, config!, tokenizer, start, where), where))
    const { native: handle } = await trainer.#make(checkSignal(signal, where), where)
    const failure = await call(native.trainerRestore(handle, saved))
    if (failure) throw failureOf(failure)
    return trainer
  }

  /**
   * Trains to the end, or until it is stopped, and returns what was learned. Call it again to continue.
   *
   * @throws UsageError for a corpus that is empty or of which `minCount` leaves nothing, and as soon as a loss is not
   * finite: the error names the step, and the last checkpoint stays. FileError, FormatError for files that cannot be
   * read, or a checkpoint that cannot be written. AbortedError. Errors of `onProgress` and of `earlyStopping.evaluate`.
   */
  async run(options?: RunOptions): Promise<TrainResult> {
    const where = 'Trainer.run'
    const { onProgress, ...rest } = checkOptions(options, RUN_OPTIONS, where)
    if (onProgress !== undefined) checkFunction(onProgress, `${where}: onProgress`)
    const course = this.#courseOf(rest, where)
    this.#heldOut = null
    const result = await this.#go(course, FIRST_REPORT, (progress) => {
      onProgress?.(progress)
      return false
    })
    return result!
  }

  /** Checks what a run is asked for. */
  #courseOf({ signal, checkpoint, steps = Infinity, earlyStopping, heldOut }: RunOptions, where: string): Course {
    const course: Course = {
      where,
      signal: checkSignal(signal, where),
      saving: checkpoint === undefined ? null : checkCheckpoint(checkpoint, where),
      steps: steps === Infinity ? steps : checkSize(steps, `${where}: steps`),
      held: heldOut === undefined ? null : this.#heldOf(heldOut, `${where}: heldOut`),
      watch: null,
      first: null,
      saved: 0,
    }
    const isWatched = earlyStopping !== undefined || course.held !== null
    return isWatched ? { ...course, watch: new Watch(earlyStopping, heldOut, where) } : course
  }

  /**
   * Trains until a run is at its end, and returns what was learned; null if `tell`, which is called with each progress,
   * pauses it. The first progress comes after `slice` milliseconds.
   */
  async #go(course: Course, slice: number, tell: (progress: TrainProgress) => boolean): Promise<TrainResult | null> {
    const { where, signal, saving, steps, held, watch } = course
    return this.#alone(where, async () => {
      const ready = await this.#make(signal, where)
      const { native: handle } = ready
      if (held !== null && this.#holder !== course) {
        await this.#hold(held, ready, signal, `${where}: heldOut`)
        this.#holder = course
      }
      let progress = this.progress!
      if (course.first === null) {
        course.first = progress.step
        course.saved = performance.now()
      }
      const last = Math.min(course.first + steps, Number.MAX_SAFE_INTEGER)
      let isStopped = false
      const goesOn = () => progress.tokens < progress.totalTokens && progress.step < last && !isStopped
      while (goesOn()) {
        await this.#throwIfAborted(signal, saving, where)
        notAwaitedAtExit()
        const forget = signal && whenAborted(signal, () => void native.trainerStop(handle))
        const start = performance.now()
        const left = last - progress.step
        const some = watch === null ? left : Math.min(left, watch.until(progress.step))
        const report = await call(native.trainerRun(handle, slice, some)).finally(forget)
        slice = Math.min(REPORT, 2 * slice)
        const seconds = (performance.now() - start) / 1e3
        this.#seconds += seconds
        if (report.failure) throw failureOf(report.failure)
        this.#checkAlive(where)
        progress = this.#progressOf(report, seconds)
        if (progress.loss !== null) this.#keepLoss(progress.step, progress.loss)
        const isDone = progress.tokens >= progress.totalTokens
        if (watch !== null && (watch.isDue(progress.step) || isDone)) {
          isStopped = (await this.#look(watch, progress, signal, where)) || isDone
          this.#checkAlive(where)
        }
        if (this.#accuracy !== null && held !== null) progress.accuracy = this.#accuracy
        if (watch !== null && watch.values.length > 0) progress.heldOut = watch.values.at(-1)![1]
        const isPaused = tell(progress)
        if (saving && performance.now() - course.saved >= saving.every * 1e3) {
          await this.#save(saving.path)
          course.saved = performance.now()
        }
        if (isPaused && goesOn()) return null
      }
      await this.#throwIfAborted(signal, saving, where)
      if (saving) await this.#save(saving.path)
      const result = (isStopped ? watch?.best : null) ?? this.#result(progress)
      if (watch !== null) result.training = { ...result.training, heldOut: watch.values }
      return result
    })
  }

  /** Checks what a run holds out. */
  #heldOf(heldOut: HeldOutOptions, where: string): Source {
    const { corpus } = checkOptions(heldOut, ['corpus', 'every'], where)
    const source = readSource(corpus, CORPUS, where)
    checkCorpus(source, this.#options, this.#tokenizer, where)
    const [held, learned] = [source, this.#source].map(({ kind }) => isOfWords(kind, this.#tokenizer))
    if (held !== learned)
      throw new UsageError(
        `${where}: the corpus is of ${learned ? 'words' : 'ids'}, but this text is of ${held ? 'words' : 'ids'}: give both in one form`,
      )
    return source
  }

  /** Makes a text what the tables are evaluated over. */
  async #hold(source: Source, ready: Ready, signal: AbortSignal | undefined, where: string): Promise<void> {
    const { words, labels, counts, native: handle } = ready
    this.#accuracy = null
    const known = { words, labels }
    const wanted = { options: this.#options, tokenizer: this.#tokenizer, signal, where, known }
    const corpus = await gather(source, wanted)
    const failure = await call(native.trainerHold(handle, corpus, counts.length, labels?.length ?? 0))
    if (failure) throw failedOver(source, failure)
  }

  /** Evaluates what was learned. Returns whether the training should stop. */
  async #look(watch: Watch, progress: TrainProgress, signal: AbortSignal | undefined, where: string): Promise<boolean> {
    if (!watch.isOfHeldOut) return watch.look(progress.step, this.#result(progress))
    const { native: handle } = this.#ready!
    const forget = signal && whenAborted(signal, () => void native.trainerStop(handle))
    const { loss, accuracy, failure } = await call(native.trainerEvaluate(handle)).finally(forget)
    if (failure) throw failureOf(failure)
    this.#checkAlive(where)
    // What was stopped is of a part of the text; the run ends with the signal.
    if (signal?.aborted) return false
    if (Number.isNaN(loss))
      throw new UsageError(`${where}: heldOut has no two learned words in one sentence: there is nothing to predict`)
    if (this.objective === 'classify') this.#accuracy = accuracy
    return watch.follow(progress.step, loss, () => this.#result(progress))
  }

  /** The same as `iterate()`. */
  [Symbol.asyncIterator](): AsyncGenerator<TrainProgress, void, undefined> {
    return this.iterate()
  }

  /**
   * Trains while it is iterated, and gives the progress a few times a second; `result()` is what was learned.
   *
   * ```ts
   * for await (const { step, loss, heldOut } of trainer.iterate({ heldOut: { corpus, every: 1000 } })) {
   *   console.log(step, loss, heldOut)
   *   if (heldOut !== undefined && heldOut < 2) break
   * }
   * saveModel('model', trainer.result())
   * ```
   *
   * Between two values it does not train, and `result()` and `save()` may be called. Whoever leaves the loop early,
   * which writes the checkpoint, can go on later, by a loop or by `run`. `training.heldOut` of `result()` has the
   * values of the last loop.
   *
   * @throws UsageError, at once, for options that cannot be used; else as `run`.
   */
  iterate(options?: IterateOptions): AsyncGenerator<TrainProgress, void, undefined> {
    const where = 'Trainer.iterate'
    const course = this.#courseOf(checkOptions(options, ITERATE_OPTIONS, where), where)
    return this.#iterated(course)
  }

  async *#iterated(course: Course): AsyncGenerator<TrainProgress, void, undefined> {
    const { saving, watch, where } = course
    // Whether the loop has a value, and does not ask for the next.
    let isOut = false
    try {
      for (let soon = FIRST_REPORT; ; soon = Math.min(REPORT, 2 * soon)) {
        const told: TrainProgress[] = []
        const result = await this.#go(course, soon, (progress) => told.push(progress) > 0)
        this.#heldOut = watch?.values ?? null
        isOut = true
        yield* told
        isOut = false
        if (result !== null) return
      }
    } finally {
      if (isOut && saving && !this.#disposed) await this.#alone(where, () => this.#save(saving.path))
    }
  }

  /** The progress; null before the corpus was read. Only between runs. */
  get progress(): TrainProgress | null {
    this.#checkAlive('Trainer.progress')
    return this.#ready && this.#progressOf(call(native.trainerProgress(this.#ready.native)), 0)
  }

  /**
   * Writes a checkpoint, from which `Trainer.resume` continues. It is one safetensors file, written under another name,
   * synced and renamed, so an existing one stays until the new one is complete. Only between runs.
   */
  async save(path: FilePath): Promise<void> {
    const where = 'Trainer.save'
    const file = resolve(checkPath(path, where))
    return this.#alone(where, async () => {
      await this.#make(undefined, where)
      await this.#save(file)
    })
  }

  /**
   * Frees the tables and the corpus now; a run that is under way ends after its present batch, and rejects. What it
   * gave before (`result`) stays. Every later use is a UsageError.
   */
  dispose(): void {
    this.#disposed = true
    if (this.#ready !== null) check(native.trainerClose(this.#ready.native))
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @throws UsageError once it was disposed. */
  #checkAlive(where: string): void {
    if (this.#disposed) throw new UsageError(`${where}: use of a disposed Trainer`)
  }

  /** Copies of what was learned so far. Only between runs. */
  result(): TrainResult {
    this.#checkAlive('Trainer.result')
    if (this.#ready === null || this.#busy)
      throw new UsageError(
        `Trainer.result: ${this.#busy ? 'the trainer is still running' : 'the trainer has not run yet: call run() first'}`,
      )
    return this.#result(this.progress!)
  }

  /** Allows only one call at a time. */
  async #alone<T>(where: string, run: () => Promise<T>): Promise<T> {
    this.#checkAlive(where)
    if (this.#busy) throw new UsageError(`${where}: the trainer is still running: await its last call first`)
    this.#busy = true
    try {
      return await run()
    } finally {
      this.#busy = false
    }
  }

  /** Reads the corpus and makes the tables, once. */
  async #make(signal: AbortSignal | undefined, where: string): Promise<Ready> {
    if (this.#ready) return this.#ready
    if (signal?.aborted) throw new AbortedError(`${where} was aborted`, { cause: signal.reason })
    const earlier = this.#start?.from ?? null
    const known = earlier === null ? undefined : { words: earlier.words }
    const wanted = { options: this.#options, tokenizer: this.#tokenizer, signal, where, known }
    const corpus = await gather(this.#source, wanted)
    const vocabSize = vocabularyOf(this.#source, this.#options)
    const made = await call(native.trainerNew(corpus, { ...this.#options, vocabSize }, earlier?.counts ?? undefined))
    if (made.failure || !made.trainer) throw failedOver(this.#source, made.failure)
    if (this.#start !== null) {
      const words = made.words ?? null
      await inTurns(begin(made.trainer, this.#start, words, made.counts.length, where), signal, where)
    }
    if (this.#disposed) {
      check(native.trainerClose(made.trainer))
      this.#checkAlive(where)
    }
    this.#ready = {
      native: made.trainer,
      words: made.words ?? null,
      labels: made.labels ?? null,
      counts: allocating(made.counts.length * 8, () => Float64Array.from(made.counts)),
    }
    return this.#ready
  }

  async #throwIfAborted(
    signal: AbortSignal | undefined,
    saving: { path: string } | null,
    where: string,
  ): Promise<void> {
    if (!signal?.aborted) return
    if (saving) await this.#save(saving.path)
    throw new AbortedError(`${where} was aborted`, { cause: signal.reason })
  }

  async #save(path: string): Promise<void> {
    const { vocabSize, name } = this.#tokenizer ?? { vocabSize: 0, name: '' }
    const tokenizer = this.#tokenizer && { name: this.#tokenizer.file === null ? name : null, vocabSize }
    const start = startNames(this.#start)
    const config: Config = {
      options: this.#options,
      tokenizer,
      ...(start.length > 0 && { start }),
      losses: this.#losses,
      seconds: this.#seconds,
    }
    const failure = await call(native.trainerSave(this.#ready!.native, path, JSON.stringify(config)))
    if (failure) throw failureOf(failure)
  }

  #keepLoss(step: number, loss: number): void {
    this.#losses.push([step, Number(loss.toPrecision(6))])
    if (this.#losses.length > MOST_LOSSES) this.#losses = this.#losses.filter((_, i) => i % 2 === 1)
  }

  #progressOf(report: Awaited<ReturnType<typeof native.trainerRun> & object>, seconds: number): TrainProgress {
    const { step, epoch, tokens, total, lr, loss, recent } = report
    const tokensPerSecond = seconds > 0 ? recent / seconds : 0
    const secondsLeft = tokensPerSecond > 0 ? (total - tokens) / tokensPerSecond : 0
    const { epochs } = this.#options
    return {
      step,
      epoch,
      epochs,
      tokens,
      totalTokens: total,
      loss: Number.isNaN(loss) ? null : loss,
      tokensPerSecond,
      secondsLeft,
      lr,
    }
  }

  #result(progress: TrainProgress): TrainResult {
    const { native: handle, words, labels, counts } = this.#ready!
    const names = this.objective === 'next-token' ? NEXT_TOKEN : TABLES
    const tensors = Object.fromEntries(
      call(native.trainerTables(handle)).map((table) => [names[table.name], tensorOf(table)]),
    )
    const { step: steps, epoch: epochs, tokens } = progress
    const training: TrainingRecord = {
      hyperParameters: hyperParameters(this.#options),
      tokens,
      epochs,
      steps,
      seconds: Number(this.#seconds.toFixed(3)),
      loss: this.#losses.slice(),
      ...(this.#heldOut !== null && { heldOut: this.#heldOut.slice() }),
    }
    const embedding = Embedding.fromPretrained(tensors['token.weight'], { freeze: false })
    const { objective } = this
    return { objective, embedding, tensors, vocabulary: words ?? this.#tokenizer, counts, labels, training, progress }
  }

  static {
    guardReceivers(this, (value) => #source in value)
    CONTENTS.guard(this, (value) => #source in value)
  }
}

const TABLES: Record<string, string> = { input: 'token.weight', output: 'output.weight' }
const NEXT_TOKEN: Record<string, string> = { token: 'token.weight', position: 'position.weight', head: 'head.weight' }

function tensorOf({ dtype, shape, handle }: NonNullable<ReturnType<typeof native.trainerTables>>[number]): Tensor {
  const made = adopted(handle, dtype, shape)
  // No result of an asynchronous call belongs to a scope.
  untrack(made)
  return made
}

function checkCheckpoint(checkpoint: unknown, where: string): { path: string; every: number } {
  const { path, every = 60 } = checkOptions(
    checkpoint as { path: FilePath; every?: number },
    ['path', 'every'],
    `${where}: checkpoint`,
  )
  const seconds = checkNumber(every, `${where}: checkpoint.every`)
  if (seconds < 0)
    throw new UsageError(`${where}: checkpoint.every must be a number of seconds of at least 0, not ${seconds}`)
  return { path: resolve(checkPath(path, `${where}: checkpoint`)), every: seconds }
}

/** The error of a failure over a corpus. It reports the position of a bad id within the ids as they were given. */
function failedOver(source: Source, failure: Parameters<typeof failureOf>[0]): Error {
  if (source.kind !== 'ids') return failureOf(failure)
  const { lists, isNested } = source
  if (!isNested) return failureOf(failure, [lists[0].length])
  // All rows are treated as if they had the length of the longest, so that a flat position gives a row and a place in
  // it.
  const longest = lists.reduce((most, { length }) => Math.max(most, length), 1)
  let [flat, row] = [failure?.flat ?? 0, 0]
  while (row < lists.length - 1 && flat >= lists[row].length) flat -= lists[row++].length
  return failureOf(failure && { ...failure, flat: row * longest + flat }, [lists.length, longest])
}
