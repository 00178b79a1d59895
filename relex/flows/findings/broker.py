"""Redis: whether it lets us in, and whether it keeps what it is given."""

from urllib.parse import urlsplit

from redis import AuthenticationError, Redis, RedisError

from relex.flows.findings.finding import Finding, broken, warning


def broker(url: str | None) -> Finding:
    """Redis as a doorbell; without one there is nothing to look at."""
    if url is None:
        return Finding("broker", "none: a background process on this machine scores and trains")
    parts = urlsplit(url)
    place = f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
    try:
        with Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as redis:
            redis.ping()
            memory = redis.info("memory")
    except AuthenticationError as fault:
        remedy = f"export RELEX_BROKER_URL=redis://:PASSWORD@{place}{parts.path}"
        return broken("broker", f"Redis at {place} wants another password: {fault}", remedy)
    except (RedisError, OSError, ValueError) as fault:
        remedy = f"sudo systemctl start redis-server      on {parts.hostname}, or: docker compose up --detach redis"
        return broken("broker", f"Redis at {place} does not answer: {fault}", remedy)
    return _keeps(place, memory)


def _keeps(place: str, memory: dict[str, object]) -> Finding:
    """Whether doorbells stay where they are put; none that is lost costs a row, but each costs time."""
    most, used = int(str(memory["maxmemory"])), int(str(memory["used_memory"]))
    policy = str(memory["maxmemory_policy"])
    host, _, port = place.rpartition(":")
    set_ = f"redis-cli -h {host} -p {port} --askpass CONFIG SET"
    if most and policy != "noeviction":
        text = f"Redis at {place} throws keys away when it is full ({policy}): doorbells are lost"
        return warning("broker", text, f"{set_} maxmemory-policy noeviction")
    if most and used >= most:
        text = f"Redis at {place} is full ({used / 1e6:.1f} of {most / 1e6:.1f} MB): no doorbell can be put in"
        return broken("broker", text, f"{set_} maxmemory {2 * used}")
    return Finding("broker", f"Redis at {place} answers")
