"""Runs the load through the subjects, one after the other in each round."""

import json
import subprocess
import sys

from scenarios import MEMORY
from world import Failed


def measure(world, subject, scenario, *more):
    """One run of one subject, with more arguments for the meter; its whole report."""
    args = world.args
    command = [world.binary("sallyport-load"), "run", "--json", "--pin", args.load_core,
               "--plan", world.plan(scenario, subject), "--duration", f"{max(args.duration, scenario.duration)}s",
               "--warmup", f"{args.warmup}s", *subject.route(scenario), *subject.pid_arguments(), *more]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    # 3: the run is void, which the report says.
    if done.returncode not in (0, 3):
        raise Failed(f"{subject.name} {scenario.name}: {done.stderr}")
    report = json.loads(done.stdout)
    # Seconds one by one, which nobody asks for after a few seconds, would be most of the raw data.
    report.pop("intervals", None)
    return report


def measure_all(world, subjects, scenarios):
    """Reports by scenario and subject, the warm-up round left out."""
    results = {}
    for scenario in scenarios:
        able = [subject for subject in subjects if scenario.kind in subject.kinds]
        reports = results[scenario.name] = {subject.name: [] for subject in able}
        if scenario.figure is MEMORY:
            for subject in able:
                reports[subject.name].append(measure_fresh(world, subject, scenario))
            continue
        for number in range(world.args.rounds + 1):
            for subject in able:
                report = measure(world, subject, scenario)
                show(scenario, subject, number, report)
                if number > 0:
                    reports[subject.name].append(report)
    return results


def measure_fresh(world, subject, scenario):
    """Memory of a new process: one that has served before does not grow again. Nor does it depend on
    the moment, so once is enough."""
    subject.stop()
    subject.start()
    report = measure(world, subject, scenario)
    show(scenario, subject, 1, report)
    return report


def figure_of(scenario, report):
    """What the scenario is judged by, or None if nothing was measured."""
    value = report
    for key in scenario.figure.path:
        value = value[key] if value is not None else None
    return None if value is None else value * scenario.figure.scale


def show(scenario, subject, number, report):
    kind = "warm-up" if number == 0 else f"round {number}"
    value = figure_of(scenario, report)
    shown = "" if value is None else f"{value:.{scenario.figure.digits}f} {scenario.figure.title}"
    print(f"{scenario.name:16} {kind:8} {subject.name:20} {shown:28} "
          f"{report['requests_per_second']:9.0f} /s  {report['errors_total']} errors "
          f"{report['errors'] or ''}", file=sys.stderr, flush=True)
