"""nginx: one worker, connections to the origin reused, the domains as a `map`, log on."""

import subprocess

from scenarios import ABSOLUTE
from subject import Subject


class Nginx(Subject):
    name = "nginx"
    packages = {"nginx": "nginx-light"}
    kinds = (ABSOLUTE,)
    remark = "no forward proxy: does not speak CONNECT, and knows its one origin beforehand"

    def version(self):
        return subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr.strip()

    def command(self):
        folder = self.world.folder
        domains = "".join(f"        {domain} 1;\n" for domain in self.world.domains)
        config = self.world.file("nginx-peer.conf", f"""
daemon off;
worker_processes 1;
pid {folder}/nginx-peer.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 8192; }}
http {{
    access_log {folder}/nginx-access.log;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    keepalive_requests 1000000000;
    map_hash_bucket_size 128;
    map $host $allowed {{
        default 0;
{domains}    }}
    upstream origin {{
        server 127.0.0.1:{self.world.origin_port};
        keepalive 1024;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        if ($allowed = 0) {{ return 403; }}
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_max_temp_file_size 0;
        }}
    }}
}}
""")
        return ["nginx", "-c", config, "-e", folder / "nginx-error.log"]
