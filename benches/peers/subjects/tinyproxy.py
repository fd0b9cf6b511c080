"""tinyproxy: the domains as its filter, log on."""

import re

from subject import Subject
from world import run_text


class Tinyproxy(Subject):
    name = "tinyproxy"
    packages = {"tinyproxy": "tinyproxy-bin"}
    remark = "a new connection to the origin for each request"

    def version(self):
        return run_text(["tinyproxy", "-v"])

    def command(self):
        folder = self.world.folder
        rules = "".join(f"^{re.escape(domain)}$\n" for domain in self.world.domains)
        domains = self.world.file("tinyproxy.filter", rules)
        config = self.world.file("tinyproxy.conf", f"""
Port {self.port}
Listen 127.0.0.1
Timeout 60
MaxClients 4096
LogFile "{folder}/tinyproxy.log"
LogLevel Connect
Filter "{domains}"
FilterExtended On
FilterDefaultDeny Yes
ConnectPort {self.world.tls_origin_port}
DisableViaHeader Yes
""")
        return self.world.with_hosts(["tinyproxy", "-d", "-c", config])
