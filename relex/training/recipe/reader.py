"""A recipe as flat settings, each with the place where it was written.

A YAML file says what a person wants; `training.config` says what can be wanted. Between them a recipe is a flat
table of dotted keys (`train.epochs`), so that a base, the file that stands on it and `--set` fold together with
one rule, and every fault can name its line.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from relex.errors import did_you_mean, quoted, shortened
from relex.training.recipe.safe_yaml import NotPlain, compose, line_of, value_of

SHIPPED = Path(__file__).parents[2] / "recipes"
DEEPEST = 8
"""More levels than any recipe needs."""
EITHER_OR = (("backbone.name", "backbone.scratch"), ("backbone.scratch", "backbone.name"))
"""Who writes the first drops the second that it inherits: there is one backbone."""


@dataclass(slots=True)
class Recipe:
    """Flat settings: values by dotted key, and the place of every key and section (`base.yaml:7`)."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def nested(self) -> dict[str, Any]:
        """The values as a tree, one dictionary a section."""
        tree: dict[str, Any] = {}
        for key, value in self.values.items():
            *sections, last = key.split(".")
            branch = tree
            for section in sections:
                branch = branch.setdefault(section, {})
            branch[last] = value
        return tree

    def place(self, key: str) -> str:
        """Where the key was written, or the nearest section round it, or the file."""
        while key and key not in self.places:
            key = key.rpartition(".")[0]
        return self.places.get(key, self.name)

    def put(self, key: str, value: Any) -> None:
        """Write one value; a section it replaces goes, and so does a value that stood for its section.

        An empty section says only that it is there.
        """
        if value == {} and any(_within(old, key) for old in self.values):
            return
        for old in list(self.values):
            if _within(old, key) or _within(key, old):
                del self.values[old]
        self.values[key] = value

    def cut(self, section: str) -> "Recipe":
        """Take a section out, with all below it, as a recipe that knows the same places."""
        inside = {key: value for key, value in self.values.items() if _within(key, section)}
        self.values = {key: value for key, value in self.values.items() if key not in inside}
        return Recipe(self.name, inside, self.places)

    def with_changes(self, changes: Mapping[str, Any]) -> "Recipe":
        """A copy in which these values have the last word."""
        copy = Recipe(self.name, dict(self.values), dict(self.places))
        copy.fold_in(Recipe(self.name, dict(changes)))
        return copy

    def fold_in(self, upper: "Recipe") -> None:
        """Let `upper` have the last word."""
        for chosen, rival in EITHER_OR:
            if any(_within(key, chosen) for key in upper.values):
                self.values = {key: value for key, value in self.values.items() if not _within(key, rival)}
        for key, value in upper.values.items():
            self.put(key, value)
        self.places.update(upper.places)


def _within(key: str, section: str) -> bool:
    """Whether the key is the section or lies inside it."""
    return key == section or key.startswith(f"{section}.")


def find_recipe(recipe: str, folder: Path) -> Path | None:
    """A path from `folder` if it exists, else a shipped recipe, named with or without `.yaml`."""
    candidates = (folder / recipe, SHIPPED / recipe, SHIPPED / f"{recipe}.yaml")
    return next((path for path in candidates if is_file(path)), None)


def is_file(path: Path) -> bool:
    """Whether there is such a file; what cannot be a file's name, as it is too long, is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def base_name(recipe: str, file: Path) -> str:
    """What `file`, in whichever folder, must write after `base:` to stand on a recipe found from the current one."""
    path = find_recipe(recipe, Path())
    if path is None or path.parent == SHIPPED:
        return Path(recipe).stem
    return os.path.relpath(path.resolve(), file.resolve().parent)


def unknown_recipe(recipe: str) -> str:
    """What to say about a recipe that is neither a file nor shipped."""
    names = shipped_names()
    hint = did_you_mean(recipe.removesuffix(".yaml"), names)
    return f"no recipe {quoted(recipe)}{hint}: give a path, or one of {', '.join(names)}"


def shipped_names() -> list[str]:
    """The recipes that come with relex, in alphabetical order."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def read_recipe(path: Path, faults: list[str]) -> Recipe:
    """The recipe with all that it stands on folded in; what is wrong is added to `faults`, with its line."""
    layers = _layers(path, faults)
    whole = Recipe(layers[0].name)
    for layer in reversed(layers):
        whole.fold_in(layer)
    return whole


def read_overrides(overrides: Mapping[str, str], faults: list[str]) -> Recipe:
    """The settings of `--set key=value`, each value read as YAML reads it."""
    layer = Recipe("--set")
    for key, text in overrides.items():
        layer.places[key] = layer.name
        try:
            node = compose(text)
            layer.put(key, None if node is None else value_of(node))
        except NotPlain as fault:
            faults.append(f"{layer.name}: {shortened(key)}: {quoted(text)}: {fault}")
    return layer


def _layers(path: Path, faults: list[str]) -> list[Recipe]:
    """The recipe, its base, the base's base ...; a base does not hand down its name."""
    seen: list[Path] = []
    layers: list[Recipe] = []
    following: Path | None = path
    while following:
        seen.append(following.resolve())
        layer = _read_layer(following, faults)
        if layers:
            layer.values.pop("name", None)
        layers.append(layer)
        base = layer.values.pop("base", None)
        if base is None:
            break
        following = find_recipe(str(base), following.parent)
        if following is None:
            faults.append(f"{layer.place('base')}: {unknown_recipe(str(base))}")
        elif following.resolve() in seen:
            faults.append(f"{layer.place('base')}: base {base} goes round in a circle")
            break
    return layers


def _read_layer(path: Path, faults: list[str]) -> Recipe:
    layer = Recipe(path.name)
    try:
        node = compose(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as fault:
        faults.append(f"{path.name}: cannot be read as UTF-8 text: {fault}; save it as UTF-8")
    except NotPlain as fault:
        faults.append(f"{path.name}{f':{fault.line}' if fault.line else ''}: {fault}")
    else:
        if isinstance(node, MappingNode) and node.value:
            _walk(node, "", layer, faults)
        elif not isinstance(node, MappingNode | None):
            faults.append(f"{path.name}:{line_of(node)}: a recipe holds lines of `key: value`")
    return layer


def _walk(node: Node, key: str, layer: Recipe, faults: list[str]) -> None:
    """Write the node and all below it into the layer; a value that cannot be read is left out and told."""
    place = f"{layer.name}:{line_of(node)}"
    if isinstance(node, MappingNode) and node.value:
        if key.count(".") >= DEEPEST:
            faults.append(f"{place}: nested too deeply")
        else:
            for name, below in node.value:
                _walk_entry(name, below, key, layer, faults)
        return
    try:
        layer.put(key, value_of(node))
    except NotPlain as fault:
        faults.append(f"{place}: {shortened(key)}: {fault}")


def _walk_entry(name: Node, below: Node, section: str, layer: Recipe, faults: list[str]) -> None:
    place = f"{layer.name}:{line_of(name)}"
    if not isinstance(name, ScalarNode):
        faults.append(f"{place}: a key must be one word")
        return
    key = f"{section}.{name.value}" if section else str(name.value)
    if key in layer.places:
        faults.append(f"{place}: {shortened(key)} is given twice (first at {layer.places[key]})")
        return
    layer.places[key] = place
    _walk(below, key, layer, faults)
