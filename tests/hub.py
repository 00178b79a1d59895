"""A stand-in of the model hub's HTTP interface: what `huggingface_hub` asks for, from folders of a few kilobytes.

A repository may be private, break off in the middle of a file, wait in it, or answer with an error.
"""

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

LARGE = 1_000
"""Bytes from which a file is kept as the hub keeps large ones, under its sha256."""


@dataclass
class Pull:
    """A proposed commit that adds files to main as it was then."""

    files: Mapping[str, bytes]
    author: str = "SFconvertbot"
    parent: str | None = None
    """Commit on which it stands; None: that of main."""


@dataclass
class Repository:
    """The files of a model's main revision, and how the hub serves them."""

    files: dict[str, bytes]
    pulls: list[Pull] = field(default_factory=list)
    token: str | None = None
    """A request without it gets a 404, as if there were no such repository."""
    gated: bool = False
    status: int | None = None
    """HTTP status of every answer."""
    breaks_after: int | None = None
    """Bytes of an answer after which the connection is cut, as often as `breaks` says."""
    breaks: int = 0
    halfway: Callable[[], object] = lambda: None
    """Called in the middle of a large file, which continues when it returns."""

    def revisions(self) -> dict[str, tuple[str, dict[str, bytes], str | None]]:
        """Each revision's commit, files and parent."""
        main = commit_of(self.files)
        found: dict[str, tuple[str, dict[str, bytes], str | None]] = {"main": (main, self.files, None)}
        for number, pull in enumerate(self.pulls, 1):
            files = {**self.files, **pull.files}
            found[f"refs/pr/{number}"] = (commit_of(files, pull.author), files, pull.parent or main)
        return found

    def at(self, revision: str) -> tuple[str, dict[str, bytes], str | None] | None:
        """The revision of this name or commit."""
        found = self.revisions()
        return found.get(revision) or next((each for each in found.values() if each[0] == revision), None)


def commit_of(files: Mapping[str, bytes], author: str = "") -> str:
    """A commit id that follows from the content."""
    return hashlib.sha1(repr((sorted(files.items()), author)).encode()).hexdigest()


class Hub:
    """What is served, and what was asked for."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """Method, path and headers."""
        self.url = ""

    def asked(self, part: str, method: str = "GET") -> int:
        """How often a path was asked for that holds this text."""
        return sum(part in path and how == method for how, path, _ in self.requests)

    def ranges(self) -> list[str]:
        """The parts of files that were asked for."""
        return [headers["range"] for _, _, headers in self.requests if "range" in headers]

    def downloads(self) -> Counter[str]:
        """How often each file was fetched."""
        names = [path.rpartition("/")[2] for how, path, _ in self.requests if how == "GET" and "/resolve/" in path]
        return Counter(names)


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub on a free port of this machine."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append((self.command, path, headers))
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree|commits|discussions)/?(.*)", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/(refs%2Fpr%2F\d+|[^/]+)/(.+)", path)
        name = (match or file or [None, ""])[1]
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.token and headers.get("authorization") != f"Bearer {repository.token}"):
            self._say(401, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif repository.gated:
            self._say(403, {"error": "restricted"}, {"X-Error-Code": "GatedRepo"})
        elif repository.status:
            self._say(repository.status, {"error": "as the test wants it"}, {})
        elif match:
            self._describe(name, repository, match[2], match[3].replace("%2F", "/"))
        elif file:
            self._send(repository, file[2].replace("%2F", "/"), file[3], headers)

    def _describe(self, name: str, repository: Repository, what: str, revision: str) -> None:
        if what == "discussions":
            self._say(200, _discussions(name, repository), {})
            return
        found = repository.at(revision)
        if found is None:
            self._say(404, {"error": "Invalid rev"}, {"X-Error-Code": "RevisionNotFound"})
            return
        commit, files, parent = found
        if what == "commits":
            line = {"date": "2023-01-01T00:00:00.000Z", "title": "x", "message": "", "authors": [{"user": "x"}]}
            self._say(200, [{"id": each, **line} for each in (commit, parent) if each], {})
        elif what == "tree":
            self._say(200, [_entry(path, content) for path, content in files.items()], {})
        else:
            siblings = [{"rfilename": path} for path in files]
            self._say(200, {"id": name, "modelId": name, "sha": commit, "siblings": siblings}, {})

    def _send(self, repository: Repository, revision: str, path: str, headers: Mapping[str, str]) -> None:
        found = repository.at(revision)
        if found is None or path not in found[1]:
            self._say(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            return
        content = found[1][path]
        start = int(headers["range"].removeprefix("bytes=").partition("-")[0]) if "range" in headers else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("X-Repo-Commit", found[0])
        self.send_header("ETag", f'"{_entry(path, content).get("lfs", {"oid": commit_of({path: content})})["oid"]}"')
        self.end_headers()
        if self.command == "GET":
            self._write(repository, content, start)

    def _write(self, repository: Repository, content: bytes, start: int) -> None:
        large = len(content) >= LARGE
        if large and repository.breaks and repository.breaks_after is not None:
            repository.breaks -= 1
            self.wfile.write(content[start : start + repository.breaks_after])
            self.close_connection = True
            return
        middle = start + (len(content) - start) // 2
        self.wfile.write(content[start:middle])
        self.wfile.flush()
        if large:
            repository.halfway()
        self.wfile.write(content[middle:])

    def _say(self, status: int, answer: object, headers: Mapping[str, str]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _entry(path: str, content: bytes) -> dict[str, object]:
    entry = {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
    if len(content) < LARGE:
        return entry
    return {**entry, "lfs": {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}}


def _discussions(name: str, repository: Repository) -> dict[str, object]:
    found = [
        {
            "title": "Adding `safetensors` variant of this model",
            "num": number,
            "author": {"name": pull.author},
            "createdAt": "2023-01-01T00:00:00.000Z",
            "status": "open",
            "repo": {"name": name, "type": "model"},
            "isPullRequest": True,
        }
        for number, pull in enumerate(repository.pulls, 1)
    ]
    return {"count": len(found), "start": 0, "discussions": found}
