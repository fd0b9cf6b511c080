"""Apache httpd with mod_proxy: event MPM, the domains as a rewrite map, access log on."""

from subject import Subject
from world import run_text

MODULES = "/usr/lib/apache2/modules"


class Apache(Subject):
    name = "apache"
    packages = {"apache2": "apache2-bin"}

    def version(self):
        return run_text(["apache2", "-v"]).splitlines()[0]

    def command(self):
        folder = self.world.folder
        domains = self.world.file("domains.map", "".join(f"{domain} yes\n" for domain in self.world.domains))
        modules = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in (
            "mpm_event", "authz_core", "proxy", "proxy_http", "proxy_connect", "rewrite"))
        config = self.world.file("apache.conf", f"""
ServerRoot {folder}
ServerName bench.test
PidFile {folder}/apache.pid
Listen 127.0.0.1:{self.port}
ListenBacklog 4096
{modules}
User nobody
Group nogroup
ThreadsPerChild 512
ThreadLimit 512
ServerLimit 4
MaxRequestWorkers 2048
StartServers 1
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
ErrorLog {folder}/apache-error.log
LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
CustomLog {folder}/apache-access.log common
ProxyRequests On
AllowCONNECT {self.world.tls_origin_port}
RewriteEngine On
RewriteMap allowed txt:{domains}
RewriteCond %{{HTTP_HOST}} ^([^:]+)
RewriteCond ${{allowed:%1|no}} =no
RewriteRule .* - [F]
""")
        return self.world.with_hosts(["apache2", "-D", "FOREGROUND", "-f", config])
