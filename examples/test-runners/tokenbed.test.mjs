import * as tokenbed from 'tokenbed'
import suite from './suite.cjs'

suite(tokenbed)
