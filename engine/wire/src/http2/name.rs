//! Names of fields, as far as a guard of frames tells them apart.

/// What a field is called, as far as it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Name {
    #[default]
    Field,
    Path,
    Status,
    /// Another one that begins with a colon.
    Pseudo,
}

impl Name {
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b":path" => Self::Path,
            b":status" => Self::Status,
            [b':', ..] => Self::Pseudo,
            _ => Self::Field,
        }
    }
}
