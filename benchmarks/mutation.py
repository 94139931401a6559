"""Mutation testing of the modules that make numbers: `python benchmarks/mutation.py [GROUP …] --sample 100`.

Each mutant of a module is tested in a forked process by the tests of its group alone. A mutant is killed if a test
fails, or if the tests take ten times as long as without it. The rest survive and are listed. The mutants of
`equivalent_mutants.yaml`, which change no result, are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import yaml
from mutants import Mutant, mutants

ROOT = Path(__file__).parents[1]
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.yaml")
LIBRARIES = ("torch", "torchmetrics", "pytorch_lightning", "scipy.stats", "polars", "pytest")
STATISTICS = ("bootstrap", "corrections", "randomisation", "critical_difference", "seed_variance")
TIMES = 10  # tests that take as many times as long as without a mutant count as failed


@dataclass(frozen=True)
class Group:
    """Modules and the tests that should fail for any change of them, as paths and patterns of paths."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


GROUPS = {
    "metrics": Group(("recsys/metrics/*.py",), ("tests/metrics/test_*.py",)),
    "losses": Group(("recsys/training/losses.py",), ("tests/training/test_loss*.py",)),
    "negatives": Group(("recsys/training/negatives.py",), ("tests/training/test_negatives*.py",)),
    "splits": Group(("recsys/data/splits/*.py",), ("tests/data/test_split_*.py",)),
    "statistics": Group(
        tuple(f"recsys/reports/{name}.py" for name in STATISTICS),
        tuple(f"tests/reports/test_{name}.py" for name in STATISTICS),
    ),
    "masks": Group(
        (
            *("recsys/training/module.py", "recsys/training/batches.py"),
            *("recsys/training/recommender.py", "recsys/serving/ranking.py"),
        ),
        (
            *(
                "tests/training/test_module.py",
                "tests/training/test_module_in_a_fit.py",
                "tests/training/test_batches.py",
            ),
            *("tests/training/test_recommender.py", "tests/serving/test_ranking_masks.py"),
        ),
    ),
    "training": Group(
        ("recsys/training/datamodule.py", "recsys/training/trainer.py"),
        ("tests/training/test_datamodule.py", "tests/training/test_trainer.py"),
    ),
}


class _MutatedLoader(importlib.machinery.SourceFileLoader):
    source = ""

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec")


@dataclass
class _Finder(importlib.abc.MetaPathFinder):
    """Finds the mutated source of one module, and nothing else."""

    module: str
    path: Path
    source: str

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.module:
            return None
        loader = _MutatedLoader(fullname, str(self.path))
        loader.source = self.source
        return importlib.util.spec_from_file_location(fullname, self.path, loader=loader)


def survives(module: Path, source: str, tests: Sequence[str], limit: float) -> bool:
    """Whether the tests pass with this source of a module, within a time limit in seconds.

    The test files that are named after the module come first, and the first test that fails is the last one.
    """
    finder = _Finder(".".join(module.with_suffix("").parts), ROOT / module, source)
    own_first = sorted(tests, key=lambda path: module.stem not in path)
    return _passes(own_first, limit, before=lambda: sys.meta_path.insert(0, finder))


def _passes(
    tests: Sequence[str], limit: float, before: Callable[[], object] = int, after: Callable[[], object] = int
) -> bool:
    """Whether the tests pass in a forked process, which calls `before` and `after` too."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            before()
            status = _test(tests)
            after()
        finally:
            os._exit(status)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _test(tests: Sequence[str]) -> int:
    import pytest

    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    # Not with the module itself: pytest would import a file that it is given from disk, and not the mutant.
    return int(pytest.main(["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]))


def _pass_without_a_mutant(tests: Sequence[str]) -> bool:
    """Whether the tests pass. The libraries that they import are imported here too, once for all mutants."""
    with tempfile.NamedTemporaryFile() as file:
        listed = Path(file.name)
        passed = _passes(tests, 1200, after=lambda: listed.write_text("\n".join(_libraries())))
        for name in listed.read_text().splitlines():
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    return passed


def _libraries() -> list[str]:
    """Names of the imported modules that are not of this repository."""
    folders = [str(ROOT / name) for name in ("recsys", "tests", "benchmarks")]
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items() if name != "__main__"}
    return [name for name, file in files.items() if file and not file.startswith(tuple(folders))]


def _found(patterns: Sequence[str]) -> list[Path]:
    paths = [path.relative_to(ROOT) for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    if missing := [pattern for pattern in patterns if not any(ROOT.glob(pattern))]:
        raise FileNotFoundError(f"no file matches {', '.join(missing)}.")
    return [path for path in paths if path.name != "__init__.py"]


def chosen_mutants(group: Group, sample: int | None, seed: int, part: str = "") -> list[tuple[Path, Mutant]]:
    """The mutants of a group's modules whose path contains `part`, or a sample of them, without the equivalent ones."""
    listed = yaml.safe_load(EQUIVALENT.read_text())
    equivalent = {(one["module"], one["before"], one["after"]) for one in listed}
    modules = [path for path in _found(group.modules) if part in path.as_posix()]
    every = [(path, mutant) for path in modules for mutant in mutants((ROOT / path).read_text())]
    chosen = [own for own in every if (own[0].as_posix(), own[1].before, own[1].after) not in equivalent]
    return chosen if sample is None or sample >= len(chosen) else random.Random(seed).sample(chosen, sample)


def measure(name: str, sample: int | None, seed: int, part: str = "") -> list[str]:
    """Print the mutants of a group that survive, and give a row of the table for each of its modules.

    Args:
        name: The group's.
        sample: Mutants that are drawn at random; None for all.
        seed: Of the draw.
        part: Of the path of the modules.

    Raises:
        RuntimeError: If the tests fail without a mutant.
    """
    group = GROUPS[name]
    tests = [str(path) for path in _found(group.tests)]
    chosen = chosen_mutants(group, sample, seed, part)
    if not _pass_without_a_mutant(tests):
        raise RuntimeError(f"the tests of {name} fail without a mutant")
    first, start = chosen[0][0], time.monotonic()
    survives(first, (ROOT / first).read_text(), tests, 600)
    limit = TIMES * (time.monotonic() - start)
    tested, killed = Counter(path for path, _ in chosen), Counter[Path]()
    for count, (path, mutant) in enumerate(chosen, start=1):
        if survived := survives(path, mutant.source, tests, limit):
            print(f"survived: {path}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
        killed[path] += not survived
        print(f"{name}: {count} of {len(chosen)} mutants, {killed.total()} killed", flush=True)
    return [f"| {path} | {tested[path]} | {killed[path]} |" for path in sorted(tested)]


def main() -> None:
    """Test the mutants of the named groups, and print a table of how many were killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", default=list(GROUPS), help=f"of {', '.join(GROUPS)}; all by default")
    parser.add_argument("--sample", type=int, help="mutants of each group that are drawn at random; all by default")
    parser.add_argument("--module", default="", help="a part of the path of the modules; all modules by default")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    asked = parser.parse_args()
    os.chdir(ROOT)
    os.environ["OMP_NUM_THREADS"] = os.environ["POLARS_MAX_THREADS"] = "1"
    for library in LIBRARIES:  # imported once, before the forks
        importlib.import_module(library)
    rows = [row for name in asked.groups for row in measure(name, asked.sample, asked.seed, asked.module)]
    print("\n".join(["| module | mutants | killed |", "| --- | --- | --- |", *rows]))


if __name__ == "__main__":
    main()
