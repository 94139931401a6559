"""Redaction of secrets in records, reports, messages and logs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
_SECRET = (
    r"(?:pass(?:word|wd|phrase)s?|pwd|(?:\w*_)?secret(?:_\w+)?|api[_-]?keys?|access[_-]?key(?:_id)?|private[_-]?key"
    r"|credentials?|authorization|token)"
)
# A key ends in one of these words: `encoder.api_key`, `db_password`; `max_tokens` does not.
_KEY = re.compile(rf"(?:.*[^A-Za-z0-9])?{_SECRET}", re.IGNORECASE | re.DOTALL)
_OF_MODELS = re.compile(r"(?:pad|eos|bos|cls|sep|unk|mask|image|tie|per|next|last|first)_token", re.IGNORECASE)
_PAIR = re.compile(
    rf"""((?<![A-Za-z0-9])(?:[\w-]*[_-])?{_SECRET})(["']?\s*[=:]\s*)("[^"\n]*"|'[^'\n]*'|[^\s"'&,;(){{}}\[\]]+)""",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"(?<=://)[^\s/'\"@]*(?:@[^\s/'\"@]*)*(?=@)")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_KNOWN = re.compile(r"\b(?:sk-|hf_|gh[pousr]_|github_pat_|glpat-|xox[abp]-|AKIA)[\w-]{12,}")
_NO_SECRETS = ("", "null", "none", "true", "false", HIDDEN)


def redacted(value: Any) -> Any:
    """The value with `***` instead of every secret, at any depth of mappings and lists.

    Secrets are users and passwords in URLs; values of keys such as `password`, `api_key`, `token` or `client_secret` in
    mappings, in URLs and in texts as `key=value`; and tokens with a known prefix, such as `hf_…`.

    Example:
        >>> redacted({"storage": "mysql://me:pw@host/db", "api_key": "x1", "max_tokens": 8})
        {'storage': 'mysql://***@host/db', 'api_key': '***', 'max_tokens': 8}
        >>> redacted("sqlite:///a.db?password=hunter2&timeout=3")
        'sqlite:///a.db?password=***&timeout=3'
    """
    if isinstance(value, Mapping):
        return {key: _of_key(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(inner) for inner in value]
    return _text(value) if isinstance(value, str) else value


def redact_error(error: BaseException) -> None:
    """Redact the secrets in the messages of an error and of its causes, in place."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        own = left.pop()
        if own is not None and own not in seen:
            seen.append(own)
            own.args = tuple(_text(part) if isinstance(part, str) else part for part in own.args)
            left += [own.__cause__, own.__context__]


def _of_key(key: str, value: Any) -> Any:
    is_text = isinstance(value, str) and value.lower() not in _NO_SECRETS
    return HIDDEN if is_text and is_secret_key(key) else redacted(value)


def is_secret_key(key: str) -> bool:
    """Whether the value of a key is a secret, by the key's name.

    Example:
        >>> [is_secret_key(key) for key in ("encoder.api_key", "db_password", "token", "max_tokens", "pad_token")]
        [True, True, True, False, False]
    """
    return _KEY.fullmatch(key) is not None and _OF_MODELS.search(key) is None


def _text(text: str) -> str:
    hidden = _IN_URL.sub(HIDDEN, text) if "@" in text else text
    hidden = _KNOWN.sub(HIDDEN, _BEARER.sub(rf"\1 {HIDDEN}", hidden))
    return _PAIR.sub(_pair, hidden)


def _pair(match: re.Match[str]) -> str:
    key, between, value = match.groups()
    found = value.strip("'\"").lower()
    is_number = found.replace(".", "", 1).isdigit() and key.lower().endswith("token")
    is_open = found in (*_NO_SECRETS, "bearer", "basic") or is_number or not is_secret_key(key)
    return match[0] if is_open else f"{key}{between}{HIDDEN}"
