//! Parses a pattern as Oniguruma does. The tree has the shape of Oniguruma's own tree, because neighbours decide
//! which letters are one letter, and what a second quantifier means.

use super::class::{self, Brackets};
use super::names;
use super::reader::Reader;
use super::repeat::{can_repeat, repeat, repeats_nothing};
use super::{Refused, fold, quirks};
use tokenbed_memory::{Gather, List};

/// A part of a pattern.
pub(super) enum Node {
    /// Characters one after the other.
    Text {
        text: Vec<char>,
        any_case: bool,
    },
    /// One character, as it is written for the engine.
    Class(String),
    /// A place between characters, as it is written for the engine, and its position in the pattern.
    Anchor(String, usize),
    /// A grapheme cluster (`None`), or a place where one ends (`true`) or does not.
    Cluster(Option<bool>),
    List(Vec<Node>),
    /// Alternatives.
    Any(Vec<Node>),
    /// A numbered group.
    Capture(usize, Box<Node>),
    /// A part whose text is not joined with that of its neighbours.
    Group(Box<Node>),
    Atomic(Box<Node>),
    Look {
        open: &'static str,
        behind: bool,
        at: usize,
        inner: Box<Node>,
    },
    /// The text that a group matched.
    Reference {
        number: usize,
        at: usize,
    },
    Repeat {
        low: u32,
        high: Option<u32>,
        greedy: bool,
        inner: Box<Node>,
    },
}

/// A parsed pattern.
pub(super) struct Tree {
    pub(super) root: Node,
    /// Groups that a reference names.
    pub(super) referred: Vec<usize>,
    /// Number of boundaries of words and clusters.
    pub(super) ends: usize,
}

#[derive(Clone, Copy, Default)]
struct Options {
    any_case: bool,
    /// `.` matches a line break, too.
    dot_all: bool,
    /// Spaces and comments are ignored.
    extended: bool,
}

struct Parser {
    reader: Reader,
    options: Options,
    depth: usize,
    /// Number of the next group.
    groups: usize,
    /// Numbers of the groups that are being read.
    open: Vec<usize>,
    /// Names of groups. If there are any, groups without a name are not numbered.
    names: Vec<(String, usize)>,
    has_names: bool,
    referred: Vec<usize>,
    ends: usize,
    /// Number of look-behinds around this place.
    behind: usize,
    /// Groups in negative looks, which may have matched without counting.
    hidden: Vec<usize>,
}

/// Largest nesting depth of groups, close to the engine's own limit.
const MOST_DEPTH: usize = 60;

/// Parses a pattern.
pub(super) fn parse(pattern: &str) -> Result<Tree, Refused> {
    let mut parser = Parser {
        reader: Reader::new(pattern),
        options: Options::default(),
        depth: 0,
        groups: 1,
        open: Vec::new(),
        names: Vec::new(),
        has_names: names_groups(pattern),
        referred: Vec::new(),
        ends: 0,
        behind: 0,
        hidden: Vec::new(),
    };
    let root = parser.alternatives()?;
    if parser.reader.at < parser.reader.len() {
        let at = parser.reader.at;
        return parser.reader.refuse(at, "closes no group");
    }
    if let Some((at, why)) = quirks::first(&root) {
        return parser.reader.refuse(at, why);
    }
    Ok(Tree { root: merged(root), referred: parser.referred, ends: parser.ends })
}

/// Whether a group has a name. Other uses of the same characters are refused elsewhere.
fn names_groups(pattern: &str) -> bool {
    let is_name = |rest: &str| !rest.starts_with(['=', '!']);
    pattern.contains("(?'") || pattern.split("(?<").skip(1).any(is_name)
}

impl Parser {
    /// Skips comments, and spaces where they are ignored.
    fn skip(&mut self) -> Result<(), Refused> {
        loop {
            let start = self.reader.at;
            if self.reader.sees("(?#") {
                self.reader.at += 3;
                loop {
                    match self.reader.next() {
                        Some(')') => break,
                        Some('\\') => drop(self.reader.next()),
                        Some(_) => {}
                        None => return self.reader.refuse(start, "is a comment without an end"),
                    }
                }
            } else if self.options.extended && self.reader.take('#') {
                while self.reader.next().is_some_and(|c| c != '\n') {}
            } else if self.options.extended && matches!(self.reader.peek(), Some(' ' | '\t' | '\n' | '\r' | '\x0c')) {
                self.reader.at += 1;
            } else {
                return Ok(());
            }
        }
    }

    /// Reads up to the end of the group or of the pattern.
    fn alternatives(&mut self) -> Result<Node, Refused> {
        let options = self.options;
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return self.reader.refuse(self.reader.at, "is nested too deep");
        }
        let mut all = Vec::from([self.branch()?]);
        while self.reader.take('|') {
            all.put(self.branch()?);
        }
        self.depth -= 1;
        self.options = options;
        Ok(if all.len() == 1 { all.swap_remove(0) } else { Node::Any(all) })
    }

    fn is_at_end(&self) -> bool {
        matches!(self.reader.peek(), None | Some('|' | ')'))
    }

    fn branch(&mut self) -> Result<Node, Refused> {
        let first = self.expression()?;
        self.skip()?;
        if self.is_at_end() {
            return Ok(first);
        }
        let mut list = Vec::from([first]);
        while !self.is_at_end() {
            match self.expression()? {
                // The first one stays a list of its own.
                Node::List(nodes) => nodes.into_iter().for_each(|node| list.put(node)),
                node => list.put(node),
            }
            self.skip()?;
        }
        Ok(Node::List(list))
    }

    /// Reads an atom with its quantifiers.
    fn expression(&mut self) -> Result<Node, Refused> {
        self.skip()?;
        let start = self.reader.at;
        if self.is_at_end() {
            return Ok(Node::Text { text: Vec::new(), any_case: false });
        }
        if self.reader.quantifier()?.is_some() {
            return self.reader.refuse(start, "repeats nothing");
        }
        let (mut node, mut is_group) = match self.atom()? {
            Atom::Rest(node) => return Ok(node),
            Atom::Node(node) => (node, false),
            Atom::Grouped(node) => (node, true),
        };
        let mut before = None;
        loop {
            self.skip()?;
            let at = self.reader.at;
            let Some(quantifier) = self.reader.quantifier()? else { break };
            if !can_repeat(&node) {
                return self.reader.refuse(at, "repeats a place in the text");
            }
            if let Node::Text { text, any_case } = &mut node
                && !is_group
                && text.len() > 1
                && (quantifier.low, quantifier.high) != (1, Some(1))
                && let Some(last) = text.pop()
            {
                let any_case = *any_case;
                before = Some(std::mem::replace(&mut node, Node::Text { text: Vec::from([last]), any_case }));
            }
            node = repeat(node, quantifier);
            if repeats_nothing(&node) {
                return self
                    .reader
                    .refuse(at, "repeats a part that may be empty, and implementations differ in where that ends");
            }
            is_group = false;
        }
        Ok(match before {
            Some(before) => Node::List(Vec::from([before, node])),
            None => node,
        })
    }

    fn atom(&mut self) -> Result<Atom, Refused> {
        let start = self.reader.at;
        let Some(c) = self.reader.next() else { return self.reader.refuse(start, "ends too soon") };
        let any_case = self.options.any_case;
        Ok(Atom::Node(match c {
            '(' => return self.group(start),
            '[' => {
                let brackets = class::read(&mut self.reader, 0)?;
                self.class(brackets, start)?
            }
            '.' => Node::Class(if self.options.dot_all { ANY } else { NO_BREAK }.into()),
            '^' => Node::Anchor(LINE.into(), start),
            '$' => Node::Anchor(r"(?:(?=\x{a})|\z)".into(), start),
            '\\' => match self.escape(start)? {
                Escape::Node(node) => node,
                Escape::Code(c) => Node::Text { text: Vec::from([c]), any_case },
                Escape::Letter(c) => self.text(c)?,
            },
            c => self.text(c)?,
        }))
    }

    /// Reads a text whose first character was taken. A character that is written as a number stands alone.
    fn text(&mut self, first: char) -> Result<Node, Refused> {
        let mut text = Vec::from([first]);
        loop {
            self.skip()?;
            let start = self.reader.at;
            match self.reader.peek() {
                None | Some('(' | ')' | '[' | '|' | '.' | '^' | '$' | '*' | '+' | '?') => break,
                Some('{') if self.reader.quantifier()?.is_some() => {
                    self.reader.at = start;
                    break;
                }
                Some('\\') => {
                    self.reader.at += 1;
                    let (ends, referred) = (self.ends, self.referred.len());
                    if let Escape::Letter(c) = self.escape(start)? {
                        text.put(c);
                        continue;
                    }
                    // It is read again later.
                    self.reader.at = start;
                    self.ends = ends;
                    self.referred.truncate(referred);
                    break;
                }
                Some(c) => {
                    self.reader.at += 1;
                    text.put(c);
                }
            }
        }
        Ok(Node::Text { text, any_case: self.options.any_case })
    }

    fn class(&self, brackets: Brackets, start: usize) -> Result<Node, Refused> {
        if !self.options.any_case {
            return Ok(Node::Class(brackets.written()));
        }
        let Some(set) = names::set_of(&["[", &brackets.inner, "]"].concat()) else {
            return self.reader.refuse(start, "is a class that cannot be used");
        };
        let mut all = fold::closed(set.clone());
        if brackets.negated {
            all.negate();
            return Ok(Node::Class(fold::written(&all)));
        }
        let is_same = all == set;
        let class = if is_same { brackets.written() } else { fold::written(&all) };
        let several = fold::several_in(&all);
        let class = Node::Class(class);
        if several.is_empty() {
            return Ok(class);
        }
        Ok(Node::Any(Vec::from([class, Node::Class(several[1..].into())])))
    }

    fn escape(&mut self, start: usize) -> Result<Escape, Refused> {
        let Some(c) = self.reader.next() else { return self.reader.refuse(start, "ends the pattern") };
        let class = |class: &str| Node::Class(class.into());
        let anchor = |anchor: &str| Node::Anchor(anchor.into(), start);
        self.ends += usize::from(matches!(c, 'b' | 'B' | 'X' | 'y' | 'Y'));
        Ok(Escape::Node(match c {
            'w' => class(names::WORD),
            'W' => Node::Class(["[^", names::WORD, "]"].concat()),
            'd' => class(r"\d"),
            'D' => class(r"\D"),
            's' => class(r"\s"),
            'S' => class(r"\S"),
            'h' => class(names::HEXADECIMAL),
            'H' => Node::Class(["[^", names::HEXADECIMAL, "]"].concat()),
            'p' | 'P' if self.reader.peek() == Some('{') => {
                let (name, negated) = class::property(&mut self.reader, c, start)?;
                let set = names::property(&name).or_else(|why| self.reader.refuse(start, why))?;
                let set = if set == names::WORD_IN_CLASS { names::WORD.into() } else { set };
                Node::Class(if negated { ["[^", &set, "]"].concat() } else { set })
            }
            'b' => Node::Anchor(word_boundary(true), start),
            'B' => Node::Anchor(word_boundary(false), start),
            'A' => anchor(TEXT),
            'z' => anchor(r"\z"),
            'Z' => anchor(r"(?:\z|(?=\x{a}\z))"),
            'G' => anchor(SEARCH),
            'y' => Node::Cluster(Some(true)),
            'Y' => Node::Cluster(Some(false)),
            'X' => Node::Group(Box::new(Node::Cluster(None))),
            // Nothing is given back: neither half of a pair of two, nor the pair as a whole.
            'R' => Node::Class(r"(?>\x{d}\x{a}|[\x{a}-\x{d}\x{85}\x{2028}\x{2029}])".into()),
            'N' => class(NO_BREAK),
            'O' => class(ANY),
            'K' => return self.reader.refuse(start, "(what was found before it does not count) is not supported"),
            'k' if matches!(self.reader.peek(), Some('<' | '\'')) => self.named_reference(start)?,
            'g' if matches!(self.reader.peek(), Some('<' | '\'')) => {
                return self.reader.refuse(start, "(a group called from elsewhere) is not supported");
            }
            '1'..='9' => return self.number(c, start),
            '0' => return Ok(Escape::Code(self.reader.octal(2, start)?)),
            c => {
                return Ok(match self.reader.escaped(c, start)? {
                    Some(code) if code != c => Escape::Code(code),
                    Some(_) if matches!(c, 'x' | 'o' | 'u') => Escape::Code(c),
                    _ => Escape::Letter(c),
                });
            }
        }))
    }

    /// `\1`: a reference to a group, or a byte in octal digits.
    fn number(&mut self, first: char, start: usize) -> Result<Escape, Refused> {
        self.reader.at -= 1;
        let from = self.reader.at;
        let number = self.reader.decimal().unwrap_or(0) as usize;
        if number < 10 || number < self.groups {
            if self.has_names {
                return self.reader.refuse(start, "refers to a number in a pattern whose groups have names");
            }
            return Ok(Escape::Node(self.reference(number, start)?));
        }
        self.reader.at = from;
        if matches!(first, '8' | '9') {
            self.reader.at += 1;
            return Ok(Escape::Letter(first));
        }
        Ok(Escape::Code(self.reader.octal(3, start)?))
    }

    fn reference(&mut self, number: usize, at: usize) -> Result<Node, Refused> {
        if number == 0 || number >= self.groups || self.open.contains(&number) {
            return self.reader.refuse(at, "refers to a group that does not exist or has not ended yet");
        }
        if self.hidden.contains(&number) {
            return self.reader.refuse(at, "refers to a group in a look around that may not have counted");
        }
        if self.options.any_case {
            return self.reader.refuse(at, "(what a group found, in any case) is not supported");
        }
        if self.behind > 0 {
            return self.reader.refuse(at, "(what a group found) is not supported in a look-behind");
        }
        if !self.referred.contains(&number) {
            self.referred.put(number);
        }
        Ok(Node::Reference { number, at })
    }

    /// `\k<name>`, whose letter was taken.
    fn named_reference(&mut self, start: usize) -> Result<Node, Refused> {
        let name = self.name()?;
        let found = self.names.iter().filter(|(known, _)| *known == name).map(|&(_, group)| group).into_list();
        match (found.as_slice(), name.parse::<isize>()) {
            (&[number], _) => self.reference(number, start),
            (&[_, _, ..], _) => self.reader.refuse(start, "refers to several groups of one name"),
            (_, Ok(number @ 1..)) if !name.starts_with('+') && !self.has_names => {
                self.reference(number.unsigned_abs(), start)
            }
            (_, Ok(number @ ..=-1)) if !self.has_names => {
                self.reference(self.groups.saturating_sub(number.unsigned_abs()), start)
            }
            _ => self.reader.refuse(start, "refers to no group that is known by now"),
        }
    }

    /// A name within `<>` or quotes.
    fn name(&mut self) -> Result<String, Refused> {
        let start = self.reader.at;
        let end = if self.reader.next() == Some('<') { '>' } else { '\'' };
        let mut name = String::new();
        loop {
            match self.reader.next() {
                Some(c) if c == end && !name.is_empty() => return Ok(name),
                Some(c) if c.is_alphanumeric() || matches!(c, '_' | '-' | '+') => name.push(c),
                _ => return self.reader.refuse(start, "is not the name of a group"),
            }
        }
    }

    /// Reads what follows a `(`, which was taken.
    fn group(&mut self, start: usize) -> Result<Atom, Refused> {
        if self.reader.peek() == Some('*') {
            return self.reader.refuse(start, "(a callout) is not supported");
        }
        if !self.reader.take('?') {
            if self.has_names {
                return Ok(Atom::Grouped(self.inner(start)?));
            }
            return Ok(Atom::Node(self.capture(start)?));
        }
        let Some(c) = self.reader.next() else { return self.reader.refuse(start, "ends the pattern") };
        Ok(Atom::Node(match c {
            ':' => return Ok(Atom::Grouped(self.inner(start)?)),
            '>' => Node::Atomic(Box::new(self.inner(start)?)),
            '=' => self.look("(?=", false, start)?,
            '!' => self.look("(?!", false, start)?,
            '<' if self.reader.take('=') => self.look("(?<=", true, start)?,
            '<' if self.reader.take('!') => self.look("(?<!", true, start)?,
            '<' | '\'' => {
                self.reader.at -= 1;
                let name = self.name()?;
                if name.starts_with(|c: char| c.is_numeric() || matches!(c, '-' | '+')) {
                    return self.reader.refuse(start, "is not the name of a group");
                }
                self.names.put((name, self.groups));
                self.capture(start)?
            }
            '~' => return self.reader.refuse(start, "(what must be absent) is not supported"),
            '(' => return self.reader.refuse(start, "(a condition) is not supported"),
            '{' => return self.reader.refuse(start, "(a callout) is not supported"),
            _ => {
                self.reader.at -= 1;
                return self.with_options(start);
            }
        }))
    }

    fn capture(&mut self, start: usize) -> Result<Node, Refused> {
        let number = self.groups;
        if self.behind > 0 {
            return self.reader.refuse(start, "(a group that finds something) is not supported in a look-behind");
        }
        self.groups += 1;
        self.open.put(number);
        let inner = self.inner(start)?;
        self.open.pop();
        Ok(Node::Capture(number, Box::new(inner)))
    }

    /// Reads the content of a group, and its end.
    fn inner(&mut self, start: usize) -> Result<Node, Refused> {
        let inner = self.alternatives()?;
        if self.reader.take(')') { Ok(inner) } else { self.reader.refuse(start, "is a group without an end") }
    }

    fn look(&mut self, open: &'static str, behind: bool, start: usize) -> Result<Node, Refused> {
        let groups = self.groups;
        self.behind += usize::from(behind);
        let inner = Box::new(self.inner(start)?);
        self.behind -= usize::from(behind);
        if behind && let Some(why) = quirks::behind(&inner) {
            return self.reader.refuse(start, why);
        }
        if open.ends_with('!') {
            (groups..self.groups).for_each(|group| self.hidden.put(group));
        }
        Ok(Node::Look { open, behind, at: start, inner })
    }

    /// `(?im-x:...)`; or `(?i)`, which holds to the end of the enclosing group, across its alternatives.
    fn with_options(&mut self, start: usize) -> Result<Atom, Refused> {
        let before = self.options;
        let mut options = before;
        let mut on = true;
        loop {
            match self.reader.next() {
                Some('-') => on = false,
                Some('i') => options.any_case = on,
                Some('m') => options.dot_all = on,
                Some('x') => options.extended = on,
                Some(':') => {
                    self.options = options;
                    let inner = self.alternatives()?;
                    self.options = before;
                    if !self.reader.take(')') {
                        return self.reader.refuse(start, "is a group without an end");
                    }
                    return Ok(Atom::Node(Node::Group(Box::new(inner))));
                }
                Some(')') if self.reader.at > start + 3 => {
                    self.options = options;
                    let rest = self.alternatives()?;
                    self.options = before;
                    return Ok(Atom::Rest(Node::Group(Box::new(rest))));
                }
                Some('W' | 'D' | 'S' | 'P' | 'y' | 'C' | 'I' | 'L') => {
                    return self.reader.refuse(start, "has an option that is not supported: those are i, m and x");
                }
                _ => return self.reader.refuse(start, "is not a group or option that Oniguruma knows"),
            }
        }
    }
}

/// Any character.
pub(super) const ANY: &str = "(?s:.)";
/// Any character but a line break.
pub(super) const NO_BREAK: &str = r"[^\x{a}]";
/// The beginning of the text, of a line (but not at the end of a text), and of the search for this match.
pub(super) const TEXT: &str = r"\A";
pub(super) const LINE: &str = r"(?:\A|(?<=\x{a})(?!\z))";
pub(super) const SEARCH: &str = r"\G";

fn word_boundary(is_one: bool) -> String {
    let word = names::WORD;
    if is_one {
        format!("(?:(?<={word})(?!{word})|(?<!{word})(?={word}))")
    } else {
        format!("(?:(?<={word})(?={word})|(?<!{word})(?!{word}))")
    }
}

enum Atom {
    Node(Node),
    /// The content of a group without a number.
    Grouped(Node),
    /// Everything up to the end of the enclosing group.
    Rest(Node),
}

enum Escape {
    Node(Node),
    /// A character given by its number.
    Code(char),
    /// A character given as itself.
    Letter(char),
}

/// Joins neighbouring texts.
fn merged(node: Node) -> Node {
    let boxed = |inner: Box<Node>| Box::new(merged(*inner));
    match node {
        Node::List(nodes) => {
            let mut list: Vec<Node> = Vec::new();
            for node in nodes {
                match (list.last_mut(), merged(node)) {
                    (Some(Node::Text { text, any_case }), Node::Text { text: more, any_case: as_well })
                        if *any_case == as_well =>
                    {
                        more.into_iter().for_each(|c| text.put(c));
                    }
                    (_, node) => list.put(node),
                }
            }
            Node::List(list)
        }
        Node::Any(nodes) => Node::Any(nodes.into_iter().map(merged).into_list()),
        Node::Capture(number, inner) => Node::Capture(number, boxed(inner)),
        Node::Group(inner) => Node::Group(boxed(inner)),
        Node::Atomic(inner) => Node::Atomic(boxed(inner)),
        Node::Look { open, behind, at, inner } => Node::Look { open, behind, at, inner: boxed(inner) },
        Node::Repeat { low, high, greedy, inner } => Node::Repeat { low, high, greedy, inner: boxed(inner) },
        other => other,
    }
}
