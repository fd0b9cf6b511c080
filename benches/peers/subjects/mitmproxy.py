"""mitmproxy from PyPI: the domains as a set in an add-on, flows logged."""

import sys

from subject import Subject
from world import run_text

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

    def command(self):
        domains = self.world.file("mitmproxy-domains.txt", "\n".join(self.world.domains) + "\n")
        addon = self.world.file("allowed.py", ADDON.format(domains=domains))
        return self.world.with_hosts([
            self.program(), "--mode", f"regular@127.0.0.1:{self.port}", "--scripts", addon,
            "--set", f"confdir={self.world.folder}/mitmproxy", *self.tls_options()])

    def tls_options(self):
        return ["--ignore-hosts", ".*"]
