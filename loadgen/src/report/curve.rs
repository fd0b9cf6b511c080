//! Distributions read back from a report, and the points that a curve is drawn through.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

/// The histogram in a report; an empty one if there is none, or it is broken.
pub(super) fn decode(text: &str) -> Histogram<u64> {
    let bytes = STANDARD.decode(text).unwrap_or_default();
    let decoded = Deserializer::new().deserialize(&mut bytes.as_slice());
    decoded.unwrap_or_else(|_| empty())
}

/// Several put together.
pub(super) fn decode_all<'a>(texts: impl Iterator<Item = &'a str>) -> Histogram<u64> {
    let mut whole = empty();
    for text in texts {
        // It grows as it must: nothing is out of range.
        let _ = whole.add(decode(text));
    }
    whole
}

fn empty() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "a constant that hdrhistogram accepts")]
    let mut histogram = Histogram::new(3).expect("three digits");
    histogram.auto(true);
    histogram
}

/// Places on the percentile axis, as 1/(1-quantile): 1 is the minimum, 1000 is 99.9 %.
pub(super) fn points(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let count = histogram.len();
    if count == 0 {
        return Vec::new();
    }
    // Beyond the last but one value a percentile is only the maximum again.
    let end = count as f64;
    let mut points = Vec::new();
    let mut inverse = 1.0;
    while inverse < end {
        let us = histogram.value_at_quantile(1.0 - 1.0 / inverse) as f64 / 1_000.0;
        points.push((inverse, us));
        inverse *= 1.07;
    }
    points.push((end, histogram.max() as f64 / 1_000.0));
    points
}
