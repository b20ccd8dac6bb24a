//! Writes a pattern's tree for fancy-regex, so that nothing depends on options, or on the meaning of short forms
//! there.

use super::parse::{Node, Tree};
use super::{Refused, cluster, fold};
use tokenbed_memory::List;

/// Appends a character, written so that it means itself inside and outside of brackets.
pub(super) fn one(c: char, out: &mut String) {
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else {
        *out += &format!("\\x{{{:x}}}", u32::from(c));
    }
}

/// The pattern written so far.
struct Writer<'a> {
    tree: &'a Tree,
    out: String,
    /// Numbers of the groups that were written, in order. They are numbered anew, because only groups that something
    /// refers to are kept.
    groups: Vec<usize>,
}

/// The pattern for fancy-regex.
pub(super) fn write(tree: &Tree) -> Result<String, Refused> {
    let mut writer = Writer { tree, out: String::new(), groups: Vec::new() };
    writer.node(&tree.root, false)?;
    Ok(writer.out)
}

impl Writer<'_> {
    fn all(&mut self, nodes: &[Node], between: &str, behind: bool) -> Result<(), Refused> {
        for (i, node) in nodes.iter().enumerate() {
            if i > 0 {
                self.out += between;
            }
            self.node(node, behind)?;
        }
        Ok(())
    }

    fn group(&mut self, open: &str, node: &Node, behind: bool) -> Result<(), Refused> {
        self.out += open;
        self.node(node, behind)?;
        self.out += ")";
        Ok(())
    }

    /// Writes a node. `behind` says whether it is in a look-behind.
    fn node(&mut self, node: &Node, behind: bool) -> Result<(), Refused> {
        match node {
            Node::Text { text, any_case: true } => fold::text(text, behind, &mut self.out),
            Node::Text { text, any_case: false } => text.iter().for_each(|&c| one(c, &mut self.out)),
            Node::Class(class) | Node::Anchor(class, _) => self.out += class,
            Node::Cluster(boundary) => {
                self.out += &boundary.map_or_else(cluster::cluster, cluster::boundary);
            }
            Node::List(nodes) => self.all(nodes, "", behind)?,
            Node::Any(nodes) => {
                self.out += "(?:";
                self.all(nodes, "|", behind)?;
                self.out += ")";
            }
            Node::Capture(number, inner) => {
                let is_needed = self.tree.referred.contains(number);
                if is_needed {
                    self.groups.put(*number);
                }
                self.group(if is_needed { "(" } else { "(?:" }, inner, behind)?;
            }
            Node::Group(inner) => self.group("(?:", inner, behind)?,
            Node::Atomic(inner) => self.group("(?>", inner, behind)?,
            Node::Look { open, behind: is_behind, inner, .. } => self.group(open, inner, behind || *is_behind)?,
            Node::Reference { number, at } => match self.groups.iter().position(|group| group == number) {
                Some(place) => self.out += &format!("(?:\\{})", place + 1),
                None => return Refused::new(*at, "it refers to a group that comes later"),
            },
            Node::Repeat { low, high, greedy, inner } => {
                self.group("(?:", inner, behind)?;
                match (low, high) {
                    (0, Some(1)) => self.out += "?",
                    (0, None) => self.out += "*",
                    (1, None) => self.out += "+",
                    (low, None) => self.out += &format!("{{{low},}}"),
                    (low, Some(high)) if low == high => self.out += &format!("{{{low}}}"),
                    (low, Some(high)) => self.out += &format!("{{{low},{high}}}"),
                }
                if !greedy {
                    self.out += "?";
                }
            }
        }
        Ok(())
    }
}
