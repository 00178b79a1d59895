"""No file that relex reads may run code: our own sources open nothing by pickle, eval or a shell."""

import ast

import pytest

from tests.processes import ROOT

SOURCES = sorted(
    path for room in ("cli", "worker", "relex", "migrations", "benchmarks") for path in (ROOT / room).rglob("*.py")
)
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle", "yaml"}
CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load", "torch.hub.load", "pd.read_pickle",
    "pandas.read_pickle", "optuna.load_study", "tempfile.mktemp", "tempfile.gettempdir",
}  # fmt: skip
ARGUMENTS = {"shell", "weights_only", "trust_remote_code", "allow_pickle", "use_safetensors"}
SAFE = {"trust_remote_code": False, "use_safetensors": True}
EXCUSED = {
    # The socket's folder must be found again by name: `embedded.sockets` makes sure whose it is.
    "places.py": {"tempfile.gettempdir"},
    # A process without network or rights, which relex never imports, reads backbones by torch's restricted loader.
    "unpickle.py": {"torch.load", "torch.load: a reader that is not known to be safe", "weights_only=True"},
}
READERS = {"json", "tomllib", "np"}
"""Whose `load` and `loads` read data alone; numpy's refuses pickles unless it is told otherwise."""


def offences(source):
    """Every place of a source that could run what it reads, as `line: what`."""
    return [f"{node.lineno}: {what}" for node in ast.walk(ast.parse(source)) for what in _offences(node)]


def _offences(node):
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        yield from (name for name in names if name.partition(".")[0] in MODULES)
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/tmp"):
        yield "a place that all users share"
    if isinstance(node, ast.Dict):
        pairs = {
            key.value: value for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)
        }
        yield from _arguments(pairs)
    if not isinstance(node, ast.Call):
        return
    name = ast.unparse(node.func)
    if name in CALLS:
        yield name
    if (
        isinstance(node.func, ast.Attribute)
        and node.func.attr in {"load", "loads"}
        and name.split(".")[0] not in READERS
    ):
        yield f"{name}: a reader that is not known to be safe"
    if name.endswith("YAML") and (node.args or {each.arg for each in node.keywords} - {"typ", "pure"}):
        yield "YAML with another loader"
    yield from _arguments({each.arg: each.value for each in node.keywords})


def _arguments(pairs):
    for name, value in pairs.items():
        if name in ARGUMENTS and not (isinstance(value, ast.Constant) and value.value is SAFE.get(name, "never")):
            yield f"{name}={ast.unparse(value)}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_opens_what_may_run_code(path):
    found = {offence.partition(": ")[2] for offence in offences(path.read_text("utf-8"))}
    assert found == EXCUSED.get(path.name, set())


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import yaml.cyaml",
        "torch.load(path)",
        "torch.load(path, weights_only=True)",
        "open_it(path, weights_only=False)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name, use_safetensors=None)",
        "KWARGS = {'trust_remote_code': True}",
        "subprocess.run(words, shell=True)",
        "subprocess.run(words, shell=unknown)",
        "eval(cell)",
        "YAML().load(path)",
        "YAML('unsafe')",
        "np.load(path, allow_pickle=True)",
        "Path('/tmp/relex')",
    ],
)
def test_an_offence_is_found(source):
    assert offences(f"def run():\n    {source}")


def test_what_is_safe_is_let_pass():
    assert offences("json.loads(text); ast.literal_eval(cell); load(folder); YAML(typ='safe', pure=True)") == []
