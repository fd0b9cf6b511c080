//! The text of a rule: `action protocol source port direction destination port (options)`.

use super::unsupported::Unsupported;

/// A rule's parts, still as words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RuleText {
    pub(super) action: String,
    pub(super) protocol: String,
    pub(super) source: Side,
    pub(super) destination: Side,
    /// `<>`: either side may be the client.
    pub(super) both_ways: bool,
    /// Names in lower case, and values without the spaces around them.
    pub(super) options: Vec<(String, Option<String>)>,
}

/// Addresses and ports of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) addresses: String,
    pub(super) ports: String,
}

/// Reads a rule.
///
/// # Errors
/// What is wrong with it.
pub(super) fn rule(text: &str) -> Result<RuleText, Unsupported> {
    let (head, options) = text.split_once('(').ok_or(Unsupported::NoOptions)?;
    let (options, behind) = options.rsplit_once(')').ok_or(Unsupported::OpenOptions)?;
    let behind = behind.trim_start();
    if !behind.is_empty() && !behind.starts_with('#') {
        return Err(Unsupported::BehindOptions);
    }
    let words = words(head);
    let [
        action,
        protocol,
        source,
        source_port,
        direction,
        destination,
        destination_port,
    ] = words.as_slice()
    else {
        return Err(Unsupported::Head);
    };
    let both_ways = match direction.as_str() {
        "->" => false,
        "<>" => true,
        other => return Err(Unsupported::Direction(other.to_owned())),
    };
    Ok(RuleText {
        action: action.to_ascii_lowercase(),
        protocol: protocol.to_ascii_lowercase(),
        source: Side {
            addresses: source.clone(),
            ports: source_port.clone(),
        },
        destination: Side {
            addresses: destination.clone(),
            ports: destination_port.clone(),
        },
        both_ways,
        options: split_options(options)?,
    })
}

/// The word that a rule begins with, also of one that cannot be read.
pub(super) fn first_word(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or("");
    word.to_ascii_lowercase()
}

/// The text between quotes: they stand around all of it and nowhere in it but escaped.
pub(super) fn quoted(value: &str) -> Option<&str> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    let mut is_escaped = false;
    for c in inner.chars() {
        if c == '"' && !is_escaped {
            return None;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    (!is_escaped).then_some(inner)
}

/// Words of the head; spaces inside brackets do not end one.
fn words(head: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut depth = 0_usize;
    for c in head.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if !c.is_whitespace() {
            word.push(c);
        } else if depth == 0 && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Options end with a semicolon that is neither quoted nor escaped. A value with quotes has them
/// around all of it: another one may have swallowed what follows.
fn split_options(text: &str) -> Result<Vec<(String, Option<String>)>, Unsupported> {
    let mut options = Vec::new();
    let mut option = String::new();
    let (mut is_quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if c == ';' && !is_quoted && !escaped {
            options.extend(named(&option));
            option.clear();
            continue;
        }
        if c == '"' && !escaped {
            is_quoted = !is_quoted;
        }
        escaped = c == '\\' && !escaped;
        option.push(c);
    }
    options.extend(named(&option));
    for (name, value) in &options {
        let value = value.as_deref().unwrap_or("");
        let value = value.strip_prefix('!').unwrap_or(value).trim();
        if value.contains('"') && quoted(value).is_none() {
            return Err(Unsupported::Quotes(name.clone()));
        }
    }
    Ok(options)
}

fn named(option: &str) -> Option<(String, Option<String>)> {
    let option = option.trim();
    if option.is_empty() {
        return None;
    }
    let (name, value) = match option.split_once(':') {
        Some((name, value)) => (name.trim(), Some(value.trim().to_owned())),
        None => (option, None),
    };
    Some((name.to_ascii_lowercase(), value))
}

/// Pieces between commas at the top of a list, outside of brackets.
pub(super) fn list_items(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                items.push(text.get(start..at).unwrap_or("").trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(text.get(start..).unwrap_or("").trim());
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_cut_into_words() {
        let rule = rule(r#"Drop tls [10.0.0.0/8, !10.1.0.0/16] any -> $EXTERNAL_NET 443 (tls.sni; content:"a\;b;c"; nocase; msg:"x:y"; sid:1;)"#).unwrap();
        assert_eq!(rule.action, "drop");
        assert_eq!(rule.source.addresses, "[10.0.0.0/8,!10.1.0.0/16]");
        let names: Vec<&str> = rule.options.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["tls.sni", "content", "nocase", "msg", "sid"]);
        assert_eq!(rule.options[1].1.as_deref(), Some(r#""a\;b;c""#));
        assert_eq!(rule.options[3].1.as_deref(), Some("\"x:y\""));
    }

    #[test]
    fn what_is_no_rule_is_told() {
        for bad in [
            "drop",
            "drop tls any any -> any (sid:1;)",
            "drop tls any any <- any any (sid:1;)",
            "drop tls any any -> any any (sid:1;",
        ] {
            assert!(rule(bad).is_err(), "{bad}");
        }
        assert_eq!(list_items("a,[b,c],d"), ["a", "[b,c]", "d"]);
    }
}
