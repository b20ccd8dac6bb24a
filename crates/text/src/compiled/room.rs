//! Memory that is used again for each text.

/// Two buffers for a text that is changed in several steps: a step reads one and writes the other.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) front: String,
    pub(crate) back: String,
}
