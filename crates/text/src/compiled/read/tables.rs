//! The tables of a model: its tokens, merges and scores.

use tokenbed_memory::List;

use super::super::models::Merges;
use super::super::{NotNative, Tokens};
use super::cursor::{Cursor, damaged};

/// Reads the tokens: an object of ids, or a list of tokens with their scores.
pub(super) fn vocabulary(cursor: &mut Cursor<'_>) -> Result<(Tokens, Option<Vec<f64>>), NotNative> {
    let (mut bytes, mut tokens) = (Vec::new(), Vec::new());
    if cursor.is_at(b'[') {
        let mut scores = Vec::new();
        cursor.array(|cursor| {
            let id = scores.len() as u32;
            cursor.take(b'[')?;
            let start = bytes.len() as u32;
            cursor.string(&mut bytes)?;
            tokens.put((start, bytes.len() as u32, id));
            cursor.take(b',')?;
            scores.put(cursor.number()?);
            cursor.take(b']')
        })?;
        return Ok((Tokens::new(bytes, &tokens)?, Some(scores)));
    }
    cursor.entries(|cursor| {
        let start = bytes.len() as u32;
        cursor.string(&mut bytes)?;
        cursor.take(b':')?;
        tokens.put((start, bytes.len() as u32, cursor.id()?));
        Ok(())
    })?;
    Ok((Tokens::new(bytes, &tokens)?, None))
}

/// Reads the merges: a list of pairs, or of lines with a space in the middle.
pub(super) fn merges(cursor: &mut Cursor<'_>, tokens: &Tokens) -> Result<Merges, NotNative> {
    let mut merges = Merges::new();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let (mut lines, mut pairs) = (false, false);
    cursor.array(|cursor| {
        left.clear();
        if cursor.is_at(b'"') {
            lines = true;
            cursor.string(&mut left)?;
            if left.starts_with(b"#version") {
                return Ok(());
            }
            let space = left.iter().position(|&byte| byte == b' ').ok_or_else(damaged)?;
            let (first, second) = (&left[..space], &left[space + 1..]);
            if second.contains(&b' ') {
                return Err(damaged());
            }
            merges.put(pair(tokens, first, second)?);
            return Ok(());
        }
        pairs = true;
        right.clear();
        cursor.take(b'[')?;
        cursor.string(&mut left)?;
        cursor.take(b',')?;
        cursor.string(&mut right)?;
        cursor.take(b']')?;
        merges.put(pair(tokens, &left, &right)?);
        Ok(())
    })?;
    if lines && pairs { Err(damaged()) } else { Ok(merges) }
}

#[inline]
fn pair(tokens: &Tokens, left: &[u8], right: &[u8]) -> Result<(u32, u32), NotNative> {
    match (tokens.get(left), tokens.get(right)) {
        (Some(left), Some(right)) => Ok((left, right)),
        _ => Err(NotNative::new("model: a merge without its tokens")),
    }
}
