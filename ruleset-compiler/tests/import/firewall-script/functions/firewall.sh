#!/bin/sh
ALLOWED="pypi.org files.pythonhosted.org
  deb.debian.org"
PROXY_PORTS="80,443"

allow_host() {
  iptables -A OUTPUT -p tcp -d "$1" -m multiport --dports "$PROXY_PORTS" -j ACCEPT
}

ipset create blocked hash:ip
ipset add blocked 203.0.113.66
ipset add blocked "$(cat /etc/blocked)"
iptables -A OUTPUT -m set --match-set blocked dst -j REJECT
iptables -A OUTPUT -d 198.51.100.0/24 -j DROP
iptables -A OUTPUT -p "$proto" --dport 9999 -j DROP
iptables -A OUTPUT -o eth0 -d 192.0.2.128/25 -p tcp --dport 443 -j ACCEPT
iptables -A OUTPUT -o tun0 -d 192.0.2.0/25 -p tcp --dport 443 -j ACCEPT
ip6tables -A OUTPUT -p tcp --dport 80 -j DROP
ip6tables -P OUTPUT DROP
for host in $ALLOWED; do
  allow_host "$host"
done
if [ -n "$EXTRA" ]; then
  iptables -A OUTPUT -p tcp -d 203.0.113.5 --dport 8443 -j ACCEPT
fi
iptables -A OUTPUT -m owner --uid-owner root -j ACCEPT
iptables -I OUTPUT 1 -p tcp ! -d 192.0.2.0/24 --dport 3306 -j REJECT
iptables -A OUTPUT -j LOG --log-prefix "denied: "
iptables -A OUTPUT -j DROP
