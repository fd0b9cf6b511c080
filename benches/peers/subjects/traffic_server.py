"""Apache Traffic Server: one event thread, no cache, the domains as remap rules, log on."""

import os
import shutil

from scenarios import HOST
from subject import Subject
from world import run_text


class TrafficServer(Subject):
    name = "traffic-server"
    packages = {"traffic_server": "trafficserver"}

    def version(self):
        return "Traffic Server " + run_text(["dpkg-query", "--show", "--showformat", "${Version}", "trafficserver"])

    def command(self):
        root = self.world.folder / "traffic-server"
        for folder in ("etc", "log", "cache", "run"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        shutil.copytree("/etc/trafficserver", root / "etc", dirs_exist_ok=True)
        maps = "".join(f"map http://{domain}/ http://{domain}/\n" for domain in self.world.domains[:-1])
        ports = (self.world.origin_port, self.world.tls_origin_port)
        maps += "".join(f"map http://{HOST}:{port}/ http://{HOST}:{port}/\n" for port in ports)
        maps += "".join(f"map https://{HOST}:{port}/ https://{HOST}:{port}/\n" for port in ports)
        self.world.file("traffic-server/etc/remap.config", maps)
        self.world.file("traffic-server/etc/storage.config", "")
        self.world.file("traffic-server/etc/records.config", f"""
CONFIG proxy.config.http.server_ports STRING {self.port}:ip-in=127.0.0.1
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.accept_threads INT 0
CONFIG proxy.config.http.cache.http INT 0
CONFIG proxy.config.reverse_proxy.enabled INT 1
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.url_remap.pristine_host_hdr INT 1
CONFIG proxy.config.http.connect_ports STRING {self.world.tls_origin_port}
CONFIG proxy.config.http.server_session_sharing.pool STRING thread
CONFIG proxy.config.http.keep_alive_no_activity_timeout_in INT 60
CONFIG proxy.config.hostdb.host_file.path STRING {self.world.file("ats-hosts", f"127.0.0.1 {HOST}{chr(10)}")}
CONFIG proxy.config.log.logging_enabled INT 3
CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.net.connections_throttle INT 19000
""")
        layout = self.world.file("traffic-server/runroot.yaml", f"""
prefix: {root}
exec_prefix: /usr
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: {root}/etc
datadir: /usr/share/trafficserver
includedir: /usr/include
libdir: /usr/lib/trafficserver
libexecdir: /usr/lib/trafficserver/modules
localstatedir: {root}
runtimedir: {root}/run
logdir: {root}/log
cachedir: {root}/cache
""")
        for folder, _, files in os.walk(root):
            os.chmod(folder, 0o777)
            for file in files:
                os.chmod(os.path.join(folder, file), 0o666)
        return ["traffic_server", f"--run-root={layout}"]
