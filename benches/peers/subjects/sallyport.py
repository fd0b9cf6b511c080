"""Ourselves: one shard, 1 000 rules, access log on."""

from scenarios import HOST
from subject import Subject
from world import run_text


class Sallyport(Subject):
    name = "sallyport"

    def is_available(self):
        return bool(self.world.binary("sallyport") and self.world.binary("sallyport-rules"))

    def version(self):
        return run_text([self.world.binary("sallyport"), "--version"])

    def command(self):
        config = self.world.file("sallyport.toml", f'''ruleset = "{self.bundle()}"
shards = 1
[[listener]]
address = "127.0.0.1:{self.port}"
protocol = "http"
[hosts]
"{HOST}" = ["127.0.0.1"]
[guard]
allow = ["127.0.0.0/8"]
ports = "any"
[log]
access = "{self.world.folder}/sallyport-access.jsonl"
''')
        return [self.world.binary("sallyport"), "run", "--config", config]

    def bundle(self):
        source = self.world.file("ruleset.toml", '[defaults]\npre_dns = "deny"\npre_request = "allow"\n'
                                 'post_response = "allow"\n\n[[group]]\npriority = 10\nfile = "group.toml"\n')
        self.world.file("group.toml", self.group())
        bundle = self.world.folder / "rules.spb"
        run_text([self.world.binary("sallyport-rules"), "compile", source, "-o", bundle])
        return bundle

    def group(self):
        """1 000 rules: 800 on domains, 100 on requests, 100 on responses; the last domain is ours."""
        rules = ['name = "bench"']
        for index, domain in enumerate(self.world.domains[-800:]):
            rules.append(f'[[pre_dns]]\nname = "domain-{index}"\naction = "allow"\n'
                         f'when."request:DestinationDomain" = {{ StringEquals = ["{domain}"] }}')
        for index in range(100):
            rules.append(f'[[pre_request]]\nname = "path-{index}"\naction = "deny"\n'
                         f'when."request:Http:Uri" = {{ StringLike = ["/private-{index}/*"] }}')
            rules.append(f'[[post_response]]\nname = "type-{index}"\naction = "deny"\nwhen."response:'
                         f'Http:ContentType" = {{ StringEquals = ["application/x-type-{index}"] }}')
        return "\n\n".join(rules) + "\n"
