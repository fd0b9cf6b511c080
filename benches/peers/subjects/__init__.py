"""Everything that can be measured, in the order of the tables."""

from subjects.apache import Apache
from subjects.direct import Direct
from subjects.haproxy import HAProxy
from subjects.hudsucker import Hudsucker, HudsuckerBare
from subjects.mitmproxy import Mitmproxy
from subjects.nginx import Nginx
from subjects.null_relay import NullRelayEpoll, NullRelaySplice, NullRelayTls, NullRelayUring
from subjects.sallyport import Sallyport
from subjects.squid import Squid
from subjects.tinyproxy import Tinyproxy
from subjects.traffic_server import TrafficServer

SUBJECTS = [Sallyport, HAProxy, Squid, TrafficServer, Nginx, Apache, Tinyproxy, Mitmproxy, Hudsucker,
            HudsuckerBare, NullRelayUring, NullRelayEpoll, NullRelaySplice, NullRelayTls, Direct]
FLOORS = [NullRelayUring.name, NullRelayEpoll.name, NullRelaySplice.name, NullRelayTls.name]
