"""The floor: accept, connect, copy. One process to each origin; a scenario uses one of them."""

from scenarios import ABSOLUTE, HOST, INTERCEPT
from subject import Subject
from world import free_port


class NullRelay(Subject):
    driver = ""
    tls_process = None
    remark = "knows no CONNECT: a tunnel through it is a plain connection"

    def is_available(self):
        return bool(self.world.binary("null_relay"))

    def version(self):
        return "this commit"

    def start(self):
        self.tls_port = free_port()
        self.process = self.spawn(self.relay(self.port, self.world.origin_port), self.port)
        self.tls_process = self.spawn(self.relay(self.tls_port, self.world.tls_origin_port), self.tls_port)

    def relay(self, port, origin_port):
        return [self.world.binary("null_relay"), "--listen", f"127.0.0.1:{port}", "--target",
                f"127.0.0.1:{origin_port}", "--driver", self.driver, "--pin", self.world.args.proxy_core]

    def processes(self):
        return [process for process in (self.process, self.tls_process) if process]

    def route(self, scenario):
        if scenario.kind == ABSOLUTE:
            return super().route(scenario)
        return self.url(scenario, "127.0.0.1", self.world.origin_authority, self.tls_port)


class NullRelayUring(NullRelay):
    name = "null-relay-io_uring"
    driver = "io_uring"


class NullRelayEpoll(NullRelay):
    name = "null-relay-epoll"
    driver = "epoll"


class NullRelaySplice(NullRelay):
    """The floor of bulk."""

    name = "null-relay-splice"
    driver = "splice"


class NullRelayTls(Subject):
    """The floor of interception: TLS ends and starts again, nothing else."""

    name = "null-relay-tls"
    kinds = (INTERCEPT,)
    remark = "knows no CONNECT: a TLS connection to it, and its own to the origin"

    def is_available(self):
        return bool(self.world.binary("null_relay"))

    def version(self):
        return "this commit"

    def command(self):
        certificate = self.world.origin_certificate
        return [self.world.binary("null_relay"), "--listen", f"127.0.0.1:{self.port}", "--target",
                f"127.0.0.1:{self.world.tls_origin_port}", "--driver", "tls", "--identity", certificate,
                certificate.with_suffix(".key"), "--origin-name", HOST, "--pin", self.world.args.proxy_core]

    def route(self, scenario):
        return self.url(scenario, "127.0.0.1", self.world.origin_authority, self.port)
