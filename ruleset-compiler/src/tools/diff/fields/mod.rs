//! What values a field can have such that some tests hold of it and others do not: answered
//! exactly, field by field, each kind of field in its own way. `space.rs` joins them: absence,
//! several values, `Every`, and a memory of what was asked before.

mod alphabet;
mod domain_names;
mod interval;
mod machine;
mod product;
mod protocol;
mod space;
mod text;
mod universe;
mod value;
mod words;

pub(super) use space::FieldSpace;
pub(super) use value::{FieldValue, Found};
