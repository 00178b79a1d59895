"""No file that relex reads may run code: our own sources open nothing by pickle, eval or a shell."""

import ast

from tests.processes import source_files

MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle", "yaml"}
CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load", "torch.hub.load", "pd.read_pickle",
    "pandas.read_pickle", "optuna.load_study", "tempfile.mktemp", "tempfile.gettempdir",
}  # fmt: skip
ARGUMENTS = {"shell", "weights_only", "trust_remote_code", "allow_pickle", "use_safetensors"}
SAFE = {"trust_remote_code": False, "use_safetensors": True}
ALLOWED = {
    # The socket's folder must be found again by name: `embedded.sockets` makes sure whose it is.
    "layout.py": {"tempfile.gettempdir"},
    # A process without network or rights, which relex never imports, reads backbones by torch's restricted loader.
    "unpickle.py": {"torch.load", "torch.load: a reader that is not known to be safe", "weights_only=True"},
}
READERS = {"json", "tomllib", "np"}
"""Whose `load` and `loads` read data alone; numpy's refuses pickles unless it is asked to take them."""


def offenses(source):
    """Every place of a source that could run what it reads, as `line: what`."""
    return [f"{node.lineno}: {what}" for node in ast.walk(ast.parse(source)) for what in _offenses(node)]


def _offenses(node):
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


HARMFUL = [
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
]
HARMLESS = "json.loads(text); ast.literal_eval(cell); load(folder); YAML(typ='safe', pure=True)"


def test_no_source_opens_what_may_run_code():
    found = {
        path.name: {offense.partition(": ")[2] for offense in offenses(path.read_text("utf-8"))}
        for path in source_files("benchmarks")
        if offenses(path.read_text("utf-8"))
    }
    assert found == ALLOWED


def test_each_kind_of_offense_is_found_and_nothing_else():
    assert [source for source in HARMFUL if not offenses(f"def run():\n    {source}")] == []
    assert offenses(HARMLESS) == []
