"""The next steps after an answer, and its commands."""

from __future__ import annotations

from collections.abc import Sequence

from recsys.reports.formatting import metric_name, number
from recsys.studies.answers.budget import LEVELS, TUNED
from recsys.studies.answers.judged import Judged
from recsys.studies.answers.scopes import BETTER, OVERALL, UNDECIDED, WORSE, Scope
from recsys.support.shell_words import command_line


def next_steps(found: Sequence[Scope], main: Judged, cold: Judged | None) -> list[str]:
    """A sentence for each step, the most important first."""
    overall = found[0]
    better = [scope for scope in found[1:] if scope.result == BETTER]
    steps = []
    if overall.result == BETTER:
        steps.append(f"Serve {overall.chosen.text}: refit fits it on all interactions, export writes it for a service.")
    elif better:
        steps += [f"Serve {overall.chosen.reference}, and {scope.chosen.text} for {scope.name}." for scope in better]
    elif overall.result == WORSE:
        steps.append(f"Serve {overall.chosen.reference}. Another language model may do better: encoder=… chooses it.")
    else:
        steps.append(
            f"Serve {overall.chosen.reference} until a test on more users shows a difference: this test detects "
            f"differences of {number(overall.detectable)} {metric_name(overall.metric)} or more."
        )
    studies = [judged.study for judged in (main, cold) if judged is not None]
    if any(study.level in LEVELS[:TUNED] for study in studies):
        steps.append("The cells were not tuned: give more minutes before you trust their order.")
    elif any(study.level != LEVELS[-1] or study.dropped for study in studies):
        steps.append("More minutes continue the search where it stopped, with more cells, trials or seeds.")
    if any(scope.result == UNDECIDED for scope in found if scope.name != OVERALL):
        steps.append("Parts of the data with few users need more data, not more time.")
    return steps


def commands(overall: Scope, main: Judged, cold: Judged | None, command: str) -> str:
    """Command lines: this answer, its studies with the same numbers of trials, and the model that is served."""
    best = overall.chosen.text if overall.result == BETTER else overall.chosen.reference
    lines = ["# this answer; an interrupted one continues", command]
    lines += ["# its study, with the same trials and seeds and without a time limit", main.study.result.record.command]
    if cold is not None:
        lines += ["# the same for cold items", cold.study.result.record.command]
    serve = ["recsys", "recommend", f"run={main.folder(best)}", "users=all", "output=lists.parquet"]
    lines += [f"# recommendations of {best}", command_line(serve)]
    return "\n".join(lines)
