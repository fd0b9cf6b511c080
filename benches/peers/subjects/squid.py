"""Squid: one process, no cache, the domains as a `dstdomain` list, access log on."""

from subject import Subject
from scenarios import HOST
from world import run_text


class Squid(Subject):
    name = "squid"
    packages = {"squid": "squid-openssl"}

    def version(self):
        return run_text(["squid", "-v"]).splitlines()[0]

    def command(self):
        folder = self.world.folder
        domains = self.world.file("domains.txt", "\n".join(self.world.domains) + "\n")
        hosts = self.world.file("squid-hosts", f"127.0.0.1 {HOST}\n")
        config = self.world.file("squid.conf", f"""
{self.listener()}
visible_hostname bench.test
hosts_file {hosts}
acl allowed dstdomain "{domains}"
http_access allow allowed
http_access deny all
cache deny all
access_log stdio:{folder}/squid-access-{self.port}.log squid
cache_log {folder}/squid-cache-{self.port}.log
cache_store_log none
netdb_filename none
pid_filename {folder}/squid-{self.port}.pid
coredump_dir {folder}
pinger_enable off
max_filedescriptors 16384
shutdown_lifetime 0 seconds
""")
        return ["squid", "-N", "-f", config]

    def listener(self):
        return f"http_port 127.0.0.1:{self.port}"
