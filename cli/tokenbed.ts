#!/usr/bin/env node
// The command that npm installs as `tokenbed`. If the native part does not load, it says what to do.

import { doctorAlone } from './commands/doctor.js'

try {
  require('./main.js')
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException
  // The native part does not load, or refuses a setting of the environment; both happen when it is loaded.
  if (code !== 'BINARY' && code !== 'USAGE') throw error
  if (process.argv[2] === 'doctor') {
    doctorAlone()
  } else {
    process.stderr.write(
      `tokenbed: ${message}\n${code === 'BINARY' ? 'tokenbed doctor looks at what is there, and says more.\n' : ''}`,
    )
    process.exitCode = 1
  }
}
