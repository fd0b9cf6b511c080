"""mitmproxy from PyPI: the domains as a set in an add-on, flows logged."""

import sys

from scenarios import ABSOLUTE, INTERCEPT, INTERCEPT_H2, TUNNEL
from subject import Subject
from world import free_port, run_text

VERSION = "11.0.2"

ADDON = '''
from mitmproxy import http

DOMAINS = frozenset(open("{domains}").read().split())


class Allowed:
    def requestheaders(self, flow):
        if flow.request.host not in DOMAINS:
            flow.response = http.Response.make(403)

    def http_connect(self, flow):
        self.requestheaders(flow)


addons = [Allowed()]
'''


class Mitmproxy(Subject):
    name = "mitmproxy"
    kinds = (ABSOLUTE, TUNNEL, INTERCEPT, INTERCEPT_H2)
    intercepting = None
    packages = {"python3": "python3-venv"}

    def version(self):
        return f"mitmproxy {VERSION}"

    def program(self):
        """Installed once, beside the release binaries."""
        folder = self.world.args.bin_dir.parent / f"mitmproxy-{VERSION}"
        if not (folder / "bin" / "mitmdump").exists():
            run_text([sys.executable, "-m", "venv", "--clear", folder])
            run_text([folder / "bin" / "pip", "install", "--quiet", f"mitmproxy=={VERSION}"])
        return folder / "bin" / "mitmdump"

    def start(self):
        """One process that passes tunnels through and one that intercepts them."""
        self.process = self.spawn(self.run(self.port, ["--ignore-hosts", ".*"]), self.port)
        self.intercept_port = free_port()
        options = ["--set", f"ssl_verify_upstream_trusted_ca={self.world.origin_authority.certificate}"]
        self.intercepting = self.spawn(self.run(self.intercept_port, options), self.intercept_port)

    def processes(self):
        return [process for process in (self.process, self.intercepting) if process]

    def run(self, port, options):
        domains = self.world.file("mitmproxy-domains.txt", "\n".join(self.world.domains) + "\n")
        authority = self.world.authority
        self.world.file("mitmproxy/mitmproxy-ca.pem", authority.key.read_text() + authority.certificate.read_text())
        addon = self.world.file("allowed.py", ADDON.format(domains=domains))
        return self.world.with_hosts([
            self.program(), "--mode", f"regular@127.0.0.1:{port}", "--scripts", addon,
            "--set", f"confdir={self.world.folder}/mitmproxy", *options])
