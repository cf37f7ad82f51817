"""Private engines under the audit of their noise: with the noise that is charged, half of it, a third of it.

    nice -n 19 python -m benchmarks.audit [--out benchmarks/results/audit_noise.json] [--only ENGINE]

`tabsynth.audit.noise` attacks every number that fits of two neighbouring tables release; here the noise
itself is planted to be too small, beneath everything that the package does. Each line is one audit of four
pairs of tables. The right noise has to pass, too little of it has to fail.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.audit.noise import audit_noise
from tabsynth.audit.noise_results import NoiseResults
from tabsynth.models.registry import make_engine
from tabsynth.privacy import Budget, noise

RESULTS = Path("benchmarks/results/audit_noise.json")
WANTED = [
    {"engine": engine, "epsilon": 1.0, "runs": runs, "share": share}
    for engine in ("independent", "gaussian_copula", "bayesian_network")
    for share, runs in ((1.0, 800), (1 / 2, 400), (1 / 3, 150))
]
WANTED += [
    {"engine": "bayesian_network", "epsilon": 5.0, "runs": 1_000, "k": 3, "share": share}
    for share in (1.0, 1 / 2)
]


@contextlib.contextmanager
def scaled(share: float) -> Iterator[None]:
    """Noise of `share` of the scale that is asked for: the fault to be seen."""
    whole: Callable[..., npt.NDArray[np.int64]] = noise._released  # noqa: SLF001
    noise._released = lambda counts, scale: whole(counts, scale * share)  # noqa: SLF001
    try:
        yield
    finally:
        noise._released = whole  # noqa: SLF001


def audit(
    engine: str, epsilon: float, *, runs: int, k: int = 1, share: float = 1.0, delta: float = 1e-6
) -> NoiseResults:
    """The audit, in this process, with noise of `share` of what is charged."""
    with scaled(share):
        return audit_noise(
            make_engine(engine, {}),
            Budget(epsilon=epsilon, delta=delta),
            rows_of_unit=k,
            runs=runs,
            workers=1,
        )


def line(results: NoiseResults, *, share: float, cpu: float) -> dict[str, Any]:
    """What is kept of an audit."""
    pairs = [
        {
            "tables": pair.name,
            "mu": round(pair.mu or 0.0, 4),
            "mu_lower": round(pair.mu_lower, 4),
            "epsilon_lower": round(pair.epsilon_lower, 4),
            "counts_mu_lower": round(pair.counts_mu_lower, 4),
            "half_mu_lower": round(pair.half_mu_lower or 0.0, 4),
            "exceeds": pair.exceeds,
            "noise": {one.statistic: round(one.share, 4) for one in pair.noise},
            "faults": len(pair.faults),
        }
        for pair in results.pairs
    ]
    return {
        "engine": results.engine,
        "epsilon": results.epsilon,
        "delta": results.delta,
        "rows_of_unit": results.rows_of_unit,
        "noise": round(share, 4),
        "runs_of_each_table": results.runs,
        "accounted_mu": round(results.accounted_mu or 0.0, 4),
        "outcome": results.outcome.value,
        "fails_by_bounds_alone": any(pair.exceeds for pair in results.pairs),
        "power_against_half": round(min(pair.power or 0.0 for pair in results.pairs), 4),
        "highest_mu": round(results.highest_mu, 4),
        "highest_epsilon": round(results.highest_epsilon, 4),
        "cpu_seconds": round(cpu, 1),
        "pairs": pairs,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--only", help="one engine")
    arguments = parser.parse_args()
    lines = []
    for how in WANTED:
        if arguments.only in (None, how["engine"]):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
            found = audit(**how)  # type: ignore[arg-type]
            cpu = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
            lines.append(line(found, share=float(how["share"]), cpu=cpu))  # type: ignore[arg-type]
            print(lines[-1], flush=True)
            arguments.out.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
