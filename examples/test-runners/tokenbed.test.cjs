require('./suite.cjs')(require('tokenbed'))
