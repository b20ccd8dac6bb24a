// A file for each encoding, so that they run side by side.

import { compareEverything } from '../../support/tiktoken-cases.js'

compareEverything('gpt2')
