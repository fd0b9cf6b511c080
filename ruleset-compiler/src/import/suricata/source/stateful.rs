//! Rules that the console made: a header and options, as the text that they stand for.

use super::super::super::json::Json;

/// The text; `None` if a part of it is missing or has to be evaluated.
pub(super) fn text(rule: &Json) -> Option<String> {
    let part = |name: &str| rule.at(&["Header", name]).and_then(Json::text);
    let arrow = match part("Direction")?.to_ascii_uppercase().as_str() {
        "FORWARD" => "->",
        "ANY" => "<>",
        _ => return None,
    };
    let mut options = String::new();
    for option in rule.get("RuleOptions").map_or(&[][..], Json::elements) {
        // Terraform's users write `sid:1` as the keyword.
        options.push_str(option.get("Keyword").and_then(Json::text)?);
        let settings = option.get("Settings").map_or(&[][..], Json::elements);
        let settings: Option<Vec<&str>> = settings.iter().map(Json::text).collect();
        let settings = settings?;
        if !settings.is_empty() {
            options.push(':');
            options.push_str(&settings.join(","));
        }
        options.push_str("; ");
    }
    Some(format!(
        "{} {} {} {} {arrow} {} {} ({options})",
        rule.get("Action")
            .and_then(Json::text)?
            .to_ascii_lowercase(),
        part("Protocol")?.to_ascii_lowercase(),
        any(part("Source")?),
        any(part("SourcePort")?),
        any(part("Destination")?),
        any(part("DestinationPort")?),
    ))
}

fn any(text: &str) -> &str {
    if text.eq_ignore_ascii_case("any") {
        "any"
    } else {
        text
    }
}
