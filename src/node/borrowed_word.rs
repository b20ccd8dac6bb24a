//! Words that cross the border as users write them: `'sum'`, `'float32'`, `'clamp'`.
//!
//! Each family of words is written once, in [`words!`], beside the Rust type that it stands for. The build turns it
//! into an enum in `native.d.cts`, where `Word<Mode>` is the union of its words, so that TypeScript cannot pass any
//! other word.
//!
//! Words are used rather than numbers because the difference does not matter even in the shortest calls. These are the
//! nanoseconds beyond the 16 of a call without arguments (Node 20, one core of a Zen 4): number 5, external 5, word 10,
//! typed array 35, property of an object 80. A word costs so little because a single call reads it onto the stack,
//! whereas napi's own string reading asks for the length first and allocates. Properties are expensive, so hot calls
//! take flat arguments and handles instead of objects (`scripts/rules/border.mjs` names those that take many).

#![allow(unsafe_code, reason = "reads Node-API's strings")]

use crate::node::borrow::size;
use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, TypeName, ValidateNapiValue};
use napi::{ValueType, check_status, sys};
use napi_derive::napi;
use std::ptr;
use tokenbed_core::DType as CoreDType;
use tokenbed_core::ids::BadIds;
use tokenbed_core::ops::binary::Binary as CoreBinary;
use tokenbed_core::ops::reduce::Reduce as CoreReduce;
use tokenbed_core::ops::top::Extreme as CoreExtreme;
use tokenbed_core::ops::unary::Unary as CoreUnary;
use tokenbed_embed::{Element as CoreElement, Semantics as CoreSemantics};
use tokenbed_kernels::ops::lookup::bag::Mode as CoreMode;
use tokenbed_kernels::ops::positions::rotate::Pairs as CorePairs;
use tokenbed_kernels::rows::blocks::Block;
use tokenbed_kernels::rows::format::{OutFormat as CoreOutFormat, RowFormat as CoreRowFormat};
use tokenbed_nn::positions::sinusoid::Layout as CoreLayout;
use tokenbed_nn::search::top_k::Metric as CoreMetric;

/// A type whose values each have a word.
pub trait Named: Copy + 'static {
    /// All values with their words.
    const WORDS: &'static [(&'static str, Self)];
    /// What the words name, for error messages.
    const KIND: &'static str;

    fn word(self) -> &'static str;
}

/// Declares an enum for `native.d.cts`, and the words of the Rust type that it stands for. Every variant must be
/// listed: `word` does not compile otherwise. A variant that holds one of another enum has a word for each of those:
/// `Q4_0 of Block in Blocks`.
macro_rules! words {
    (@ $of:ident $variant:ident) => { $of::$variant };
    (@ $of:ident $variant:ident $inner:ident $outer:ident) => { $of::$outer($inner::$variant) };
    ($(#[$doc:meta])* $name:ident for $of:ident {
        $($variant:ident $(of $inner:ident in $outer:ident)? = $word:tt),+ $(,)?
    }) => {
        $(#[$doc])*
        #[napi(string_enum)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[napi(value = $word)] $variant,)+
        }

        impl Named for $of {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, words!(@ $of $variant $($inner $outer)?))),+];
            const KIND: &'static str = stringify!($name);

            fn word(self) -> &'static str {
                match self {
                    $(words!(@ $of $variant $($inner $outer)?) => $word,)+
                }
            }
        }
    };
}

words! {
    /// Element types.
    DType for CoreDType {
        Float32 = "float32", Float64 = "float64", Float16 = "float16", BFloat16 = "bfloat16", Int8 = "int8",
        UInt8 = "uint8", Int32 = "int32", Int64 = "int64", Bool = "bool",
    }
}
words! {
    /// Layouts of a table's rows.
    RowFormat for CoreRowFormat {
        Float32 = "float32", Float16 = "float16", BFloat16 = "bfloat16", Int8 = "int8", Int4 = "int4",
        Int2 = "int2", Float8 = "float8",
        Q8_0 of Block in Blocks = "q8_0",
        Q4_0 of Block in Blocks = "q4_0",
        Q4_1 of Block in Blocks = "q4_1",
        Q5_0 of Block in Blocks = "q5_0",
        Q5_1 of Block in Blocks = "q5_1",
        Q2K of Block in Blocks = "q2_k",
        Q3K of Block in Blocks = "q3_k",
        Q4K of Block in Blocks = "q4_k",
        Q5K of Block in Blocks = "q5_k",
        Q6K of Block in Blocks = "q6_k",
    }
}
words! {
    /// Element types of a layer's results.
    OutFormat for CoreOutFormat { Float32 = "float32", Float16 = "float16", BFloat16 = "bfloat16" }
}
words! {
    /// How the vectors of a bag are pooled.
    Mode for CoreMode { Sum = "sum", Mean = "mean", Max = "max" }
}
words! {
    /// Operations on two operands.
    Binary for CoreBinary {
        Add = "add", Sub = "sub", Mul = "mul", Div = "div", Max = "maximum", Min = "minimum", Pow = "pow",
        Eq = "eq", Ne = "ne", Lt = "lt", Le = "le",
    }
}
words! {
    /// Operations on one operand.
    Unary for CoreUnary {
        Relu = "relu", Gelu = "gelu", Tanh = "tanh", Sigmoid = "sigmoid", Sqrt = "sqrt", Exp = "exp", Log = "log",
        Log1p = "log1p", Abs = "abs", LogSigmoid = "logSigmoid",
    }
}
words! {
    /// Reductions along a dimension.
    Reduce for CoreReduce { Sum = "sum", Mean = "mean" }
}
words! {
    /// Which elements along a dimension are found.
    Extreme for CoreExtreme { Largest = "largest", Smallest = "smallest", Minimum = "minimum" }
}
words! {
    /// How the losses of a batch are reduced.
    Reduction for Reduction { None = "none", Sum = "sum", Mean = "mean" }
}
words! {
    /// The order of sines and cosines.
    Layout for CoreLayout { Interleaved = "interleaved", Half = "half" }
}
words! {
    /// The elements that a rotation turns together.
    Pairs for CorePairs { Half = "half", Interleaved = "interleaved" }
}
words! {
    /// How a row and a vector are compared.
    Metric for CoreMetric { Cosine = "cosine", Dot = "dot", Euclidean = "euclidean", Hamming = "hamming" }
}
words! {
    /// What to do about an id that has no row, if no other row replaces it.
    BadIdPolicy for BadIdPolicy { Throw = "throw", Clamp = "clamp" }
}
words! {
    /// How the records of a text are written.
    RecordFormat for RecordFormat { Text = "text", Jsonl = "jsonl", Csv = "csv", Tsv = "tsv", Whole = "whole" }
}

/// A value that crosses as its word.
#[derive(Clone, Copy, Debug)]
pub struct Word<T>(pub T);

/// The length of the longest word.
const LONGEST: usize = 23;

impl<T> TypeName for Word<T> {
    fn type_name() -> &'static str {
        "string"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl<T> ValidateNapiValue for Word<T> {}

impl<T: Named> FromNapiValue for Word<T> {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // One byte more, for the terminating zero.
        let mut word = [0u8; LONGEST + 1];
        let mut length = 0;
        // SAFETY: napi's macro gives a live env and value, and no more than the buffer's length is written.
        let status =
            unsafe { sys::napi_get_value_string_latin1(env, value, word.as_mut_ptr().cast(), word.len(), &mut length) };
        let word = word.get(..length).unwrap_or(&[]);
        T::WORDS
            .iter()
            .find(|(known, _)| status == sys::Status::napi_ok && known.as_bytes() == word)
            .map(|&(_, value)| Word(value))
            .ok_or_else(|| {
                let known = T::WORDS.iter().map(|&(word, _)| word);
                let known =
                    known.fold(String::new(), |all, word| if all.is_empty() { word.into() } else { all + ", " + word });
                napi::Error::from_reason(format!("a {} must be one of {known}", T::KIND))
            })
    }
}

impl<T: Named> ToNapiValue for Word<T> {
    unsafe fn to_napi_value(env: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        let word = value.0.word();
        let mut made = ptr::null_mut();
        // SAFETY: the env is live, as this function's caller promises, and the string has this many bytes.
        check_status!(unsafe {
            sys::napi_create_string_latin1(env, word.as_ptr().cast(), word.len() as isize, &mut made)
        })?;
        Ok(made)
    }
}

words! {
    /// The libraries whose vectors of texts are made.
    Semantics for CoreSemantics {
        Model2Vec = "model2vec", Model2Vec09 = "model2vec@0.9", SentenceTransformers = "sentence-transformers",
        WordLlama = "wordllama", Mean = "mean",
    }
}
words! {
    /// Element types of vectors of texts.
    Element for CoreElement { Float32 = "float32", Float16 = "float16", Int8 = "int8", Binary = "binary" }
}

/// What to do about an id that has no row: a word, or the number of the row that replaces it.
#[derive(Clone, Copy, Debug)]
pub struct OnBadId(pub BadIds);

impl TypeName for OnBadId {
    fn type_name() -> &'static str {
        "OnBadId"
    }

    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

impl ValidateNapiValue for OnBadId {}

impl FromNapiValue for OnBadId {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let mut row = 0.0;
        // SAFETY: napi's macro gives a live env and value.
        if unsafe { sys::napi_get_value_double(env, value, &mut row) } == sys::Status::napi_ok {
            let row = size(row).ok().and_then(|row| u32::try_from(row).ok());
            let row = row.ok_or_else(|| napi::Error::from_reason("the substitute row must be a 32-bit number"))?;
            return Ok(OnBadId(BadIds::Replace(row)));
        }
        // SAFETY: as above.
        Ok(OnBadId(match unsafe { Word::<BadIdPolicy>::from_napi_value(env, value) }?.0 {
            BadIdPolicy::Throw => BadIds::Throw,
            BadIdPolicy::Clamp => BadIds::Clamp,
        }))
    }
}
