//! `/config`: the configuration in force, as its file has it, without what may be secret.

use serde_json::{Value, json};

use crate::config::Config;

/// What stands for a value that is not shown.
const MASK: &str = "***";

/// The page.
pub(super) fn page(config: &Config) -> Value {
    // It was read with the same parser.
    let table: toml::Table = toml::from_str(&config.text).unwrap_or_default();
    let mut file = serde_json::to_value(table).unwrap_or_default();
    mask(&mut file);
    json!({ "id": config.id, "ruleset": config.ruleset.display().to_string(), "file": file })
}

/// Values of fields that are set in forwarded heads may be credentials. Other secrets are in files, of which
/// only the paths stand here.
fn mask(file: &mut Value) {
    for direction in ["request", "response"] {
        let set = file.pointer_mut(&format!("/headers/{direction}/set"));
        let fields = set.and_then(Value::as_object_mut).into_iter().flatten();
        for (_, value) in fields {
            *value = Value::from(MASK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_in_heads_is_not_shown() {
        let text = "ruleset = 'r'\n[headers.request.set]\nAuthorization = 'Bearer hush'\n\
                    [headers.response]\nset = { X-Key = 'hush' }\nstrip = ['Server']\n";
        let mut file = serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
        mask(&mut file);
        assert!(!file.to_string().contains("hush"), "{file}");
        assert_eq!(file["headers"]["request"]["set"]["Authorization"], MASK);
        assert_eq!(file["headers"]["response"]["strip"][0], "Server");
    }
}
