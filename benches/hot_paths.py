"""Instructions of the pure paths of `hot_paths`, beside those of a baseline that is committed.

Each path runs twice under callgrind, the second time as often again: the difference is what the path
costs, without start-up. Counts of one build differ by less than one in two hundred from run to run (tables
with random seeds). Another compiler makes other code, and processors without AVX2 take other ways through
`memchr` and the C library, so the baseline says what it was counted with. Valgrind shows programs no
instructions beyond AVX2, so that newer processors are alike.
"""

import concurrent.futures
import json
import os
import pathlib
import platform
import re
import subprocess

from report import REPOSITORY
from world import Failed

BASELINE = REPOSITORY / "benches" / "hot_paths.json"
PROFILE = "counted"
# A whole number of turns for the rings of requests and names.
COUNT = 2048
# A path may cost so much more. Less is a reason to write the baseline anew, and no failure.
TOLERANCE = 0.03


def build():
    command = ["cargo", "build", "--quiet", "--profile", PROFILE, "--package", "sallyport-benches",
               "--no-default-features", "--bin", "hot_paths"]
    if subprocess.run(command, cwd=REPOSITORY, check=False).returncode:
        raise Failed("hot_paths does not build")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    return target / PROFILE / "hot_paths"


def conditions():
    """What decides how many instructions there are, beside the source."""
    rustc = subprocess.run(["rustc", "--version"], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    flags = re.search(r"^flags\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "rustc": rustc.stdout.split()[1],
        "profile": PROFILE,
        "machine": platform.machine(),
        "avx2": bool(flags) and "avx2" in flags[1].split(),
    }


def run(binary, path, count):
    # A small environment, whatever that of the caller is: it decides how the stack is aligned.
    outcome = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary, path, str(count)],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, check=False, capture_output=True, text=True,
    )
    found = re.search(r"Collected\s*:\s*(\d+)", outcome.stderr)
    if outcome.returncode or not found:
        raise Failed(f"{path}: {outcome.stderr.strip()}")
    return int(found[1])


def count():
    """Instructions each time, by path."""
    binary = build()
    listed = subprocess.run([binary], check=True, capture_output=True, text=True)
    paths = listed.stdout.split()
    runs = [(path, times) for path in paths for times in (COUNT, 2 * COUNT)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        totals = dict(zip(runs, pool.map(lambda one: run(binary, *one), runs)))
    return {path: round((totals[path, 2 * COUNT] - totals[path, COUNT]) / COUNT) for path in paths}


def update():
    counted = {"conditions": conditions(), "instructions": count()}
    BASELINE.write_text(json.dumps(counted, indent=2) + "\n")
    print(f"{BASELINE.relative_to(REPOSITORY)} is written")


def check():
    baseline = json.loads(BASELINE.read_text())
    here = conditions()
    differing = {key for key in here if here[key] != baseline["conditions"].get(key)}
    if differing:
        raise Failed("; ".join(
            f"{key} is {here[key]}, and {baseline['conditions'].get(key)} in the baseline" for key in sorted(differing)
        ) + ": not to be compared (benches/instructions --update writes the baseline anew)")
    expected, found = baseline["instructions"], count()
    if expected.keys() != found.keys():
        raise Failed("paths came or went: benches/instructions --update")
    print("| path | instructions | baseline | ratio |\n|---|---|---|---|")
    for path, instructions in found.items():
        print(f"| {path} | {instructions} | {expected[path]} | {instructions / expected[path]:.3f} |")
    worse = [path for path in found if found[path] > expected[path] * (1 + TOLERANCE)]
    better = [path for path in found if found[path] < expected[path] * (1 - TOLERANCE)]
    if better:
        print(f"cheaper than the baseline: {', '.join(better)} (benches/instructions --update keeps that)")
    if worse:
        raise Failed(f"more than {TOLERANCE:.0%} dearer than the baseline: {', '.join(worse)}; "
                     "if that is worth it, say why in the commit that runs benches/instructions --update")
