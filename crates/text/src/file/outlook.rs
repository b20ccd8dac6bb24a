//! Finds how far a pattern looks: which of its matches in an unfinished text can no longer change.
//!
//! An attempt to match at a place is decided if no way through the pattern reaches the end of the available text. All
//! possible ways form a regular language, if each look-ahead may be taken or not. So an attempt is undecided only if
//! the rest of the text is a prefix of a text of that language. A DFA that reads backwards from the end finds the
//! first such place.

use fancy_regex::{Assertion, Expr, LookAround};
use regex_automata::hybrid::dfa::DFA;
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use tokenbed_memory::Text;

/// What is known of a pattern that looks ahead only.
pub(crate) struct Outlook {
    fronts: DFA,
}

/// The texts that a part of a pattern matches (`all`), and their prefixes (`fronts`), each as an expression.
struct Ways {
    all: String,
    fronts: String,
    /// Whether it may match nothing.
    nothing: bool,
}

/// Largest number of bytes in the expression for all prefixes.
const MOST: usize = 1 << 20;

impl Outlook {
    /// The outlook of a pattern of fancy-regex. `None` if the pattern depends on the text before a match, or can
    /// match nothing: then matching cannot begin in the middle of a text.
    pub(crate) fn of(pattern: &str) -> Option<Self> {
        let tree = Expr::parse_tree(pattern).ok()?;
        let ways = ways(&tree.expr)?;
        if ways.nothing || ways.fronts.len() > MOST {
            return None;
        }
        let fronts = DFA::builder()
            .configure(DFA::config().match_kind(MatchKind::All).skip_cache_capacity_check(true))
            .syntax(syntax::Config::new().unicode(true).utf8(true))
            .thompson(thompson::Config::new().reverse(true).nfa_size_limit(Some(10 << 20)))
            .build(&ways.fronts)
            .ok()?;
        Some(Self { fronts })
    }

    /// The first place from which an attempt to match may reach the end of the text; 0 if that is not known.
    pub(crate) fn decided(&self, text: &str) -> usize {
        self.search(text).unwrap_or(0)
    }

    fn search(&self, text: &str) -> Option<usize> {
        let mut cache = self.fronts.create_cache();
        let input = Input::new(text).anchored(Anchored::Yes);
        let mut state = self.fronts.start_state_reverse(&mut cache, &input).ok()?;
        let mut first = text.len();
        for (at, &byte) in text.as_bytes().iter().enumerate().rev() {
            state = self.fronts.next_state(&mut cache, state, byte).ok()?;
            if state.is_tagged() {
                // The DFA reports a match one byte late.
                if state.is_match() {
                    first = at + 1;
                } else if state.is_dead() {
                    return Some(first);
                } else if state.is_quit() {
                    return None;
                }
            }
        }
        let end = self.fronts.next_eoi_state(&mut cache, state).ok()?;
        Some(if end.is_match() { 0 } else { first })
    }
}

fn ways(expr: &Expr) -> Option<Ways> {
    let optional = |text: &str| ["(?:", text, ")?"].concat();
    let one = |class: &str| Ways { all: class.into(), fronts: optional(class), nothing: false };
    Some(match expr {
        Expr::Empty => Ways { all: String::new(), fronts: String::new(), nothing: true },
        Expr::Any { newline: true } => one("(?s:.)"),
        Expr::Any { newline: false } => one(r"[^\n]"),
        Expr::Delegate { inner, size: 1, casei: false } => one(inner),
        Expr::Literal { val, casei: false } => {
            let all = fancy_regex::escape(val);
            let mut fronts = String::new();
            for c in val.chars() {
                fronts.put_str("(?:");
                fronts.put_str(&fancy_regex::escape(c.encode_utf8(&mut [0; 4])));
            }
            val.chars().for_each(|_| fronts.put_str(")?"));
            Ways { all: all.into_owned(), fronts, nothing: val.is_empty() }
        }
        Expr::Concat(parts) => {
            let mut all = Ways { all: String::new(), fronts: String::new(), nothing: true };
            for part in parts.iter().rev() {
                let part = ways(part)?;
                let rest = ["(?:", &part.all, ")(?:", &all.fronts, ")"].concat();
                all = Ways {
                    all: ["(?:", &part.all, ")", &all.all].concat(),
                    fronts: ["(?:", &part.fronts, "|", &rest, ")"].concat(),
                    nothing: part.nothing && all.nothing,
                };
                if all.fronts.len() > MOST {
                    return None;
                }
            }
            all
        }
        Expr::Alt(parts) => {
            let mut all = Ways { all: String::new(), fronts: String::new(), nothing: false };
            for (i, part) in parts.iter().enumerate() {
                let part = ways(part)?;
                let bar = if i == 0 { "" } else { "|" };
                all.all.put_str(bar);
                all.all.put_str(&part.all);
                all.fronts.put_str(bar);
                all.fronts.put_str(&part.fronts);
                all.nothing |= part.nothing;
            }
            Ways { all: ["(?:", &all.all, ")"].concat(), fronts: ["(?:", &all.fronts, ")"].concat(), ..all }
        }
        Expr::Group(inner) | Expr::AtomicGroup(inner) => ways(inner)?,
        Expr::Repeat { child, lo, hi, .. } => {
            let inner = ways(child)?;
            let most = |most: usize| if most == usize::MAX { String::new() } else { most.to_string() };
            let nothing = inner.nothing || *lo == 0;
            if *hi == 0 {
                return Some(Ways { all: String::new(), fronts: String::new(), nothing: true });
            }
            let before = if *hi == usize::MAX { usize::MAX } else { hi - 1 };
            Ways {
                all: format!("(?:{}){{{lo},{}}}", inner.all, most(*hi)),
                fronts: format!("(?:{}){{0,{}}}(?:{})", inner.all, most(before), inner.fronts),
                nothing,
            }
        }
        Expr::LookAround(inner, LookAround::LookAhead | LookAround::LookAheadNeg) => {
            let inner = ways(inner)?;
            Ways { all: optional(&inner.all), fronts: inner.fronts, nothing: true }
        }
        // The next character tells whether the text ends here.
        Expr::Assertion(Assertion::EndText) => Ways { all: String::new(), fronts: "(?s:.)?".into(), nothing: true },
        Expr::Backref { .. } => Ways { all: "(?s:.)*".into(), fronts: "(?s:.)*".into(), nothing: true },
        _ => return None,
    })
}
