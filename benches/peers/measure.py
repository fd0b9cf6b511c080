"""Runs the load through the subjects, one after the other in each round."""

import json
import subprocess
import sys

from world import Failed


def measure(world, subject, scenario):
    """One run of one subject; the meter's whole report."""
    args = world.args
    command = [world.binary("sallyport-load"), "run", "--json", "--pin", args.load_core,
               "--duration", f"{args.duration}s", "--warmup", f"{args.warmup}s",
               *scenario.load, *subject.route(scenario), *subject.pid_arguments()]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    # 3: the run is void, which the report says.
    if done.returncode not in (0, 3):
        raise Failed(f"{subject.name} {scenario.name}: {done.stderr}")
    return json.loads(done.stdout)


def measure_all(world, subjects, scenarios):
    """Reports by scenario and subject, the warm-up round left out."""
    results = {}
    for scenario in scenarios:
        able = [subject for subject in subjects if scenario.kind in subject.kinds]
        reports = results[scenario.name] = {subject.name: [] for subject in able}
        for number in range(world.args.rounds + 1):
            for subject in able:
                report = measure(world, subject, scenario)
                show(scenario, subject, number, report)
                if number > 0:
                    reports[subject.name].append(report)
    return results


def show(scenario, subject, number, report):
    kind = "warm-up" if number == 0 else f"round {number}"
    cpu = (report["process"] or {}).get("cpu_us_per_request") or float("nan")
    print(f"{scenario.name:16} {kind:8} {subject.name:20} {cpu:8.2f} us CPU "
          f"{report['requests_per_second']:9.0f} /s  {report['errors_total']} errors "
          f"{report['errors'] or ''}", file=sys.stderr, flush=True)
