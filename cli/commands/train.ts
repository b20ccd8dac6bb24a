// tokenbed train: tables that learn from texts, as a folder.

import { accessSync, constants, existsSync, mkdirSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Option, type Command } from '../bundled/commander.js'
import {
  AbortedError,
  saveModel,
  TokenbedError,
  Trainer,
  type Corpus,
  type Objective,
  type RunOptions,
  type StartOptions,
  type Tokenizer,
  type TrainerOptions,
  type TokensInfo,
  type TrainProgress,
  type TrainResult,
} from '../../index.js'
import { WorkFailed, WrongUse, asWrongUse, isSystemError, reasonOf } from '../terminal/failure.js'
import { inputsOf, STDIN, tokensOf, type Input } from '../options/inputs.js'
import { counted, parseBetas, parseNumber, parseSize, shown, shownShort, shownTime } from '../terminal/numbers.js'
import { openModel, openVectors } from '../options/models.js'
import { isSameFile, modelFilesIn, TOKENIZER } from '../options/places.js'
import { startProgress, type Progress } from '../terminal/progress.js'
import { insteadOfEnding } from '../terminal/signals.js'
import { print, sayError, textOfStdin } from '../terminal/streams.js'
import { explained, findTokenizer, invalidUtf8Option } from '../options/tokenizer.js'
import { OBJECTIVES, TRAINING, type TrainingOption } from '../options/training.js'

interface Options {
  objective: Objective
  out: string
  resume?: boolean
  force?: boolean
  tokenizer?: string
  lowercase?: boolean
  tokenPattern?: string
  invalidUtf8: 'throw' | 'replace'
  maxRatio?: number
  steps?: number
  heldOut?: string[]
  heldOutEvery?: number
  earlyStopping?: boolean
  patience?: number
  minDelta?: number
  from?: string
  pretrained?: string
  lockFactor?: number
  saveEvery: number
  quiet?: boolean
  json?: boolean
  /** Those of `TRAINING`, where they are given. */
  [option: string]: unknown
}

const NOTES = `
CORPUS are texts; patterns such as 'books/**/*.txt' are expanded, .gz and .zst files decompressed, and - is stdin. Or it is
one folder of token ids that 'tokenbed tokenize' wrote: for next-token it is not held in memory.

skip-gram and cbow learn vectors from neighbours, with gensim's defaults; classify learns a class for each line, which begins
with it, as in __label__yes (fastText's format). Both take what stands between spaces for words, unless --tokenizer says
otherwise. next-token learns token and position vectors and a head over the vocabulary, of gpt2 by default.

FOLDER holds model.json, which says what was trained on what and how, model.safetensors, and the vocabulary; while training
also checkpoint.safetensors. Ctrl-C saves that, and --resume goes on from it, with the options that it was started with, to
the very bits of a run that was never interrupted. A model or a checkpoint that is there is replaced with --force alone.

Examples:
  $ tokenbed train book.txt --objective skip-gram --out vectors
  $ tokenbed train 'books/*.txt.gz' --objective next-token --dim 128 --epochs 3 --lr 3e-3 --out model
  $ tokenbed train reviews.txt --objective classify --out classifier
  $ tokenbed train book.txt --objective skip-gram --out vectors --resume
  $ tokenbed train train.txt --objective classify --held-out valid.txt --early-stopping --out classifier
  $ tokenbed train news.txt --objective skip-gram --from vectors --out grown`

const CHECKPOINT = 'checkpoint.safetensors'

export function addTrain(program: Command): void {
  const command = program.command('train')
  command
    .summary('learn vectors from texts, as a folder')
    .description('Learns vectors from texts: from neighbours, from what comes next, or from classes.')
    .argument('<corpus...>', 'texts, patterns of them, - for stdin, or a folder of token ids')
    .addOption(new Option('--objective <what>', 'what is learned').choices(OBJECTIVES).makeOptionMandatory())
    .requiredOption('-o, --out <folder>', 'where the model goes; made if it is not there')
    .option('--resume', 'go on from the checkpoint in the folder')
    .option('--force', 'begin anew where the folder holds a model or a checkpoint, and replace them')
    .option(
      '--tokenizer <name|file>',
      'gpt2, cl100k_base, o200k_base, or the path of a tokenizer.json (default: words; of next-token gpt2)',
    )
  for (const option of TRAINING) command.addOption(trainingOption(option))
  command
    .option('--lowercase', 'words become lower case; of texts without a tokenizer, not of classify')
    .option(
      '--token-pattern <regex>',
      "matches are the words, such as '\\w+', which leaves marks out; of texts without a tokenizer, not of classify",
    )
    .addOption(invalidUtf8Option())
    .option(
      '--max-ratio <n>',
      'bytes of text that each byte of a .gz or .zst file may become, beyond 16 MB (default: 200)',
      parseSize(1),
    )
    .option(
      '--held-out <file>',
      'a text that is not learned from, whose loss is said now and then; may be given several times',
      (file: string, before?: string[]) => [...(before ?? []), file],
    )
    .option('--held-out-every <n>', 'batches between two looks at --held-out (default: 1000)', parseSize(1))
    .option('--early-stopping', 'end when the loss of --held-out does not fall any more, with what was best')
    .option('--patience <n>', 'looks without a lower loss after which --early-stopping ends (default: 3)', parseSize(1))
    .option('--min-delta <x>', 'how much lower a loss must be to be lower (default: 0)', parseNumber(0))
    .option('--from <folder>', 'skip-gram, cbow: a model that goes on; new words follow its own')
    .option('--pretrained <file|folder>', 'skip-gram, cbow: vectors that words of the corpus begin with')
    .option(
      '--lock-factor <x>',
      'how much of each change the vectors of --pretrained or else --from take, from 0 to 1 (default: 1)',
      parseNumber(0),
    )
    .option('--steps <n>', 'end after so many batches', parseSize(1))
    .option('--save-every <seconds>', 'between two checkpoints', parseNumber(0), 30)
    .option('-q, --quiet', 'say nothing but errors')
    .option('--json', 'say what was done as one JSON object')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action(train)
}

/** Says before any work what would only be found after it. */
function checkWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK)
  } catch (error) {
    throw new WorkFailed(
      `--out ${folder}: ${isSystemError(error) ? reasonOf(error) : 'nothing can be written there'}`,
      { cause: error },
    )
  }
}

/** A folder that was made for what did not come. */
function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // A checkpoint is in it.
  }
}

const PARSERS: Record<TrainingOption['kind'], ((least: number) => (text: string) => unknown) | null> = {
  flag: null,
  size: parseSize,
  number: parseNumber,
  betas: () => parseBetas,
}

function trainingOption({ flags, help, kind, least = 0 }: TrainingOption): Option {
  const option = new Option(flags, help)
  const parser = PARSERS[kind]
  return parser ? option.argParser(parser(least)) : option
}

/** What was given of an option. One that turns something off is true where it was not given. */
function givenOf(options: Options, { name, flags }: TrainingOption): unknown {
  const value = options[name]
  return flags.startsWith('--no-') && value === true ? undefined : value
}

/** `--min-alpha` */
const dashedOf = ({ flags }: TrainingOption) => flags.split(' ')[0]

async function train(args: string[], options: Options): Promise<void> {
  const tokens = tokensOf(args)
  const name = encoderOf(tokens, options)
  const trainerOptions = optionsOf({ ...options, tokenizer: name })
  const watch = watchOf(options)
  const inputs = tokens === null ? inputsOf(args) : [{ name: args[0], bytes: tokens.files.ids.bytes }]
  const corpus: Corpus = tokens === null ? corpusOf(inputs, options) : { folder: args[0] }
  if (existsSync(options.out) && !statSync(options.out).isDirectory())
    throw new WorkFailed(`--out ${options.out}: a file; name a folder`)
  const checkpoint = join(options.out, CHECKPOINT)
  if (!options.resume) checkNothingIsLost(options, checkpoint, inputs)
  const trainer = options.resume
    ? await resumed(checkpoint, corpus, options)
    : asWrongUse(() => new Trainer(corpus, trainerOptions))
  const made = mkdirSync(options.out, { recursive: true })
  checkWritable(options.out)
  // Before the new one's first: --resume would go on from that of another training.
  if (options.force) rmSync(checkpoint, { force: true })
  let result: TrainResult | null
  try {
    result = await run(trainer, checkpoint, watch, options)
  } catch (error) {
    if (made !== undefined) removeEmpty(options.out)
    throw explained(error, inputs.map(({ name }) => name).join(', '))
  }
  if (result === null) return
  const { objective, tensors, vocabulary, counts, labels } = result
  const training = {
    ...result.training,
    corpus: inputs.map(({ name, bytes }) => ({
      file: name === STDIN ? 'standard input' : basename(name),
      ...(bytes === null ? {} : { bytes }),
    })),
  }
  saveModel(options.out, {
    objective,
    tensors,
    vocabulary: vocabulary!,
    counts,
    ...(labels ? { labels } : {}),
    training,
  })
  rmSync(checkpoint, { force: true })
  if (options.json) await print(`${JSON.stringify(report(result, options))}\n`)
  else if (!options.quiet) await print(summary(result, options))
}

/** Refuses to begin where a model, or one that was begun, would be replaced. */
function checkNothingIsLost({ out, force, tokenizer }: Options, checkpoint: string, inputs: Input[]): void {
  // The tokenizer's own file becomes what it is.
  const own = tokenizer === undefined ? [] : [tokenizer, join(tokenizer, TOKENIZER)]
  const there = modelFilesIn(out).filter(
    (name) => name !== TOKENIZER || !own.some((path) => isSameFile(path, join(out, name))),
  )
  const text = inputs.find(({ name }) => name !== STDIN && there.some((file) => isSameFile(join(out, file), name)))
  if (text) throw new WrongUse(`--out ${out}: the text ${text.name} would be replaced; name another folder`)
  if (force) return
  if (existsSync(checkpoint))
    throw new WorkFailed(`${checkpoint}: a training that was stopped; --resume goes on from it, --force begins anew`)
  if (there.length > 0)
    throw new WrongUse(
      `--out ${out}: ${there.join(', ')} of a model ${there.length === 1 ? 'is' : 'are'} there; --force replaces it, or name another folder`,
    )
}

/** What a training begins with: a model, vectors, and how much they move. */
function startOf({ from, pretrained, lockFactor, objective }: Options): StartOptions {
  const given = { '--from': from, '--pretrained': pretrained, '--lock-factor': lockFactor }
  for (const [flag, value] of Object.entries(given))
    if (value !== undefined && objective !== 'skip-gram' && objective !== 'cbow')
      throw new WrongUse(`${flag} is an option of skip-gram and cbow, not of ${objective}`)
  if (lockFactor !== undefined && from === undefined && pretrained === undefined)
    throw new WrongUse('--lock-factor is for vectors of --from or --pretrained: give one of them, or leave it out')
  return {
    ...(from !== undefined && { from: openModel(from) }),
    ...(pretrained !== undefined && { pretrained: openVectors(pretrained).vectors }),
    ...(lockFactor !== undefined && { lockFactor }),
  }
}

/** What is held out, and when the training ends. */
function watchOf(options: Options): Pick<RunOptions, 'heldOut' | 'earlyStopping' | 'steps'> {
  const { heldOut, heldOutEvery: every, earlyStopping, patience, minDelta, steps } = options
  const needs = Object.entries({
    '--held-out-every': every,
    '--early-stopping': earlyStopping,
  }).find(([, value]) => value !== undefined)
  if (needs !== undefined && heldOut === undefined)
    throw new WrongUse(`${needs[0]} needs --held-out, a text that is not learned from`)
  const stops = Object.entries({ '--patience': patience, '--min-delta': minDelta }).find(
    ([, value]) => value !== undefined,
  )
  if (stops !== undefined && !earlyStopping) throw new WrongUse(`${stops[0]} is for --early-stopping: give both`)
  return {
    ...(heldOut && {
      heldOut: {
        corpus: { files: inputsOf(heldOut).map(({ name }) => name) },
        ...(every !== undefined && { every }),
      },
    }),
    ...(earlyStopping && {
      earlyStopping: { ...(patience !== undefined && { patience }), ...(minDelta !== undefined && { minDelta }) },
    }),
    ...(steps !== undefined && { steps }),
  }
}

function optionsOf(options: Options): TrainerOptions {
  const { objective, tokenizer: name, invalidUtf8, lowercase, tokenPattern } = options
  if (options.resume && options.force) throw new WrongUse('--resume goes on, and --force begins anew: leave one out')
  const own = trainingOptionsOf(options)
  const isNext = objective === 'next-token'
  const tokenizer: Tokenizer | undefined = name === undefined && !isNext ? undefined : findTokenizer(name ?? 'gpt2')
  const made: Record<string, unknown> = {
    objective,
    ...(tokenizer ? { tokenizer } : {}),
    invalidUtf8,
    ...own,
    ...(options.resume ? {} : startOf(options)),
  }
  if (options.maxRatio !== undefined) made.maxRatio = options.maxRatio
  if (lowercase !== undefined) made.lowercase = lowercase
  if (tokenPattern !== undefined) made.tokenPattern = tokenPattern
  for (const [name, flag] of [
    ['lowercase', '--lowercase'],
    ['tokenPattern', '--token-pattern'],
  ])
    if (name in made && (tokenizer !== undefined || objective === 'classify'))
      throw new WrongUse(
        `${flag} is for words, but ${tokenizer === undefined ? 'classify reads texts as they are' : 'a tokenizer divides the texts'}: leave it out`,
      )
  return made as unknown as TrainerOptions
}

/** The options that a table defines, as the library has them. */
function trainingOptionsOf(options: Options): Record<string, unknown> {
  const { objective } = options
  const made: Record<string, unknown> = {}
  for (const option of TRAINING) {
    const value = givenOf(options, option)
    if (value === undefined) continue
    const place = option.of[objective]
    if (place === undefined)
      throw new WrongUse(
        `${dashedOf(option)} is an option of ${Object.keys(option.of).join(' and ')}, not of ${objective}`,
      )
    const [first, inside] = place.path
    made[first] = inside === undefined ? value : { ...(made[first] as object | undefined), [inside]: value }
  }
  const { alpha, minAlpha, softmax } = made as { alpha?: number; minAlpha?: number; softmax?: { samples?: number } }
  // A rate that is given does not rise to the last one by itself.
  if (alpha !== undefined && minAlpha === undefined) made.minAlpha = Math.min(alpha, LAST_ALPHA)
  if (softmax !== undefined && softmax.samples === undefined)
    throw new WrongUse('--ns-exponent: of next-token it is how --samples are drawn; give both, or leave it out')
  return made
}

/** The last learning rate of pairs, unless it is said. */
const LAST_ALPHA = TRAINING.find(({ name }) => name === 'minAlpha')!.of['skip-gram']!.usual as number

/** The tokenizer by which a folder of ids was encoded: the rows of tables get their names from it. */
function encoderOf(tokens: TokensInfo | null, { tokenizer }: Options): string | undefined {
  if (tokens === null || tokenizer !== undefined) return tokenizer
  const { name, sha256 } = tokens.tokenizer
  if (sha256 === null) return name
  throw new WrongUse(`${tokens.path} was encoded by ${name}, a tokenizer from a file: give that as --tokenizer`)
}

function corpusOf(inputs: Input[], { invalidUtf8 }: Options): Corpus {
  if (!inputs.some(({ name }) => name === STDIN)) return { files: inputs.map(({ name }) => name) }
  if (inputs.length > 1) throw new WrongUse('- : stdin is a corpus of its own; name files, or - alone')
  return { pieces: textOfStdin(invalidUtf8) }
}

async function resumed(checkpoint: string, corpus: Corpus, options: Options): Promise<Trainer> {
  const { objective, out } = options
  if (!existsSync(checkpoint))
    throw new WorkFailed(
      `--resume: ${checkpoint} is not there: ${existsSync(join(out, 'model.json')) ? 'the training was completed; --force instead of --resume starts over' : 'nothing was saved; leave out --resume to start over'}`,
    )
  const trainer = await restored(checkpoint, corpus, options)
  if (trainer.objective !== objective)
    throw new WrongUse(`--objective ${objective}: ${checkpoint} is of ${trainer.objective}`)
  checkSame(trainer, options, checkpoint)
  return trainer
}

async function restored(checkpoint: string, corpus: Corpus, options: Options): Promise<Trainer> {
  const { tokenizer } = options
  try {
    return await Trainer.resume(checkpoint, corpus, {
      ...(tokenizer === undefined ? {} : { tokenizer: findTokenizer(tokenizer) }),
      ...startOf(options),
    })
  } catch (error) {
    if (!(error instanceof TokenbedError) || !error.message.startsWith('Trainer.resume: '))
      throw explained(error, checkpoint)
    const message = error.message.slice('Trainer.resume: '.length).replace('the option tokenizer', '--tokenizer')
    throw new WrongUse(`${tokenizer === undefined ? '--resume' : `--tokenizer ${tokenizer}`}: ${message}`, {
      cause: error,
    })
  }
}

/** Options that were given again must be those of the checkpoint: they cannot be changed in the middle. */
function checkSame(trainer: Trainer, options: Options, checkpoint: string): void {
  const kept = trainer.result().training.hyperParameters!
  for (const option of TRAINING) {
    const given = givenOf(options, option)
    const path = option.of[options.objective]?.path
    if (given === undefined || path === undefined) continue
    const found = path.reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], kept)
    const shown = (value: unknown) => (value === undefined ? 'none' : String(value))
    const said = typeof given === 'boolean' ? dashedOf(option) : `${dashedOf(option)} ${shown(given)}`
    if (shown(found) !== shown(given))
      throw new WrongUse(
        `${said}: ${checkpoint} was made with ${shown(found)}; leave it out, or start over with --force instead of --resume`,
      )
  }
}

/** Trains; null where a signal ended it, after a checkpoint was saved. */
async function run(
  trainer: Trainer,
  path: string,
  watch: Pick<RunOptions, 'heldOut' | 'earlyStopping' | 'steps'>,
  { quiet = false, saveEvery }: Options,
): Promise<TrainResult | null> {
  const controller = new AbortController()
  const forget = insteadOfEnding((code) => {
    process.exitCode = code
    controller.abort()
  })
  let progress: Progress | null = null
  const first = trainer.progress?.tokens ?? 0
  const onProgress = ({ tokens, totalTokens, loss, epoch, epochs, heldOut }: TrainProgress) => {
    progress ??= startProgress(totalTokens, quiet, first)
    const held = heldOut === undefined ? '' : `  held out ${heldOut.toFixed(3)}`
    const note = loss === null ? '' : `loss ${loss.toFixed(3)}${held}`
    progress.update(tokens, tokens, `${note}  epoch ${Math.min(epoch + 1, epochs)}/${epochs}`.trim())
  }
  try {
    return await trainer.run({
      onProgress,
      signal: controller.signal,
      checkpoint: { path, every: saveEvery },
      ...watch,
    })
  } catch (error) {
    if (!(error instanceof AbortedError)) throw error
    // At once: what reads stdin may wait for ever.
    ;(progress as Progress | null)?.stop()
    if (!quiet)
      sayError(
        trainer.progress !== null
          ? `tokenbed: saved ${path}; --resume goes on from it`
          : 'tokenbed: stopped before there was anything to save',
      )
    return process.exit()
  } finally {
    forget()
    ;(progress as Progress | null)?.stop()
  }
}

function lastLoss({ training }: TrainResult): number | null {
  return training.loss?.at(-1)?.[1] ?? null
}

/** The loss over what was held out, where the tables are from. */
function heldOutOf({ training, progress }: TrainResult): number | null {
  return training.heldOut?.filter(([step]) => step === progress.step).at(-1)?.[1] ?? null
}

function report(result: TrainResult, { out }: Options): object {
  const { objective, labels, progress, training } = result
  const [tokens, dim] = result.tensors['token.weight'].shape
  const { step, tokens: trained } = progress
  return {
    out,
    objective,
    vocabulary: tokens,
    dim,
    ...(labels ? { labels: labels.length } : {}),
    tokens: trained,
    steps: step,
    seconds: training.seconds,
    loss: lastLoss(result),
    ...(training.heldOut && { heldOut: heldOutOf(result) }),
    ...(progress.accuracy !== undefined && { accuracy: progress.accuracy }),
  }
}

function summary(result: TrainResult, { out }: Options): string {
  const [rows, dim] = result.tensors['token.weight'].shape
  const { progress, training } = result
  const loss = lastLoss(result)
  const held = heldOutOf(result)
  const heldNote = held === null ? '' : `, ${held.toFixed(3)} over what was held out`
  const speed = training.seconds ? `, ${shownShort(progress.tokens / training.seconds)} tokens/s` : ''
  const classes = result.labels ? ` and ${counted(result.labels.length, 'class').replace('classs', 'classes')}` : ''
  return `${out}: ${result.objective}, ${counted(rows, 'token')}${classes} of ${dim} numbers${loss === null ? '' : `, loss ${loss.toFixed(3)}`}${heldNote}; ${shown(progress.tokens)} tokens in ${shownTime(training.seconds ?? 0)}${speed}\n`
}
