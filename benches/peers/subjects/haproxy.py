"""HAProxy: one thread, connections to the origin reused, the domains as a list, log on."""

from scenarios import ABSOLUTE
from subject import Subject
from world import run_text


class HAProxy(Subject):
    name = "haproxy"
    packages = {"haproxy": "haproxy"}
    kinds = (ABSOLUTE,)
    remark = "does not speak CONNECT, and knows its one origin beforehand"

    def version(self):
        return run_text(["haproxy", "-v"]).splitlines()[0]

    def command(self):
        domains = self.world.file("domains.lst", "\n".join(self.world.domains) + "\n")
        config = self.world.file("haproxy.cfg", f"""
global
    nbthread 1
    maxconn 4000
    log stdout format raw local0
defaults
    mode http
    log global
    option httplog
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend proxy
    bind 127.0.0.1:{self.port}
    acl allowed hdr(host),field(1,:),lower -m str -f {domains}
    http-request deny unless allowed
    http-request set-uri %[pathq]
    default_backend origin
backend origin
    server origin 127.0.0.1:{self.world.origin_port}
""")
        return ["haproxy", "-db", "-f", config]
