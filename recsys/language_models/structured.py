"""Answers with a structure: JSON that a schema describes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from recsys.schema import ConfigError


def check_schema(schema: Mapping[str, Any], key: str) -> None:
    """Raise an error for a malformed JSON schema, or one that does not describe an object.

    Raises:
        ConfigError: If so.
    """
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ConfigError(f"{key} is no JSON schema ({error.message}).") from error
    if schema.get("type") != "object" or not schema.get("properties"):
        raise ConfigError(f"{key} has type {schema.get('type')!r}; expected object, with properties.")


def object_in(answer: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The first JSON object of an answer, if the schema allows it; text around it is ignored.

    Example:
        >>> mood = {"type": "object", "properties": {"mood": {"enum": ["calm", "tense"]}}, "required": ["mood"]}
        >>> object_in('Here it is: {"mood": "calm"}.', mood)
        {'mood': 'calm'}
        >>> object_in('{"mood": "blue"}', mood), object_in('{"mood": "ca', mood)
        (None, None)
    """
    start = answer.find("{")
    if start < 0:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(answer, start)
    except (ValueError, RecursionError):
        return None
    return found if Draft202012Validator(schema).is_valid(found) else None
