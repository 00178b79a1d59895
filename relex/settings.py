"""Settings of relex; the only module that reads them from the environment.

Sources, highest precedence first: options of a command (`dataclasses.replace` on the result), `RELEX_*` variables,
`.env` and `relex.toml` in the current folder. This module opens no connection.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dotenv import dotenv_values
from platformdirs import user_data_path

from relex import lazy
from relex.errors import InvalidConfig, did_you_mean, shortened
from relex.hints import doctor as hints
from relex.logs import AUTO, FORMATS

PREFIX = "RELEX_"
MAX_NUMBER = 2**31
"""Upper bound of all numbers, that of a Postgres integer; it also excludes infinity."""

FOREIGN_VARIABLES = re.compile(
    r"TEST_.*"
    r"|(POSTGRES|OWNER|WORKER|CLIENT|REDIS)_PASSWORD|[A-Z]+_PORT|UID|GID|TORCH_INDEX"  # docker-compose.yml
    r"|(.+_)?SERVICE_(HOST|PORT(_.*)?)|(.+_)?PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?"  # Kubernetes
)
"""Names after RELEX_ that are not settings but read by other programs; any other unknown name is a typo."""

REDIS_OPTIONS = {
    "redis": frozenset[str](),
    "rediss": frozenset({"ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"}),
}
"""Options of a broker URL that both redis-py and kombu understand, by the scheme of the URL."""

ENCODE = "in a user's name or a password write @ : / ? # [ ] as %40 %3A %2F %3F %23 %5B %5D"
"""Hint for URLs: a part of a password that is parsed as a host or port would appear in errors and logs."""


@dataclass(frozen=True)
class Settings:
    """All settings; the name of a variable is RELEX_ and the name of the field in capitals."""

    database_url: str | None = field(default=None, repr=False)
    """URL of Postgres; None starts the embedded one."""
    broker_url: str | None = field(default=None, repr=False)
    """URL of Redis for Celery; None scores in a background process on this machine."""
    home: Path = field(default_factory=lambda: user_data_path("relex"))
    """Folder of the embedded database, registered checkpoints and logs."""
    device: str = "auto"
    """torch device (cpu, cuda, cuda:1, ...); auto uses a GPU if there is one."""
    shard_rows: int = 512
    """Number of rows in a shard, which is what a worker claims at a time, and scores again if it dies."""
    lease_seconds: float = 30.0
    """Length of a lease in seconds: after this time without a renewal another worker may claim the shard."""
    stall_seconds: float = 300.0
    """Seconds that one batch, or loading a model, may take before the worker stops renewing its lease."""
    train_stall_seconds: float = 7200.0
    """Seconds that training may report no progress (download, encoding, evaluation) before renewal stops."""
    sweep_seconds: float = 5.0
    """Seconds between two sweeps, in which a worker looks for expired leases and work without a doorbell."""
    idle_seconds: float = 20.0
    """Seconds that the background process of a machine without a broker waits for more work before it ends."""
    log_format: str = AUTO
    """Format of the workers' logs: json (one object per line), plain (for people), or auto (plain on a terminal)."""
    training_processes: int = 1
    """Number of training runs that one `relex worker` with a broker executes at once, each in its own process."""
    health_file: Path | None = None
    """File that `relex worker` writes while it is healthy, for `relex health`; None writes no file."""
    output_dir: Path | None = None
    """Folder of output files that no option names (rejected rows, a tuned recipe); None is the current folder."""
    scorer: str = lazy.SCORER
    """Function that opens a checkpoint for scoring, as module:name; tests set a fake one."""

    def __post_init__(self) -> None:
        if self.broker_url and not self.database_url:
            raise InvalidConfig(
                "RELEX_BROKER_URL is set but RELEX_DATABASE_URL is not: "
                f"Celery workers need a Postgres that all of them can reach; {hints.name_database()}"
            )
        if self.broker_url and not _is_redis_url(self.broker_url):
            raise InvalidConfig(f"RELEX_BROKER_URL is not a URL such as redis://localhost:6379/0; {ENCODE}")
        if self.broker_url:
            _check_redis_options(self.broker_url)
        if self.log_format not in FORMATS:
            raise InvalidConfig(
                f"RELEX_LOG_FORMAT: {self.log_format!r} is not one of {', '.join(FORMATS)}"
                f"{did_you_mean(self.log_format, FORMATS)}"
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> "Settings":
        """Read the settings that apply in `folder` (default: the current one).

        Raises:
            InvalidConfig: relex.toml has unknown keys, there are unknown variables, values have the wrong type, or a
                file of the folder names a scorer. The message lists them all.
        """
        folder = folder or Path()  # relative, because a folder above it may be inaccessible
        dotenv = _from_dotenv(folder / ".env")
        raw = _from_toml(folder / "relex.toml") | _from_variables(dotenv)
        if "scorer" in raw:
            raise InvalidConfig("relex.toml or .env names a scorer, which is code: set RELEX_SCORER in the environment")
        raw |= _from_variables(environ)
        problems = [f".env: {problem}; remove that line" for problem in _unknown(dotenv).values()]
        problems += [f"{problem}\nhint: {hints.unset(name)}" for name, problem in _unknown(environ).items()]
        values = {name: _parse(name, text, problems) for name, text in raw.items() if text != ""}
        if problems:
            raise InvalidConfig("\n".join(problems))
        return cls(**values)

    def output_path(self, name: str) -> Path:
        """Return the path of an output file that no option names; relative if it is below the current folder."""
        folder, here = self.output_dir or Path(), Path.cwd()
        return (folder.relative_to(here) if folder.is_relative_to(here) else folder) / name

    def to_env(self) -> dict[str, str]:
        """Return the variables from which another process reads the same settings."""
        values = {PREFIX + name.upper(): getattr(self, name) for name in KINDS}
        return {name: str(value) for name, value in values.items() if value is not None}


def make_home(home: Path) -> None:
    """Create the home folder if it does not exist, readable only by its owner.

    An existing folder keeps its mode: workers of several users may share one that was created for that.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Root's embedded Postgres runs as nobody, which must pass through to a folder of its own.
        home.mkdir(mode=0o700 if os.geteuid() else 0o711)
    except FileExistsError:
        return
    for part in ("logs", "models"):
        (home / part).mkdir(mode=0o700, exist_ok=True)


KINDS = {item.name: item.type for item in fields(Settings)}


def _from_variables(environ: Mapping[str, str | None]) -> dict[str, str]:
    """Return the values of the RELEX_ variables that are settings, by the name of their field."""
    names = {PREFIX + name.upper(): name for name in KINDS}
    return {names[key]: text for key, text in environ.items() if key in names and text is not None}


def _unknown(environ: Mapping[str, str | None]) -> dict[str, str]:
    """Return a message for each RELEX_ variable that is neither a setting nor read by another program."""
    settings = [PREFIX + name.upper() for name in KINDS]
    names = [name for name in environ if name.startswith(PREFIX) and name not in settings]
    typos = [name for name in names if not FOREIGN_VARIABLES.fullmatch(name.removeprefix(PREFIX))]
    return {name: f"unknown variable {shortened(name)}{did_you_mean(name, settings)}" for name in sorted(typos)}


def _from_dotenv(path: Path) -> Mapping[str, str | None]:
    try:
        return dotenv_values(path, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidConfig(f"{path.name}: {error}; save it as UTF-8") from error


def _from_toml(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))  # an editor may write a byte order mark
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidConfig(f"{path.name}: {error}; correct the file") from error
    unknown = [f"{path.name}: unknown key {key}{did_you_mean(key, KINDS)}" for key in table if key not in KINDS]
    if unknown:
        raise InvalidConfig("\n".join(unknown))
    return {key: str(value) for key, value in table.items()}


def _is_redis_url(text: str) -> bool:
    """Return whether a URL of Redis is unambiguous; above all, no part of its password is parsed as another part."""
    try:
        url = urlsplit(text)
        url.port  # noqa: B018 - raises ValueError if it is not a number
    except ValueError:
        return False
    return url.scheme in {"redis", "rediss"} and "@" not in url.path + url.query + url.fragment


def _check_redis_options(text: str) -> None:
    """Refuse parts of a URL with which the libraries would fail with a traceback.

    Raises:
        InvalidConfig: an option is unknown, or the part after the slash is not a number.
    """
    url = urlsplit(text)
    allowed = REDIS_OPTIONS[url.scheme]
    unknown = [name for name, _ in parse_qsl(url.query, keep_blank_values=True) if name not in allowed]
    if unknown:
        names = ", ".join(f"{shortened(name)}{did_you_mean(name, allowed)}" for name in unknown)
        raise InvalidConfig(f"RELEX_BROKER_URL: unknown option {names}: leave it out")
    if not re.fullmatch(r"/?\d*", url.path):
        raise InvalidConfig(f"RELEX_BROKER_URL: {shortened(url.path)} is not the number of a database, such as /0")


def _parse(name: str, text: str, problems: list[str]) -> Any:
    kind = KINDS[name]
    try:
        if kind in (Path, Path | None):
            return Path(text).expanduser().absolute()
        if kind in (int, float):
            number: int | float = int(text) if kind is int else float(text)
            if 0 < number < MAX_NUMBER:
                return number
            raise ValueError
    except ValueError:
        problems.append(f"{PREFIX}{name.upper()}: {text!r} is not a number above 0 and below {MAX_NUMBER:,}")
        return None
    return text
