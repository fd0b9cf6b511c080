"""Ourselves: one shard, 1 000 rules, access log on."""

import subprocess

from scenarios import ABSOLUTE, DOMAIN, HOST, INTERCEPT, INTERCEPT_H2, INTERCEPT_HOSTS, TUNNEL
from subject import Subject
from world import free_port, run_text


class Sallyport(Subject):
    name = "sallyport"
    kinds = (ABSOLUTE, TUNNEL, INTERCEPT, INTERCEPT_H2, INTERCEPT_HOSTS)
    intercepting = None
    shards = 1
    compile_options = ()

    def is_available(self):
        return bool(self.world.binary("sallyport") and self.world.binary("sallyport-rules"))

    def binary(self, name):
        """The build that is measured."""
        return self.world.binary(name)

    def version(self):
        return run_text([self.binary("sallyport"), "--version"])

    def start(self):
        """One process that passes tunnels through and one that intercepts them."""
        bundle = self.bundle()
        self.process = self.spawn(self.run(self.port, bundle), self.port)
        self.intercept_port = free_port()
        certificate, key = self.world.authority
        self.intercepting = self.spawn(self.run(self.intercept_port, bundle, f'''
[tls]
mode = "intercept"
ca = "{certificate}"
ca_key = "{key}"
[tls.upstream]
roots = ["{self.world.origin_authority.certificate}"]
''', self.world.hosts()), self.intercept_port)

    def processes(self):
        return [process for process in (self.process, self.intercepting) if process]

    def run(self, port, bundle, more="", hosts=(HOST,)):
        addresses = "".join(f'"{host}" = ["127.0.0.1"]\n' for host in hosts)
        config = self.world.file(f"sallyport-{port}.toml", f'''ruleset = "{bundle}"
shards = {self.shards}
{self.admin()}[[listener]]
address = "127.0.0.1:{port}"
protocol = "http"
[hosts]
{addresses}[guard]
allow = ["127.0.0.0/8"]
ports = "any"
[log]
access = "{self.world.folder}/sallyport-access-{port}.jsonl"
{more}''')
        return [self.binary("sallyport"), "run", "--config", config]

    def admin(self):
        """Without its listener, as two run at once; counted is all the same. Builds of before have none."""
        probe = self.world.file("sallyport-admin.toml", '[admin]\nlisten = "off"\n')
        checked = subprocess.run([self.binary("sallyport"), "check", "--config", probe], capture_output=True, text=True)
        return "" if "does not serve it yet" in checked.stderr else '[admin]\nlisten = "off"\n'

    def bundle(self):
        source = self.world.file("ruleset.toml", '[defaults]\npre_dns = "deny"\npre_request = "allow"\n'
                                 'post_response = "allow"\n\n[[group]]\npriority = 10\nfile = "group.toml"\n')
        self.world.file("group.toml", self.group())
        # Two builds may write two formats.
        bundle = self.world.folder / f"rules-{self.port}.spb"
        run_text([self.binary("sallyport-rules"), "compile", source, "-o", bundle, *self.compile_options])
        return bundle

    def group(self):
        """1 000 rules: 800 on domains, 100 on requests, 100 on responses; the last domains are ours."""
        rules = ['name = "bench"']
        rules.append(f'[[pre_dns]]\nname = "fresh"\naction = "allow"\n'
                     f'when."request:DestinationDomain" = {{ StringLike = ["h*.{DOMAIN}"] }}')
        for index, domain in enumerate(self.world.domains[-799:]):
            rules.append(f'[[pre_dns]]\nname = "domain-{index}"\naction = "allow"\n'
                         f'when."request:DestinationDomain" = {{ StringEquals = ["{domain}"] }}')
        for index in range(100):
            rules.append(f'[[pre_request]]\nname = "path-{index}"\naction = "deny"\n'
                         f'when."request:Http:Uri" = {{ StringLike = ["/private-{index}/*"] }}')
            rules.append(f'[[post_response]]\nname = "type-{index}"\naction = "deny"\nwhen."response:'
                         f'Http:ContentType" = {{ StringEquals = ["application/x-type-{index}"] }}')
        return "\n\n".join(rules) + "\n"
