//! The words whose vectors are nearest to one. Vectors are made block by block as the search gets there, so that no
//! table of them is needed.

use super::line::Scratch;
use super::{FastText, Open};
use tokenbed_core::Result;
use tokenbed_kernels::dispatch::Kernels;
use tokenbed_memory::List;
use tokenbed_nn::neighbours::{self, Neighbour, Searched};

impl Searched for Open<'_> {
    fn rows(self) -> usize {
        self.header.words
    }

    fn dim(self) -> usize {
        self.header.dim
    }

    fn row_bytes(self) -> usize {
        self.word_bytes()
    }

    fn block<'a>(&'a self, from: usize, count: usize, room: &'a mut Vec<f32>) -> &'a [f32] {
        room.fill_to(count * self.header.dim, 0.0);
        let out = &mut room[..count * self.header.dim];
        let mut scratch = Scratch::default();
        for (word, out) in (from..).zip(out.chunks_exact_mut(self.header.dim)) {
            self.known(word, &mut scratch, out);
        }
        out
    }
}

impl FastText {
    /// The `top` words that are nearest to a vector: as [`neighbours::nearest`] over a table of all vectors.
    ///
    /// # Errors
    /// Those of [`neighbours::nearest`], and [`Error::Format`](tokenbed_core::Error::Format) if the dictionary does not
    /// match the header.
    pub fn nearest(&self, kernels: Kernels, query: &[f32], top: usize, without: &[u32]) -> Result<Vec<Neighbour>> {
        neighbours::nearest(kernels, self.ready()?, query, top, without)
    }

    /// The similarity of a vector with that of every word: as [`neighbours::similarities`].
    ///
    /// # Errors
    /// Those of [`neighbours::similarities`], and [`Error::Format`](tokenbed_core::Error::Format) if the dictionary
    /// does not match the header.
    pub fn similarities(&self, kernels: Kernels, query: &[f32], out: &mut [f32]) -> Result<()> {
        neighbours::similarities(kernels, self.ready()?, query, out)
    }
}
