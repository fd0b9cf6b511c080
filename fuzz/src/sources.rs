//! Rule text: whatever is written, the compiler ends, and what it compiles is what it was given.

use sallyport_rules::diagnostic::Colors;
use sallyport_rules::pipeline::{Compiled, Options, RootError, compile_str};
use sallyport_rules::source::{LoadError, MemoryFiles};
use sallyport_ruleset::Bundle;

use crate::bundles::check_agreement;

/// A rule group in the JSON of the AWS preview.
pub fn aws_json_source(data: &[u8]) {
    const RULESET: &str = "[defaults]\npre_dns = \"deny\"\npre_request = \"allow\"\n\
                           post_response = \"alert\"\n\
                           [[group]]\npriority = 1\nfile = \"group.json\"\n";
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let options = Options {
        aws_suffix_equals: true,
        ..Options::default()
    };
    let compile = || {
        let files = MemoryFiles::default().with("group.json", text);
        compile_str(RULESET, files, &options)
    };
    check(compile, data);
}

/// Text compiles or is refused with diagnostics; a bundle loads, is the same each time, and decides
/// as the reference does. A line `--- name` begins another file, which the text before it may name.
pub fn ruleset_source(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    check(|| compile(text), data);
}

fn check(compile: impl Fn() -> Result<Compiled, RootError>, data: &[u8]) {
    let first = match compile() {
        Ok(first) => first,
        // What looks like it is told so, and not read.
        Err(RootError {
            error: LoadError::Utf16,
            ..
        }) => return,
        Err(error) => panic!("the text is there and not too large: {error}"),
    };
    let rendered = first
        .checked
        .diagnostics
        .render(&first.checked.sources, Colors::NONE);
    let is_good = first.checked.ruleset.is_some();
    assert!(is_good || !rendered.is_empty(), "refused without a reason");
    assert_eq!(is_good, first.emitted.is_some());
    let (Some(ruleset), Some(emitted)) = (&first.checked.ruleset, first.emitted) else {
        return;
    };
    let again = compile().expect("it was read before");
    let again = again.emitted.expect("it compiled before");
    assert_eq!(again.bytes, emitted.bytes, "same text, other bundle");
    let bundle = Bundle::load(emitted.bytes).expect("a bundle that was written loads");
    assert_eq!(bundle.id(), emitted.id);
    check_agreement(ruleset, &bundle, data);
}

fn compile(text: &str) -> Result<Compiled, RootError> {
    let mut parts = text.split("\n--- ");
    let ruleset = parts.next().unwrap_or_default();
    let files = parts.fold(MemoryFiles::default(), |files, part| {
        let (name, content) = part.split_once('\n').unwrap_or((part, ""));
        files.with(name, content)
    });
    compile_str(ruleset, files, &Options::default())
}
