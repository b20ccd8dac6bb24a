//! Options that users set, each defined once: its name, what it means, its default and its range.
//!
//! [`options!`](crate::options!) makes a struct from them. The same definition also reads what JavaScript passes
//! ([`Options::read`]) and describes the options ([`Options::fields`]). From that description `scripts/options.mjs`
//! writes the TypeScript types, the tables for checks, and the options of the command.

use tokenbed_core::{Error, Result};
use tokenbed_memory::Text;

/// The values that an option may have.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A boolean. It may only be true if one other option, if any, is not 0, and another is 0.
    Flag {
        /// The option that must not be 0.
        needs: Option<&'static str>,
        /// The option that must be 0.
        forbids: Option<&'static str>,
    },
    /// An integer within bounds.
    Size {
        /// The smallest value.
        least: u64,
        /// The largest value.
        most: u64,
    },
    /// A finite number.
    Number {
        /// The smallest value; minus infinity allows any.
        least: f64,
        /// The largest value; infinity allows any.
        most: f64,
    },
    /// Two numbers, each at least 0 and below 1.
    Betas,
    /// Two numbers that are not negative, of which the first may be null.
    Epsilons,
    /// Three finite numbers.
    Triple,
    /// One of some words, or null for the first of them.
    Word(&'static [&'static str]),
    /// A word, or a set of options.
    WordOr {
        /// The word.
        word: &'static str,
        /// The options.
        options: Vec<Field>,
    },
}

/// A boolean.
pub const FLAG: Kind = Kind::Flag { needs: None, forbids: None };
/// A finite number that is not negative.
pub const NOT_NEGATIVE: Kind = Kind::Number { least: 0.0, most: f64::INFINITY };
/// A finite number.
pub const ANY_NUMBER: Kind = Kind::Number { least: f64::NEG_INFINITY, most: f64::INFINITY };

/// An integer from `least` to `most`.
pub const fn size(least: u64, most: u64) -> Kind {
    Kind::Size { least, most }
}

/// The default of an option.
#[derive(Clone, Debug, PartialEq)]
pub enum Usual {
    /// There is no default: the option must be given, or the reader determines it.
    Missing,
    /// A boolean.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A number, and other numbers for the objectives with these names.
    NumberBy(f64, &'static [(&'static str, f64)]),
    /// Two numbers.
    Pair([f64; 2]),
    /// Two numbers, of which the first may be null.
    Epsilons(Epsilons),
    /// Three numbers.
    Triple([f64; 3]),
    /// A word.
    Word(&'static str),
    /// The value of another option.
    Like(&'static str),
}

impl From<bool> for Usual {
    fn from(value: bool) -> Self {
        Usual::Flag(value)
    }
}

impl From<f64> for Usual {
    fn from(value: f64) -> Self {
        Usual::Number(value)
    }
}

impl From<[f64; 2]> for Usual {
    fn from(value: [f64; 2]) -> Self {
        Usual::Pair(value)
    }
}

impl From<[f64; 3]> for Usual {
    fn from(value: [f64; 3]) -> Self {
        Usual::Triple(value)
    }
}

impl From<Epsilons> for Usual {
    fn from(value: Epsilons) -> Self {
        Usual::Epsilons(value)
    }
}

/// Two numbers that keep divisions in bounds; without the first, the reader determines it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epsilons(pub Option<f64>, pub f64);

/// An option.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name in Rust's spelling; [`camel_case`] gives the spelling that users write.
    pub name: &'static str,
    /// Its description, in sentences.
    pub about: &'static str,
    /// The values that it may have.
    pub kind: Kind,
    /// Its default.
    pub usual: Usual,
}

/// Turns `weight_decay` into what users write: `weightDecay`.
pub fn camel_case(name: &str) -> String {
    let mut camel = String::new();
    for (i, word) in name.split('_').enumerate() {
        let (first, rest) = word.split_at(word.len().min(1));
        camel.put_str(if i == 0 { first.into() } else { first.to_ascii_uppercase() }.as_str());
        camel.put_str(rest);
    }
    camel
}

/// Values by the names that users write, as JavaScript passed them. They are checked, and none is missing.
pub trait Values {
    /// The number with this name, if there is one.
    fn number(&self, name: &str) -> Option<f64>;
    /// The boolean with this name, if there is one.
    fn flag(&self, name: &str) -> Option<bool>;
    /// Number `at` of the list with this name, if there is one.
    fn element(&self, name: &str, at: u32) -> Option<f64>;
    /// The word with this name, if there is one.
    fn word(&self, name: &str) -> Option<String>;
    /// The set of values with this name, if there is one.
    fn part(&self, name: &str) -> Option<Box<dyn Values + '_>>;
}

/// A Rust type that an option may have.
pub trait Setting: Sized {
    /// Reads the value of an option; None if there is no value of this type.
    fn read(values: &dyn Values, name: &str) -> Option<Self>;
}

impl Setting for f64 {
    fn read(values: &dyn Values, name: &str) -> Option<Self> {
        values.number(name)
    }
}

impl Setting for u64 {
    fn read(values: &dyn Values, name: &str) -> Option<Self> {
        /// Integers up to this are exact as f64.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        values.number(name).filter(|&x| (0.0..=EXACT).contains(&x) && x.fract() == 0.0).map(|x| x as u64)
    }
}

impl Setting for usize {
    fn read(values: &dyn Values, name: &str) -> Option<Self> {
        usize::try_from(u64::read(values, name)?).ok()
    }
}

impl Setting for bool {
    fn read(values: &dyn Values, name: &str) -> Option<Self> {
        values.flag(name)
    }
}

impl Setting for [f64; 2] {
    fn read(values: &dyn Values, name: &str) -> Option<Self> {
        Some([values.element(name, 0)?, values.element(name, 1)?])
    }
}

impl Setting for [f64; 3] {
    fn read(values: &dyn Values, name: &str) -> Option<Self> {
        Some([values.element(name, 0)?, values.element(name, 1)?, values.element(name, 2)?])
    }
}

impl Setting for Epsilons {
    fn read(values: &dyn Values, name: &str) -> Option<Self> {
        Some(Epsilons(values.element(name, 0), values.element(name, 1)?))
    }
}

/// A struct that [`options!`](crate::options!) made.
pub trait Options: Sized {
    /// Its description, in sentences, with the line breaks of the source.
    const ABOUT: &'static str;

    /// The options, beginning with those of its parts.
    fn fields() -> Vec<Field>;

    /// Reads all options.
    ///
    /// # Errors
    /// [`Error::Usage`] if one is missing or of another type; TypeScript has already checked them.
    fn read(values: &dyn Values) -> Result<Self>;
}

/// The value of an option.
///
/// # Errors
/// [`Error::Usage`] if it is missing or of another type.
pub fn read<T: Setting>(values: &dyn Values, name: &str) -> Result<T> {
    let name = camel_case(name);
    T::read(values, &name).ok_or_else(|| Error::Usage(format!("the option {name} is missing or has the wrong type")))
}

/// Makes a struct whose fields are options.
///
/// ```
/// use tokenbed_nn::options::{NOT_NEGATIVE, Options};
/// tokenbed_nn::options! {
///     /// Steps of one size.
///     pub struct Plain {
///         /// The learning rate.
///         pub lr: f64 [NOT_NEGATIVE] = 0.01,
///     }
/// }
/// assert_eq!(Plain::fields()[0].about, " The learning rate.");
/// ```
///
/// `..part: Parts,` before the fields takes in all options of another such struct, as the field `part`.
#[macro_export]
macro_rules! options {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident {
            $(.. $part:ident: $parts:ty,)*
            $($(#[doc = $doc:literal])+ pub $field:ident: $type:ty [$kind:expr] = $usual:expr,)*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name {
            $(#[doc = concat!("All of [`", stringify!($parts), "`].")] pub $part: $parts,)*
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl $crate::options::Options for $name {
            const ABOUT: &'static str = concat!($($about, "\n"),+);

            fn fields() -> Vec<$crate::options::Field> {
                let own = [$($crate::options::Field {
                    name: stringify!($field),
                    about: concat!($($doc),+),
                    kind: $kind,
                    usual: $crate::options::Usual::from($usual),
                }),*];
                let parts: [Vec<$crate::options::Field>; _] = [$(<$parts as $crate::options::Options>::fields()),*];
                $crate::options::joined(parts, own)
            }

            fn read(values: &dyn $crate::options::Values) -> ::tokenbed_core::Result<Self> {
                Ok(Self {
                    $($part: <$parts as $crate::options::Options>::read(values)?,)*
                    $($field: $crate::options::read(values, stringify!($field))?,)*
                })
            }
        }
    };
}

/// The options of the parts, followed by the struct's own.
#[doc(hidden)]
pub fn joined<const P: usize, const N: usize>(parts: [Vec<Field>; P], own: [Field; N]) -> Vec<Field> {
    use tokenbed_memory::Gather;
    parts.into_iter().flatten().chain(own).into_list()
}

#[cfg(test)]
mod tests {
    use super::{FLAG, Field, NOT_NEGATIVE, Options, Usual, Values, camel_case, size};

    options! {
        /// What another has.
        pub struct Part {
            /// A rate.
            pub lr: f64 [NOT_NEGATIVE] = 0.01,
        }
    }

    options! {
        /// One.
        ///
        /// More.
        pub struct Whole {
            .. part: Part,
            /// A size
            /// in two lines.
            pub batch_size: usize [size(1, 9)] = Usual::Like("lr"),
            /// A flag.
            pub tied: bool [FLAG] = false,
        }
    }

    /// Numbers by name; all flags are true.
    struct Numbers(&'static [(&'static str, f64)]);

    impl Values for Numbers {
        fn number(&self, name: &str) -> Option<f64> {
            self.0.iter().find(|(its, _)| *its == name).map(|(_, value)| *value)
        }

        fn flag(&self, _: &str) -> Option<bool> {
            Some(true)
        }

        fn element(&self, _: &str, _: u32) -> Option<f64> {
            None
        }

        fn word(&self, _: &str) -> Option<String> {
            None
        }

        fn part(&self, _: &str) -> Option<Box<dyn Values + '_>> {
            None
        }
    }

    #[test]
    fn a_definition_describes_and_reads_its_options() {
        assert_eq!(Whole::ABOUT, " One.\n\n More.\n");
        let fields = Whole::fields();
        assert_eq!(fields.iter().map(|field| field.name).collect::<Vec<_>>(), ["lr", "batch_size", "tied"]);
        let about = " A size in two lines.";
        let wanted = Field { name: "batch_size", about, kind: size(1, 9), usual: Usual::Like("lr") };
        assert_eq!(fields[1], wanted);
        let read = Whole::read(&Numbers(&[("lr", 0.5), ("batchSize", 3.0)])).unwrap();
        assert_eq!(read, Whole { part: Part { lr: 0.5 }, batch_size: 3, tied: true });
    }

    #[test]
    fn names_options_that_are_missing_or_of_another_type() {
        for batch in [&[("lr", 1.0)][..], &[("lr", 1.0), ("batchSize", -1.0)], &[("lr", 1.0), ("batchSize", 1.5)]] {
            let error = Whole::read(&Numbers(batch)).unwrap_err().to_string();
            assert!(error.contains("the option batchSize is missing or has the wrong type"), "{error}");
        }
    }

    #[test]
    fn names_are_written_as_users_write_them() {
        let names = ["lr", "weight_decay", "initial_accumulator_value"].map(camel_case);
        assert_eq!(names, ["lr", "weightDecay", "initialAccumulatorValue"]);
    }
}
