"""One thing that relex must refuse, and the line that it must print."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bad:
    """Something bad, made by name: `make` is the content of a file, or puts whatever it is to a path."""

    name: str
    make: bytes | str | Callable[[Path], object]
    says: str
    """A whole line on stderr, as it must stand there."""
    arguments: tuple[str, ...] = ()
    code: int = 3

    def put(self, path: Path) -> Path:
        """Make it in a folder that is there."""
        if isinstance(self.make, bytes | str):
            path.write_bytes(self.make if isinstance(self.make, bytes) else self.make.encode())
        else:
            self.make(path)
        return path

    def __str__(self) -> str:
        return self.name
