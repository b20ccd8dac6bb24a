#!/usr/bin/env node
// The command `tokenbed`. Each subcommand is a file that adds itself to the program, and an entry in COMMANDS.

import { Command, CommanderError } from './bundled/commander.js'
import { addClassify } from './commands/classify.js'
import { addDecode } from './commands/decode.js'
import { addDedupe } from './commands/dedupe.js'
import { addCompletions } from './commands/completions.js'
import { addConvert } from './commands/convert.js'
import { addDoctor } from './commands/doctor.js'
import { addEmbed } from './commands/embed.js'
import { addExplore } from './commands/explore.js'
import { WrongUse, exitCodeOf, lineOf } from './terminal/failure.js'
import { addInspect } from './commands/inspect.js'
import { addAnalogy, addNeighbors } from './commands/neighbors.js'
import { addPlot } from './commands/plot.js'
import { addQuantize } from './commands/quantize.js'
import { addQueue } from './commands/queue.js'
import { addSchema } from './commands/schema.js'
import { packageJson } from './terminal/package.js'
import { endOnSignals } from './terminal/signals.js'
import { sayError, surviveBrokenPipes } from './terminal/streams.js'
import { addSearch } from './commands/search.js'
import { addSplit } from './commands/split.js'
import { addTokenize } from './commands/tokenize.js'
import { addTokens } from './commands/tokens.js'
import { addTrain } from './commands/train.js'
import { addVerify } from './commands/verify.js'

/** `tokenbed help plot` is `tokenbed plot --help`. */
function addHelp(program: Command): void {
  program
    .command('help')
    .summary('print the help of a command')
    .description('Prints the help of a command, or of all.')
    .argument('[command]', 'such as embed')
    .helpOption('-h, --help', 'print this help')
    .action((name: string | undefined) => {
      const found = name === undefined ? program : program.commands.find((command) => command.name() === name)
      if (found === undefined)
        throw new WrongUse(
          `unknown command '${name}'; there are ${program.commands.map((command) => command.name()).join(', ')}`,
        )
      found.outputHelp()
    })
}

const COMMANDS = [
  addEmbed,
  addTokens,
  addDecode,
  addTokenize,
  addTrain,
  addClassify,
  addQueue,
  addVerify,
  addNeighbors,
  addAnalogy,
  addSearch,
  addDedupe,
  addSplit,
  addInspect,
  addConvert,
  addQuantize,
  addExplore,
  addPlot,
  addDoctor,
  addSchema,
  addCompletions,
  addHelp,
]

const NOTES = `
Results go to stdout, progress and errors to stderr. Exit codes: 0 done, 1 the work failed, 2 wrong use, 3 parts of it
failed at every attempt, 130 and 143 ended by a signal. TOKENBED_DEBUG=1 shows where in the code an error came from.

Examples:
  $ tokenbed tokens "Hello, world!"
  $ tokenbed embed book.txt --out book.safetensors
  $ tokenbed train book.txt --objective skip-gram --out vectors
  $ tokenbed neighbors word-vectors whale
  $ tokenbed embed --help`

function program(): Command {
  const { version } = packageJson()
  const program = new Command('tokenbed')
    .description(
      'Texts to tokens and vectors, and what the vectors know. Works on files of any size; nothing is sent anywhere.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .addHelpText('after', NOTES)
    .exitOverride()
    // `main` prints all errors in the same way.
    .configureOutput({ outputError: () => {} })
  // Subcommands inherit the configuration above, so they are added after it.
  for (const add of COMMANDS) add(program)
  program.commands.forEach(askForOptionsLast)
  program.commands.forEach(sayExitCodes)
  return program
}

/** Ends the help of a command by its exit codes. */
function sayExitCodes(command: Command): void {
  command.commands.forEach(sayExitCodes)
  const parts = command.parent?.name() === 'queue' && command.name() === 'work'
  const most = parts ? ', 3 some parts failed at every attempt' : ''
  if (command.name() !== 'doctor')
    command.addHelpText('after', `\nExit codes: 0 done, 1 the work failed, 2 wrong use${most}.`)
}

/** Reports a missing required option only after a mistyped one, because the one is often the other. */
function askForOptionsLast(command: Command): void {
  command.commands.forEach(askForOptionsLast)
  const needed = command.options.filter((option) => option.mandatory)
  for (const option of needed) option.mandatory = false
  command.hook('preAction', () => {
    const missing = needed.find((option) => command.getOptionValue(option.attributeName()) === undefined)
    if (missing) throw new WrongUse(`required option '${missing.flags}' not specified`)
  })
}

async function main(): Promise<void> {
  surviveBrokenPipes()
  endOnSignals()
  try {
    await program().parseAsync()
  } catch (error) {
    process.exitCode = exitCodeOf(error)
    // Requested help and versions are printed already, and so is the help that stands in for a missing command.
    if (error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help')) return
    sayError(lineOf(error))
    if (process.env.TOKENBED_DEBUG === '1') sayError((error as Error)?.stack ?? String(error))
  }
}

void main()
