//! Rules alone, by the number of values: nanoseconds of one evaluation (median and p99, hit,
//! miss, and a hit again while it is in the caches), time to write and to load the bundle, its size and the memory it takes; and the crates that
//! one would otherwise take, on the same values and requests in the same run.
//!
//! `cargo run --release -p sallyport-benches --bin rules_curve [-- --json FILE]` prints a markdown
//! table. Time is taken over batches of requests, all kinds in turn, so that what the machine does
//! meanwhile meets all of them. `kinds.rs` has the rules and requests, `others.rs` the crates.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod kinds;
mod measure;
mod others;

use clap::Parser;

/// Measures evaluations by the number of values.
#[derive(Debug, Parser)]
struct Arguments {
    /// Numbers of values, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [10, 1_000, 10_000, 100_000, 1_000_000])]
    sizes: Vec<usize>,
    /// What the values are
    #[arg(long, value_delimiter = ',', default_values_t = kinds::Kind::ALL, value_enum)]
    kinds: Vec<kinds::Kind>,
    /// Batches that are timed for each figure
    #[arg(long, default_value_t = 400)]
    batches: usize,
    /// Where the figures go as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<std::path::PathBuf>,
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    println!(
        "| kind | values | who | hit ns, median | p99 | miss ns, median | p99 | warm hit ns, median | p99 | write ms | load ms | MiB in the file | MiB in memory |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let mut rows = Vec::new();
    for kind in arguments.kinds {
        for values in &arguments.sizes {
            let mut subjects = measure::subjects(kind, *values);
            for row in measure::rows(&mut subjects, kind, *values, arguments.batches) {
                println!("{}", row.markdown());
                rows.push(row.json());
            }
        }
    }
    match arguments.json {
        Some(path) => std::fs::write(path, format!("[\n{}\n]\n", rows.join(",\n"))),
        None => Ok(()),
    }
}
