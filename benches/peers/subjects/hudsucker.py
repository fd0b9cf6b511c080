"""A proxy made of the Rust library hudsucker (crates.io): a small program, built when it takes part."""

import pathlib
import shutil
import subprocess

from scenarios import ABSOLUTE, INTERCEPT, INTERCEPT_H2
from subject import Subject
from world import Failed

MANIFEST = pathlib.Path(__file__).resolve().parents[1] / "hudsucker" / "Cargo.toml"
VERSION = "0.25.0"


class Hudsucker(Subject):
    """The domains as a set, a line for each request."""

    name = "hudsucker"
    kinds = (ABSOLUTE, INTERCEPT, INTERCEPT_H2)

    def version(self):
        return f"hudsucker {VERSION}"

    def is_available(self):
        return bool(self.program_path().exists() or shutil.which("cargo"))

    def program_path(self):
        """Beside the release binaries, in a folder that is no part of ours."""
        return self.world.args.bin_dir.parent / "peers-hudsucker" / "release" / "peer-hudsucker"

    def program(self):
        """Built once, which takes minutes and is shown; what cargo finds unchanged takes it a moment."""
        if cargo := shutil.which("cargo"):
            target = self.program_path().parents[1]
            done = subprocess.run([cargo, "build", "--release", "--locked", "--manifest-path", MANIFEST,
                                   "--target-dir", target], stdout=subprocess.DEVNULL)
            if done.returncode != 0:
                raise Failed("it does not build")
        return self.program_path()

    def command(self):
        certificate, key = self.world.authority
        return self.world.with_hosts([
            self.program(), "--listen", f"127.0.0.1:{self.port}", "--ca", certificate, "--ca-key", key,
            "--roots", self.world.origin_authority.certificate, *self.policy()])

    def policy(self):
        domains = self.world.file("hudsucker-domains.txt", "\n".join(self.world.domains) + "\n")
        return ["--domains", domains, "--log", self.world.folder / "hudsucker.log"]


class HudsuckerBare(Hudsucker):
    """The library as it is: nothing is asked, nothing is written. What HTTP/2 inside interception has to beat."""

    name = "hudsucker-bare"
    kinds = (INTERCEPT, INTERCEPT_H2)
    remark = "without domains and without a log"

    def policy(self):
        return []
