//! Byte pair encoding of a long piece, block by block, in time and memory that are linear.
//!
//! Tokens in a row are the encoding of their bytes if each two neighbours are the encoding of theirs (a theorem about
//! vocabularies whose tokens are all reached by merges of lower ranks; Hendrik van Antwerpen and Alexander Neubeck,
//! "So many tokens, so little time", GitHub 2024, whose `bpe` crate rests on it). So blocks are encoded on their own,
//! and only where two of them meet a few tokens on both sides are encoded again, until the seams hold.

use super::Bpe;
use super::merge::{self, SHORT};
use super::seam::stay_apart;

/// Appends the ids of `piece`.
pub(crate) fn encode_long(bpe: &Bpe, piece: &[u8], out: &mut Vec<u32>) {
    let base = out.len();
    let mut ids = Vec::with_capacity(SHORT);
    let mut block = Vec::with_capacity(SHORT);
    for bytes in piece.chunks(SHORT) {
        ids.clear();
        block.clear();
        ids.extend(bytes.iter().map(|&byte| bpe.bytes[usize::from(byte)]));
        merge::merge(&bpe.pairs, &mut ids, &mut block);
        append(bpe, base, &block, out);
    }
}

/// Appends `block`, an encoding, to `out[base..]`, another one, so that the whole is the encoding of the bytes of both.
fn append(bpe: &Bpe, base: usize, block: &[u32], out: &mut Vec<u32>) {
    // How many tokens are encoded again: the last of `out`, the first of `block`.
    let (mut left, mut right) = (0, 0);
    let mut middle: Vec<u32> = Vec::new();
    loop {
        let kept = &out[base..out.len() - left];
        let rest = &block[right..];
        let joined = |a: Option<&u32>, b: Option<&u32>| match (a, b) {
            (Some(&a), Some(&b)) => stay_apart(&bpe.vocabulary, &bpe.pairs, a, b),
            _ => true,
        };
        let (before, after) = match middle.is_empty() {
            true => (joined(kept.last(), rest.first()), true),
            false => (joined(kept.last(), middle.first()), joined(middle.last(), rest.first())),
        };
        if before && after {
            out.truncate(out.len() - left);
            out.extend_from_slice(&middle);
            out.extend_from_slice(&block[right..]);
            return;
        }
        // Twice as many where a seam does not hold: at the latest it holds when a side has no token left.
        if !before || left == 0 {
            left = (out.len() - base).min((left * 2).max(1));
        }
        if !after || right == 0 {
            right = block.len().min((right * 2).max(1));
        }
        let again = out[out.len() - left..].iter().chain(&block[..right]);
        let bytes = again.filter_map(|&id| bpe.token(id)).flatten();
        let mut ids: Vec<u32> = bytes.map(|&byte| bpe.bytes[usize::from(byte)]).collect();
        middle.clear();
        merge::merge(&bpe.pairs, &mut ids, &mut middle);
    }
}
