//! What names of groups, rules and lists are made of, whatever the form.

use crate::diagnostic::{Code, Diagnostic};
use crate::limits::NAME_BYTES_MAX;
use crate::source::Located;

/// What is wrong with a name, if anything is.
pub(super) fn check(name: &Located<String>) -> Option<Diagnostic> {
    let good = (1..=NAME_BYTES_MAX).contains(&name.value.len())
        && name
            .value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    (!good).then(|| {
        Diagnostic::new(
            Code::BadName,
            name.span,
            format!("`{}` is not a name", name.value),
        )
        .expected(format!(
            "1 to {NAME_BYTES_MAX} of the characters `A-Z a-z 0-9 - _ .`"
        ))
    })
}
