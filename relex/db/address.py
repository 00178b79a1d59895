"""The parts of a Postgres URL that its commands name."""

from sqlalchemy import URL

from relex.hints.doctor import Address

LOCAL_SOCKET = "/var/run/postgresql"
"""Where libpq looks when no host is named."""
DEFAULT_PORT = "5432"


def address_of(url: URL) -> Address:
    """Take a parsed URL apart; its options may name the host and the port too."""
    options = {name: value if isinstance(value, str) else value[0] for name, value in url.query.items()}
    user = url.username or options.get("user") or "USER"
    port = str(url.port or options.get("port") or DEFAULT_PORT)
    host = url.host or options.get("hostaddr") or options.get("host") or LOCAL_SOCKET
    name = url.database or options.get("dbname") or user
    return Address(host, int(port if port.isdigit() else DEFAULT_PORT), user, name)
