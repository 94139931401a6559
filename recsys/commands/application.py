"""A subcommand as a Hydra application, from its arguments to its exit status."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from rich.text import Text

from recsys.config import folders
from recsys.config.compose import compose_plainly, with_choices
from recsys.config.errors import COMPOSITION_ERRORS, errors_named, sentence_of
from recsys.config.folders import conf_dir, register
from recsys.config.known_keys import check_kinds
from recsys.config.misplaced import misplaced
from recsys.config.renamed import check_typed
from recsys.config.trust import trust
from recsys.schema import ConfigError, RecsysError, StoreError
from recsys.support.screen import Screen
from recsys.tracking.memory import settings_of_glibc_allowed
from recsys.tracking.secrets import redact_error, redacted

Function = Callable[[DictConfig], Any]

_BUILT_IN = ("hydra", "main", "schema")  # providers of configs that are not the user's
_OPTIONS = (  # of Hydra
    *("help", "hydra-help", "version", "cfg", "resolve", "package", "run", "multirun", "shell-completion"),
    *("config-path", "config-name", "config-dir", "experimental-rerun", "info"),
)
_FULL_ERROR = "HYDRA_FULL_ERROR"  # variable of the environment that Hydra reads
MENDABLE, UNEXPECTED = 2, 1  # exit statuses


def run_application(function: Function, config_name: str, arguments: Sequence[str]) -> None:
    """Compose the configuration and call the function with it; with `-m`, once for each job of the sweep.

    A job of a sweep that fails does not end the sweep. The failures are listed at the end.

    Args:
        function: Takes the configuration; an integer that it returns is the exit status.
        config_name: The yaml of the command.
        arguments: The arguments after the name of the subcommand: overrides and Hydra's options.

    Raises:
        SystemExit: With the exit status of a command that fails.
    """
    register()
    folders.remember(arguments)
    _check_typed(arguments, config_name)
    sweep = _Sweep(function, config_name)
    try:
        with _errors_raised(), sweep.argv_of_hydra(arguments), settings_of_glibc_allowed():
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=config_name)(sweep.job)()
    except Exception as error:
        if sweep.begun and not isinstance(error, COMPOSITION_ERRORS):
            raise
        where = "" if isinstance(error, COMPOSITION_ERRORS) else f"{' '.join(arguments)}: "
        _print_error(ConfigError(_misplaced(arguments, config_name) or f"{where}{sentence_of(error, config_name)}"))
        sys.exit(MENDABLE)
    if sweep.failures:
        sys.exit(sweep.report())


def _misplaced(arguments: Sequence[str], config_name: str) -> str | None:
    with suppress(ConfigError):  # such as an option that does not exist, which Hydra's own message is about
        return misplaced(arguments, config_name, compose_plainly)
    return None


def _check_typed(arguments: Sequence[str], config_name: str) -> None:
    """End the command if an argument has dashes or the old name of a key; Hydra's message would lack the remedy."""
    try:
        _check_dashes(arguments)
        check_typed(arguments, config_name)
    except ConfigError as error:
        _print_error(error)
        sys.exit(MENDABLE)


def _check_dashes(arguments: Sequence[str]) -> None:
    for argument in arguments:
        name, equals, value = argument.removeprefix("--").partition("=")
        if argument.startswith("--") and name and not any(option.startswith(name) for option in _OPTIONS):
            written = f"{name}={value if equals else '…'}"
            raise ConfigError(f"{argument} is not an option; keys have no dashes: write {written}")


@contextmanager
def _errors_raised() -> Iterator[None]:
    """Have Hydra raise its errors, which it would print in several lines otherwise."""
    before = os.environ.get(_FULL_ERROR)
    os.environ[_FULL_ERROR] = "1"
    try:
        yield
    finally:
        os.environ.pop(_FULL_ERROR) if before is None else os.environ.update({_FULL_ERROR: before})


class _Sweep:
    """The jobs of one command: one, or with `-m` many."""

    def __init__(self, function: Function, config_name: str) -> None:
        self.failures: list[tuple[str, str, int]] = []  # overrides, error, exit status
        self.process = os.getpid()
        self.begun = False  # whether a configuration was composed
        self.argv = sys.argv  # as typed

        def call(cfg: DictConfig) -> Any:
            if config_name != "train":  # whose own checks are more specific
                check_kinds(cfg, config_name)
            found = function(cfg)
            if isinstance(found, int) and found:
                sys.exit(found)
            return found

        @wraps(function)
        def job(cfg: DictConfig) -> Any:
            self.begun = True
            sys.argv = self.argv
            hydra_cfg = HydraConfig.get()
            sources = [own for own in hydra_cfg.runtime.config_sources if own.provider not in _BUILT_IN and own.path]
            folders.add((own.schema, own.path) for own in sources)
            overrides = OmegaConf.to_container(hydra_cfg.overrides.task, resolve=False)
            assert isinstance(overrides, list)
            composed = with_choices(cfg, hydra_cfg.runtime.choices, overrides)
            if hydra_cfg.mode != RunMode.MULTIRUN or os.getpid() != self.process:
                return _reported(call, composed)
            return self._kept(call, composed, overrides)

        self.job = job

    @contextmanager
    def argv_of_hydra(self, arguments: Sequence[str]) -> Iterator[None]:
        """Have Hydra, which reads `sys.argv`, read these arguments until the first job begins.

        A job has the original `sys.argv`, with which Lightning starts the other processes of a distributed run.
        """
        sys.argv = [self.argv[0], *arguments]
        try:
            yield
        finally:
            sys.argv = self.argv

    def _kept(self, function: Function, cfg: DictConfig, overrides: Sequence[str]) -> Any:
        try:
            return _called(function, cfg)
        except StoreError as error:  # no other job can end well either
            _print_error(error)
            self._add(overrides, str(error), MENDABLE)
            sys.exit(self.report())
        except SystemExit as end:
            if end.code:
                self._add(overrides, f"exit status {end.code}", end.code if isinstance(end.code, int) else UNEXPECTED)
        except RecsysError as error:
            _print_error(error)
            self._add(overrides, str(error), MENDABLE)
        except Exception as error:
            traceback.print_exc()
            self._add(overrides, f"{type(error).__name__}: {error}", UNEXPECTED)
        return float("nan")

    def _add(self, overrides: Sequence[str], error: str, status: int) -> None:
        self.failures.append((redacted(" ".join(overrides)), redacted(error), status))

    def report(self) -> int:
        """Print the failures; returns the exit status."""
        screen = Screen(stderr=True, soft_wrap=True)
        for overrides, error, _ in self.failures:
            screen.print(f"failed: {overrides}: {error}", style="red")
        n = len(self.failures)
        screen.print(f"{n} {'job' if n == 1 else 'jobs'} of the sweep failed.", style="bold red")
        return min(status for _, _, status in self.failures)


def _reported(function: Function, cfg: DictConfig) -> Any:
    try:
        return _called(function, cfg)
    except RecsysError as error:
        _print_error(error)
        sys.exit(MENDABLE)


def _called(function: Function, cfg: DictConfig) -> Any:
    try:
        with errors_named():
            trust(*_packages(cfg))
            return function(cfg)
    except RecsysError:
        raise
    except Exception as error:
        redact_error(error)  # before its traceback is shown
        raise


def _packages(cfg: DictConfig) -> list[str]:
    """The packages of the key `trust`, one or a list; none if the command lacks this key."""
    packages = cfg.get("trust") or []
    if not isinstance(packages, str | list | ListConfig):
        raise ConfigError(f"trust is {packages!r}; expected a list of packages such as [my_package].")
    return [packages] if isinstance(packages, str) else list(packages)


def _print_error(error: Exception) -> None:
    message = Text.assemble(("error:", "bold red"), f" {redacted(str(error))}")
    Screen(stderr=True, soft_wrap=True).print(message)
