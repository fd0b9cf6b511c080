//! A command line as a plan: what flags say is laid over what the file says, so that both forms are
//! the same thing from here on.

use std::collections::BTreeSet;

use super::arrival::Spacing;
use super::file::{Form, PlanFile, ProxyProtocolFile, RequestFile};
use super::period::Period;
use super::problem::Place;
use super::read;
use crate::cli::PlanArgs;
use crate::error::LoadError;

/// The plan file, if one is given, with the flags laid over it.
pub(crate) fn plan_file(args: &PlanArgs) -> Result<(PlanFile, Place), LoadError> {
    let (mut file, mut place) = match &args.plan {
        Some(path) => read::read(path)?,
        None => (PlanFile::default(), Place::command_line()),
    };
    lay_over(&mut file, args);
    place.flags = given(args);
    // Whatever the file says of such a key, it does not count.
    place.forget_overridden();
    Ok((file, place))
}

/// The keys that flags fill.
fn given(args: &PlanArgs) -> BTreeSet<&'static str> {
    let all = [
        ("arrivals.rate", args.rate.is_some()),
        ("arrivals.spacing", args.poisson),
        ("connections", args.connections.is_some()),
        ("duration", args.duration.is_some()),
        ("form", args.connect),
        ("http", args.http.is_some()),
        ("keep_alive", args.keep_alive.is_some()),
        ("name", args.name.is_some()),
        ("new_connections", args.new_connections),
        ("pids", !args.pid.is_empty()),
        ("pin", args.pin.is_some()),
        ("proxy", args.proxy.is_some()),
        ("proxy_protocol", args.proxy_protocol.is_some()),
        ("request", !(args.url.is_empty() && args.target.is_empty())),
        ("request.body_bytes", args.body_bytes.is_some()),
        ("request.body_file", args.body_file.is_some()),
        ("request.check_body", args.no_body_check),
        ("request.expect_bytes", args.expect_bytes.is_some()),
        ("request.expect_crc32c", args.expect_crc32c.is_some()),
        ("request.expect_status", args.expect_status.is_some()),
        ("request.headers", !args.header.is_empty()),
        ("request.method", args.method.is_some()),
        (
            "request.url",
            !(args.url.is_empty() && args.target.is_empty()),
        ),
        ("requests", args.requests.is_some()),
        ("resolve", !args.resolve.is_empty()),
        ("scenario", args.scenario.is_some()),
        ("seed", args.seed.is_some()),
        ("sources", !args.source.is_empty()),
        ("streams", args.streams.is_some()),
        ("think_time", args.think_time.is_some()),
        ("threads", args.threads.is_some()),
        ("timeout", args.timeout.is_some()),
        ("tls.ca", args.cacert.is_some()),
        ("tls.insecure", args.insecure),
        ("tls.resumption", args.no_resumption),
        ("warmup", args.warmup.is_some()),
    ];
    let given = all.into_iter().filter(|(_, is_given)| *is_given);
    given.map(|(key, _)| key).collect()
}

/// Takes the flag's value where there is one.
fn set<T: Clone>(key: &mut Option<T>, flag: Option<&T>) {
    if let Some(value) = flag {
        *key = Some(value.clone());
    }
}

fn set_list<T: Clone>(key: &mut Vec<T>, flags: &[T]) {
    if !flags.is_empty() {
        *key = flags.to_vec();
    }
}

fn lay_over(file: &mut PlanFile, args: &PlanArgs) {
    set(&mut file.name, args.name.as_ref());
    file.scenario = args.scenario.unwrap_or(file.scenario);
    set(&mut file.proxy, args.proxy.as_ref());
    file.http = args.http.unwrap_or(file.http);
    set(&mut file.streams, args.streams.as_ref());
    set(&mut file.connections, args.connections.as_ref());
    set(&mut file.threads, args.threads.as_ref());
    set(&mut file.pin, args.pin.as_ref());
    set(&mut file.duration, args.duration.map(Period).as_ref());
    set(&mut file.warmup, args.warmup.map(Period).as_ref());
    set(&mut file.timeout, args.timeout.map(Period).as_ref());
    set(&mut file.requests, args.requests.as_ref());
    set(&mut file.seed, args.seed.as_ref());
    set(&mut file.keep_alive, args.keep_alive.as_ref());
    set(&mut file.think_time, args.think_time.map(Period).as_ref());
    set_list(&mut file.sources, &args.source);
    set_list(&mut file.resolve, &args.resolve);
    set_list(&mut file.pids, &args.pid);
    if args.connect {
        file.form = Form::Connect;
    }
    if args.new_connections {
        file.new_connections = Some(1.0);
    }
    if let Some(rate) = args.rate {
        file.arrivals.rate = Some(rate);
        file.arrivals.steps.clear();
        file.arrivals.recorded = None;
    }
    if args.poisson {
        file.arrivals.spacing = Spacing::Poisson;
    }
    if args.proxy_protocol.is_some() {
        file.proxy_protocol = Some(ProxyProtocolFile {
            clients: args.proxy_protocol,
            vpce: args.vpce.clone(),
        });
    }
    lay_over_tls(file, args);
    lay_over_requests(file, args);
}

fn lay_over_tls(file: &mut PlanFile, args: &PlanArgs) {
    set(&mut file.tls.ca, args.cacert.as_ref());
    if args.insecure {
        file.tls.insecure = true;
    }
    if args.no_resumption {
        file.tls.resumption = Some(false);
    }
}

fn lay_over_requests(file: &mut PlanFile, args: &PlanArgs) {
    let urls: Vec<_> = args.target.iter().chain(&args.url).collect();
    if !urls.is_empty() {
        let request = |url: &String| RequestFile {
            url: Some(url.clone()),
            ..RequestFile::default()
        };
        file.request = urls.into_iter().map(request).collect();
    }
    // What a flag says holds for every request, whatever the file says of each.
    let has_body = args.body_bytes.is_some() || args.body_file.is_some();
    let overridden = RequestFile {
        method: args.method.clone(),
        headers: (!args.header.is_empty()).then(|| args.header.clone()),
        body_bytes: args.body_bytes,
        body_file: args.body_file.clone(),
        expect_status: args.expect_status,
        expect_bytes: args.expect_bytes,
        expect_crc32c: args.expect_crc32c.clone(),
        check_body: args.no_body_check.then_some(false),
        ..RequestFile::default()
    };
    for request in &mut file.request {
        set(&mut request.method, overridden.method.as_ref());
        set(&mut request.headers, overridden.headers.as_ref());
        if has_body {
            request.body_bytes = overridden.body_bytes;
            request.body_file.clone_from(&overridden.body_file);
        }
        set(
            &mut request.expect_status,
            overridden.expect_status.as_ref(),
        );
        set(&mut request.expect_bytes, overridden.expect_bytes.as_ref());
        set(
            &mut request.expect_crc32c,
            overridden.expect_crc32c.as_ref(),
        );
        set(&mut request.check_body, overridden.check_body.as_ref());
    }
}
