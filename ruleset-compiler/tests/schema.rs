//! The published JSON Schemas are those of the code, and say yes and no where the compiler does.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its files has failed"
)]

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use sallyport_rules::schema;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// TOML as editors hand it to the schema: dates are strings.
fn as_json(text: &str) -> Value {
    fn convert(value: toml::Value) -> Value {
        match value {
            toml::Value::String(text) => text.into(),
            toml::Value::Integer(number) => number.into(),
            toml::Value::Float(number) => number.into(),
            toml::Value::Boolean(value) => value.into(),
            toml::Value::Datetime(date) => date.to_string().into(),
            toml::Value::Array(values) => values.into_iter().map(convert).collect(),
            toml::Value::Table(table) => table
                .into_iter()
                .map(|(key, value)| (key, convert(value)))
                .collect(),
        }
    }
    convert(toml::Value::Table(toml::from_str(text).unwrap()))
}

fn problems(schema: &Value, text: &str) -> Vec<String> {
    let validator: Validator = jsonschema::draft202012::new(schema).unwrap();
    let value = as_json(text);
    let errors = validator.iter_errors(&value);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn the_published_schemas_are_current() {
    for (name, schema) in [("ruleset", schema::ruleset()), ("group", schema::group())] {
        let path = root().join(format!("ruleset-compiler/schema/{name}.schema.json"));
        let published: Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap_or_default())
                .unwrap_or_default();
        assert!(
            published == schema,
            "run: sallyport-rules schema {name} > ruleset-compiler/schema/{name}.schema.json"
        );
        let meta = jsonschema::meta::validate(&schema);
        assert!(meta.is_ok(), "{name}: {}", meta.unwrap_err());
    }
}

#[test]
fn the_examples_are_valid() {
    let examples = root().join("examples");
    let (ruleset, group) = (schema::ruleset(), schema::group());
    let mut files_count = 0;
    for (folder, schema) in [
        (examples.clone(), &ruleset),
        (examples.join("groups"), &group),
    ] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                files_count += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                let problems = problems(schema, &text);
                assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
            }
        }
    }
    assert!(files_count > 5, "only {files_count} examples");
}

#[test]
fn the_guide_is_valid() {
    let guide = std::fs::read_to_string(root().join("docs/rules.md")).unwrap();
    let mut blocks_count = 0;
    for block in guide.split("\n```toml").skip(1) {
        let (kind, text) = block.split_once('\n').unwrap();
        let text = text.split("\n```").next().unwrap();
        let found = match kind.trim() {
            "" => problems(&schema::ruleset(), text),
            "group" => problems(&schema::group(), text),
            phase => {
                let head = format!("name = \"g\"\n[[{phase}]]\nname = \"r\"\naction = \"alert\"\n");
                problems(&schema::group(), &format!("{head}{text}"))
            }
        };
        assert!(found.is_empty(), "{text}\n{found:#?}");
        blocks_count += 1;
    }
    assert!(blocks_count > 10, "only {blocks_count} blocks");
}

#[test]
fn what_the_compiler_refuses_for_its_shape_is_invalid() {
    let rule = |rest: &str| format!("name = \"g\"\n[[pre_dns]]\nname = \"r\"\n{rest}\n");
    let when = |condition: &str| rule(&format!("action = \"deny\"\nwhen.{condition}"));
    for bad in [
        rule(""),
        rule("action = \"block\""),
        rule("action = \"deny\"\nwhem = 1"),
        when("\"request:Nothing\" = { StringEquals = \"a\" }"),
        when("\"request:Http:Method\" = { StringEquals = \"GET\" }"),
        when("\"request:Http:Header/a\" = { StringEquals = \"GET\" }"),
        when("\"request:SourceIp\" = { StringEquals = \"a\" }"),
        when("\"request:SourceIp\" = { IpAddress = [] }"),
        when("\"request:SourceIp\" = {}"),
        when("\"request:SourceIp\" = \"10.0.0.1\""),
        when("\"request:DestinationPort\" = { NumericEquals = -1 }"),
        when("\"request:DestinationPort\" = { NumericBetween = [1, 2, 3] }"),
        when("\"request:DestinationPort\" = { \"ForAllValues:Null\" = true }"),
        when("\"request:SourceLabel/\" = { Null = true }"),
    ] {
        assert_ne!(
            problems(&schema::group(), &bad),
            Vec::<String>::new(),
            "{bad}"
        );
    }
    let good =
        when("\"request:SourceLabel/team\" = { \"ForAnyValue:StringLike\" = [\"a*\", \"@b\"] }");
    assert_eq!(problems(&schema::group(), &good), Vec::<String>::new());
    let defaults =
        "defaults = { pre_dns = \"deny\", pre_request = \"deny\", post_response = \"deny\" }";
    for (group, is_good) in [
        ("{ priority = 1, file = \"a\" }", true),
        ("{ priority = 1, name = \"a\" }", true),
        ("{ priority = 1, name = \"a\", file = \"a\" }", false),
        ("{ priority = 1 }", false),
        ("{ name = \"a\" }", false),
    ] {
        let text = format!("group = [{group}]\n{defaults}\n");
        assert_eq!(
            problems(&schema::ruleset(), &text).is_empty(),
            is_good,
            "{group}"
        );
    }
    assert_eq!(
        json!(problems(&schema::ruleset(), "[lists]\na = \"b\"\n").len()),
        1
    );
}
