"""What every subject needs: a folder, ports, the origins and the lists that all are given."""

import collections
import contextlib
import itertools
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import time
import typing

from scenarios import DOMAIN, FRESH_HOSTS_COUNT, FRESH_HOSTS_PER_RUN, HOST, INTERCEPT_HOSTS

DOMAINS_COUNT = 1000
# Enough for the idle tunnels, which are two sockets each.
DESCRIPTORS_COUNT = 131_072


class Failed(Exception):
    """Ends the script with a message."""


class Signed(typing.NamedTuple):
    """A certificate and its key, both PEM files."""

    certificate: pathlib.Path
    key: pathlib.Path


class World:
    """The temporary folder of a run and what is in it."""

    def __init__(self, args, folder):
        allow_descriptors()
        self.args = args
        self.folder = folder
        self.origin_port = 0
        self.tls_origin_port = 0
        self.domains = [f"host-{index}.allowed.test" for index in range(DOMAINS_COUNT - 1)] + [HOST]
        self.fresh_hosts = collections.defaultdict(lambda: iter(range(FRESH_HOSTS_COUNT)))
        self.origins = []
        # That of the origins; and that of the interceptors, so that a handshake shows who answered.
        self.origin_authority = self.new_authority("origin-authority")
        self.authority = self.new_authority("bench-authority")

    def file(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def binary(self, name):
        """A release binary of this repository, or None if it is not built."""
        path = self.args.bin_dir / name
        return path if path.exists() else None

    @property
    def origin_certificate(self):
        return self.folder / "origin.pem"

    def new_authority(self, name):
        files = Signed(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        run_text(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-days", "30", "-subj", f"/CN={name}", "-keyout", files.key, "-out", files.certificate,
                  "-addext", "keyUsage=critical,keyCertSign,cRLSign"])
        files.key.chmod(0o600)
        return files

    def start_origins(self):
        """One that speaks HTTP and one that speaks HTTPS."""
        key = self.origin_certificate.with_suffix(".key")
        run_text(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-CA", self.origin_authority.certificate, "-CAkey", self.origin_authority.key, "-days", "2", "-subj", f"/CN={HOST}",
                  "-addext", "basicConstraints=critical,CA:FALSE",
                  "-addext", f"subjectAltName=DNS:{HOST},DNS:*.{DOMAIN},IP:127.0.0.1",
                  "-keyout", key, "-out", self.origin_certificate])
        with self.origin_certificate.open("a") as chain:
            chain.write(self.origin_authority.certificate.read_text())
        self.origin_port = self.start_origin([])
        self.tls_origin_port = self.start_origin(["--tls", self.origin_certificate, key])

    def start_origin(self, arguments):
        log = (self.folder / "origin.log").open("ab")
        process = subprocess.Popen(
            [self.binary("sallyport-load"), "origin", "--listen", "127.0.0.1:0",
             "--pin", str(self.args.load_core), *arguments], stdout=subprocess.PIPE, stderr=log, text=True)
        self.origins.append(process)
        line = process.stdout.readline()
        if not line.startswith("listening on "):
            raise Failed("the origin does not start")
        return int(line.rsplit(":", 1)[1])

    def stop_origins(self):
        for process in self.origins:
            process.terminate()
            process.wait()

    def plan(self, scenario, subject):
        """The plan of a scenario; with names that this subject has not seen, where it wants them."""
        if scenario.kind != INTERCEPT_HOSTS:
            return scenario.plan
        numbers = list(itertools.islice(self.fresh_hosts[subject.name], FRESH_HOSTS_PER_RUN))
        if len(numbers) < FRESH_HOSTS_PER_RUN:
            raise Failed("too many rounds: no fresh names are left")
        names = ", ".join(f'"{fresh_host(number)}"' for number in numbers)
        return self.file("plan.toml", f"{scenario.plan.read_text()}\n[hosts]\nnames = [{names}]\n")

    def hosts(self):
        """Every name that resolves, all of them to loopback."""
        return [HOST, *map(fresh_host, range(FRESH_HOSTS_COUNT))]

    def with_hosts(self, command):
        """The command where `/etc/hosts` knows the origin, for programs that ask the system alone."""
        hosts = self.file("hosts", f"127.0.0.1 localhost {HOST}\n")
        own = [] if os.geteuid() == 0 else ["--map-root-user"]
        return ["unshare", *own, "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, *command]


def allow_descriptors():
    """What is started from here inherits it. Beyond the hard limit not even every root may go."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (max(hard, DESCRIPTORS_COUNT), hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return


def fresh_host(number):
    return f"h{number}.{DOMAIN}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, log):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failed(f"ended at once ({process.returncode}):\n{log.read_text()[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Failed(f"does not listen:\n{log.read_text()[-2000:]}")


def run_text(command):
    """The output of a command that must succeed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{command[0]} failed: {done.stderr[-2000:]}")
    return done.stdout.strip()


def install(packages):
    """Installs Debian packages; a map from a program to the package that has it."""
    missing = sorted({package for program, package in packages.items() if not shutil.which(program)})
    if not missing:
        return
    if os.geteuid() != 0:
        raise Failed(f"not installed: {', '.join(missing)} (as root this script would do it)")
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.run(["apt-get", "update"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *missing],
                   check=True, env=environment, stdout=subprocess.DEVNULL)
    for package in missing:
        # What the package has just started would take CPU from what is measured.
        subprocess.run(["service", package.replace("-openssl", ""), "stop"], capture_output=True)
