// The most frequent words of some languages, which say little by themselves. The lists are taken one by one, since the
// package's entry brings those of sixty languages.
export { deu } from 'stopword/src/stopwords_deu.js'
export { eng } from 'stopword/src/stopwords_eng.js'
export { fra } from 'stopword/src/stopwords_fra.js'
export { ita } from 'stopword/src/stopwords_ita.js'
export { nld } from 'stopword/src/stopwords_nld.js'
export { por } from 'stopword/src/stopwords_por.js'
export { spa } from 'stopword/src/stopwords_spa.js'
export { swe } from 'stopword/src/stopwords_swe.js'
