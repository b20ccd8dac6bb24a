// Commands, their options and their help.
export { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
