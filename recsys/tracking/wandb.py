"""Weights & Biases without prompts, long waits or failed runs: without a server, files are kept for a later upload."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Mapping, Sequence
from netrc import NetrcParseError, netrc
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from recsys.schema import ConfigError
from recsys.support.number_checks import check_number
from recsys.tracking.environment import is_first_process
from recsys.tracking.wandb_logger import run_logger

if TYPE_CHECKING:
    from pytorch_lightning.loggers import WandbLogger

log = logging.getLogger(__name__)

AUTO, ONLINE, OFFLINE = "auto", "online", "offline"
FINISH_TIMEOUT = 60.0  # seconds that a run waits for its last upload; the rest is kept on disk
SYNC = "the files are kept, and `wandb sync` uploads them later"


def make_logger(
    project: str,
    save_dir: str,
    group: str | None = None,
    job_type: str | None = None,
    tags: Sequence[str] = (),
    offline: bool | str = AUTO,
    timeout: float = 5.0,
    **options: Any,
) -> WandbLogger:
    """Lightning's WandbLogger, whose wandb run has the name of the run's folder as its id.

    So if an interrupted run continues, it also continues its wandb run.

    Args:
        project: wandb project.
        save_dir: The run's folder; files are written to `wandb/` in it.
        group: wandb group, such as the study.
        job_type: wandb job type.
        tags: wandb tags.
        offline: True keeps files only; False uploads; "auto" uploads with a key, unless WANDB_MODE forbids it.
        timeout: Seconds that the server may take to answer; after that only files are kept.
        options: Further arguments of `wandb.init`, such as `name` or `entity`: those that
            `recsys.config.signatures.PASSED_ON` lists.

    Raises:
        ConfigError: If `offline` is none of these, or `timeout` is not positive.
    """
    check_connection("logger.wandb", offline, timeout)
    own = {"project": project, "group": group, "job_type": job_type, "tags": list(tags), **options}
    if not is_first_process():
        return run_logger()(project=project, save_dir=save_dir)
    return run_logger()(project=project, save_dir=save_dir, experiment=begin(save_dir, offline, timeout, **own))


def check_connection(key: str, offline: Any, timeout: Any) -> None:
    """Raise an error for values of `offline` and `timeout` that `make_logger` does not accept.

    Args:
        key: The logger's node, for messages.
        offline: As in `make_logger`.
        timeout: As in `make_logger`.

    Raises:
        ConfigError: If a value is invalid; the message names the key.
    """
    if not isinstance(offline, bool) and offline != AUTO:
        raise ConfigError(f"{key}.offline is {offline!r}; expected true, false or {AUTO}.")
    check_number(f"{key}.timeout", timeout, above=0)


def begin(save_dir: str, offline: bool | str, timeout: float, **options: Any) -> Any:
    """Begin a wandb run, online if the settings and the server allow it.

    Args:
        save_dir: Folder of the files; its name is the wandb run's id, unless `options` or WANDB_RUN_ID has one.
        offline: As in `make_logger`.
        timeout: As in `make_logger`.
        options: Arguments of `wandb.init`.
    """
    Path(save_dir).mkdir(parents=True, exist_ok=True)  # else wandb writes to a temporary folder
    given = os.environ.get("WANDB_RUN_ID")  # set by the agent of a sweep
    options = {"id": given or Path(save_dir).name, **options, "dir": save_dir, "reinit": "create_new"}
    mode = _mode(offline)
    if mode == ONLINE:
        run = None if _fails(timeout) else _begin_online(timeout, options)
        if run is not None:
            return run
        mode = OFFLINE
    return _init(mode, timeout, options)


def _begin_online(timeout: float, options: Mapping[str, Any]) -> Any:
    import wandb

    try:
        return _init(ONLINE, timeout, {**options, "resume": "allow"})
    except Exception as error:  # an error of wandb must not stop the run
        _give_up(wandb.setup().settings.base_url, " ".join(str(error).split()))
        wandb.teardown()  # releases the run's id for the offline run
        return None


def _init(mode: str, timeout: float, options: Mapping[str, Any]) -> Any:
    import wandb

    settings = wandb.Settings(init_timeout=timeout, finish_timeout=FINISH_TIMEOUT, silent=mode != ONLINE)
    return wandb.init(mode=mode, settings=settings, **options)  # type: ignore[arg-type]  # the mode may be the user's


def _mode(offline: bool | str) -> str:
    import wandb

    wanted = os.environ.get("WANDB_MODE") or wandb.setup().settings.mode  # `wandb offline` changes the settings
    if offline is True:
        return OFFLINE
    if offline == AUTO and wanted != ONLINE:
        return wanted.replace("dryrun", OFFLINE)
    if _has_key():
        return ONLINE
    if offline is False or "WANDB_MODE" in os.environ:
        log.warning("wandb: no key in WANDB_API_KEY or of `wandb login`: %s.", SYNC)
    return OFFLINE


def _has_key() -> bool:
    """Whether wandb would find a key or a token without a prompt; `wandb.login` would contact the server."""
    import wandb

    settings = wandb.setup().settings
    if os.environ.get("WANDB_API_KEY") or settings.api_key or settings.identity_token_file:
        return True
    names = [os.environ["NETRC"]] if "NETRC" in os.environ else ["~/.netrc", "~/_netrc"]
    host = urlsplit(settings.base_url).hostname or ""
    return any(_is_in_netrc(host, Path(name).expanduser()) for name in names)


def _is_in_netrc(host: str, path: Path) -> bool:
    try:
        return netrc(path).authenticators(host) is not None
    except (OSError, NetrcParseError):
        return False


_given_up: set[str] = set()  # servers that failed in this process; later runs do not wait for them


def _fails(timeout: float) -> bool:
    import wandb

    url = wandb.setup().settings.base_url
    problem = None if url in _given_up else problem_of(url, timeout)
    if problem is not None:
        _give_up(url, problem)
    return url in _given_up


def _give_up(url: str, problem: str) -> None:
    log.warning("wandb: %s cannot be used (%s): %s.", url, problem, SYNC)
    _given_up.add(url)
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # error reporting would wait for the same server


def problem_of(url: str, timeout: float) -> str | None:
    """The reason why a server does not answer; None if it answers.

    It is contacted in a thread, since the system's DNS look-up has no time limit.
    """
    answers: list[str | None] = []
    thread = Thread(target=lambda: answers.append(_problem(url, timeout)), daemon=True)
    thread.start()
    thread.join(timeout)
    return answers[0] if answers else f"no answer in {timeout:g} s"


def _problem(url: str, timeout: float) -> str | None:
    # Nothing is sent to the server, so its certificate need not be checked.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urlopen(Request(url, method="HEAD"), timeout=timeout, context=context):
            return None
    except HTTPError:
        return None
    except OSError as error:
        return str(getattr(error, "reason", error))
