// Finds files by patterns. It is required as CommonJS: the version for `import` looks for Node's functions by the
// address of its own file.
import tinyglobby = require('tinyglobby')

export const { globSync, isDynamicPattern } = tinyglobby
