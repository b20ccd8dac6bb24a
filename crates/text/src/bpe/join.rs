//! Byte pair encoding of a long piece, block by block, in linear time and memory.
//!
//! A sequence of tokens is the encoding of its bytes if each two neighbours are the encoding of theirs. This is a
//! theorem about vocabularies whose tokens are all reached by merges of lower ranks (Hendrik van Antwerpen and
//! Alexander Neubeck, "So many tokens, so little time", GitHub 2024; their `bpe` crate rests on it). So blocks are
//! encoded on their own, and where two blocks meet, a few tokens on both sides are encoded again until the seams
//! hold.

use super::Bpe;
use super::merge::{self, SHORT};
use super::seam::stay_apart;
use tokenbed_memory::{Gather, List, with_room};

/// Appends the ids of `piece`, and returns how many bytes were encoded for it, counting repeated ones again.
pub(crate) fn encode_long(bpe: &Bpe, piece: &[u8], out: &mut Vec<u32>) -> usize {
    let base = out.len();
    let mut encoded = 0;
    let mut block = with_room(SHORT);
    for bytes in piece.chunks(SHORT) {
        encode_block(bpe, bytes.iter().copied(), &mut block);
        encoded += bytes.len() + append(bpe, base, &block, out);
    }
    encoded
}

/// Appends the encoding `block` to the encoding `out[base..]`, so that the whole is the encoding of the bytes of
/// both.
fn append(bpe: &Bpe, base: usize, block: &[u32], out: &mut Vec<u32>) -> usize {
    let holds = |left: Option<&u32>, right: Option<&u32>| match (left, right) {
        (Some(&left), Some(&right)) => stay_apart(&bpe.vocabulary, &bpe.pairs, left, right),
        _ => true,
    };
    let mut encoded = 0;
    if holds(out[base..].last(), block.first()) {
        out.put_slice(block);
        return encoded;
    }
    // Number of tokens that are encoded again: the last of `out`, and the first of `block`.
    let (mut left, mut right) = (1, 1);
    let mut middle = Vec::new();
    loop {
        let (kept, again_left) = out[base..].split_at(out.len() - base - left);
        let (again_right, rest) = block.split_at(right);
        let again = again_left.iter().chain(again_right).filter_map(|&id| bpe.token(id)).flatten().copied();
        encoded += encode_block(bpe, again, &mut middle);
        let (before, after) = (holds(kept.last(), middle.first()), holds(middle.last(), rest.first()));
        if before && after {
            out.truncate(base + kept.len());
            out.put_slice(&middle);
            out.put_slice(rest);
            return encoded;
        }
        // Twice as many, on the side whose seam does not hold. It holds at the latest when no token is left beyond
        // it.
        if !before {
            left = (left * 2).min(out.len() - base);
        }
        if !after {
            right = (right * 2).min(block.len());
        }
    }
}

/// Puts the encoding of the bytes into `out`, and returns the number of bytes.
fn encode_block(bpe: &Bpe, bytes: impl Iterator<Item = u8>, out: &mut Vec<u32>) -> usize {
    let mut ids: Vec<u32> = bytes.map(|byte| bpe.bytes[usize::from(byte)]).into_list();
    out.clear();
    merge::merge(&bpe.pairs, &mut ids, out);
    ids.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vocabulary of all bytes and of these merges, given by their spelling.
    fn vocabulary(tokens: &[&str]) -> Bpe {
        let mut file = b"TBVOCAB1".to_vec();
        file.extend_from_slice(&(256 + tokens.len() as u32).to_le_bytes());
        file.extend(0..=255);
        let id = |token: &str| match token.as_bytes() {
            &[byte] => usize::from(byte),
            _ => 256 + tokens.iter().position(|other| other.replace('|', "") == token).unwrap(),
        };
        for token in tokens {
            let (left, right) = token.split_once('|').unwrap();
            for half in [id(left), id(right)] {
                file.extend(if half < 128 { vec![half as u8] } else { vec![half as u8 | 128, (half >> 7) as u8] });
            }
        }
        Bpe::new(&file, &[]).unwrap()
    }

    /// The time is linear. This counts the work, not the time, on pieces that make a naive encoder quadratic.
    #[test]
    fn twice_the_piece_is_twice_the_work() {
        let bpe = vocabulary(&["a|a", "aa|a", "b|a", "aa|aa", "ba|ba", "a|b"]);
        for unit in ["a", "ab", "aab", "ba", "aaaaaaab", "bbbbbbba", "c", "abcab"] {
            let work = |times: usize| encode_long(&bpe, unit.repeat(times).as_bytes(), &mut Vec::new());
            let (once, twice) = (work(10_000), work(20_000));
            assert!(once <= 4 * 10_000 * unit.len(), "{unit}: {once} bytes encoded");
            assert!(twice <= 2 * once + 256, "{unit}: {once} bytes encoded, for twice as many {twice}");
        }
    }

    /// The same for the vocabularies that are shipped, on a megabyte.
    #[test]
    fn twice_the_megabyte_is_twice_the_work() {
        for name in ["r50k_base", "cl100k_base", "o200k_base"] {
            let path = format!("{}/../../vocab/{name}.br", env!("CARGO_MANIFEST_DIR"));
            let packed = std::fs::read(path).expect("`npm run build` makes the vocabularies");
            let mut file = Vec::new();
            let mut unpacked = brotli_decompressor::Decompressor::new(&packed[..], 4096);
            std::io::Read::read_to_end(&mut unpacked, &mut file).unwrap();
            let bpe = Bpe::new(&file, &[]).unwrap();
            for unit in ["a", " ", "\n", "7", "\u{1f600}", "ab", "\r\n", "=-"] {
                let work =
                    |length: usize| encode_long(&bpe, unit.repeat(length / unit.len()).as_bytes(), &mut Vec::new());
                let (once, twice) = (work(1 << 19), work(1 << 20));
                assert!(twice <= 16 << 20, "{name}, {unit:?}: {twice} bytes encoded");
                assert!(twice * 10 <= once * 21, "{name}, {unit:?}: {once} bytes encoded, for twice as many {twice}");
            }
        }
    }

    /// These blocks have tokens that all shift when something stands before them.
    #[test]
    fn blocks_and_the_whole_agree() {
        let bpe = vocabulary(&["a|a", "b|c", "aa|a", "aaa|b", "a|b", "c|a", "bc|bc"]);
        for unit in ["a", "ab", "abc", "aabca", "aaaab", "bca"] {
            for length in [65, 127, 128, 129, 200, 1000] {
                let piece: Vec<u8> = unit.bytes().cycle().take(length).collect();
                let (mut blocks, mut whole) = (Vec::new(), Vec::new());
                encode_long(&bpe, &piece, &mut blocks);
                let mut ids: Vec<u32> = piece.iter().map(|&byte| u32::from(byte)).collect();
                merge::merge(&bpe.pairs, &mut ids, &mut whole);
                assert_eq!(blocks, whole, "{unit} {length}");
            }
        }
    }
}
