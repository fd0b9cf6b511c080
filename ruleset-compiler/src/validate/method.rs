//! Methods that no request has as they are written: methods are case-sensitive (RFC 9110 section 9.1), and
//! rules never see that of a CONNECT.

use sallyport_ruleset::{Field, Test};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::lower::LoweredCondition;

/// The registered methods that are met (IANA's registry, and PURGE).
const KNOWN: [&str; 15] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "PATCH",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "REPORT",
    "PURGE",
];

/// Warns of them.
pub(super) fn odd(condition: &LoweredCondition, diagnostics: &mut Diagnostics) {
    if condition.condition.field != Field::HttpMethod {
        return;
    }
    let test = match &condition.condition.test {
        Test::Every(test) => test,
        test => test,
    };
    let (values, ignore_case) = match test {
        Test::Exact {
            values,
            ignore_case,
        } => (values, *ignore_case),
        Test::Glob(values) => (values, false),
        _ => return,
    };
    let mut position = 0;
    for origin in &condition.origins {
        let range = position..position + origin.values_count;
        position = range.end;
        for value in range.filter_map(|position| values.get(position)) {
            let Some((message, help)) = problem(value, ignore_case) else {
                continue;
            };
            let warning = Diagnostic::new(Code::OddMethod, origin.span, message).help(help);
            diagnostics.report(warning);
        }
    }
}

fn problem(value: &str, ignore_case: bool) -> Option<(String, String)> {
    if value.eq_ignore_ascii_case("CONNECT") {
        return Some((
            "no request that rules see has the method `CONNECT`".to_owned(),
            "a tunnel is `\"request:Protocol\" = { StringEquals = \"connect\" }`; the requests in it have methods of their own".to_owned(),
        ));
    }
    let known = KNOWN
        .iter()
        .find(|known| known.eq_ignore_ascii_case(value))?;
    (*known != value && !ignore_case).then(|| {
        (
            format!("methods are case-sensitive, and clients send `{known}`, not `{value}`"),
            format!("write `{known}`, or use `StringEqualsIgnoreCase`"),
        )
    })
}
