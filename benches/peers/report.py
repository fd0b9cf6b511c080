"""From the meter's reports to one table for each scenario, and the folder that keeps all."""

import gzip
import json
import os
import pathlib
import platform
import re
import statistics
import sys

from measure import figure_of
from scenarios import SCENARIOS
from subjects import FLOORS, SUBJECTS
from world import run_text

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def pick(reports, *path):
    """The values at a path of every report that has one."""
    values = []
    for report in reports:
        for key in path:
            report = report[key] if report is not None else None
        if report is not None:
            values.append(report)
    return values


def spread(values, digits):
    if not values:
        return "–"
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def median(values):
    return f"{statistics.median(values):.0f}" if values else "–"


def ratio(own, base):
    """Ratio of medians, with the range of the ratios within each round."""
    if not own or not base or 0 in base:
        return "–"
    pairs = [a / b for a, b in zip(own, base)]
    return f"{statistics.median(own) / statistics.median(base):.2f} ({min(pairs):.2f}–{max(pairs):.2f})"


def figures(scenario, by_subject):
    """What the scenario is judged by, of each subject and round."""
    values = {name: [figure_of(scenario, report) for report in reports] for name, reports in by_subject.items()}
    return {name: [value for value in rounds if value is not None] for name, rounds in values.items()}


def floor_of(values):
    """The cheapest of the null relays."""
    floors = [name for name in FLOORS if values.get(name)]
    return min(floors, key=lambda name: statistics.median(values[name])) if floors else None


def table(name, by_subject):
    scenario = SCENARIOS[name]
    values = figures(scenario, by_subject)
    floor = floor_of(values)
    lines = [f"### {name}: {scenario.title}", "",
             f"| | {scenario.figure.title} | × sallyport | × floor | requests/s | RSS MiB | p50 µs | p99.9 µs "
             "| errors | meter busy |", "|---|---|---|---|---|---|---|---|---|---|"]
    for name, reports in by_subject.items():
        rss = [value / 2**20 for value in pick(reports, "process", "rss_bytes")]
        busy = [value * 100 for value in pick(reports, "meter", "busy_ratio_max")]
        cells = [
            f"**{name}**" if name == floor else name,
            spread(values[name], scenario.figure.digits),
            ratio(values[name], values.get("sallyport")),
            ratio(values[name], values.get(floor)),
            spread(pick(reports, "requests_per_second"), 0),
            f"{statistics.median(rss):.1f}" if rss else "–",
            median(pick(reports, "latency_us", "p50")),
            median(pick(reports, "latency_us", "p99_9")),
            str(sum(pick(reports, "errors_total"))),
            f"{statistics.median(busy):.0f} %" + (" VOID" if any(pick(reports, "meter", "void")) else ""),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines + [""])


def git_commit():
    commit = run_text(["git", "-C", REPOSITORY, "rev-parse", "--short=10", "HEAD"])
    dirty = run_text(["git", "-C", REPOSITORY, "status", "--porcelain", "--untracked-files=no"])
    return commit + ("-changed" if dirty else "")


def processor():
    match = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return match.group(1).strip() if match else platform.machine()


def shown_arguments():
    """The command line without what says where things lie on this machine."""
    return re.sub(r"--(out|bin-dir)[ =]\S+ ?", "", " ".join(sys.argv[1:])).split()


def write_results(world, subjects, results, started):
    """Writes `README.md` and `raw.json.gz` into the folder of this run and prints the first."""
    args = world.args
    slug = re.sub(r"[^a-z0-9]+", "-", processor().lower()).strip("-")
    commit = git_commit()
    name = f"{started:%Y-%m-%d}-{slug}-{os.cpu_count()}cpu-{commit}"
    folder = pathlib.Path(args.out or REPOSITORY / "benches" / "results" / name)
    folder.mkdir(parents=True, exist_ok=True)
    # Without a time, so that the same data gives the same bytes.
    (folder / "raw.json.gz").write_bytes(gzip.compress(json.dumps(results).encode(), mtime=0))
    absent = [cls.name for cls in SUBJECTS if cls.name not in {s.name for s in subjects}]
    lines = [
        f"# Peers, {started:%Y-%m-%d %H:%M} UTC", "",
        f"`{' '.join(['benches/peers/run', *shown_arguments()])}`", "",
        f"* machine: {processor()}, {os.cpu_count()} CPUs, Linux {platform.release()}, "
        f"{args.load_before} load average before the run",
        f"* commit: {commit}",
        f"* {args.rounds} interleaved rounds of {args.duration} s after {args.warmup} s of warm-up each "
        f"and one round that does not count; subject on CPU {args.proxy_core}, load and origin on CPU "
        f"{args.load_core}",
        *[f"* {subject.name}: {subject.version()}" + (f" ({subject.remark})" if subject.remark else "")
          for subject in subjects],
        *(["* **the machine was not quiet**: ratios may hold, absolute figures do not"]
          if float(args.load_before) > 0.5 else []),
        *([f"* not in this run: {', '.join(absent)}"] if absent else []), "",
        "Medians with their range over the rounds; ratios of medians with the range of the ratios "
        "within a round. CPU is user and system time of the process and its children. The floor, in "
        "bold, is the cheapest null relay. 1 000 domains or rules are loaded, logs are on. Raw data: "
        "`raw.json.gz`.", "",
        *[table(scenario, by_subject) for scenario, by_subject in results.items()],
    ]
    text = "\n".join(lines)
    (folder / "README.md").write_text(text)
    print(text)
    print(f"written to {folder}", file=sys.stderr)
