#!/usr/bin/env node
// What npm installs as `tokenbed`: the command, and where its native part does not load, what to do about it.

import { doctorAlone } from './commands/doctor.js'

try {
  require('./main.js')
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException
  // A binary that does not load, or a setting of the environment that it refuses: both are told when it is loaded.
  if (code !== 'BINARY' && code !== 'USAGE') throw error
  if (process.argv[2] === 'doctor') {
    doctorAlone()
  } else {
    process.stderr.write(`tokenbed: ${message}\n${code === 'BINARY' ? "tokenbed doctor looks at what is there, and says more.\n" : ''}`)
    process.exitCode = 1
  }
}
