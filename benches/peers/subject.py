"""The base of everything that is measured."""

import os
import signal
import subprocess

from scenarios import ABSOLUTE, HOST, INTERCEPT_HOSTS, TUNNEL
from world import free_port, wait_for_port


class Subject:
    """One thing that is measured: how to start it, and how the load reaches the origin through it."""

    name = ""
    # The kinds of scenario that it can serve.
    kinds = (ABSOLUTE, TUNNEL)
    # Programs that it needs, with the Debian package of each.
    packages = {}
    # What a reader of the table must know.
    remark = ""

    def __init__(self, world):
        self.world = world
        self.port = free_port()
        # Where tunnels are intercepted, if that is another port.
        self.intercept_port = self.port
        self.process = None

    def command(self):
        """The command that runs it in the foreground on `self.port`."""
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def is_available(self):
        return True

    def start(self):
        self.process = self.spawn(self.command(), self.port)

    def spawn(self, command, port):
        """Starts a command pinned to the proxy's CPU and waits for its port."""
        log = self.world.folder / f"{self.name}-{port}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [str(part) for part in command], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                cwd=self.world.folder, preexec_fn=lambda: os.sched_setaffinity(0, self.cores()))
        wait_for_port(port, process, log)
        return process

    def cores(self):
        """The CPUs it may use."""
        return {self.world.args.proxy_core}

    def processes(self):
        """All that are running, those that stay idle in a scenario among them."""
        return [self.process] if self.process else []

    def stop(self):
        for process in self.processes():
            if process.poll() is not None:
                continue
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def pid_arguments(self):
        return [argument for process in self.processes() for argument in ("--pid", str(process.pid))]

    def route(self, scenario):
        """Arguments that lead the load through it."""
        port = self.intercept_port if scenario.is_intercepted else self.port
        host = "{host}" if scenario.kind == INTERCEPT_HOSTS else HOST
        trusted = self.world.authority if scenario.is_intercepted else self.world.origin_authority
        return ["--proxy", f"http://127.0.0.1:{port}", *self.url(scenario, host, trusted)]

    def url(self, scenario, host, trusted, port=None):
        """Arguments that name the origin of a scenario and the authority that must have signed."""
        if scenario.kind == ABSOLUTE:
            return ["--url", f"http://{host}:{port or self.world.origin_port}{scenario.path}"]
        return ["--url", f"https://{host}:{port or self.world.tls_origin_port}{scenario.path}",
                "--cacert", trusted.certificate]
