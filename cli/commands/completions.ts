// tokenbed completions: what a shell needs to complete commands, options and their values.

import { Argument, type Command, type Option } from '../bundled/commander.js'
import { print } from '../terminal/streams.js'

const NOTES = `
Put the line for your shell into the file that it reads when it starts:
  bash   source <(tokenbed completions bash)                        in ~/.bashrc
  zsh    source <(tokenbed completions zsh)                         in ~/.zshrc, after compinit
  fish   tokenbed completions fish | source                         in ~/.config/fish/config.fish

Examples:
  $ tokenbed completions bash > tokenbed.bash`

const SHELLS = { bash, zsh, fish }
type Shell = keyof typeof SHELLS

export function addCompletions(program: Command): void {
  program
    .command('completions')
    .summary('print what a shell needs to complete commands')
    .description('Prints what bash, zsh or fish needs to complete commands, options and their values.')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SHELLS)))
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', NOTES)
    .action((shell: Shell) => print(SHELLS[shell](partOf(program, []))))
}

/** A command as a shell sees it. */
interface Part {
  /** The words that name it, after tokenbed. */
  readonly path: readonly string[]
  readonly about: string
  readonly options: readonly Flag[]
  readonly parts: readonly Part[]
  /** What its arguments are: words, or files. */
  readonly values: Values
}

/** Words to choose from, files, or what a shell cannot know. */
type Values = readonly string[] | 'files' | 'unknown'

interface Flag {
  /** Such as `--out` and `-o`. */
  readonly names: readonly string[]
  readonly about: string
  /** Null for an option without a value. */
  readonly values: Values | null
}

const HELP: Flag = { names: ['--help', '-h'], about: 'print this help', values: null }

function partOf(command: Command, path: readonly string[]): Part {
  const parts = command.commands.map((one) => partOf(one, [...path, one.name()]))
  const [argument] = command.registeredArguments
  return {
    path,
    about: command.summary() || command.description(),
    options: [...command.options.map(flagOf), HELP],
    parts,
    values: argument === undefined ? 'unknown' : valuesOf(argument.name(), argument.argChoices, command),
  }
}

const flagOf = (option: Option): Flag => ({
  names: [option.long, option.short].filter((name) => name != null),
  about: option.description,
  values:
    option.required || option.optional ? valuesOf(/<(.*)>/.exec(option.flags)?.[1] ?? '', option.argChoices) : null,
})

/** The values that a name such as `file` in the help stands for. */
function valuesOf(name: string, choices?: readonly string[], command?: Command): Values {
  if (choices !== undefined) return choices
  if (name === 'command') return command!.parent!.commands.map((one) => one.name())
  return /file|folder|corpus|model|^in$|^out$|vectors|texts|text/.test(name) ? 'files' : 'unknown'
}

/** A command and all those within it. */
const everyPart = (part: Part): Part[] => [part, ...part.parts.flatMap(everyPart)]

/** A text in quotes for a shell that takes what stands between them as it is, but for the quote itself. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

function bash(program: Part): string {
  const all = everyPart(program)
  const steps = all.flatMap(({ path, parts }) =>
    parts.map((part) => `      ${quoted(`${keyOf(path)} ${part.path.at(-1)!}`)}) path=${quoted(keyOf(part.path))} ;;`),
  )
  const values = all.flatMap(({ path, options }) =>
    options
      .filter((option) => option.values !== null)
      .map(({ names, values: its }) => {
        const key = names.map((name) => quoted(`${keyOf(path)} ${name}`)).join('|')
        return `    ${key}) ${bashValues(its!)}; return ;;`
      }),
  )
  const words = all.map(({ path, options, parts, values: its }) => {
    const flags = options.flatMap(({ names }) => names).join(' ')
    const named =
      parts.length > 0 ? `words=${quoted(parts.map((part) => part.path.at(-1)!).join(' '))}` : bashValues(its)
    return `    ${quoted(keyOf(path))}) if [[ $word == -* ]]; then words=${quoted(flags)}; else ${named}; fi ;;`
  })
  return `# Completions of tokenbed for bash, written by: tokenbed completions bash
_tokenbed() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} path= words= i
  # Readline takes the sign in --dtype=int8 for a word.
  if [[ $word == = ]]; then word=; elif [[ $before == = ]]; then before=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
${steps.join('\n')}
    esac
  done
  COMPREPLY=()
  case "$path $before" in
${values.join('\n')}
  esac
  case "$path" in
${words.join('\n')}
  esac
  if [[ -n $words ]]; then COMPREPLY=($(compgen -W "$words" -- "$word")); fi
}
complete -o default -o bashdefault -F _tokenbed tokenbed
`
}

/** `embed` -> ` embed` */
const keyOf = (path: readonly string[]) => path.map((word) => ` ${word}`).join('')

/** With no words, bash takes files; where there can be none, it is told so. */
function bashValues(values: Values): string {
  if (values === 'files') return ':'
  if (values === 'unknown') return 'compopt +o default +o bashdefault 2>/dev/null'
  return `COMPREPLY=($(compgen -W ${quoted(values.join(' '))} -- "$word"))`
}

function zsh(program: Part): string {
  return `#compdef tokenbed
# Completions of tokenbed for zsh, written by: tokenbed completions zsh
${everyPart(program).map(zshFunction).join('\n')}
if [[ $funcstack[1] == _tokenbed ]]; then _tokenbed "$@"; else compdef _tokenbed tokenbed; fi
`
}

const zshName = (path: readonly string[]) => ['_tokenbed', ...path].join('_')

function zshFunction({ path, options, parts, values }: Part): string {
  const specs = options.flatMap(({ names, about, values: its }) =>
    names.map((name) => {
      const value = its === null ? '' : `:value:${zshValues(its)}`
      // Spelled with = as well, or in the next word.
      return quoted(`${name}${its !== null && name.startsWith('--') ? '=' : ''}[${zshText(about)}]${value}`)
    }),
  )
  if (parts.length === 0) {
    const last = values === 'unknown' ? [] : [quoted(`*:argument:${zshValues(values)}`)]
    return `${zshName(path)}() {\n  _arguments ${[...specs, ...last].join(' \\\n    ')}\n}`
  }
  const names = parts.map((part) => quoted(`${part.path.at(-1)!}:${part.about}`))
  const calls = parts.map((part) => `        ${part.path.at(-1)!}) ${zshName(part.path)} ;;`)
  return `${zshName(path)}() {
  local curcontext=$curcontext state line
  local -a commands
  _arguments -C ${[...specs, "'1: :->command'", "'*:: :->rest'"].join(' \\\n    ')} && return
  case $state in
    command)
      commands=(${names.join('\n        ')})
      _describe -t commands command commands ;;
    rest)
      case $line[1] in
${calls.join('\n')}
      esac ;;
  esac
}`
}

const zshText = (text: string) => text.replaceAll(/[[\]\\:]/g, String.raw`\$&`)

const zshValues = (values: Values) =>
  values === 'files' ? '_files' : values === 'unknown' ? ' ' : `(${values.join(' ')})`

function fish(program: Part): string {
  const lines = everyPart(program).flatMap(({ path, options, parts, values }) => {
    // The options of a command with others in it stand before their names.
    const at = quoted([parts.length > 0 ? '__tokenbed_is' : '__tokenbed_at', ...path].join(' '))
    const of = `complete -c tokenbed -n ${at}`
    return [
      ...(values === 'files' && parts.length === 0 ? [] : [`${of} -f`]),
      ...parts.map((part) => `${of} -a ${part.path.at(-1)!} -d ${quoted(part.about)}`),
      ...(typeof values === 'string' ? [] : [`${of} -a ${quoted(values.join(' '))}`]),
      ...options.map(({ names, about, values: its }) => {
        const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
        const value =
          its === null ? '' : its === 'files' ? ' -r -F' : its === 'unknown' ? ' -x' : ` -x -a ${quoted(its.join(' '))}`
        return `${of} ${flags.join(' ')}${value} -d ${quoted(about)}`
      }),
    ]
  })
  return `# Completions of tokenbed for fish, written by: tokenbed completions fish
# Whether the words before the cursor begin with these.
function __tokenbed_at
  set -l words (commandline -opc)
  test (count $words) -gt (count $argv); or return 1
  for i in (seq (count $argv))
    test $words[(math $i + 1)] = $argv[$i]; or return 1
  end
end
# Whether they are these, and no more.
function __tokenbed_is
  set -l words (commandline -opc)
  test (count $words) -eq (math (count $argv) + 1); and __tokenbed_at $argv
end
${lines.join('\n')}
`
}
