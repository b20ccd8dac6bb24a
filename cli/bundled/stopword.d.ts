// The package has no types of its own.
declare module 'stopword' {
  type Words = readonly string[]
  export const deu: Words, eng: Words, fra: Words, ita: Words, nld: Words, por: Words, spa: Words, swe: Words
}
