//! Reads a file whatever its form. A file of rules is taken as it stands; all else becomes one tree,
//! in which rule groups and the policy that orders them are looked for.

use std::rc::Rc;

use super::super::super::document_error::DocumentError;
use super::super::super::documents;
use super::super::super::hcl;
use super::super::super::input::InputFiles;
use super::super::super::json::Json;
use super::super::super::report::Report;
use super::content::{Body, RuleGroup, Source, rule_lines};
use super::{cloudformation, group, policy, terraform};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Rules,
    Json,
    Yaml,
    Terraform,
}

/// Reads a file; its form is told from its text.
///
/// # Errors
/// When it is JSON, YAML or Terraform that cannot be read.
pub(in super::super) fn read(
    files: &dyn InputFiles,
    file: &Rc<str>,
    text: &str,
    report: &mut Report,
) -> Result<Source, DocumentError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = match form(text) {
        Form::Rules => {
            let group = RuleGroup {
                lines: rule_lines(file, text, 1, Body::Rule),
                ..RuleGroup::default()
            };
            return Ok(Source {
                groups: vec![group],
                ..Source::default()
            });
        }
        Form::Json => cloudformation::resolved(Json::parse(text)?),
        Form::Yaml => cloudformation::resolved(documents::first(text)?),
        Form::Terraform => terraform::as_api(hcl::parse(text, files)?),
    };
    let mut groups = group::groups(file, &tree, report);
    if form(text) == Form::Json && groups.iter().any(|group| group.lines.len() > 1) {
        report.remark("rules come from strings in JSON: line numbers count on from the line that the string is on");
    }
    let mut source = policy::read(&tree, &mut groups, file, report);
    source.groups = groups;
    Ok(source)
}

fn form(text: &str) -> Form {
    if text.trim_start().starts_with(['{', '[']) {
        return Form::Json;
    }
    let lines = || {
        text.lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
    };
    let is_rule = |line: &str| {
        let word = super::super::parse::first_word(line);
        super::super::rule::SuricataAction::parse(&word).is_some() && line.contains(" any")
            || super::super::rule::SuricataAction::parse(&word).is_some() && line.contains('(')
    };
    let first_is_rule = lines().next().is_some_and(is_rule);
    if first_is_rule {
        return Form::Rules;
    }
    let is_block = |line: &str| {
        const WORDS: [&str; 8] = [
            "resource",
            "module",
            "data",
            "locals",
            "variable",
            "terraform",
            "provider",
            "output",
        ];
        let word = line.split([' ', '"', '{']).next().unwrap_or("");
        WORDS.contains(&word) && line.trim_end().ends_with(['{', '}'])
    };
    if lines().any(is_block) {
        return Form::Terraform;
    }
    let is_member = |line: &str| {
        let name = line.split_once(':').map_or("", |(name, _)| name);
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-'\"".contains(c);
        line == "---" || (!name.is_empty() && name.chars().all(is_name))
    };
    if lines().next().is_some_and(is_member) {
        return Form::Yaml;
    }
    // The variables of a module, or a part of one.
    let is_heredoc = |line: &str| line.contains("rules_string") && line.contains('=');
    if lines().any(is_heredoc) {
        return Form::Terraform;
    }
    Form::Rules
}
