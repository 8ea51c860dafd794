"""Runs all benchmarks and writes RESULTS.md beside this file: `make bench`."""

from __future__ import annotations

import time
from pathlib import Path

import census
import flask_requests
import http_clients
import in_flight
import library
import load
import lockstep
import locust_validation
import locust_workers
import peers_of_searches
import scanning
import startup
from measures import Measure, table

MODULES = [library, load, flask_requests, scanning]
MODULES += [http_clients, in_flight, census, startup, lockstep, peers_of_searches]
MODULES += [locust_validation, locust_workers]
RESULTS = Path(__file__).parent / "RESULTS.md"


def main() -> None:
    started = time.perf_counter()
    measures: list[Measure] = []
    for module in MODULES:
        for measure in module.measure():
            print(measure, flush=True)
            measures.append(measure)
    RESULTS.write_text(table(measures, time.perf_counter() - started))
    print(f"written to {RESULTS.parent.name}/{RESULTS.name}")


main()
