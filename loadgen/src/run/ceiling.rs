//! What the meter can do at most: the same plan, as fast as it goes, against an origin of its own
//! and without a proxy. A figure that comes near it is the meter's, not the subject's.
//!
//! The origin is this program, started for the purpose; with a certificate of its own for https.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Serialize;

use super::measure::measure;
use super::progress::Viewer;
use crate::cli::CeilingArgs;
use crate::error::LoadError;
use crate::net::affinity::CpuList;
use crate::plan::defaults::Defaults;
use crate::plan::file::{ArrivalsFile, Form, HostsFile, PlanFile};
use crate::plan::overlay;
use crate::plan::period::Period;
use crate::plan::problem::Place;
use crate::plan::run::Plan;
use crate::report;
use crate::report::words::Grouped;
use crate::status::Status;

/// Busier than this, it was the meter that could do no more.
const BUSY_LIMIT: f64 = 0.9;

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ceiling {
    schema_version: u32,
    /// Measured.
    pub(crate) requests_per_second: f64,
    /// What the meter's own CPU time would allow its threads to do: the same as measured, or more.
    by_cpu_per_second: Option<f64>,
    meter_busy_ratio: f64,
    meter_cpu_us_per_request: Option<f64>,
    /// `meter`, or `origin` if that could do no more.
    limited_by: &'static str,
}

/// `sallyport-load ceiling`: measures and prints.
pub(crate) fn ceiling(args: &CeilingArgs) -> Result<Status, LoadError> {
    let (file, place) = overlay::plan_file(&args.plan)?;
    let duration = file.duration;
    let duration = duration.map_or(Defaults::CEILING.duration, |period| period.0);
    let viewer = Viewer::unless(args.quiet);
    let own = Own {
        duration,
        origin_pin: args.origin_pin.as_ref(),
        viewer: viewer.as_ref(),
    };
    let found = of(&file, &place, &own)?;
    if args.json {
        let json = serde_json::to_string_pretty(&found);
        let json = json.map_err(|error| LoadError::io("report")(error.into()))?;
        report::print(&(json + "\n"))?;
        return Ok(Status::Holds);
    }
    let by_cpu = found.by_cpu_per_second.map_or_else(String::new, |rate| {
        format!("; its CPU time allows {}/s", Grouped(rate.round()))
    });
    report::print(&format!(
        "{} requests/s against its own origin, limited by the {} (meter busy {:.0} %){by_cpu}\n",
        Grouped(found.requests_per_second.round()),
        found.limited_by,
        found.meter_busy_ratio * 100.0
    ))?;
    Ok(Status::Holds)
}

/// How a ceiling is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own<'a> {
    pub(crate) duration: Duration,
    /// CPUs of the origin.
    pub(crate) origin_pin: Option<&'a CpuList>,
    pub(crate) viewer: Option<&'a Viewer>,
}

/// Measures the ceiling of a plan.
pub(crate) fn of(file: &PlanFile, place: &Place, how: &Own<'_>) -> Result<Ceiling, LoadError> {
    // The plan as it is must be right; what is wrong is told in its own words.
    Plan::new(file, place)?;
    let is_https = |url: &String| url.starts_with("https:");
    let plain = Origin::start(None, how.origin_pin)?;
    let secure = if file
        .request
        .iter()
        .filter_map(|request| request.url.as_ref())
        .any(is_https)
    {
        Some(Origin::start(Some(&Identity::make()?), how.origin_pin)?)
    } else {
        None
    };
    let secure_address = secure
        .as_ref()
        .map_or(plain.address, |origin| origin.address);
    let own = against_own(file, how.duration, plain.address, secure_address);
    let plan = Plan::new(&own, &Place::command_line())?;
    let report = report::build(&plan, measure(&plan, how.viewer)?);
    let meter = &report.meter;
    let each = meter.cpu_us_per_request;
    Ok(Ceiling {
        schema_version: 1,
        requests_per_second: report.requests_per_second,
        by_cpu_per_second: each.map(|us| plan.threads as f64 * 1e6 / us.max(0.001)),
        meter_busy_ratio: meter.busy_ratio_max,
        meter_cpu_us_per_request: each,
        limited_by: if meter.busy_ratio_max >= BUSY_LIMIT {
            "meter"
        } else {
            "origin"
        },
    })
}

/// The plan without what slows it down: proxy, schedule, pauses, slow clients.
fn against_own(
    file: &PlanFile,
    duration: Duration,
    plain: SocketAddr,
    secure: SocketAddr,
) -> PlanFile {
    let mut own = PlanFile {
        proxy: None,
        form: Form::Auto,
        arrivals: ArrivalsFile::default(),
        think_time: None,
        proxy_protocol: None,
        requests: None,
        warmup: None,
        duration: Some(Period(duration)),
        pids: Vec::new(),
        hosts: HostsFile::default(),
        resolve: Vec::new(),
        ..file.clone()
    };
    own.defaults.expect_status = None;
    own.defaults.expect_bytes = None;
    own.defaults.expect_crc32c = None;
    own.tls.insecure = true;
    own.tls.ca = None;
    own.client.retain(|client| client.slow.is_none());
    for client in &mut own.client {
        client.proxy_protocol = None;
    }
    for request in &mut own.request {
        let url = request.url.clone().unwrap_or_default();
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", &url));
        let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
        // A query may ask an origin to take its time, or to fail.
        let path = path.split('?').next().unwrap_or("/");
        let path = if path == "/stall" { "/" } else { path };
        let address = if scheme == "https" { secure } else { plain };
        request.url = Some(format!("{scheme}://{address}{path}"));
        // It does not know what a real one answers.
        (request.expect_status, request.expect_bytes) = (None, None);
        request.expect_crc32c = None;
    }
    own
}

/// A certificate made for the occasion.
struct Identity {
    folder: PathBuf,
}

impl Identity {
    fn make() -> Result<Self, LoadError> {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names)
            .map_err(|error| LoadError::Usage(format!("certificate: {error}")))?;
        let folder = std::env::temp_dir().join(format!("sallyport-load-{}", std::process::id()));
        let identity = Self { folder };
        let write = |name: &str, text: String| {
            let path = identity.folder.join(name);
            std::fs::write(&path, text).map_err(|source| LoadError::File { path, source })
        };
        std::fs::create_dir_all(&identity.folder).map_err(LoadError::io("temporary folder"))?;
        write("certificate.pem", made.cert.pem())?;
        write("key.pem", made.signing_key.serialize_pem())?;
        Ok(identity)
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// An origin for as long as it is needed.
struct Origin {
    child: Child,
    address: SocketAddr,
}

impl Origin {
    fn start(identity: Option<&Identity>, pin: Option<&CpuList>) -> Result<Self, LoadError> {
        let program = std::env::current_exe().map_err(LoadError::io("own program"))?;
        let mut command = Command::new(program);
        command.args(["origin", "--listen", "127.0.0.1:0"]);
        if let Some(identity) = identity {
            command.arg("--tls");
            command.arg(identity.folder.join("certificate.pem"));
            command.arg(identity.folder.join("key.pem"));
        }
        if let Some(pin) = pin {
            command.args(["--pin", &pin.to_string()]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .map_err(LoadError::io("own origin"))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(LoadError::io("own origin"))?;
        }
        let address = line.trim().strip_prefix("listening on ").map(str::parse);
        match address {
            Some(Ok(address)) => Ok(Self { child, address }),
            _ => Err(LoadError::Usage(
                "the meter's own origin does not start".to_owned(),
            )),
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
