"""Redis: whether it lets us in, takes what it is given, and keeps it."""

from urllib.parse import SplitResult, unquote, urlsplit

from redis import Redis, RedisError
from redis.exceptions import AuthenticationError, AuthorizationError

from relex.flows.findings.finding import Finding, broken, warning
from relex.hints import doctor as hints
from relex.hints.doctor import Broker

DEFAULT_PORT = 6379


def broker(url: str | None) -> Finding:
    """Redis as a doorbell; without one there is nothing to look at."""
    if url is None:
        return Finding("broker", "none: a background process on this machine scores and trains")
    at = _broker_of(urlsplit(url))
    place = f"{at.host}:{at.port}"
    try:
        with Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as redis:
            redis.ping()
            info = redis.info("memory") | redis.info("replication")
    except (AuthenticationError, AuthorizationError) as exc:
        return broken("broker", f"Redis at {place} wants another password: {exc}", at.url())
    except (RedisError, OSError, ValueError) as exc:
        return broken("broker", f"Redis at {place} does not answer: {exc}", hints.start_redis(at.host))
    return _takes(at, info) or _keeps(at, info)


def _broker_of(parts: SplitResult) -> Broker:
    """Take a URL apart; what is missing is what redis-py takes in its place."""
    user, database = unquote(parts.username or ""), parts.path.strip("/") or "0"
    host, port = parts.hostname or "localhost", parts.port or DEFAULT_PORT
    return Broker(parts.scheme, host, port, user, database, protected=bool(parts.password))


def _takes(at: Broker, info: dict[str, object]) -> Finding | None:
    """Find a Redis that follows another one: no doorbell can be put in, and no worker can take one out."""
    if info["role"] != "slave":
        return None
    primary = f"{info['master_host']}:{info['master_port']}"
    text = f"Redis at {at.host}:{at.port} is a replica of {primary}, which takes no doorbells"
    return broken("broker", text, at.url(primary, protected=at.protected))


def _keeps(at: Broker, info: dict[str, object]) -> Finding:
    """Whether doorbells stay where they are put; none that is lost costs a row, but each costs time."""
    most, used = int(str(info["maxmemory"])), int(str(info["used_memory"]))
    policy, place = str(info["maxmemory_policy"]), f"{at.host}:{at.port}"
    if most and policy != "noeviction":
        text = f"Redis at {place} throws keys away when it is full ({policy}): doorbells are lost"
        return warning("broker", text, at.set("maxmemory-policy", "noeviction"))
    if most and used >= most:
        text = f"Redis at {place} is full ({used / 1e6:.1f} of {most / 1e6:.1f} MB): no doorbell can be put in"
        return broken("broker", text, at.set("maxmemory", 2 * used))
    return Finding("broker", f"Redis at {place} answers")
