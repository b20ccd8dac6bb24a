import { embed } from './embed.js'

console.log(JSON.stringify(embed('Hello, world!')))
