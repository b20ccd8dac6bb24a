// Commands, their options and their help.
export { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
