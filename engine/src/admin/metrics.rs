//! `/metrics`: OpenMetrics for whoever asks for it, the older text of Prometheus for everybody else.

use std::fmt;

use hyper::header::{ACCEPT, HeaderMap};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::observe::{self, Kind, Number, Reading, Series, Value};

/// OpenMetrics 1.0.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The text, and what it is.
pub(super) fn page(readings: Vec<Reading>, asked: &HeaderMap) -> (String, &'static str) {
    let mut registry = Registry::with_prefix("sallyport");
    registry.register_collector(Box::new(Told(readings)));
    let mut out = String::new();
    let (written, content_type) = match wants_open_metrics(asked) {
        true => (text::encode(&mut out, &registry), OPEN_METRICS),
        false => (
            prometheus_text::encode(&mut out, &registry),
            prometheus_text::CONTENT_TYPE,
        ),
    };
    // Writing to a text cannot fail.
    debug_assert!(written.is_ok());
    (out, content_type)
}

/// Whether OpenMetrics is among what the client takes. Who lists it is able to read it, and it says more.
fn wants_open_metrics(asked: &HeaderMap) -> bool {
    let values = asked.get_all(ACCEPT).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let mut ranges = texts.flat_map(|text| text.split(','));
    ranges.any(|range| {
        let kind = range.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/openmetrics-text")
    })
}

/// Readings, as the encoder asks for them.
#[derive(Debug)]
struct Told(Vec<Reading>);

impl Collector for Told {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for reading in &self.0 {
            let description = reading.description;
            let unit = match description.unit {
                observe::Unit::None => None,
                observe::Unit::Bytes => Some(Unit::Bytes),
                observe::Unit::Seconds => Some(Unit::Seconds),
            };
            let kind = match description.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Info => MetricType::Info,
                Kind::Histogram(_) => MetricType::Histogram,
            };
            let help = format!("{}.", description.help);
            let (name, unit) = (description.name, unit.as_ref());
            let mut metric = encoder.encode_descriptor(name, &help, unit, kind)?;
            for series in &reading.series {
                encode(&mut metric, series)?;
            }
        }
        Ok(())
    }
}

fn encode(metric: &mut MetricEncoder<'_>, series: &Series) -> fmt::Result {
    if series.value == Value::Info {
        return metric.encode_info(&series.labels);
    }
    match series.labels.is_empty() {
        true => encode_value(metric, &series.value),
        false => encode_value(&mut metric.encode_family(&series.labels)?, &series.value),
    }
}

fn encode_value(metric: &mut MetricEncoder<'_>, value: &Value) -> fmt::Result {
    type Exemplar = prometheus_client::metrics::exemplar::Exemplar<Vec<(String, String)>, f64>;
    match value {
        Value::Counter(Number::Whole(number)) => metric.encode_counter(number, None::<&Exemplar>),
        Value::Counter(Number::Seconds(number)) => metric.encode_counter(number, None::<&Exemplar>),
        Value::Gauge(Number::Whole(number)) => metric.encode_gauge(number),
        Value::Gauge(Number::Seconds(number)) => metric.encode_gauge(number),
        Value::Histogram {
            sum,
            count,
            buckets,
        } => metric.encode_histogram::<Vec<(String, String)>>(*sum, *count, buckets, None),
        Value::Info => Ok(()),
    }
}
