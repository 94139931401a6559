"""Names that are similar to a misspelt one, for messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

N_NEAREST = 3


def near_names(name: object, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """Up to three known names, the most similar first; capitals and a dotted prefix are ignored.

    Args:
        name: The misspelt name.
        known: The known names.
        cutoff: The minimum similarity of two names, from 0 to 1; 0 always gives three.

    Example:
        >>> near_names("User_ids", ["user_id", "item_id", "stars"])
        ['user_id']
        >>> near_names("cels", ["cells", "cells"])
        ['cells']
    """
    folded: dict[str, list[str]] = {}
    for one in dict.fromkeys(known):
        folded.setdefault(one.casefold(), []).append(one)
    found = get_close_matches(str(name).casefold(), folded, n=N_NEAREST, cutoff=cutoff)
    return [one for key in found for one in folded[key]][:N_NEAREST]


def nearest(name: object, known: Iterable[str], quote: str = "") -> str:
    """The end of a message that proposes similar names; empty if none is similar.

    Args:
        name: The misspelt name.
        known: The known names.
        quote: The quotation mark around each name.

    Example:
        >>> nearest("chagnes", ["changes", "cells"])
        '; did you mean changes?'
        >>> nearest("seed", ["seeds", "need", "speed"])
        '; did you mean speed, seeds or need?'
    """
    names = [f"{quote}{one}{quote}" for one in near_names(name, known)]
    if not names:
        return ""
    *first, last = names
    return f"; did you mean {', '.join(first)} or {last}?" if first else f"; did you mean {last}?"
