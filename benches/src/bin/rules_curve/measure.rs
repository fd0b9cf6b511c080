//! Timing: batches of requests, the kinds of subjects and of requests in turn.

use std::time::Instant;

use sallyport_ruleset::bundle::write;
use sallyport_ruleset::{BuildRecord, Bundle, Decision, Outcome, Phase, Scratch, evaluate};

use sallyport_benches::noise;

use crate::kinds::{Kind, Request};
use crate::others::Other;

/// Requests of one batch: long enough for the clock, short enough for a percentile.
const BATCH: usize = 64;
/// Requests that are asked in turn, more than the caches of one value hold.
const REQUESTS: usize = 4_096;

/// What answers.
pub(crate) enum Subject {
    Ours(Box<Bundle>, Box<Scratch>, Built),
    Other(Box<Other>, Built),
    /// The compiler refuses so much of this kind.
    Refused(String),
}

/// What making it took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Built {
    write_ms: f64,
    load_ms: Option<f64>,
    file_bytes: Option<usize>,
    memory_bytes: usize,
}

/// Ourselves and what one would take instead.
pub(crate) fn subjects(kind: Kind, count: usize) -> Vec<Subject> {
    let values: Vec<String> = (0..count).map(|number| kind.value(number)).collect();
    let mut subjects = vec![ours(kind, &values)];
    for make in Other::makers(kind) {
        let before = resident_bytes();
        let started = Instant::now();
        if let Some(other) = make(kind, &values) {
            let built = Built {
                write_ms: millis(started),
                memory_bytes: resident_bytes().saturating_sub(before),
                ..Built::default()
            };
            subjects.push(Subject::Other(Box::new(other), built));
        }
    }
    subjects
}

fn ours(kind: Kind, values: &[String]) -> Subject {
    let ruleset = kind.ruleset(values);
    let started = Instant::now();
    let bytes = match write(&ruleset, &BuildRecord::default()) {
        Ok(bytes) => bytes,
        Err(error) => return Subject::Refused(error.to_string().chars().take(160).collect()),
    };
    let write_ms = millis(started);
    let file_bytes = bytes.len();
    let before = resident_bytes();
    let started = Instant::now();
    let Ok(bundle) = Bundle::load(bytes) else {
        return Subject::Refused("what was written does not load".into());
    };
    let load_ms = millis(started);
    let scratch = bundle.scratch();
    let built = Built {
        write_ms,
        load_ms: Some(load_ms),
        file_bytes: Some(file_bytes),
        // The file is in memory too, or in a mapping.
        memory_bytes: resident_bytes().saturating_sub(before) + file_bytes,
    };
    Subject::Ours(Box::new(bundle), Box::new(scratch), built)
}

impl Subject {
    fn is_denied(&mut self, request: &Request) -> bool {
        match self {
            Self::Ours(bundle, scratch, _) => {
                let facts = request.facts();
                let outcome = evaluate(bundle, Phase::PreRequest, &facts, scratch);
                matches!(outcome, Outcome::Decided(verdict) if verdict.action == Decision::Deny)
            }
            Self::Other(other, _) => other.holds(request),
            Self::Refused(_) => false,
        }
    }
}

/// Figures of one subject.
pub(crate) struct Row {
    kind: &'static str,
    values: usize,
    who: String,
    /// Median and 99th percentile of nanoseconds, of hits, of misses and of hits asked a moment ago.
    times: Option<[f64; 6]>,
    built: Built,
}

/// Measures all subjects in turn.
pub(crate) fn rows(
    subjects: &mut [Subject],
    kind: Kind,
    values: usize,
    batches: usize,
) -> Vec<Row> {
    let requests = |is_hit| -> Vec<Request> {
        (0..REQUESTS)
            .map(|number| kind.request(noise(number) % values, is_hit))
            .collect()
    };
    let asked = [requests(true), requests(false)];
    let mut times: Vec<[Vec<f64>; 3]> = subjects.iter().map(|_| Default::default()).collect();
    for batch in 0..batches + batches / 10 {
        for (subject, times) in subjects.iter_mut().zip(&mut times) {
            let first = batch * BATCH % REQUESTS;
            let [hits, misses] = asked
                .each_ref()
                .map(|requests| requests.get(first..first + BATCH).unwrap_or_default());
            // Those before the last are what the warm ones find in the caches.
            let nanos = [misses, hits, hits].map(|requests| time(subject, requests));
            let [miss, hit, warm] = nanos;
            // The first tenth warms up.
            if batch >= batches / 10 {
                for (times, nanos) in times.iter_mut().zip([hit, miss, warm]) {
                    times.push(nanos);
                }
            }
        }
    }
    check(subjects, &asked);
    subjects
        .iter()
        .zip(times)
        .map(|(subject, times)| row(subject, kind, values, times))
        .collect()
}

/// Nanoseconds of one evaluation.
fn time(subject: &mut Subject, requests: &[Request]) -> f64 {
    let started = Instant::now();
    for request in requests {
        std::hint::black_box(subject.is_denied(std::hint::black_box(request)));
    }
    started.elapsed().as_nanos() as f64 / BATCH as f64
}

/// A figure for a wrong answer would be worth nothing.
fn check(subjects: &mut [Subject], [hits, misses]: &[Vec<Request>; 2]) {
    for subject in subjects
        .iter_mut()
        .filter(|s| !matches!(s, Subject::Refused(_)))
    {
        assert!(
            hits.iter().all(|request| subject.is_denied(request)),
            "a hit that is none"
        );
        assert!(
            !misses.iter().any(|request| subject.is_denied(request)),
            "a miss that is none"
        );
    }
}

fn row(subject: &Subject, kind: Kind, values: usize, times: [Vec<f64>; 3]) -> Row {
    let (who, built) = match subject {
        Subject::Ours(_, _, built) => ("**sallyport**".to_owned(), *built),
        Subject::Other(other, built) => (other.name().to_owned(), *built),
        Subject::Refused(why) => (format!("sallyport refuses: {why}"), Built::default()),
    };
    let times = (!matches!(subject, Subject::Refused(_))).then(|| {
        let [[hit, hit_99], [miss, miss_99], [warm, warm_99]] = times.map(percentiles);
        [hit, hit_99, miss, miss_99, warm, warm_99]
    });
    Row {
        kind: kind.name(),
        values,
        who,
        times,
        built,
    }
}

/// Median and 99th percentile.
fn percentiles(mut times: Vec<f64>) -> [f64; 2] {
    times.sort_by(f64::total_cmp);
    [50, 99].map(|percent| {
        times
            .get(times.len() * percent / 100)
            .copied()
            .unwrap_or(f64::NAN)
    })
}

fn millis(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1_000.0
}

fn resident_bytes() -> usize {
    const PAGE_BYTES: usize = 4_096;
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * PAGE_BYTES
}

impl Row {
    pub(crate) fn markdown(&self) -> String {
        let times = self.times.map_or_else(
            || "– | – | – | – | – | –".to_owned(),
            |times| times.map(|time| format!("{time:.0}")).join(" | "),
        );
        let mib = |bytes: usize| format!("{:.1}", bytes as f64 / (1 << 20) as f64);
        let load = self
            .built
            .load_ms
            .map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1}"));
        let file = self.built.file_bytes.map_or_else(|| "–".to_owned(), mib);
        format!(
            "| {} | {} | {} | {times} | {:.1} | {load} | {file} | {} |",
            self.kind,
            self.values,
            self.who,
            self.built.write_ms,
            mib(self.built.memory_bytes)
        )
    }

    pub(crate) fn json(&self) -> String {
        let [hit, hit_99, miss, miss_99, warm, warm_99] = self.times.map_or_else(
            || [(); 6].map(|()| "null".to_owned()),
            |times| times.map(|time| format!("{time:.1}")),
        );
        format!(
            r#"{{"kind":"{}","values":{},"who":{:?},"hit_ns":{hit},"hit_p99_ns":{hit_99},"miss_ns":{miss},"miss_p99_ns":{miss_99},"warm_ns":{warm},"warm_p99_ns":{warm_99},"write_ms":{:.2},"load_ms":{},"file_bytes":{},"memory_bytes":{}}}"#,
            self.kind,
            self.values,
            self.who,
            self.built.write_ms,
            self.built
                .load_ms
                .map_or_else(|| "null".to_owned(), |ms| format!("{ms:.2}")),
            self.built
                .file_bytes
                .map_or_else(|| "null".to_owned(), |bytes| bytes.to_string()),
            self.built.memory_bytes
        )
    }
}
