//! Where Oniguruma does not do what its own syntax says, or the engine here does not: such patterns are refused.

use super::parse::{ANY, LINE, NO_BREAK, Node, SEARCH, TEXT};

/// What is wrong with the inside of a look-behind. There Oniguruma takes places for others where the length is not known.
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

/// Characters that it finds, if it is always so many.
fn length(node: &Node) -> Option<usize> {
    match node {
        // In a look-behind one character of either case is one.
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

/// What stands at the front of a pattern, up to what takes a character.
enum Front {
    /// Nothing but these places; the first that is not the beginning of a text, a search or a line, if there is one.
    Places { other: Option<usize>, line: Option<usize> },
    /// Something that takes a character, or may.
    Done,
}

/// What is wrong with the front of a pattern, and where. Where characters without end stand there, Oniguruma searches
/// behind line breaks alone, or only where the search begins: though a place before them may be elsewhere.
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
            // Each begins where these do; what follows them may, too.
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
        // Both sides of a place where a cluster ends are asked, as those of a word are.
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

/// `\G` where something stands before it: the engine here takes it for another place there.
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
