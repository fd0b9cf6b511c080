//! `matchPattern`: names with wildcards that do not cross dots.

use super::super::book::Target;
use super::unsupported::Unsupported;

/// What a pattern asks. `*` alone is every name; `**.` at the start stands for one label or more;
/// any other `*` for letters, digits, `-` and `_`.
pub(super) fn target(pattern: &str) -> Result<Target, Unsupported> {
    let pattern = pattern.trim_end_matches('.').to_ascii_lowercase();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.*".contains(c);
    if pattern.is_empty() || !pattern.chars().all(is_name) {
        return Err(Unsupported::Pattern);
    }
    if pattern == "*" {
        // A name there must be: it is no pattern for addresses.
        return Ok(Target::Like("*".to_owned()));
    }
    if !pattern.contains('*') {
        return Ok(Target::Exact(pattern));
    }
    if let Some(rest) = pattern.strip_prefix("**.")
        && !rest.contains('*')
    {
        return Ok(Target::Like(format!("*.{rest}")));
    }
    let mut expression = String::from("^");
    let mut rest = pattern.as_str();
    if let Some(after) = rest.strip_prefix("**.") {
        expression.push_str(r"(?:[-a-z0-9_]+\.)+");
        rest = after;
    }
    for c in rest.chars() {
        match c {
            '*' if expression.ends_with("[-a-z0-9_]*") => {}
            '*' => expression.push_str("[-a-z0-9_]*"),
            '.' => expression.push_str(r"\."),
            other => expression.push(other),
        }
    }
    expression.push('$');
    Ok(Target::Matches(expression))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_do_not_cross_dots() {
        for (pattern, expected) in [
            ("*", Target::Like("*".to_owned())),
            ("a.test.", Target::Exact("a.test".to_owned())),
            (
                "*.A.test",
                Target::Matches(r"^[-a-z0-9_]*\.a\.test$".to_owned()),
            ),
            ("**.a.test", Target::Like("*.a.test".to_owned())),
            (
                "**.a*.test",
                Target::Matches(r"^(?:[-a-z0-9_]+\.)+a[-a-z0-9_]*\.test$".to_owned()),
            ),
            (
                "sub*.a.test",
                Target::Matches(r"^sub[-a-z0-9_]*\.a\.test$".to_owned()),
            ),
        ] {
            assert_eq!(target(pattern), Ok(expected), "{pattern}");
        }
        assert!(target("a.test/x").is_err() && target("").is_err());
    }
}
