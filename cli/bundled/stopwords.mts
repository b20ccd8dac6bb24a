// The most frequent words of some languages, which say little by themselves.
export { deu, eng, fra, ita, nld, por, spa, swe } from 'stopword'
