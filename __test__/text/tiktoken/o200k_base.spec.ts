// Each encoding has a file of its own, so that they run in parallel.

import { compareEverything } from '../../support/tiktoken-cases.js'

compareEverything('o200k_base')
