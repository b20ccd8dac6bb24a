//! Quantifiers, and what one quantifier after another means.

use super::Refused;
use super::parse::Node;
use super::reader::{Interval, Reader};

impl Reader {
    /// The quantifier that comes next, if there is one.
    pub(super) fn quantifier(&mut self) -> Result<Option<Quantifier>, Refused> {
        let start = self.at;
        let (low, high) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.at += 1;
                return Ok(match self.interval()? {
                    Interval::None => {
                        self.at = start;
                        None
                    }
                    Interval::Exact(count) => {
                        Some(Quantifier { low: count, high: Some(count), greedy: true, possessive: false })
                    }
                    Interval::Between { low, high, possessive } => {
                        let lazy = !possessive && self.take('?');
                        Some(Quantifier { low, high, greedy: !lazy, possessive })
                    }
                });
            }
            _ => return Ok(None),
        };
        self.at += 1;
        let greedy = !self.take('?');
        let possessive = greedy && self.take('+');
        Ok(Some(Quantifier { low, high, greedy, possessive }))
    }
}

/// How often something is repeated.
#[derive(Clone, Copy)]
pub(super) struct Quantifier {
    pub(super) low: u32,
    pub(super) high: Option<u32>,
    pub(super) greedy: bool,
    pub(super) possessive: bool,
}

/// Whether a quantifier may follow.
pub(super) fn can_repeat(node: &Node) -> bool {
    match node {
        Node::Anchor(..) | Node::Look { .. } | Node::Cluster(Some(_)) => false,
        Node::Any(nodes) => nodes.iter().all(can_repeat),
        _ => true,
    }
}

/// Whether something that may match nothing is repeated more than once.
pub(super) fn repeats_nothing(node: &Node) -> bool {
    match node {
        Node::Atomic(inner) => repeats_nothing(inner),
        Node::Repeat { high, inner, .. } => high.is_none_or(|high| high > 1) && may_be_nothing(inner),
        _ => false,
    }
}

/// Whether a node may match nothing somewhere.
fn may_be_nothing(node: &Node) -> bool {
    match node {
        Node::Text { text, .. } => text.is_empty(),
        Node::Class(_) | Node::Cluster(None) => false,
        Node::Anchor(..) | Node::Look { .. } | Node::Cluster(Some(_)) | Node::Reference { .. } => true,
        Node::List(nodes) => nodes.iter().all(may_be_nothing),
        Node::Any(nodes) => nodes.iter().any(may_be_nothing),
        Node::Capture(_, inner) | Node::Group(inner) | Node::Atomic(inner) => may_be_nothing(inner),
        Node::Repeat { low, inner, .. } => *low == 0 || may_be_nothing(inner),
    }
}

/// Applies a quantifier.
pub(super) fn repeat(node: Node, quantifier: Quantifier) -> Node {
    let Quantifier { low, high, greedy, possessive } = quantifier;
    let node = if (low, high) == (1, Some(1)) { return node } else { nested(node, low, high, greedy) };
    if possessive { Node::Atomic(Box::new(node)) } else { node }
}

/// The index of `?`, `*`, `+`, `??`, `*?` or `+?`, in this order.
fn kind(low: u32, high: Option<u32>, greedy: bool) -> Option<usize> {
    let kind = match (low, high) {
        (0, Some(1)) => 0,
        (0, None) => 1,
        (1, None) => 2,
        _ => return None,
    };
    Some(if greedy { kind } else { kind + 3 })
}

/// What one quantifier after another means.
#[derive(Clone, Copy)]
enum Both {
    /// Both apply.
    Count,
    /// Only the first applies.
    First,
    /// Together they are this quantifier.
    Are(u32, Option<u32>, bool),
    /// They are `(?:...+)??`.
    LazyOnce,
}

#[rustfmt::skip]
const BOTH: [[Both; 6]; 6] = {
    use Both::{Are, Count, First, LazyOnce};
    const STAR: Both = Are(0, None, true);
    const PLUS: Both = Are(1, None, true);
    const LAZY: Both = Are(0, None, false);
    const ONCE: Both = Are(0, Some(1), false);
    [
        [First, STAR,  STAR,  ONCE,     LAZY,     Count],
        [First, First, First, LazyOnce, LazyOnce, First],
        [STAR,  STAR,  First, Count,    LazyOnce, First],
        [First, LAZY,  LAZY,  First,    LAZY,     LAZY],
        [First, First, First, First,    First,    First],
        [Count, STAR,  PLUS,  LAZY,     LAZY,     First],
    ]
};

/// Applies a quantifier to a node that may already have one.
fn nested(node: Node, low: u32, high: Option<u32>, greedy: bool) -> Node {
    let Node::Repeat { low: first_low, high: first_high, greedy: first_greedy, inner } = node else {
        return Node::Repeat { low, high, greedy, inner: Box::new(node) };
    };
    let first = |inner| Node::Repeat { low: first_low, high: first_high, greedy: first_greedy, inner };
    let counts = |inner| Node::Repeat { low, high, greedy, inner: Box::new(first(inner)) };
    match (kind(first_low, first_high, first_greedy), kind(low, high, greedy)) {
        (Some(1 | 2), None) if greedy && high.is_some_and(|high| high > 1) => {
            let high = Some(if low == 0 { 1 } else { low });
            Node::Repeat { low, high, greedy, inner: Box::new(first(inner)) }
        }
        (Some(_), None) => counts(inner),
        (Some(first_kind), Some(second)) => match BOTH[first_kind][second] {
            Both::Count => counts(inner),
            Both::First => first(inner),
            Both::Are(low, high, greedy) => Node::Repeat { low, high, greedy, inner },
            Both::LazyOnce => {
                let inner = Box::new(Node::Repeat { low: 1, high: None, greedy: true, inner });
                Node::Repeat { low: 0, high: Some(1), greedy: false, inner }
            }
        },
        (None, _) if Some(low) == high && Some(first_low) == first_high => {
            let count = low.saturating_mul(first_low);
            Node::Repeat { low: count, high: Some(count), greedy, inner }
        }
        (None, _) => counts(inner),
    }
}
