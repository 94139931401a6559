from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from full import only_full

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from mutants import mutants  # noqa: E402
from mutation import EQUIVALENT, GROUPS, _found, chosen_mutants  # noqa: E402


def changed(source: str) -> list[str]:
    return [mutant.after for mutant in mutants(source)]


def test_each_operator_comparison_and_number_is_changed_once():
    assert sorted(changed("value = a + b")) == ["value = a - b"]
    assert sorted(changed("value = a < 1")) == ["value = a < 2", "value = a <= 1"]


def test_keyword_arguments_are_dropped_and_positional_ones_swapped():
    assert sorted(changed("value = f(a, b, dim=c)")) == ["value = f(a, b)", "value = f(b, a, dim=c)"]


def test_an_assignment_to_elements_can_be_dropped_such_as_a_mask():
    assert "pass" in changed("scores[items] = worst")


@pytest.mark.parametrize("source", ["assert a > 1", "raise ValueError(a + b) from None", "import a", "x: f[1] = a"])
def test_what_has_no_influence_on_numbers_stays_as_it_is(source):
    assert [each for each in changed(source) if each != "pass"] == []


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_the_modules_and_tests_of_a_group_exist_and_have_mutants(group):
    assert _found(group.tests)
    assert any(mutants((ROOT / path).read_text()) for path in _found(group.modules))


ONE_MUTANT = """
from mutation import *
module = Path("recsys/training/losses.py")
source = module.read_text()
wrong = source.replace("dim=1) - positive).mean()", "dim=1) + positive).mean()")
assert wrong != source
print([survives(module, each, ["tests/training/test_losses.py"], 300) for each in (source, wrong)])
"""


@only_full
def test_a_wrong_formula_is_killed_and_the_right_one_survives():
    paths = {"PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}", "PATH": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", ONE_MUTANT]
    done = subprocess.run(command, cwd=ROOT, env=paths, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True, False]"


def test_arguments_that_change_nothing_on_a_cpu_stay():
    assert changed("x = zip(a, b, strict=True)") == ["x = zip(b, a, strict=True)"]
    assert changed("x = zeros(device=cpu(0))") == []


@pytest.mark.slow
def test_each_equivalent_mutant_is_one_of_a_module_and_has_a_reason():
    listed = yaml.safe_load(EQUIVALENT.read_text())
    assert all(one["reason"] for one in listed)
    modules = {path for group in GROUPS.values() for path in _found(group.modules)}
    named = {one["module"] for one in listed}
    assert named <= {path.as_posix() for path in modules}
    known = {(name, own.before, own.after) for name in named for own in mutants((ROOT / name).read_text())}
    assert [one for one in listed if (one["module"], one["before"], one["after"]) not in known] == []


def test_equivalent_mutants_are_left_out():
    chosen = {(path.as_posix(), own.after) for path, own in chosen_mutants(GROUPS["training"], None, 0)}
    listed = [one for one in yaml.safe_load(EQUIVALENT.read_text()) if one["module"] == "recsys/training/trainer.py"]
    assert listed
    assert not [one for one in listed if (one["module"], one["after"]) in chosen]
