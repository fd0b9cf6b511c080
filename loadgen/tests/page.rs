//! The pages as Chromium shows them: wide and on a telephone, light and dark.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod common;
#[path = "../../engine/tests/skip.rs"]
mod skip;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Origin, binary, run};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde_json::{Value, json};

/// Chromium, or a word that it is not there.
fn chromium() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders)
        .map(|folder| folder.join("chromium"))
        .find(|path| path.is_file());
    if found.is_none() {
        skip::skip("chromium is not installed");
    }
    found
}

/// Each page in a frame of this width and color scheme, looked at by `LOOK`; one finding each, in order.
fn looked_at(chromium: &Path, frames: &[(&str, u32, &str)]) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = json!(
        frames
            .iter()
            .map(|(page, width, scheme)| json!({ "page": page, "width": width, "scheme": scheme }))
            .collect::<Vec<_>>()
    );
    // Inside a script, nothing may look like its end.
    let pages = pages.to_string().replace("</", "<\\/");
    let harness = format!(
        "<!doctype html><meta charset=utf-8><body><script>const pages = {pages};\n{LOOK}</script>"
    );
    let file = folder.path().join("harness.html");
    std::fs::write(&file, harness).expect("written");
    let output = Command::new(chromium)
        .env("HOME", folder.path())
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args(["--disable-dev-shm-usage", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--dump-dom"])
        .arg("--virtual-time-budget=20000")
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("chromium runs");
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let seen = dom
        .split_once("<pre id=\"seen\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"))
        .unwrap_or_else(|| panic!("nothing seen: {output:?}"))
        .0;
    let seen = seen
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    serde_json::from_str(&seen).expect("JSON")
}

const LOOK: &str = r#"
const visible = (element) => element.getClientRects().length > 0;
const rgb = (color) => color.match(/[\d.]+/g).map(Number);
const luminance = ([r, g, b]) => {
  const part = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const contrast = (a, b) => {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
};
const over = (front, back) => {
  const alpha = front.length > 3 ? front[3] : 1;
  return [0, 1, 2].map((i) => front[i] * alpha + back[i] * (1 - alpha));
};

function look(frame) {
  const { document, window: inside } = { document: frame.contentDocument, window: frame.contentWindow };
  const width = document.documentElement.clientWidth;
  const seen = { width, scrollWidth: document.documentElement.scrollWidth, beyond: [], crossed: [], overlapping: [] };
  seen.dark = inside.matchMedia('(prefers-color-scheme: dark)').matches;
  for (const element of document.querySelectorAll('body *')) {
    if (!visible(element)) continue;
    const box = element.getBoundingClientRect();
    const card = element.closest('section, .tile, .verdict');
    const edge = card ? card.getBoundingClientRect().right + 0.5 : width + 0.5;
    if (box.right > edge || box.left < -0.5) seen.beyond.push(element.tagName + ' ' + element.className.toString() + ' ' + element.textContent.slice(0, 40));
  }
  // Labels of values and the curve, in the chart's own pixels.
  for (const svg of document.querySelectorAll('svg')) {
    if (!visible(svg)) continue;
    const labels = [...svg.querySelectorAll('text')].map((text) => [text, text.getBBox()]);
    for (const line of svg.querySelectorAll('path.line')) {
      const length = line.getTotalLength();
      for (let at = 0; at <= length; at += 1) {
        const point = line.getPointAtLength(at);
        for (const [text, box] of labels) {
          if (point.x > box.x && point.x < box.x + box.width && point.y > box.y && point.y < box.y + box.height && !seen.crossed.includes(text.textContent))
            seen.crossed.push(text.textContent);
        }
      }
    }
    labels.forEach(([a, one], i) => labels.slice(i + 1).forEach(([b, other]) => {
      const apart = one.x + one.width <= other.x || other.x + other.width <= one.x || one.y + one.height <= other.y || other.y + other.height <= one.y;
      if (!apart) seen.overlapping.push(a.textContent + ' / ' + b.textContent);
    }));
    const view = svg.viewBox.baseVal;
    for (const [text, box] of labels)
      if (box.x < 0 || box.x + box.width > view.width) seen.beyond.push('label ' + text.textContent);
  }
  seen.labels = [...document.querySelectorAll('svg text.value')].filter(visible).length;
  // From the palest band to the line, each beside the next, on the card.
  const card = document.querySelector('section');
  const back = rgb(inside.getComputedStyle(card).backgroundColor);
  const fill = (selector) => {
    const element = [...document.querySelectorAll(selector)].find(visible);
    return element && over(rgb(inside.getComputedStyle(element).fill), back);
  };
  const line = [...document.querySelectorAll('path.line')].find(visible);
  const bands = [back, fill('.b3'), fill('.b2'), fill('.b1'), line && rgb(inside.getComputedStyle(line).stroke)];
  seen.contrasts = bands.every(Boolean) ? bands.slice(1).map((color, i) => contrast(color, bands[i])) : [];
  return seen;
}

const frames = pages.map(({ page, width, scheme }) => {
  const frame = document.createElement('iframe');
  frame.width = width; frame.height = 12000; frame.style = 'border: 0; color-scheme: ' + scheme;
  frame.srcdoc = page;
  document.body.append(frame);
  return new Promise((done) => { frame.onload = () => done(frame); });
});
Promise.all(frames).then((loaded) => {
  const pre = document.createElement('pre');
  pre.id = 'seen';
  pre.textContent = JSON.stringify(loaded.map(look));
  document.body.replaceChildren(pre);
});
"#;

/// As a report keeps it: V2, deflated, base64; nanoseconds.
fn histogram(values_us: impl Iterator<Item = f64>) -> String {
    let mut histogram = Histogram::<u64>::new(3).expect("three digits");
    for us in values_us {
        let ns = Duration::from_secs_f64(us / 1e6).as_nanos();
        let ns = u64::try_from(ns).expect("not for ever");
        histogram.record(ns).expect("in range");
    }
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(&histogram, &mut bytes)
        .expect("written");
    STANDARD.encode(bytes)
}

/// Distributions whose curves are flat, steep, stepped, and short.
fn distributions() -> Vec<String> {
    let index = |count: u32| (0..count).map(move |i| f64::from(i) / f64::from(count));
    vec![
        histogram(index(200_000).map(|q| 400.0 / (1.0 - q).powf(0.35))),
        histogram(index(200_000).map(|q| 100.0 + q)),
        histogram(index(200_000).map(|q| 50.0 / (1.0 - q).powf(1.2))),
        histogram(index(50_000).map(|q| if q < 0.95 { 90.0 } else { 900_000.0 })),
        histogram(index(50_000).map(|q| if q < 0.4 { 3.0 } else { 1_234_567.0 })),
        histogram(index(7).map(|q| 12.0 + 900.0 * q)),
    ]
}

/// A real report, and the same with a distribution and with words and numbers that need room.
fn reports() -> Vec<Value> {
    let origin = Origin::start(&[]);
    let pid = origin.child.id().to_string();
    let url = origin.url("/?delay=3");
    let plain = run(&["-r", "300", "-c", "8", "-d", "1s", "--pid", &pid, &url]);
    let mut all = vec![plain.clone()];
    for latencies in distributions() {
        let mut report = plain.clone();
        report["latency_histogram"] = latencies.clone().into();
        for interval in report["intervals"].as_array_mut().expect("a list") {
            interval["histogram"] = latencies.clone().into();
        }
        all.push(report);
    }
    let long = "a-name-without-any-space-in-it-".repeat(8);
    let report = all.last_mut().expect("one");
    report["name"] = long.clone().into();
    report["urls"] = json!([format!("http://{long}.test/{long}"), "http://b.test/"]);
    report["proxy"] = format!("http://{long}:3128").into();
    report["requests_total"] = json!(123_456_789_012_u64);
    report["requests_per_second"] = json!(1_234_567_890.5);
    report["errors_total"] = json!(98_765_432_109_u64);
    report["errors"] = json!({ "tunnel_status_407": 98_765_432_000_u64, "stale_connection": 109 });
    report["error_examples"] = json!({ "tunnel_status_407": long, "stale_connection": "reset" });
    report["connection_setup_us"] = report["latency_us"].clone();
    report["connection_setup_us"]["count"] = json!(123_456_789_u64);
    report["body_bytes_per_second"] = json!(9.9e12);
    report["meter"]["void"] = json!(true);
    report["meter"]["void_reasons"] = json!([long, "late"]);
    report["machine"]["cpu"] = long.into();
    report["hold"] = json!({ "connections_held": 1_000_000, "rss_bytes_before": 1, "rss_bytes_held": 2,
                             "rss_bytes_per_connection": 123_456.0 });
    report["slow_clients"] =
        json!({ "requests_total": 1_000_000, "errors_total": 3, "errors": {} });
    all
}

fn pages() -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let page = |(index, report): (usize, &Value)| {
        let (json, html) = (
            folder.path().join(format!("{index}.json")),
            folder.path().join(format!("{index}.html")),
        );
        std::fs::write(&json, report.to_string()).expect("written");
        let output = binary()
            .arg("report")
            .arg(&json)
            .arg("--html")
            .arg(&html)
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{output:?}");
        std::fs::read_to_string(html).expect("a page")
    };
    reports().iter().enumerate().map(page).collect()
}

/// The page of a search against an origin that can do no more than so much.
fn search_page() -> String {
    let origin = Origin::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let html = folder.path().join("search.html");
    let output = binary()
        .args([
            "search",
            "-c",
            "2",
            "-d",
            "300ms",
            "--below",
            "200ms",
            "--percentile",
            "50",
        ])
        .args([
            "--from",
            "8",
            "--precision",
            "0.5",
            "--repeats",
            "1",
            "--name",
            "what it can do",
            "--html",
        ])
        .arg(&html)
        .arg(origin.url("/?delay=100"))
        .output()
        .expect("it runs");
    assert!(
        matches!(output.status.code(), Some(0 | 1 | 3)),
        "{output:?}"
    );
    std::fs::read_to_string(html).expect("a page")
}

#[test]
fn nothing_stands_over_and_everything_can_be_told_apart() {
    let Some(chromium) = chromium() else { return };
    let mut pages = pages();
    pages.push(search_page());
    let views = [
        (390, "light"),
        (390, "dark"),
        (320, "light"),
        (1280, "light"),
        (1280, "dark"),
    ];
    let frames: Vec<_> = pages
        .iter()
        .flat_map(|page| views.map(|(width, scheme)| (page.as_str(), width, scheme)))
        .collect();
    let seen = looked_at(&chromium, &frames);
    assert_eq!(seen.len(), frames.len());
    let mut labels = 0;
    let mut faults = Vec::new();
    for (index, (seen, (_, width, scheme))) in seen.iter().zip(&frames).enumerate() {
        let page = index / views.len();
        let about = format!("page {page}, {width} pixels, {scheme}: {seen}");
        assert_eq!(seen["dark"], *scheme == "dark", "{about}");
        assert!(
            seen["scrollWidth"].as_u64() <= seen["width"].as_u64(),
            "{about}"
        );
        let is_clean = ["beyond", "crossed", "overlapping"].map(|fault| seen[fault] == json!([]));
        if is_clean.contains(&false) {
            faults.push(about.clone());
        }
        let contrasts = seen["contrasts"].as_array().expect("a list");
        let is_search = page == pages.len() - 1;
        assert_eq!(contrasts.len(), if is_search { 0 } else { 4 }, "{about}");
        for contrast in contrasts {
            assert!(contrast.as_f64().expect("a number") >= 1.3, "{about}");
        }
        labels += seen["labels"].as_u64().expect("a number");
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    // The labels are there where there is room.
    assert!(labels >= 40, "{labels}");
}

#[test]
fn a_search_tells_what_it_found_on_one_page() {
    let page = search_page();
    for words in [
        "what it can do",
        "Latency by rate",
        "class=\"target\"",
        "class=\"fail\"",
        "answered",
        "/s",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    for foreign in ["<script", "src=", "href=", "url(", "NaN", "inf"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}
