"""The reference of config keys, generated from conf/: one section a group, one table a file."""

from __future__ import annotations

from pathlib import Path

import yaml

from recsys.config.comments import Key, commented_keys, description

HEAD = "# Configuration keys\n\nThis page is generated from `conf/` whenever the site is built.\n"
HIDDEN = ("_target_", "_partial_", "defaults", "hydra", "search", "traits")


def config_reference(conf: Path) -> str:
    """Markdown with every key of every config file: default, type, meaning and, where declared, search range."""
    commands = "".join(_section(path, "") for path in sorted(conf.glob("*.yaml")))
    groups = "".join(
        f"\n## {folder.name}\n" + "".join(_section(path, folder.name) for path in sorted(folder.glob("*.yaml")))
        for folder in sorted(path for path in conf.iterdir() if path.is_dir())
    )
    return f"{HEAD}\n## Commands\n{commands}{groups}"


def _section(path: Path, group: str) -> str:
    title = f"{group}={path.stem}" if group else path.stem
    content = yaml.safe_load(path.read_text()) or {}
    searched = content.get("search") or {}
    rows = [_row(key, searched) for key in commented_keys(path) if key.name.split(".")[0] not in HIDDEN]
    extra = [f"| `{key}` | | | | {_range(value)} |" for key, value in _extra(path, searched).items()]
    table = "\n| key | default | type | meaning | search range |\n| --- | --- | --- | --- | --- |\n"
    body = table + "\n".join([*rows, *extra]) + "\n" if rows or extra else ""
    return f"\n### {title}\n\n{description(path).replace('<', '&lt;')}\n{body}"


def _extra(path: Path, searched: object) -> dict[str, object]:
    """Searched keys that this file does not set itself."""
    own = {key.name for key in commented_keys(path)}
    return {key: value for key, value in searched.items() if key not in own} if isinstance(searched, dict) else {}


def _row(key: Key, searched: object) -> str:
    found = searched.get(key.name) if isinstance(searched, dict) else None
    default = _cell(key.default) if key.default is not None else ""
    return f"| `{key.name}` | {default} | {_type(key.default)} | {_text(key.comment)} | {_range(found)} |"


def _range(found: object) -> str:
    """A search range as text.

    Example:
        >>> _range({"low": 0.03, "high": 2.0, "log": True})
        '0.03 to 2.0, log scale'
        >>> _range({"choice": [20, 50, None], "only": "text"})
        'one of 20, 50, null (only with text)'
    """
    if not isinstance(found, dict):
        return ""
    if "choice" in found:
        text = "one of " + ", ".join(_value(value) for value in found["choice"])
    else:
        text = f"{found.get('low')} to {found.get('high')}" + (", log scale" if found.get("log") else "")
        text += f", steps of {found['step']}" if found.get("step") else ""
    only = {"text": " (only with text)", "no_text": " (only without text)", "times": " (only with times)"}.get(
        str(found.get("only")), ""
    )
    return _text(text + only)


def _value(value: object) -> str:
    """As one types it in a yaml."""
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n").removesuffix("\n...")


def _type(default: str | None) -> str:
    if default is None:
        return "section"
    if "${" in default:
        return "interpolation"
    if default.startswith("- "):  # a block list, written on one line
        return "list"
    value = yaml.safe_load(default)
    return "null or a value" if value is None else type(value).__name__


def _cell(value: object) -> str:
    return f"`{_text(str(value)).replace('`', '')}`" if value not in (None, "") else ""


def _text(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
