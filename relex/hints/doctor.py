"""Hints of `relex doctor`: commands that work as printed, each run by a test against its cause.

A comment behind `#` is for the reader. Words in capitals are placeholders for what only the reader knows. No command
changes a folder's parents, anything recursively, or what belongs to somebody else.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

OTHER_HOME = 'export RELEX_HOME="$HOME/relex-home"'
MAX_CONNECTIONS = 200


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a Postgres: the parts of its URL without the password, with libpq's defaults filled in."""

    host: str
    port: int
    user: str
    name: str

    def command(self, program: str, *arguments: str) -> str:
        """Return a command line of one of Postgres' own programs, run by its superuser on this server."""
        return shlex.join(
            [program, "--host", self.host, "--port", str(self.port), "--username", "postgres", *arguments]
        )

    def url(self, host: str | None = None) -> str:
        """Return the command that names this database, or one on another host, with a placeholder for the password."""
        if self.host.startswith("/") and host is None:
            return f"export RELEX_DATABASE_URL='postgresql://{self.user}:PASSWORD@/{self.name}?host={self.host}'"
        return (
            f"export RELEX_DATABASE_URL=postgresql://{self.user}:PASSWORD@{host or self.host}:{self.port}/{self.name}"
        )


@dataclass(frozen=True, slots=True)
class Broker:
    """The address of a Redis: the parts of its URL without the password."""

    scheme: str
    host: str
    port: int
    user: str
    database: str
    protected: bool
    """Whether the URL holds a password."""

    def url(self, place: str = "", *, protected: bool = True) -> str:
        """Return the command that names this Redis, or one at another address, with a placeholder for its password."""
        secret = f"{self.user}:PASSWORD@" if protected else ""
        return f"export RELEX_BROKER_URL={self.scheme}://{secret}{place or f'{self.host}:{self.port}'}/{self.database}"

    def set(self, name: str, value: object) -> str:
        """Return the command that sets a configuration parameter."""
        options = ["--tls"] if self.scheme == "rediss" else []
        options += ["--user", self.user] if self.user else []
        options += ["--askpass"] if self.protected else []
        command = ["redis-cli", "-h", self.host, "-p", str(self.port), *options, "CONFIG", "SET", name, str(value)]
        return shlex.join(command)


def doctor() -> str:
    """Return the command that diagnoses the installation."""
    return "`relex doctor` suggests a fix"


def unexpected_error() -> str:
    """Return what to do about an unexpected error."""
    return "this should not happen: `relex doctor` looks for a cause, and `--debug` shows the traceback"


def unset(name: str) -> str:
    """Return the command that removes a variable."""
    return f"unset {name}"


def create_folder(folder: Path) -> str:
    """Return the command that creates a folder, private to this user, below one that this user may not write to."""
    return f'sudo install -d -m 700 -o "$(id -u)" {shlex.quote(str(folder))}  # or another folder: {OTHER_HOME}'


def open_folder(folder: Path) -> str:
    """Return the command that lets the owner of a folder write to it."""
    return f"chmod u+rwx {shlex.quote(str(folder))}"


def other_home(why: str = "") -> str:
    """Return the command that chooses another home, with the reason."""
    return f"{OTHER_HOME}  # {why}" if why else OTHER_HOME


def free_space(folder: Path) -> str:
    """Return the command that shows what takes the most space."""
    return f"du -xh --max-depth=3 {shlex.quote(str(folder))} | sort -h | tail  # shows what to remove"


def default_device() -> str:
    """Return the command that lets relex choose an available device."""
    return "export RELEX_DEVICE=auto"


def repair_gpu() -> str:
    """Return the command that shows whether the driver works."""
    return "nvidia-smi  # if it fails, repair the driver; else: pip install --force-reinstall torch"


def name_database() -> str:
    """Return the command that names a Postgres."""
    return "export RELEX_DATABASE_URL=postgresql://USER:PASSWORD@HOST/NAME"


def stop_embedded() -> str:
    """Return the command that stops an embedded Postgres which a killed process left running."""
    return "relex jobs  # the last command to end stops the embedded Postgres"


def read_log(log: Path) -> str:
    """Return the command that shows the end of a log."""
    return f"tail {shlex.quote(str(log))}  # or another home: {OTHER_HOME}"


def start_postgres(address: Address) -> str:
    """Return the command that starts Postgres on its machine."""
    return f"sudo systemctl start postgresql  # on {address.host}; or: docker compose up --detach postgres"


def database_password(address: Address) -> str:
    """Return the command that names another password."""
    return address.url()


def create_role(address: Address) -> str:
    """Return the command that creates the missing role and asks for its password."""
    return address.command("createuser", "--pwprompt", address.user)


def create_database(address: Address, suffix: str = "") -> str:
    """Return the command that creates a database in UTF-8."""
    options = ("--owner", address.user, "--encoding", "UTF8", "--locale", "C", "--template", "template0")
    command = address.command("createdb", *options, f"{address.name}{suffix}")
    return f"{command}  # then name {address.name}{suffix} in RELEX_DATABASE_URL" if suffix else command


def more_connections(address: Address) -> str:
    """Return the command that allows more connections after a restart."""
    change = address.command("psql", "--command", f"ALTER SYSTEM SET max_connections = {MAX_CONNECTIONS}")
    return f"{change}  # then restart Postgres; or run fewer workers"


def name_primary(address: Address) -> str:
    """Return the command that names the server that takes writes."""
    return address.url(host="PRIMARY")


def allow_writes(address: Address, source: str) -> str:
    """Return the command that resets the read-only default; `source` is where pg_settings says it was set."""
    role, name = (f'"{each}"' for each in (address.user, address.name))
    where = {"database": f"DATABASE {name}", "user": f"ROLE {role}", "database user": f"ROLE {role} IN DATABASE {name}"}
    change = f"ALTER {where.get(source, 'SYSTEM')} RESET default_transaction_read_only"
    command = address.command("psql", "--command", change, "--command", "SELECT pg_reload_conf()")
    return f"PGOPTIONS='-c default_transaction_read_only=off' {command}"


def synchronize_clock() -> str:
    """Return the command that synchronizes this machine's clock with a time server."""
    return "sudo timedatectl set-ntp true"


def start_redis(host: str) -> str:
    """Return the command that starts Redis on its machine."""
    return f"sudo systemctl start redis-server  # on {host}; or: docker compose up --detach redis"


def choose_model(newest: str | None) -> str:
    """Return the command that promotes the newest model version, or registers the one that comes with relex."""
    return f"relex models promote {newest}" if newest else "relex db upgrade  # registers the model of this relex"


def copy_model(folder: Path) -> str:
    """Return the command that copies a model version from a machine that has it."""
    place = shlex.quote(f"{folder}/")
    copy = f"mkdir -p {place} && rsync -a --checksum OTHER_MACHINE:{place} {place}"
    return f"{copy}  # or share one folder: export RELEX_HOME=FOLDER"


def start_worker(*, broker: bool) -> str:
    """Return the command that starts a worker for the queued work."""
    return "relex worker" if broker else "relex status @last  # it starts a background process"


def look_at_worker(job_id: str) -> str:
    """Return the commands that show why workers return the shards of a job to the queue."""
    return f"relex status {job_id}  # and `relex doctor` on the machine of the worker that is named"
