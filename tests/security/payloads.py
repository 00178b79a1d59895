"""Files that run code in who opens them carelessly: what they would do is make a folder, by which it is seen."""

import os
import pickle
from pathlib import Path


class Payload:
    """Runs when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


class Trap:
    """A harmful file, and whether it went off."""

    def __init__(self, folder: Path) -> None:
        self.mark = folder / "it-ran"
        self.pickle = pickle.dumps(Payload(self.mark))
        self.yaml = f"name: !!python/object/apply:os.mkdir ['{self.mark}']\n"
        self.python = f"import os\nos.mkdir({str(self.mark)!r})\n"

    def works(self) -> bool:
        """Whether a careless reader would run it."""
        pickle.loads(self.pickle)
        went_off = self.went_off
        self.mark.rmdir()
        return went_off

    @property
    def went_off(self) -> bool:
        return self.mark.exists()
