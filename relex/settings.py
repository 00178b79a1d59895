"""Where relex finds its services and its files: the only reader of the environment.

Values come, first wins, from command flags (`dataclasses.replace` on the result), `RELEX_*` variables, `.env`
and `relex.toml` in the current folder. Nothing here opens a connection.
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
MOST = 2**31
"""Where Postgres' integers end; no setting needs a larger number, and infinity is none."""

OTHERS = re.compile(
    r"TEST_.*"
    r"|(POSTGRES|OWNER|WORKER|CLIENT|REDIS)_PASSWORD|[A-Z]+_PORT|UID|GID|TORCH_INDEX"  # docker-compose.yml
    r"|(.+_)?SERVICE_(HOST|PORT(_.*)?)|(.+_)?PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?"  # Kubernetes, of each service
)
"""Names behind RELEX_ that are no settings and are somebody else's to read; any other unknown one is a typo."""

REDIS_OPTIONS = {
    "redis": frozenset[str](),
    "rediss": frozenset({"ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"}),
}
"""The options in a broker's URL that both redis-py and kombu understand, by the URL's scheme."""

ENCODE = "in a user's name or a password write @ : / ? # [ ] as %40 %3A %2F %3F %23 %5B %5D"
"""Half of a password that was taken for a host or a port would be repeated in errors and logs."""


@dataclass(frozen=True)
class Settings:
    """Every setting with its unit; the variable's name is RELEX_ and the field's name in capitals."""

    database_url: str | None = field(default=None, repr=False)
    """SQLAlchemy URL of Postgres; None starts the embedded one."""
    broker_url: str | None = field(default=None, repr=False)
    """Redis URL for Celery; None scores in a background process on this machine."""
    home: Path = field(default_factory=lambda: user_data_path("relex"))
    """Folder of the embedded database, registered checkpoints and logs."""
    device: str = "auto"
    """torch device (cpu, cuda, cuda:1 ...); auto takes a GPU if there is one."""
    shard_rows: int = 512
    """Rows a shard: what one worker holds at a time, and loses time over if it dies."""
    lease_seconds: float = 30.0
    """How long a silent worker keeps its shard before another may take it."""
    stall_seconds: float = 300.0
    """How long one batch (or loading a model) may take before the worker stops renewing its lease."""
    train_stall_seconds: float = 7200.0
    """The same for training, which may be silent while it fetches a backbone, encodes, or judges."""
    sweep_seconds: float = 5.0
    """How often each worker looks for expired leases and unrung work."""
    idle_seconds: float = 20.0
    """How long the embedded background process waits for more work before it ends."""
    log_format: str = AUTO
    """How workers log: json, a line a message; plain, for people; auto is plain on a terminal only."""
    training_processes: int = 1
    """How many training runs one `relex worker` with a broker executes at once, each in a process of its own."""
    health_file: Path | None = None
    """What `relex worker` writes while it is well and `relex health` reads; None: nothing is written."""
    output_dir: Path | None = None
    """Folder of files that no option names: bad rows of `submit`, recipe of `search`; None: the current one."""
    scorer: str = lazy.SCORER
    """What opens a checkpoint for scoring, as module:name; the tests' fake one goes in here."""

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
        """Read the settings that hold in `folder` (default: the current one).

        Raises:
            InvalidConfig: naming every unknown key of relex.toml, every unknown variable and every value of the wrong
                type, or a scorer that a folder's files want to be run.
        """
        folder = folder or Path()  # not by its whole path: a folder above it may be closed
        dotenv = _from_dotenv(folder / ".env")
        raw = _from_toml(folder / "relex.toml") | _from_variables(dotenv)
        if "scorer" in raw:
            raise InvalidConfig("relex.toml or .env names a scorer, which is code: set RELEX_SCORER in the environment")
        raw |= _from_variables(environ)
        faults = [f".env: {fault}; leave that line out" for fault in _unknown(dotenv).values()]
        faults += [f"{fault}\nhint: {hints.unset(name)}" for name, fault in _unknown(environ).items()]
        values = {name: _parse(name, text, faults) for name, text in raw.items() if text != ""}
        if faults:
            raise InvalidConfig("\n".join(faults))
        return cls(**values)

    def output_path(self, name: str) -> Path:
        """Return where a command writes a file that no option names; relative below the current folder."""
        folder, here = self.output_dir or Path(), Path.cwd()
        return (folder.relative_to(here) if folder.is_relative_to(here) else folder) / name

    def to_env(self) -> dict[str, str]:
        """The variables that make another process read these same settings."""
        values = {PREFIX + name.upper(): getattr(self, name) for name in KINDS}
        return {name: str(value) for name, value in values.items() if value is not None}


def make_home(home: Path) -> None:
    """Make the home folder where there is none, so that nobody but its owner can read what lies in it.

    One that is there keeps its mode: workers of several users may share a folder that was made for that.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Root's embedded Postgres runs as nobody, who has to pass through to a folder of its own.
        home.mkdir(mode=0o700 if os.geteuid() else 0o711)
    except FileExistsError:
        return
    for part in ("logs", "models"):
        (home / part).mkdir(mode=0o700, exist_ok=True)


KINDS = {item.name: item.type for item in fields(Settings)}


def _from_variables(environ: Mapping[str, str | None]) -> dict[str, str]:
    """The RELEX_ variables that are settings."""
    names = {PREFIX + name.upper(): name for name in KINDS}
    return {names[key]: text for key, text in environ.items() if key in names and text is not None}


def _unknown(environ: Mapping[str, str | None]) -> dict[str, str]:
    """Return what is wrong with each RELEX_ variable that is neither a setting nor somebody else's."""
    settings = [PREFIX + name.upper() for name in KINDS]
    names = [name for name in environ if name.startswith(PREFIX) and name not in settings]
    typos = [name for name in names if not OTHERS.fullmatch(name.removeprefix(PREFIX))]
    return {name: f"unknown variable {shortened(name)}{did_you_mean(name, settings)}" for name in sorted(typos)}


def _from_dotenv(path: Path) -> Mapping[str, str | None]:
    try:
        return dotenv_values(path, encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        raise InvalidConfig(f"{path.name}: {fault}; save it as UTF-8") from fault


def _from_toml(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))  # an editor may write a mark first
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InvalidConfig(f"{path.name}: {fault}; mend it") from fault
    unknown = [f"{path.name}: unknown key {key}{did_you_mean(key, KINDS)}" for key in table if key not in KINDS]
    if unknown:
        raise InvalidConfig("\n".join(unknown))
    return {key: str(value) for key, value in table.items()}


def _is_redis_url(text: str) -> bool:
    """Whether nothing in it can be taken for something else, above all no part of its password."""
    try:
        url = urlsplit(text)
        url.port  # noqa: B018 - raises ValueError where it is no number
    except ValueError:
        return False
    return url.scheme in {"redis", "rediss"} and "@" not in url.path + url.query + url.fragment


def _check_redis_options(text: str) -> None:
    """Refuse what the libraries would end on with a traceback.

    Raises:
        InvalidConfig: an option is unknown, or the part behind the slash is no number.
    """
    url = urlsplit(text)
    known = REDIS_OPTIONS[url.scheme]
    unknown = [name for name, _ in parse_qsl(url.query, keep_blank_values=True) if name not in known]
    if unknown:
        names = ", ".join(f"{shortened(name)}{did_you_mean(name, known)}" for name in unknown)
        raise InvalidConfig(f"RELEX_BROKER_URL: unknown option {names}: leave it out")
    if not re.fullmatch(r"/?\d*", url.path):
        raise InvalidConfig(f"RELEX_BROKER_URL: {shortened(url.path)} is not the number of a database, such as /0")


def _parse(name: str, text: str, faults: list[str]) -> Any:
    kind = KINDS[name]
    try:
        if kind in (Path, Path | None):
            return Path(text).expanduser().absolute()
        if kind in (int, float):
            number: int | float = int(text) if kind is int else float(text)
            if 0 < number < MOST:
                return number
            raise ValueError
    except ValueError:
        faults.append(f"{PREFIX}{name.upper()}: {text!r} is not a number above 0 and below {MOST:,}")
        return None
    return text
