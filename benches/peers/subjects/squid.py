"""Squid: one process, no cache, the domains as a `dstdomain` list, access log on."""

from scenarios import ABSOLUTE, DOMAIN, INTERCEPT, INTERCEPT_HOSTS, TUNNEL
from subject import Subject
from world import free_port, run_text


class Squid(Subject):
    name = "squid"
    kinds = (ABSOLUTE, TUNNEL, INTERCEPT, INTERCEPT_HOSTS)
    packages = {"squid": "squid-openssl"}
    certificate_helper = "/usr/lib/squid/security_file_certgen"

    def version(self):
        return run_text(["squid", "-v"]).splitlines()[0]

    def command(self):
        folder = self.world.folder
        domains = self.world.file("domains.txt", "\n".join([*self.world.domains[:-1], f".{DOMAIN}"]) + "\n")
        hosts = self.world.file("squid-hosts", "".join(f"127.0.0.1 {host}\n" for host in self.world.hosts()))
        config = self.world.file("squid.conf", f"""
http_port 127.0.0.1:{self.port}
{self.bump()}
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

    def bump(self):
        """A second port that decrypts, with the bench's authority as the root."""
        self.intercept_port = free_port()
        certificate, key = self.world.authority
        # Its own, since Sallyport takes no key that others may read.
        key = self.world.file(f"squid-{self.intercept_port}.key", key.read_text())
        store = self.world.folder / f"squid-certificates-{self.intercept_port}"
        run_text([self.certificate_helper, "-c", "-s", store, "-M", "4MB"])
        for part in (store, *store.rglob("*"), key):
            # For the user that Squid changes to.
            part.chmod(0o777)
        return f"""http_port 127.0.0.1:{self.intercept_port} ssl-bump tls-cert={certificate} tls-key={key} \\
    generate-host-certificates=on dynamic_cert_mem_cache_size=4MB
sslcrtd_program {self.certificate_helper} -s {store} -M 4MB
sslcrtd_children 2 startup=1 idle=1
tls_outgoing_options cafile={self.world.origin_authority.certificate}
ssl_bump bump all"""
