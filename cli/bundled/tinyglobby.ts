// Files by patterns.
// As CommonJS: what it is of for `import` looks for Node's functions by the address of its own file.
import tinyglobby = require('tinyglobby')

export const { globSync, isDynamicPattern } = tinyglobby
