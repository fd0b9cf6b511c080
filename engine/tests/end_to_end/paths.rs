//! Paths: what rules see and what origins get mean the same, however they are written.

use serde_json::json;

use crate::common::access_log::assert_fields;
use crate::common::proxy::Setup;
use crate::common::{ALLOW_ALL, Proxy, Response, Rules, ScriptedOrigin};

fn ok() -> ScriptedOrigin {
    ScriptedOrigin::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
}

fn ask(proxy: &Proxy, origin: &ScriptedOrigin, path: &str) -> Response {
    proxy.connection().get(&origin.url(path))
}

fn path_at_origin(origin: &ScriptedOrigin, index: usize) -> String {
    let line = origin.requests(index + 1).remove(index).line;
    line.split(' ').nth(1).unwrap().to_owned()
}

/// Bytes that no URI can hold are escaped to rules and to origins alike.
#[test]
fn raw_bytes_pass_no_rule_written_with_escapes() {
    let bytes = [
        ('|', "%7C"),
        ('"', "%22"),
        ('\\', "%5C"),
        ('^', "%5E"),
        ('`', "%60"),
        ('{', "%7B"),
        ('}', "%7D"),
        ('<', "%3C"),
        ('>', "%3E"),
        ('é', "%C3%A9"),
    ];
    let globs: Vec<_> = bytes
        .iter()
        .map(|(_, escaped)| format!("\"/x{escaped}*\""))
        .collect();
    let rules = format!(
        "[[group]]\npriority = 1\nname = \"gate\"\n[[group.pre_request]]\nname = \"no\"\naction = \"deny\"\n\
         when.\"request:Http:Uri\" = {{ StringLike = [{}] }}\n",
        globs.join(", ")
    );
    let proxy = Setup::new().start(Rules(&rules));
    let origin = ok();
    for (raw, escaped) in bytes {
        for path in [
            format!("/x{raw}y"),
            format!("/x{escaped}y"),
            format!("/a/../x{raw}"),
        ] {
            ask(&proxy, &origin, &path).assert_refusal(403, "http_request_denied");
        }
    }
    assert_eq!(origin.connections(), 0);
    let proxy = Proxy::open();
    for (index, (raw, escaped)) in bytes.into_iter().enumerate() {
        assert_eq!(ask(&proxy, &origin, &format!("/x{raw}?{raw}")).status, 200);
        assert_eq!(
            path_at_origin(&origin, index),
            format!("/x{escaped}?{escaped}")
        );
    }
}

/// By default all that a path can hold reaches the origin as it was written.
#[test]
fn paths_are_sent_as_they_are() {
    let proxy = Proxy::open();
    let origin = ok();
    for (index, (path, sent)) in [
        (
            "/a//b/./../%7euser/%2f?[x]=%c3",
            "/a//b/./../%7euser/%2f?[x]=%c3",
        ),
        ("/100%", "/100%25"),
        ("/%zz%41", "/%25zz%41"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(ask(&proxy, &origin, path).status, 200, "{path}");
        assert_eq!(path_at_origin(&origin, index), sent);
    }
}

#[test]
fn slashes_are_merged_where_the_configuration_says_so() {
    let rules = r#"
[[group]]
priority = 1
name = "gate"
[[group.pre_request]]
name = "no-admin"
action = "deny"
when."request:Http:Uri" = { StringLike = "/admin/*" }
"#;
    let origin = ok();
    let merging = Setup::new().key("http.path", "\"merge-slashes\"");
    let proxy = merging.start(Rules(rules));
    for path in [
        "//admin/x",
        "/admin//x",
        "/a/..//admin/x",
        "/.//%61dmin///x",
    ] {
        ask(&proxy, &origin, path).assert_refusal(403, "http_request_denied");
    }
    assert_eq!(ask(&proxy, &origin, "/a///b/.//c?d//%7e").status, 200);
    // Rules and origin see the very same.
    assert_eq!(path_at_origin(&origin, 0), "/a/b/c?d//~");
    let as_is = Setup::new().start(Rules(rules));
    assert_eq!(ask(&as_is, &origin, "//admin/x").status, 200);
    assert_eq!(path_at_origin(&origin, 1), "//admin/x");
}

#[test]
fn escaped_slashes_are_refused_where_the_configuration_says_so() {
    let proxy = Setup::new()
        .key("http.path", "\"reject-escaped-slashes\"")
        .start(ALLOW_ALL);
    let origin = ok();
    for path in ["/a%2fb", "/a%2F..%2Fb", "/%5c", "/a\\b", "/%5C?x"] {
        ask(&proxy, &origin, path).assert_refusal(400, "http_request_error");
    }
    let expected = json!({ "status": 400, "error": "http_request_error" });
    assert_fields(&proxy.log.transactions(5)[0], &expected);
    for path in ["/a/b?%2F", "/%252F", "/a//b"] {
        assert_eq!(ask(&proxy, &origin, path).status, 200, "{path}");
    }
}
