"""No proxy at all: the ceiling of load and origin."""

from scenarios import ABSOLUTE, INTERCEPT, TUNNEL
from subject import Subject


class Direct(Subject):
    kinds = (ABSOLUTE, TUNNEL, INTERCEPT)
    name = "direct"
    remark = "load and origin without anything between them"

    def version(self):
        return "-"

    def start(self):
        pass

    def route(self, scenario):
        return self.url(scenario, "127.0.0.1", self.world.origin_authority)
