"""What is measured: each scenario with the load it puts on a subject."""

import dataclasses

HOST = "a.origin.test"

# New connections leave their ports in TIME_WAIT: more addresses, more ports.
SOURCES = tuple(argument for last in range(1, 17) for argument in ("--source", f"127.0.0.{last}"))

ABSOLUTE, TUNNEL, INTERCEPT = "absolute-form", "tunnel", "intercept"


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One kind of traffic."""

    name: str
    title: str
    # ABSOLUTE: plain HTTP. TUNNEL: TLS in a CONNECT, passed through. INTERCEPT: the same, decrypted.
    kind: str
    # Arguments of `sallyport-load run`.
    load: tuple
    # What is asked for.
    path: str


SCENARIOS = {scenario.name: scenario for scenario in (
    Scenario("keepalive-64", "absolute-form, keep-alive, 64 connections, 1 KiB", ABSOLUTE,
             ("--connections", "64"), "/bytes/1024"),
    Scenario("keepalive-1000", "absolute-form, keep-alive, 1 000 connections, 1 KiB", ABSOLUTE,
             ("--connections", "1000"), "/bytes/1024"),
    Scenario("new-connections", "absolute-form, a new connection for each request, 64 at a time, 1 KiB", ABSOLUTE,
             ("--connections", "64", "--new-connections", *SOURCES), "/bytes/1024"),
    Scenario("large-bodies", "absolute-form, keep-alive, 8 connections, 1 MiB", ABSOLUTE,
             ("--connections", "8"), "/bytes/1048576"),
    Scenario("connect-new", "new CONNECT tunnel, TLS handshake and one exchange in it, close; 64 at a time", TUNNEL,
             ("--connections", "64", "--new-connections", *SOURCES), "/bytes/64"),
    Scenario("tunnel-exchange", "64-byte exchanges in 64 open CONNECT tunnels, TLS inside", TUNNEL,
             ("--connections", "64"), "/bytes/64"),
    Scenario("intercept-64", "requests inside 64 open intercepted tunnels, HTTP/1.1, 1 KiB", INTERCEPT,
             ("--connections", "64"), "/bytes/1024"),
    Scenario("intercept-new", "new intercepted tunnel, TLS handshake and one request in it, close; 64 at a time",
             INTERCEPT, ("--connections", "64", "--new-connections", *SOURCES), "/bytes/1024"),
    Scenario("tunnel-bulk", "1 MiB bodies in 8 open CONNECT tunnels, TLS inside", TUNNEL,
             ("--connections", "8"), "/bytes/1048576"),
)}
