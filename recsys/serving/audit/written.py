"""The origin of texts that a language model wrote: the interactions that it read, and the model itself."""

from __future__ import annotations

from collections.abc import Sequence

from recsys.data.splits.split import Split
from recsys.data.written_texts import NOTHING, READ, WrittenTexts
from recsys.schema import ConfigError
from recsys.tracking.audit_findings import IS_CLEAN, IS_FOUND, Finding
from recsys.tracking.origins import LEAKS, pretraining


def written_origins(written: Sequence[WrittenTexts], split: Split) -> list[Finding]:
    """Findings for each file of written texts: which interactions it read, and the language model that wrote it.

    Training raises an error for texts that read more than the train part. The check is repeated here, since the
    provenance can change after the run.

    Args:
        written: The texts that the run reads.
        split: Split of the run.
    """
    return [finding for texts in written for finding in (_origin(texts, split), _writer(texts))]


def _origin(texts: WrittenTexts, split: Split) -> Finding:
    check = f"origin of texts written about {texts.about}"
    try:
        texts.check(split)
    except ConfigError as error:
        return Finding(LEAKS, check, IS_FOUND, str(error))
    read = texts.provenance.get(READ)
    what = "no interactions" if read == NOTHING else f"only the {read} part of this run's split"
    return Finding(LEAKS, check, IS_CLEAN, f"they read {what}, by their provenance")


def _writer(texts: WrittenTexts) -> Finding:
    return pretraining(str(texts.provenance.get("model", "the model that wrote the texts")))
