"""What is measured. The load of each scenario is the plan of its name in `benches/scenarios`."""

import dataclasses
import pathlib
import tomllib

PLANS = pathlib.Path(__file__).resolve().parents[1] / "scenarios"

DOMAIN = "origin.test"
HOST = f"a.{DOMAIN}"
# Names that resolve too, for scenarios in which each connection goes to a name of its own: enough
# for the warm-up and five rounds of each subject.
FRESH_HOSTS_COUNT = 24_000
FRESH_HOSTS_PER_RUN = 4_000

# ABSOLUTE: plain HTTP. TUNNEL: TLS in a CONNECT, passed through. INTERCEPT: the same, decrypted.
# INTERCEPT_H2: over HTTP/2. INTERCEPT_HOSTS: every connection to another name. The origin speaks HTTP/2 to
# whoever offers it, so what does is measured between HTTP/1.1 and HTTP/2 in INTERCEPT.
ABSOLUTE, TUNNEL = "absolute-form", "tunnel"
INTERCEPT, INTERCEPT_H2, INTERCEPT_HOSTS = "intercept", "intercept-h2", "intercept-hosts"


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a scenario is judged by."""

    title: str
    path: tuple
    digits: int
    scale: float = 1.0


CPU = Figure("CPU µs per request", ("process", "cpu_us_per_request"), 2)
BULK = Figure("CPU s per GiB", ("process", "cpu_s_per_gib"), 3)
MEMORY = Figure("RSS KiB per connection", ("hold", "rss_bytes_per_connection"), 2, 1 / 1024)


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One kind of traffic."""

    name: str
    kind: str
    # What is asked for.
    path: str
    figure: Figure = CPU
    # Seconds of a run, if it needs more than the others.
    duration: float = 0

    @property
    def plan(self):
        return PLANS / f"{self.name}.toml"

    @property
    def title(self):
        return tomllib.loads(self.plan.read_text())["name"]

    @property
    def is_intercepted(self):
        return self.kind in (INTERCEPT, INTERCEPT_H2, INTERCEPT_HOSTS)


SCENARIOS = {scenario.name: scenario for scenario in (
    Scenario("keepalive-64", ABSOLUTE, "/bytes/1024"),
    Scenario("keepalive-1000", ABSOLUTE, "/bytes/1024"),
    Scenario("latency", ABSOLUTE, "/bytes/1024"),
    Scenario("new-connections", ABSOLUTE, "/bytes/1024"),
    Scenario("large-bodies", ABSOLUTE, "/bytes/1048576"),
    Scenario("connect-new", TUNNEL, "/bytes/64"),
    Scenario("tunnel-exchange", TUNNEL, "/bytes/64"),
    Scenario("tunnel-bulk-1", TUNNEL, "/bytes/1000000000", BULK),
    Scenario("tunnel-bulk-100", TUNNEL, "/bytes/1000000000", BULK),
    Scenario("tunnel-hold", TUNNEL, "/bytes/64", MEMORY, duration=20),
    Scenario("intercept-64", INTERCEPT, "/bytes/1024"),
    Scenario("intercept-h2", INTERCEPT_H2, "/bytes/1024"),
    Scenario("intercept-h2-256", INTERCEPT_H2, "/bytes/1024"),
    Scenario("intercept-h2-single", INTERCEPT_H2, "/bytes/1024"),
    Scenario("intercept-new", INTERCEPT, "/bytes/1024"),
    Scenario("intercept-resumed", INTERCEPT, "/bytes/1024"),
    Scenario("intercept-hosts", INTERCEPT_HOSTS, "/bytes/1024"),
    Scenario("intercept-hold", INTERCEPT, "/bytes/64", MEMORY, duration=20),
)}
