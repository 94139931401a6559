"""The cells that an answer compares, in groups; the last groups are the first to be dropped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from recsys.studies.answers.data_facts import Facts

FLOOR, IDS, WORDS = "floor", "IDs", "text without a language model"
LANGUAGE_MODEL, CONTROL = "language model", "control"
WITHOUT_MODEL = (FLOOR, IDS, WORDS)  # the cells that a cell with a language model must beat
MOST_DENSE_ITEMS = 20_000  # largest catalogue for EASE, whose memory grows with the square of the catalogue
LEAST_HISTORY = 5  # median number of interactions per user that sequence models need


@dataclass(frozen=True)
class Candidate:
    """A cell that an answer may compare.

    Attributes:
        label: Label in reports.
        kind: FLOOR, IDS, WORDS, LANGUAGE_MODEL or CONTROL.
        overrides: Its own overrides.
        control: Label of the same cell with random vectors for the texts; None for cells without a language model.
    """

    label: str
    kind: str
    overrides: list[str]
    control: str | None = None


@dataclass(frozen=True)
class Group:
    """Cells that are kept or dropped together, so that no cell loses its control.

    Attributes:
        name: Name in messages.
        cells: Cells, in the order of reports.
    """

    name: str
    cells: list[Candidate] = field(default_factory=list)


def groups(
    facts: Facts, encoder: Sequence[str], name: str, is_cold: bool = False, dim: int | None = None
) -> list[Group]:
    """The candidates, the most important group first; the first group is never dropped.

    Args:
        facts: Facts about the data.
        encoder: Overrides of the language model, such as ["encoder=bert"].
        name: Name of the language model, for labels.
        is_cold: Whether only items without train interactions are tested.
        dim: Width of the language model's vectors, which the random vectors have too; None for their default.

    Example:
        >>> facts = Facts(9, False, False, False, 3.0, days=0.0)
        >>> [group.name for group in groups(facts, ["encoder=bert"], "bert")]
        ['basis', 'text alone', 'text in EASE', 'TF-IDF', 'ALS']
    """
    texts = _Texts(list(encoder), name, [] if dim is None else [f"encoder.dim={dim}"])
    return list(_for_cold_items(texts) if is_cold else _for_all_items(facts, texts))


@dataclass(frozen=True)
class _Texts:
    """The language model: its overrides, its name, and further overrides of the random vectors in its place."""

    encoder: list[str]
    name: str
    random: list[str]

    def with_control(self, cell: str, own: Sequence[str]) -> list[Candidate]:
        """A cell with the language model, and the same cell with random vectors; {} in its label is the encoder."""
        label, control = cell.format(self.name), cell.format("random")
        return [
            Candidate(label, LANGUAGE_MODEL, [*self.encoder, *own], control),
            Candidate(control, CONTROL, ["encoder=random", *self.random, *own]),
        ]


def _for_all_items(facts: Facts, texts: _Texts) -> Iterator[Group]:
    ease = [Candidate("ease", IDS, ["ranker=ease"])] if facts.n_items <= MOST_DENSE_ITEMS else []
    yield Group(
        "basis",
        [
            Candidate("popularity", FLOOR, ["ranker=popularity"]),
            Candidate("itemknn", FLOOR, ["encoder=none", "ranker=itemknn"]),
            *ease,
            Candidate("cf", IDS, ["encoder=none", "ranker=cf"]),
            *texts.with_control("{}+cf", ["ranker=cf"]),
        ],
    )
    if facts.has_times:
        days = max(1.0, round(facts.days / 10, 1))
        recent = ["ranker=popularity", f"ranker.half_life_days={days}"]
        yield Group("recent popularity", [Candidate("recent_popularity", FLOOR, recent)])
    yield Group("text alone", texts.with_control("{}+dot", ["ranker=dot"]))
    if ease:
        yield Group("text in EASE", texts.with_control("{}+ease", ["ranker=ease"]))
    yield Group("TF-IDF", [Candidate("tfidf+cf", WORDS, ["encoder=tfidf", "ranker=cf"])])
    yield Group("ALS", [Candidate("als", IDS, ["ranker=als"])])
    if facts.has_times and facts.median_history >= LEAST_HISTORY:
        sasrec, hybrid = ["experiment=sasrec"], ["experiment=sasrec", "features=hybrid"]
        both = texts.with_control("sasrec+{}", hybrid)
        yield Group("SASRec", [Candidate("sasrec", IDS, sasrec), *both])


def _for_cold_items(texts: _Texts) -> Iterator[Group]:
    yield Group(
        "basis",
        [
            Candidate("popularity", FLOOR, ["ranker=popularity"]),
            Candidate("cf", IDS, ["encoder=none", "ranker=cf"]),
            Candidate("tfidf+itemknn", WORDS, ["encoder=tfidf", "ranker=itemknn"]),
            *texts.with_control("{}+cf", ["ranker=cf"]),
        ],
    )
    yield Group("text alone", texts.with_control("{}+dot", ["ranker=dot"]))
    yield Group("neighbours by text", texts.with_control("{}+itemknn", ["ranker=itemknn"]))
    yield Group("TF-IDF", [Candidate("tfidf+cf", WORDS, ["encoder=tfidf", "ranker=cf"])])
