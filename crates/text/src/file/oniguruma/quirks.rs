//! Finds patterns for which Oniguruma, or the engine here, does not do what its own syntax says. They are refused.

use super::parse::{ANY, LINE, NO_BREAK, Node, SEARCH, TEXT};

/// What is wrong with the content of a look-behind. If its length varies, Oniguruma mistakes places in it for others.
pub(super) fn behind(inner: &Node) -> Option<&'static str> {
    if has(inner, &|node| matches!(node, Node::Look { .. } | Node::Cluster(_))) {
        return Some("looks around within a look-behind, which is not supported");
    }
    if has(inner, &|node| matches!(node, Node::Anchor(..))) && length(inner).is_none() {
        return Some("has a place like \\b or ^ in a look-behind of any length, which is not supported");
    }
    None
}

fn has(node: &Node, is: &dyn Fn(&Node) -> bool) -> bool {
    is(node)
        || match node {
            Node::List(nodes) | Node::Any(nodes) => nodes.iter().any(|node| has(node, is)),
            Node::Capture(_, inner) | Node::Group(inner) | Node::Atomic(inner) => has(inner, is),
            Node::Look { inner, .. } | Node::Repeat { inner, .. } => has(inner, is),
            _ => false,
        }
}

/// Number of characters that a node matches, if that is fixed.
fn length(node: &Node) -> Option<usize> {
    match node {
        // In a look-behind a case-insensitive character matches one character.
        Node::Text { text, .. } => Some(text.len()),
        // A line break may be two characters.
        Node::Class(class) => (!class.starts_with("(?>") && !class.contains('|')).then_some(1),
        Node::Anchor(..) | Node::Look { .. } | Node::Cluster(Some(_)) => Some(0),
        Node::Cluster(None) | Node::Reference { .. } => None,
        Node::List(nodes) => nodes.iter().map(length).sum(),
        Node::Any(nodes) => {
            let first = length(nodes.first()?)?;
            nodes.iter().all(|node| length(node) == Some(first)).then_some(first)
        }
        Node::Capture(_, inner) | Node::Group(inner) | Node::Atomic(inner) => length(inner),
        Node::Repeat { low, high, inner, .. } => {
            (Some(*low) == *high).then(|| length(inner)?.checked_mul(*low as usize))?
        }
    }
}

/// The front of a pattern, up to the first node that takes a character.
enum Front {
    /// Only places so far: the first that is not the beginning of a text, a search or a line (`other`), and the first
    /// beginning of a line.
    Places { other: Option<usize>, line: Option<usize> },
    /// A node that takes a character, or may.
    Done,
}

/// What is wrong with the front of a pattern, and where. If an endless run of characters stands there, Oniguruma only
/// searches after line breaks, or where the search begins, although a place before the run may be elsewhere.
pub(super) fn first(root: &Node) -> Option<(usize, &'static str)> {
    let mut wrong = None;
    walk(root, Front::Places { other: None, line: None }, &mut wrong);
    wrong.or_else(|| search(root, true))
}

const ENDLESS: &str = "is a place before characters without end, where Oniguruma does not look everywhere";

fn walk(node: &Node, front: Front, wrong: &mut Option<(usize, &'static str)>) -> Front {
    let Front::Places { other, line } = front else { return Front::Done };
    match node {
        Node::Text { text, .. } if text.is_empty() => front,
        Node::Anchor(place, _) if place == TEXT || place == SEARCH => front,
        Node::Anchor(place, at) if place == LINE => Front::Places { other, line: line.or(Some(*at)) },
        Node::Anchor(_, at) | Node::Look { at, .. } => Front::Places { other: other.or(Some(*at)), line },
        Node::List(nodes) => nodes.iter().fold(front, |front, node| walk(node, front, wrong)),
        Node::Any(nodes) => {
            // Each alternative begins at these places, and so may what follows them.
            let ends = nodes.iter().map(|node| walk(node, Front::Places { other, line }, wrong));
            ends.fold(Front::Done, |all, end| match (all, end) {
                (Front::Done, end) => end,
                (all, Front::Done) => all,
                (Front::Places { other, line }, Front::Places { other: second, line: other_line }) => {
                    Front::Places { other: other.or(second), line: line.or(other_line) }
                }
            })
        }
        Node::Capture(_, inner) | Node::Group(inner) | Node::Atomic(inner) => walk(inner, front, wrong),
        Node::Repeat { high: None, greedy: true, inner, .. } if is_any(inner, NO_BREAK) || is_any(inner, ANY) => {
            let at = if is_any(inner, ANY) { other.or(line) } else { other };
            *wrong = wrong.or(at.map(|at| (at, ENDLESS)));
            Front::Done
        }
        Node::Repeat { inner, .. } => walk(inner, front, wrong),
        Node::Class(_) | Node::Text { .. } | Node::Reference { .. } | Node::Cluster(None) => Front::Done,
        // A cluster boundary depends on both sides, like a word boundary.
        Node::Cluster(Some(_)) => Front::Places { other: other.or(Some(0)), line },
    }
}

fn is_any(node: &Node, which: &str) -> bool {
    match node {
        Node::Class(class) => class == which,
        Node::Group(inner) | Node::Capture(_, inner) => is_any(inner, which),
        _ => false,
    }
}

/// Finds `\G` with something before it, which the engine here interprets differently.
fn search(node: &Node, is_first: bool) -> Option<(usize, &'static str)> {
    match node {
        Node::Anchor(place, at) if place == SEARCH && !is_first => {
            Some((*at, "is supported at the front of a pattern alone"))
        }
        Node::List(nodes) => nodes.iter().enumerate().find_map(|(i, node)| search(node, is_first && i == 0)),
        Node::Any(nodes) => nodes.iter().find_map(|node| search(node, is_first)),
        Node::Capture(_, inner) | Node::Group(inner) => search(inner, is_first),
        Node::Atomic(inner) | Node::Look { inner, .. } | Node::Repeat { inner, .. } => search(inner, false),
        _ => None,
    }
}
