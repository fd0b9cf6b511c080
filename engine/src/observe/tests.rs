//! Sheets of several shards as one, and the documentation of the metrics.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use super::declared::descriptions;
use super::family::{Description, Kind, Unit};
use super::*;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");

fn names() -> Names {
    Names {
        listeners: ["127.0.0.1:3128", "[::1]:8443"].map(Into::into).into(),
    }
}

fn find<'r>(readings: &'r [Reading], name: &str) -> &'r [Series] {
    let found = readings
        .iter()
        .find(|reading| reading.description.name == name);
    &found.unwrap().series
}

#[test]
fn shards_are_summed_or_told_apart() {
    let sheets = [(); 2].map(|()| Arc::new(ShardMetrics::new(&names())));
    let labels = (
        ListenerIndex(1),
        Phase::PreDns,
        Action::Deny,
        StatusClass::ClientError,
    );
    sheets[0].requests.count(labels);
    sheets[1].requests.add(labels, 2);
    sheets[0].busy.copy((), 1_500_000_000);
    sheets[1].turn_longest.raise((), 20_000_000);
    sheets[1].turn_longest.raise((), 10_000_000);
    for millis in [0, 1, 2, 3, 700_000] {
        let duration = Duration::from_millis(millis);
        sheets[1]
            .request_duration
            .observe((TransactionKind::Tunnel,), duration);
    }
    let readings = read(&sheets, &names());
    let [requests] = find(&readings, "requests") else {
        panic!("what was never counted of many is not told");
    };
    assert_eq!(requests.value, Value::Counter(Number::Whole(3)));
    let texts: Vec<_> = requests.labels.iter().map(|(_, text)| &**text).collect();
    assert_eq!(texts, ["[::1]:8443", "PreDNS", "deny", "4xx"]);
    let busy: Vec<_> = find(&readings, "shard_cpu")
        .iter()
        .map(|one| &one.value)
        .collect();
    let seconds = |of| Value::Counter(Number::Seconds(of));
    assert_eq!(busy, [&seconds(1.5), &seconds(0.0)]);
    let longest = find(&readings, "shard_tick_delay_max");
    assert_eq!(longest[1].labels, [("shard", "1".to_owned())]);
    assert_eq!(longest[1].value, Value::Gauge(Number::Seconds(0.02)));
    let [request, tunnel] = find(&readings, "request_duration") else {
        panic!("two kinds")
    };
    let Value::Histogram {
        sum,
        count,
        buckets,
    } = &tunnel.value
    else {
        panic!("a histogram")
    };
    assert!(
        (*sum - 700.006).abs() < 1e-9 && *count == 5,
        "{sum} {count}"
    );
    // A bound belongs to its bucket.
    let at = |bound: f64| {
        buckets
            .iter()
            .find(|(of, _)| (of - bound).abs() < 1e-12)
            .unwrap()
            .1
    };
    assert_eq!(
        (at(0.000_25), at(0.001), at(0.0025), at(0.005)),
        (1, 1, 1, 1)
    );
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, 1)));
    let Value::Histogram { count: 0, .. } = request.value else {
        panic!("{request:?}")
    };
}

#[test]
fn names_follow_the_conventions() {
    let mut seen = BTreeSet::new();
    for description in descriptions() {
        let Description {
            name, help, labels, ..
        } = description;
        assert!(seen.insert(*name), "{name} is there twice");
        for suffix in [
            "_total", "_seconds", "_bytes", "_info", "_count", "_sum", "_bucket",
        ] {
            assert!(!name.ends_with(suffix), "{name}: the encoder adds it");
        }
        for label in *labels {
            assert!(!["le", "quantile", "shard"].contains(label), "{name}");
        }
        assert!(
            help.starts_with(|first: char| first.is_uppercase() || first == '1'),
            "{help}"
        );
        assert!(!help.ends_with('.'), "{help}");
        if let Kind::Histogram(bounds) = description.kind {
            assert!(
                bounds.is_sorted() && description.unit == Unit::Seconds,
                "{name}"
            );
        }
    }
}

/// As the text of the metrics has it.
fn told_name(description: &Description) -> String {
    let unit = match description.unit {
        Unit::None => "",
        Unit::Bytes => "_bytes",
        Unit::Seconds => "_seconds",
    };
    let suffix = match description.kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Histogram(_) => "",
    };
    format!("sallyport_{}{unit}{suffix}", description.name)
}

fn table() -> String {
    let mut table = String::from("| metric | kind | labels | what it is |\n|---|---|---|---|\n");
    for description in descriptions() {
        let kind = match description.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Info => "info",
            Kind::Histogram(_) => "histogram",
        };
        let own = description.labels.iter().copied();
        let labels = description
            .is_per_shard
            .then_some("shard")
            .into_iter()
            .chain(own);
        let labels: Vec<_> = labels.map(|label| format!("`{label}`")).collect();
        let name = told_name(description);
        let (labels, help) = (labels.join(", "), description.help);
        writeln!(table, "| `{name}` | {kind} | {labels} | {help}. |").unwrap();
    }
    table
}

/// `SALLYPORT_WRITE_DOCS=1` has the table written anew.
#[test]
fn the_page_of_metrics_is_that_of_the_registry() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let begin = page.find("| metric |").expect("the page has the table");
    let end = page[begin..]
        .find("\n\n")
        .map_or(page.len(), |end| begin + end + 1);
    let written = format!("{}{}{}", &page[..begin], table(), &page[end..]);
    if std::env::var_os("SALLYPORT_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, &written).unwrap();
        return;
    }
    assert!(
        page == written,
        "docs/metrics.md differs; this is the table:\n{}",
        table()
    );
}
