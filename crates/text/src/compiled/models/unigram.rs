//! Unigram, until it comes.
use std::borrow::Cow;
use super::{Encode, Settings};
use crate::compiled::{Memo, NotNative, Tokens};
use crate::file::Limits;
pub(crate) enum Unigram {}
impl Unigram {
    pub(crate) fn compile(_: &Settings, _: Tokens, _: Vec<f64>, _: Limits) -> Result<Self, NotNative> {
        Err(NotNative::new("model: Unigram"))
    }
}
impl Encode for Unigram {
    fn encode(&self, _: &str, _: &mut Memo, _: &mut Vec<u32>) -> Result<(), String> { match *self {} }
    fn encode_places(&self, _: &str, _: &mut Vec<u32>, _: &mut Vec<(u32, u32)>) -> Result<(), String> { match *self {} }
    fn token(&self, _: u32) -> Option<Cow<'_, str>> { match *self {} }
    fn id_of(&self, _: &str) -> Option<u32> { match *self {} }
    fn sizes(&self) -> (usize, usize) { match *self {} }
}
