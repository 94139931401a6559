"""Cells of a comparison, each one configuration over all its seeds, and checks that they can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recsys.reports.cell_labels import NO_VALUE, labelled
from recsys.reports.grouping import group_by
from recsys.schema import ComparisonError
from recsys.support.shell_words import shell_word
from recsys.tracking.record import Record, canonical_json, fingerprint, unnamed
from recsys.tracking.results_changes import BEFORE_CHANGE, code_of_changes
from recsys.tracking.run_id import cell_of, flatten, influential

TRAIN_COMMAND = "recsys train"
_SHOWN_DIGITS = 12  # digits of a hash in a message
_OPTIONS = ("data", "split", "metrics")  # groups that determine a protocol
_SHOWN = 5  # most run ids in a message; the others are counted


@dataclass(frozen=True)
class Cell:
    """One configuration with the runs of its seeds.

    Attributes:
        label: A short label, unique in the comparison.
        records: Records of its runs, in the order of their seeds.
    """

    label: str
    records: tuple[Record, ...]

    @property
    def name(self) -> str:
        """The name of its runs; other cells may have the same name."""
        return self.records[0].name

    @property
    def choices(self) -> dict[str, Any]:
        """The chosen option of each config group."""
        return self.records[0].choices

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of its runs, in ascending order."""
        return tuple(record.seed for record in self.records)

    @property
    def run_ids(self) -> list[str]:
        """The ids of its runs, in the order of the seeds."""
        return [record.run_id for record in self.records]

    @property
    def command(self) -> str:
        """The command that repeats its runs."""
        return repeat_command(self.records[0], self.seeds)

    def command_of(self, record: Record) -> str:
        """The command that repeats one of its runs."""
        return repeat_command(record, [record.seed])


def make_cells(records: Iterable[Record], labels: Mapping[str, str | Sequence[str]] | None = None) -> list[Cell]:
    """Group runs that only differ in their seed into labelled cells; duplicates of a run count once.

    Args:
        records: The runs.
        labels: Labels by run id, such as a study's. A run with several labels makes as many cells; a cell without any
            gets a label of its own.
    """
    distinct = {record.run_id: record for record in records}.values()
    groups = list(group_by(distinct, cell_of).values())
    ordered = [tuple(sorted(group, key=lambda record: record.seed)) for group in groups]
    return [Cell(label, group) for label, group in labelled(ordered, labels or {})]


def check_protocol(records: Sequence[Record]) -> None:
    """Raise an error for runs of different protocols.

    Raises:
        ComparisonError: If protocols differ; the message lists the keys, their values and the runs.
    """
    protocols = {record.run_id: dict(flatten(unnamed(record.protocol))) for record in records}
    keys = dict.fromkeys(key for protocol in protocols.values() for key in protocol)
    values = {key: {run_id: protocol.get(key, NO_VALUE) for run_id, protocol in protocols.items()} for key in keys}
    lines = [f"  {key}: {_by_value(own)}" for key, own in values.items() if _n_values(own) > 1]
    if lines:
        raise ComparisonError(
            "these runs have different protocols, so their numbers are not comparable:\n"
            + "\n".join(lines)
            + f"\nSelect runs of one protocol, as in select=[{','.join(_one_protocol(records))}]."
        )


def _one_protocol(records: Sequence[Record]) -> list[str]:
    """Filters of `select` for the runs of the most common protocol; the runs' ids if options do not distinguish it."""
    common = max(group_by(records, lambda record: canonical_json(record.protocol)).values(), key=len)
    choices = common[0].choices
    used = {key: [record.choices.get(key) for record in records] for key in _OPTIONS if key in choices}
    differing = [key for key, options in used.items() if len(set(options)) > 1]
    kept = [one for one in records if all(one.choices.get(key) == choices[key] for key in differing)]
    if differing and len(kept) == len(common):
        return [f"{key}:{choices[key]}" for key in differing]
    return [record.run_id for record in common]


def check_identity(records: Sequence[Record]) -> None:
    """Raise an error for runs that used different code or weights under the same name.

    Different components may be compared. Errors are one module with two versions of its code, one name of weights with
    two contents, and two major versions of torch.

    Raises:
        ComparisonError: If there is such a difference; the message lists the names, their versions and the runs.
    """
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        for subject, value in _parts(record):
            found.setdefault(subject, {})[record.run_id] = value
    lines = [f"  {subject}: {_by_value(own)}" for subject, own in found.items() if _n_values(own) > 1]
    if lines:
        raise ComparisonError(
            "these runs were made with different code or weights under the same name, so their numbers are not "
            "comparable:\n" + "\n".join(lines) + "\nMake the older runs again, and select runs by their ids, as in "
            "select=[<run id>,<run id>], or by the tag of a study."
        )


def _parts(record: Record) -> Iterator[tuple[str, Any]]:
    """Names, for messages, and identities of everything that must be equal in all runs that use it."""
    earlier = dict.fromkeys(code_of_changes(record.config), BEFORE_CHANGE)  # of a run that was made before a change
    for module, version in {**earlier, **record.code}.items():
        yield f"code of {module}", version[:_SHOWN_DIGITS]
    for identity in record.contents.values():
        for name, content in _weights(identity):
            yield f"content of the weights {name}", content
    if "encoder_content" in record.contents:  # a user's own encoder may read other files than weights
        settings = fingerprint(influential({"encoder": record.config.get("encoder")}))
        encoder = f"{record.choices.get('encoder')} with settings {settings[:4]}"
        yield f"identity of the encoder {encoder}", fingerprint(record.contents["encoder_content"])[:_SHOWN_DIGITS]
    if "torch" in record.versions:
        yield "major version of torch", record.versions["torch"].partition(".")[0]


def _weights(identity: Any) -> Iterator[tuple[str, str]]:
    """Names of weights with hashes of their content, at any depth of an encoder's identity."""
    if isinstance(identity, Mapping):
        hashes = {key: str(value)[:_SHOWN_DIGITS] for key, value in identity.items() if key.endswith("sha256")}
        if hashes and "weights" in identity:  # files of vectors have no name: they differ by the path in the settings
            yield str(identity["weights"]), " ".join(hashes.values())
        identity = list(identity.values())
    for inner in identity if isinstance(identity, list) else ():
        yield from _weights(inner)


def check_seeds(cells: Sequence[Cell]) -> None:
    """Raise an error for cells that were not run once on each of the same seeds.

    Raises:
        ComparisonError: If seeds are missing or repeated; the message has the missing seeds of each cell with the
            command that runs them, or the runs with the same seed.
    """
    _check_repeated_seeds(cells)
    wanted = sorted({seed for cell in cells for seed in cell.seeds})
    lines = []
    for cell in cells:
        missing = [seed for seed in wanted if seed not in cell.seeds]
        if missing:
            lines.append(f"  {cell.label} lacks seed {_joined(missing)}: {repeat_command(cell.records[0], missing)}")
    if lines:
        raise ComparisonError(
            f"compared cells need the same seeds, here {_joined(wanted)}:\n" + "\n".join(lines) + "\nMake these runs, "
            "or select the seeds that all have, as in select=[seed:0]."
        )


def _check_repeated_seeds(cells: Sequence[Cell]) -> None:
    lines = []
    for cell in cells:
        for seed, runs in group_by(cell.records, lambda record: record.seed).items():
            if len(runs) > 1:
                lines.append(f"  {cell.label}, seed {seed}: {_listed([record.run_id for record in runs])}")
    if lines:
        raise ComparisonError(
            "some cells have several runs of one seed:\n"
            + "\n".join(lines)
            + "\nSelect one run of each seed by its id, "
            "or delete the others, as in recsys runs action=delete run=<run id> confirm=true."
        )


def uncommitted_code(records: Sequence[Record]) -> str | None:
    """A warning about runs that were made from a checkout with uncommitted changes; None without such runs."""
    runs = [record.run_id for record in records if (record.git or {}).get("dirty")]
    if not runs:
        return None
    return (
        f"{len(runs)} of {len(records)} runs were made with uncommitted changes of recsys ({_listed(runs)}): their git "
        "commit does not reproduce them."
    )


def unequal_tuning(cells: Sequence[Cell]) -> str | None:
    """A warning if some cells were tuned with more trials than others, which favours them; otherwise None."""
    trials = trials_of(cells)
    if len(set(trials.values())) < 2:
        return None
    budgets = sorted(group_by(trials, lambda label: trials[label]).items(), reverse=True)
    listed = "; ".join(f"{n} trials: {', '.join(own)}" for n, own in budgets)
    return f"the cells' tuning budgets differ, which favours those with more trials ({listed})."


def trials_of(cells: Sequence[Cell]) -> dict[str, int]:
    """The tuning budget of each cell, by label.

    Runs are shared between studies, and keep the largest budget of these. A cell that runs with its own settings has no
    advantage of a search: it had nothing to tune, or its first trial was the best. So it counts with at most the
    largest budget of the cells whose settings a search changed.
    """
    trials = {cell.label: max(map(_trials, cell.records)) for cell in cells}
    own = {cell.label for cell in cells if all(map(has_own_settings, cell.records))}
    largest = max((n for label, n in trials.items() if label not in own), default=0)
    return {label: min(n, largest) if label in own else n for label, n in trials.items()}


def has_own_settings(record: Record) -> bool:
    """Whether no search changed a run's settings."""
    return not _trials(record) or record.tuning.get("parameters") == {}


def same_runs(cells: Sequence[Cell]) -> list[str]:
    """A note for each set of cells with the same runs: cells can become equal by tuning."""
    groups = group_by(cells, lambda cell: tuple(cell.run_ids)).values()
    shared = [" and ".join(cell.label for cell in own) for own in groups if len(own) > 1]
    return [f"{names} are the same runs: their settings are equal after tuning." for names in shared]


def repeat_command(record: Record, seeds: Sequence[int]) -> str:
    """The command that makes a run again with these seeds."""
    overrides = [override for override in record.overrides if not override.lstrip("+").startswith("seed=")]
    words = [*overrides, f"seed={_joined(seeds, ',')}", *(["-m"] if len(seeds) > 1 else [])]
    return " ".join([TRAIN_COMMAND, *map(shell_word, words)])


def _trials(record: Record) -> int:
    return int(record.tuning.get("trials", 0))


def _by_value(values: dict[str, Any]) -> str:
    groups = group_by(values, lambda run_id: canonical_json(values[run_id]))
    return "; ".join(f"{value} in {_listed(run_ids)}" for value, run_ids in groups.items())


def _n_values(values: dict[str, Any]) -> int:
    return len(set(map(canonical_json, values.values())))


def _listed(run_ids: Sequence[str]) -> str:
    more = f" and {len(run_ids) - _SHOWN} more" if len(run_ids) > _SHOWN else ""
    return f"{', '.join(run_ids[:_SHOWN])}{more}"


def _joined(seeds: Sequence[int], separator: str = ", ") -> str:
    return separator.join(map(str, seeds))
