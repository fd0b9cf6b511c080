//! Each key of the configuration has a test of its effect: not of its name and default, which
//! `engine/src/config/tests.rs` has, but of what the proxy does otherwise because of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Keys, and the test that fails if the key does nothing: of this folder, or by its path.
const EFFECTS: &[(&str, &str)] = &[
    (
        "ruleset",
        "reload::sighup_swaps_rules_without_dropping_anything",
    ),
    (
        "trusted_keys",
        "signatures::a_reload_takes_only_signed_rules",
    ),
    ("shards", "operation::check_does_all_but_listen"),
    (
        "io.driver",
        "operation::the_driver_that_is_asked_for_is_the_one_that_runs",
    ),
    (
        "admin.listen",
        "admin::a_taken_address_is_an_error_that_names_the_key",
    ),
    (
        "admin.hosts",
        "admin::only_methods_paths_and_hosts_of_ours_are_answered",
    ),
    (
        "listener.address",
        "operation::a_second_process_on_the_same_port_is_refused",
    ),
    ("listener.protocol", "intercepted_clients::https_listeners"),
    (
        "listener.certificate",
        "intercepted_clients::https_listeners",
    ),
    ("listener.key", "intercepted_clients::https_listeners"),
    (
        "listener.client_ca",
        "intercepted_clients::clients_with_certificates",
    ),
    (
        "listener.proxy_protocol",
        "proxy_protocol::who_is_not_trusted_is_refused_and_told",
    ),
    (
        "listener.trusted",
        "proxy_protocol::a_reload_changes_who_is_trusted",
    ),
    ("listener.auth", "authentication::passwords"),
    ("auth.users", "authentication::a_reload_removes_a_user"),
    (
        "auth.tokens",
        "authentication::tokens_and_what_rules_see_of_them",
    ),
    (
        "auth.failures_per_minute",
        "authentication::failures_are_limited",
    ),
    (
        "auth.jwt.issuer",
        "authentication::jwts_and_keys_that_are_replaced",
    ),
    (
        "auth.jwt.trust_domain",
        "authentication::jwts_and_keys_that_are_replaced",
    ),
    (
        "auth.jwt.audience",
        "authentication::jwts_and_keys_that_are_replaced",
    ),
    (
        "auth.jwt.jwks",
        "authentication::jwts_and_keys_that_are_replaced",
    ),
    (
        "auth.jwt.algorithms",
        "authentication::other_claims_and_algorithms",
    ),
    (
        "auth.jwt.principal",
        "authentication::other_claims_and_algorithms",
    ),
    (
        "auth.jwt.labels",
        "authentication::jwts_and_keys_that_are_replaced",
    ),
    (
        "auth.jwt.leeway",
        "authentication::jwts_and_keys_that_are_replaced",
    ),
    ("identity.source.vpce", "authentication::identity_sources"),
    (
        "identity.source.clients",
        "authentication::identity_sources",
    ),
    (
        "identity.source.principal",
        "authentication::identity_sources",
    ),
    (
        "identity.source.spiffe",
        "authentication::jwts_and_keys_that_are_replaced",
    ),
    (
        "identity.source.vpc",
        "authentication::a_reload_changes_what_is_known_of_a_client",
    ),
    (
        "identity.source.account",
        "authentication::identity_sources",
    ),
    ("identity.source.labels", "authentication::identity_sources"),
    ("dns.servers", "resolver::names_of_a_real_resolver"),
    ("dns.attempts", "resolver::a_server_that_does_not_answer"),
    (
        "dns.attempt_timeout",
        "resolver::a_server_that_does_not_answer",
    ),
    (
        "dns.lookup_timeout",
        "resolver::a_server_that_does_not_answer",
    ),
    ("dns.case_mixing", "dns_settings::case_mixing"),
    ("dns.ttl_min", "dns_settings::how_long_answers_are_kept"),
    ("dns.ttl_max", "dns_settings::how_long_answers_are_kept"),
    (
        "dns.negative_ttl_max",
        "dns_settings::how_long_answers_are_kept",
    ),
    (
        "dns.cache_entries",
        "dns_settings::how_long_answers_are_kept",
    ),
    ("dns.lookups_in_flight", "fair_shares::lookups_are_shared"),
    ("dns.ipv4", "dns_settings::families"),
    ("dns.ipv6", "dns_settings::families"),
    ("dns.resolution_delay", "dns_settings::resolution_delay"),
    (
        "hosts",
        "connect_host::an_absolute_target_counts_for_origin_and_rules",
    ),
    (
        "guard.allow",
        "guard::addresses_inside_are_refused_in_every_disguise",
    ),
    ("guard.deny", "guard::further_networks_can_be_closed"),
    ("guard.ports", "tunnels::connect_targets"),
    ("tls.mode", "interception::scopes_choose"),
    ("tls.ca", "interception::every_request_inside_is_judged"),
    (
        "tls.ca_key",
        "tls_settings::the_key_of_the_authority_may_be_elsewhere",
    ),
    ("tls.version_min", "tls_settings::versions_of_clients"),
    (
        "tls.certificate_cache_entries",
        "tls_settings::minted_certificates_that_are_kept",
    ),
    (
        "tls.client_certificate_fallback",
        "client_certificates::origins_that_demand_one_are_left_alone_from_then_on",
    ),
    ("tls.scope.domains", "interception::scopes_choose"),
    ("tls.scope.destinations", "interception::scopes_choose"),
    ("tls.scope.ports", "interception::scopes_choose"),
    ("tls.scope.clients", "interception::scopes_choose"),
    ("tls.scope.mode", "interception::scopes_choose"),
    (
        "tls.scope.upstream_verify",
        "intercepted_origins::bad_certificates_are_let_pass_where_a_scope_says_so",
    ),
    (
        "tls.scope.client_certificate",
        "intercepted_origins::origins_that_ask_are_shown_the_certificate_of_the_scope",
    ),
    (
        "tls.scope.client_key",
        "intercepted_origins::origins_that_ask_are_shown_the_certificate_of_the_scope",
    ),
    (
        "tls.upstream.built_in_roots",
        "engine/src/config/tests.rs::what_is_wrong_is_told_with_line_and_key",
    ),
    (
        "tls.upstream.system_roots",
        "tls_settings::roots_of_the_system",
    ),
    ("tls.upstream.roots", "tls_settings::roots_of_the_system"),
    (
        "tls.upstream.crls",
        "bad_origins::each_fault_is_told_and_can_be_let_pass",
    ),
    (
        "tls.upstream.version_min",
        "tls_settings::versions_of_origins",
    ),
    (
        "tls.upstream.verify",
        "tls_settings::origins_that_are_not_believed",
    ),
    (
        "tunnel.unknown_protocol",
        "tunnels::unknown_protocols_follow_the_configuration",
    ),
    ("tunnel.fronting", "fronting::fronting_by_host"),
    (
        "tunnel.idle_timeout",
        "tunnels::tunnels_end_when_idle_or_old",
    ),
    (
        "tunnel.lifetime_max",
        "tunnels::tunnels_end_when_idle_or_old",
    ),
    (
        "tunnel.sniff_timeout",
        "tunnels::unknown_protocols_follow_the_configuration",
    ),
    ("timeouts.head", "clients::a_head_that_trickles_is_cut"),
    (
        "timeouts.keep_alive",
        "clients::idle_connections_end_silently",
    ),
    ("timeouts.connect_attempt", "settings::time_for_one_address"),
    (
        "timeouts.connect",
        "origin_failures::connections_that_time_out",
    ),
    (
        "timeouts.tls_handshake",
        "intercepted_origins::origins_that_speak_no_tls",
    ),
    ("timeouts.response", "origin_failures::origins_that_stall"),
    (
        "timeouts.body_idle",
        "clients::a_body_that_stalls_is_given_up",
    ),
    (
        "timeouts.linger",
        "settings::reading_on_after_the_last_answer",
    ),
    ("limits.connections", "fair_shares::connections_make_room"),
    (
        "limits.connections_per_client",
        "fair_shares::limits_of_a_client_hold_over_all_shards",
    ),
    (
        "limits.tunnels_per_client",
        "fair_shares::limits_of_a_client_hold_over_all_shards",
    ),
    (
        "limits.requests_per_second_per_client",
        "fair_shares::requests_count_over_connections",
    ),
    (
        "limits.ipv6_client_prefix",
        "engine/src/shard/clients.rs::a_client_is_an_address_or_a_network_of_ipv6",
    ),
    ("limits.client_share", "fair_shares::lookups_are_shared"),
    ("limits.head_bytes", "message_limits::bytes_of_a_head"),
    ("limits.headers", "message_limits::fields_of_a_head"),
    ("limits.uri_bytes", "message_limits::bytes_of_a_head"),
    (
        "limits.chunk_extension_bytes",
        "message_limits::bytes_of_chunk_extensions_and_trailers",
    ),
    (
        "limits.trailer_bytes",
        "message_limits::bytes_of_chunk_extensions_and_trailers",
    ),
    ("limits.buffer_bytes", "clients::limits_on_buffers"),
    (
        "http.https_targets",
        "https_targets::they_can_be_turned_off",
    ),
    (
        "http.retry_body_bytes",
        "stale_connections::only_so_much_content_is_kept",
    ),
    (
        "pool.idle_per_destination",
        "settings::idle_connections_to_a_destination",
    ),
    ("pool.idle_total", "fair_shares::the_pool_is_shared"),
    ("pool.idle_timeout", "settings::life_of_an_idle_connection"),
    (
        "http2.client_streams",
        "http2_settings::streams_of_a_connection",
    ),
    (
        "http2.upstream_streams",
        "http2_settings::streams_on_a_connection_to_an_origin",
    ),
    (
        "http2.streams_per_shard",
        "http2_settings::streams_of_a_shard",
    ),
    (
        "http2.stream_window_bytes",
        "http2_settings::streams_and_windows_are_announced",
    ),
    (
        "http2.connection_window_bytes",
        "http2_settings::streams_and_windows_are_announced",
    ),
    (
        "http2.control_frames_per_second",
        "http2_settings::control_frames",
    ),
    (
        "http2.resets_per_second",
        "http2_settings::resets_of_streams",
    ),
    (
        "connect.happy_eyeballs_delay",
        "settings::head_start_of_an_address",
    ),
    (
        "headers.via",
        "forwarding::configured_headers_are_stripped_and_set",
    ),
    (
        "headers.forwarded",
        "forwarding::configured_headers_are_stripped_and_set",
    ),
    (
        "headers.x_forwarded_for",
        "forwarding::configured_headers_are_stripped_and_set",
    ),
    (
        "headers.request.strip",
        "forwarding::configured_headers_are_stripped_and_set",
    ),
    (
        "headers.request.set",
        "forwarding::configured_headers_are_stripped_and_set",
    ),
    (
        "headers.response.strip",
        "forwarding::configured_headers_are_stripped_and_set",
    ),
    (
        "headers.response.set",
        "forwarding::configured_headers_are_stripped_and_set",
    ),
    (
        "responses.reveal_rule",
        "decisions::refusals_come_in_the_format_that_was_asked_for",
    ),
    ("responses.page", "settings::a_page_of_ones_own"),
    ("log.access", "operation::sigusr1_reopens_the_log"),
    ("log.query", "settings::queries_in_the_log"),
    (
        "log.on_overflow",
        "engine/src/access_log/tests.rs::drop_counts_and_says_so",
    ),
    (
        "log.buffer_bytes",
        "engine/src/access_log/tests.rs::stall_turns_requests_away_but_loses_no_record_under_way",
    ),
    ("log.flush_interval", "settings::lines_wait_for_their_time"),
    (
        "log.rotate_bytes",
        "engine/src/access_log/tests.rs::a_file_is_rotated_by_size_with_whole_lines",
    ),
    (
        "log.rotate_keep",
        "engine/src/access_log/tests.rs::a_file_is_rotated_by_size_with_whole_lines",
    ),
    ("log.level", "settings::messages_of_the_process"),
    ("log.format", "settings::messages_of_the_process"),
    (
        "guard.private",
        "guard::private_networks_are_opened_by_either_key",
    ),
    ("guard.http_ports", "guard::ports_of_plain_requests"),
    (
        "tls.rsa_leaf",
        "minted_keys::clients_that_take_no_ecdsa_get_rsa_where_that_is_wanted",
    ),
    (
        "reload.tunnels",
        "open_tunnels::tunnels_stay_open_otherwise",
    ),
    (
        "limits.interim_responses",
        "facts::other_interim_responses_are_not_forwarded_and_all_are_counted",
    ),
    (
        "limits.interim_bytes",
        "facts::other_interim_responses_are_not_forwarded_and_all_are_counted",
    ),
    (
        "http.path",
        "paths::slashes_are_merged_where_the_configuration_says_so",
    ),
    (
        "http.origin_leniency",
        "origin_leniency::more_is_taken_where_the_configuration_says_so",
    ),
    (
        "http.scope.domains",
        "origin_leniency::a_scope_is_lenient_to_some_origins",
    ),
    (
        "http.scope.destinations",
        "origin_leniency::a_scope_is_lenient_to_some_origins",
    ),
    (
        "http.scope.ports",
        "origin_leniency::a_scope_is_lenient_to_some_origins",
    ),
    (
        "http.scope.origin_leniency",
        "origin_leniency::a_scope_is_lenient_to_some_origins",
    ),
    (
        "tls.ech",
        "tls_content::encrypted_hellos_are_seen_and_can_be_refused",
    ),
    (
        "timeouts.upload_idle",
        "slow_uploads::uploads_that_stop_are_given_up",
    ),
    (
        "tcp.keepalive_idle",
        "live_streams::an_origin_that_vanishes_within_a_stream_is_noticed",
    ),
    (
        "tcp.keepalive_interval",
        "live_streams::an_origin_that_vanishes_within_a_stream_is_noticed",
    ),
    (
        "tcp.keepalive_probes",
        "live_streams::an_origin_that_vanishes_within_a_stream_is_noticed",
    ),
    (
        "tcp.user_timeout",
        "live_streams::what_is_not_taken_ends_when_the_kernel_is_told_so",
    ),
    (
        "limits.upload_rate_min",
        "slow_uploads::uploads_keep_up_a_rate",
    ),
    (
        "pool.non_idempotent_idle",
        "stale_connections::what_is_not_idempotent_goes_where_the_origin_was_heard_of_lately",
    ),
    (
        "http2.ping_interval",
        "live_streams::http2_peers_that_do_not_answer_a_ping_are_given_up",
    ),
    (
        "http2.ping_timeout",
        "live_streams::http2_peers_that_do_not_answer_a_ping_are_given_up",
    ),
    ("log.progress", "log_lines::a_tunnel_is_told_while_it_lives"),
    (
        "log.connections",
        "log_lines::connections_without_a_request_have_lines",
    ),
    (
        "drain.timeout",
        "operation::a_drain_ends_after_its_timeout_and_at_once_when_asked_twice",
    ),
];

/// The file of a test and its name.
fn place(test: &str) -> (String, &str) {
    let (room, name) = test.rsplit_once("::").unwrap();
    match room.ends_with(".rs") {
        true => (room.to_owned(), name),
        false => (format!("engine/tests/end_to_end/{room}.rs"), name),
    }
}

#[test]
fn every_key_has_a_test_of_its_effect() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let listed: BTreeMap<_, _> = EFFECTS.iter().copied().collect();
    assert_eq!(listed.len(), EFFECTS.len(), "a key is listed twice");
    let keys: BTreeSet<_> = sallyport::config::KEYS.iter().copied().collect();
    let mut problems: Vec<String> = Vec::new();
    for key in keys.difference(&listed.keys().copied().collect()) {
        problems.push(format!(
            "{key}: write a test of its effect, and list it here"
        ));
    }
    for (key, test) in &listed {
        let (file, name) = place(test);
        let text = std::fs::read_to_string(root.join(&file)).unwrap_or_default();
        if !keys.contains(key) {
            problems.push(format!("{key}: no such key"));
        }
        if !text.contains(&format!("fn {name}()")) {
            problems.push(format!("{key}: no test {name} in {file}"));
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
