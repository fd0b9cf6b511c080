//! Lines that the demo prints.

#![expect(clippy::print_stdout, reason = "this is the program's face")]

pub(super) fn heading(text: &str) {
    println!("\n{text}\n{}", "─".repeat(text.chars().count()));
}

pub(super) fn line(text: &str) {
    println!("{text}");
}
