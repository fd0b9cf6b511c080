//! Words of Squid's configuration that become no rule, and what to do about them.

/// Why an ACL of this type cannot be carried over; `None` for a word that Squid does not know.
pub(super) fn acl_type_left(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "srcdomain" | "srcdom_regex" => {
            "the client's name is never looked up; give its addresses with `src`"
        }
        "localip" | "localport" | "myip" | "myport" | "myportname" => {
            "rules do not see which listener took the connection; tell clients apart by `request:SourceIp`, or run a proxy for each listener"
        }
        "ident" | "ident_regex" => {
            "ident is not asked; `request:Principal` is the user of proxy authentication"
        }
        "ext_user"
        | "ext_user_regex"
        | "external"
        | "tag"
        | "note"
        | "annotate_client"
        | "annotate_transaction" => "helpers are not asked and leave no notes",
        "maxconn" | "client_connection_mark" | "clientside_mark" | "max_user_ip" => {
            "connections are limited by `[limits]` of the configuration, not by rules"
        }
        "arp" | "eui64" => "link-layer addresses are not seen",
        "src_as" | "dst_as" => "routing registries are not asked; give the networks",
        "urllogin" => "user information in URLs is not looked at",
        "user_cert" | "ca_cert" => "client certificates are not seen by rules",
        "server_cert_fingerprint" => {
            "the certificate is known after the connection: `response:TlsSha256` in PostRESPONSE, with interception"
        }
        "ssl_error" | "at_step" | "connections_encrypted" | "ssl::certHasExpired" => {
            "TLS is set up by `[tls]` of the configuration, not by rules"
        }
        "snmp_community" => "there is no SNMP",
        "random" => "rules decide the same each time",
        "peername" | "peername_regex" | "hier_code" => "there are no cache peers",
        "adaptation_service" | "squid_error" | "has" | "transaction_initiator" => {
            "it asks about the inside of Squid"
        }
        _ => return None,
    })
}

/// Directives that are no access rules, and where what they say belongs.
const DIRECTIVES: &[(&[&str], &str)] = &[
    (
        &["http_port", "https_port"],
        "listeners are configuration: `[[listener]]`",
    ),
    (
        &[
            "dns_nameservers",
            "dns_v4_first",
            "hosts_file",
            "append_domain",
        ],
        "names are configuration: `[dns]` and `[hosts]`",
    ),
    (
        &[
            "ssl_bump",
            "sslcrtd_program",
            "sslcrtd_children",
            "sslproxy_cert_error",
            "sslproxy_cert_adapt",
            "tls_outgoing_options",
            "sslproxy_options",
        ],
        "whether TLS is decrypted is configuration: `[tls]`",
    ),
    (
        &[
            "cache_peer",
            "cache_peer_access",
            "never_direct",
            "always_direct",
            "prefer_direct",
            "nonhierarchical_direct",
        ],
        "parent proxies are no matter of rules",
    ),
    (
        &["deny_info", "error_directory", "err_page_stylesheet"],
        "pages of refusals are configuration: `responses.page`",
    ),
    (
        &["auth_param", "external_acl_type", "authenticate_ttl"],
        "who may use the proxy is configuration; rules see the user as `request:Principal`",
    ),
    (
        &[
            "access_log",
            "cache_log",
            "logformat",
            "log_access",
            "strip_query_terms",
        ],
        "logs are configuration: `[log]`",
    ),
    (
        &[
            "request_header_access",
            "reply_header_access",
            "request_header_add",
            "reply_header_add",
            "request_header_replace",
            "via",
            "forwarded_for",
        ],
        "headers are configuration: `[headers]`",
    ),
    (
        &[
            "request_header_max_size",
            "reply_header_max_size",
            "request_body_max_size",
            "client_db",
            "max_filedescriptors",
        ],
        "limits are configuration: `[limits]`",
    ),
    (
        &[
            "cache",
            "cache_dir",
            "cache_mem",
            "refresh_pattern",
            "store_miss",
            "send_hit",
            "maximum_object_size",
            "minimum_object_size",
            "coredump_dir",
            "maximum_object_size_in_memory",
        ],
        "nothing is cached",
    ),
    (
        &["follow_x_forwarded_for", "acl_uses_indirect_client"],
        "the client is the address of the connection; `X-Forwarded-For` is not believed",
    ),
    (
        &["adapted_http_access", "http_access2"],
        "there is one request to decide on: nothing rewrites it; merge it into `http_access`",
    ),
    (
        &[
            "url_rewrite_access",
            "url_rewrite_program",
            "icap_enable",
            "icap_service",
            "adaptation_access",
            "ecap_enable",
        ],
        "requests are decided on, not rewritten",
    ),
    (
        &[
            "delay_pools",
            "delay_access",
            "delay_class",
            "delay_parameters",
        ],
        "bandwidth is not divided",
    ),
    (
        &[
            "connect_timeout",
            "read_timeout",
            "request_timeout",
            "client_lifetime",
            "forward_timeout",
            "persistent_request_timeout",
            "shutdown_lifetime",
        ],
        "times are configuration: `[timeouts]` and `drain.timeout`",
    ),
    (
        &["if", "else", "endif"],
        "conditions of Squid's own are not worked out",
    ),
];

/// Why a directive becomes no rule.
pub(super) fn directive_left(directive: &str) -> &'static str {
    let known = DIRECTIVES
        .iter()
        .find(|(words, _)| words.contains(&directive));
    known.map_or("it is no access rule", |(_, why)| why)
}

/// Methods of the IANA registry that are often written in another case: Squid takes them so.
pub(super) fn method(word: &str) -> String {
    const KNOWN: [&str; 24] = [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "PATCH",
        "OPTIONS",
        "TRACE",
        "CONNECT",
        "PURGE",
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
        "SEARCH",
        "REPORT",
        "MERGE",
        "CHECKOUT",
        "SUBSCRIBE",
        "NOTIFY",
        "M-SEARCH",
    ];
    let known = KNOWN
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(word));
    known.map_or_else(|| word.to_owned(), str::to_owned)
}
