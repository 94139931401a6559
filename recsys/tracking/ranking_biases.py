"""The measured biases of a prompt ranker as findings of an audit."""

from __future__ import annotations

from recsys.tracking.audit_findings import IS_MEASURED, IS_NOT_CHECKED, Finding
from recsys.tracking.record import Record

BIASES, PROMPT = "biases", "prompt"
CORRELATION = "rank_correlation"  # key of `record.ranking`


def ranking_biases(record: Record) -> list[Finding]:
    """A finding for each bias that the run measured in its test; none for other rankers.

    A bias is the mean over users of Spearman's rank correlation between the scores of a user's candidates and another
    value of them: their popularity, their likelihood without a history, or their scores with the history reversed.
    """
    measured = record.ranking.get(CORRELATION) or {}
    users, candidates = record.ranking.get("n_users"), record.ranking.get("candidates_mean")
    is_known = users is not None and candidates is not None
    of = f" (users: {users:,}, candidates on average: {candidates:.1f})" if is_known else ""
    found = [
        Finding(
            BIASES,
            name.replace("_", " "),
            IS_MEASURED,
            f"rank correlation with the scores {value:+.3f}{of}",
            {"correlation": float(value)},
        )
        for name, value in measured.items()
        if isinstance(value, int | float)
    ]
    if found or record.choices.get("ranker") != PROMPT:
        return found
    text = "the run measured none; make it with ranker.n_diagnostic_users=50 ranker.retriever=… to measure them"
    return [Finding(BIASES, "biases of the prompt ranker", IS_NOT_CHECKED, text)]
