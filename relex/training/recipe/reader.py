"""Recipes as flat settings, each with the place where it was written.

Between the YAML file and `TrainingConfig`, a recipe is a flat table of dotted keys (`train.epochs`). A base, the file
that extends it and `--set` are therefore merged by one rule, and every problem can name its line.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from relex.errors import did_you_mean, quoted, shortened
from relex.training.recipe.safe_yaml import InvalidYaml, compose, line_of, value_of

SHIPPED = Path(__file__).parents[2] / "recipes"
MAX_DEPTH = 8
"""Maximum nesting of keys; recipes need fewer levels."""
EITHER_OR = (("backbone.name", "backbone.scratch"), ("backbone.scratch", "backbone.name"))
"""Setting the first key drops an inherited value of the second: there is one backbone."""


@dataclass(slots=True)
class Recipe:
    """Flat settings by dotted key, and the place (`base.yaml:7`) of every key and section."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def nested(self) -> dict[str, Any]:
        """Return the values as a tree with one dictionary for each section."""
        tree: dict[str, Any] = {}
        for key, value in self.values.items():
            *sections, last = key.split(".")
            branch = tree
            for section in sections:
                branch = branch.setdefault(section, {})
            branch[last] = value
        return tree

    def place(self, key: str) -> str:
        """Return the place of the key, of the nearest enclosing section, or the name of the file."""
        while key and key not in self.places:
            key = key.rpartition(".")[0]
        return self.places.get(key, self.name)

    def put(self, key: str, value: Any) -> None:
        """Set one value; it replaces a section of that key and a value in place of its section.

        An empty section keeps the values that are already in it.
        """
        if value == {} and any(_within(old, key) for old in self.values):
            return
        for old in list(self.values):
            if _within(old, key) or _within(key, old):
                del self.values[old]
        self.values[key] = value

    def cut(self, section: str) -> "Recipe":
        """Remove a section and return it as a recipe with the same places."""
        inside = {key: value for key, value in self.values.items() if _within(key, section)}
        self.values = {key: value for key, value in self.values.items() if key not in inside}
        return Recipe(self.name, inside, self.places)

    def with_changes(self, changes: Mapping[str, Any]) -> "Recipe":
        """Return a copy in which these values take precedence."""
        copy = Recipe(self.name, dict(self.values), dict(self.places))
        copy.merge(Recipe(self.name, dict(changes)))
        return copy

    def merge(self, upper: "Recipe") -> None:
        """Merge another recipe into this one; its values take precedence."""
        for chosen, rival in EITHER_OR:
            if any(_within(key, chosen) for key in upper.values):
                self.values = {key: value for key, value in self.values.items() if not _within(key, rival)}
        for key, value in upper.values.items():
            self.put(key, value)
        self.places.update(upper.places)


def _within(key: str, section: str) -> bool:
    """Return whether the key is the section or is inside it."""
    return key == section or key.startswith(f"{section}.")


def find_recipe(recipe: str, folder: Path) -> Path | None:
    """Find a recipe by its path from `folder`, or a shipped one by its name with or without `.yaml`."""
    candidates = (folder / recipe, SHIPPED / recipe, SHIPPED / f"{recipe}.yaml")
    return next((path for path in candidates if is_file(path)), None)


def is_file(path: Path) -> bool:
    """Return whether the file exists; a name that is too long for a file is not an error."""
    try:
        return path.is_file()
    except OSError:
        return False


def base_name(recipe: str, file: Path) -> str:
    """Return the value of `base:` with which `file` extends a recipe found from the current folder."""
    path = find_recipe(recipe, Path())
    if path is None or path.parent == SHIPPED:
        return Path(recipe).stem
    return os.path.relpath(path.resolve(), file.resolve().parent)


def unknown_recipe(recipe: str) -> str:
    """Return the message for a recipe that is neither a file nor shipped."""
    names = shipped_names()
    hint = did_you_mean(recipe.removesuffix(".yaml"), names)
    return f"no recipe {quoted(recipe)}{hint}: give a path, or one of {', '.join(names)}"


def shipped_names() -> list[str]:
    """Return the names of the recipes that ship with relex, in alphabetical order."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def read_recipe(path: Path, problems: list[str]) -> Recipe:
    """Read a recipe and merge it with its bases; problems are added to `problems` with their lines."""
    layers = _layers(path, problems)
    whole = Recipe(layers[0].name)
    for layer in reversed(layers):
        whole.merge(layer)
    return whole


def read_overrides(overrides: Mapping[str, str], problems: list[str]) -> Recipe:
    """Read the settings of `--set key=value`; each value is YAML."""
    layer = Recipe("--set")
    for key, text in overrides.items():
        layer.places[key] = layer.name
        try:
            node = compose(text)
            layer.put(key, None if node is None else value_of(node))
        except InvalidYaml as exc:
            problems.append(f"{layer.name}: {shortened(key)}: {quoted(text)}: {exc}")
    return layer


def _layers(path: Path, problems: list[str]) -> list[Recipe]:
    """Read the recipe, its base, the base of the base and so on; the name of a base is dropped."""
    seen: list[Path] = []
    layers: list[Recipe] = []
    next_path: Path | None = path
    while next_path:
        seen.append(next_path.resolve())
        layer = _read_layer(next_path, problems)
        if layers:
            layer.values.pop("name", None)
        layers.append(layer)
        base = layer.values.pop("base", None)
        if base is None:
            break
        next_path = find_recipe(str(base), next_path.parent)
        if next_path is None:
            problems.append(f"{layer.place('base')}: {unknown_recipe(str(base))}")
        elif next_path.resolve() in seen:
            problems.append(f"{layer.place('base')}: base {base} is a circular reference")
            break
    return layers


def _read_layer(path: Path, problems: list[str]) -> Recipe:
    layer = Recipe(path.name)
    try:
        node = compose(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as exc:
        problems.append(f"{path.name}: cannot be read as UTF-8 text: {exc}; save it as UTF-8")
    except InvalidYaml as exc:
        problems.append(f"{path.name}{f':{exc.line}' if exc.line else ''}: {exc}")
    else:
        if isinstance(node, MappingNode) and node.value:
            _walk(node, "", layer, problems)
        elif not isinstance(node, MappingNode | None):
            problems.append(f"{path.name}:{line_of(node)}: a recipe holds lines of `key: value`")
    return layer


def _walk(node: Node, key: str, layer: Recipe, problems: list[str]) -> None:
    """Copy a node and all below it into the layer; an unreadable value is a problem."""
    place = f"{layer.name}:{line_of(node)}"
    if isinstance(node, MappingNode) and node.value:
        if key.count(".") >= MAX_DEPTH:
            problems.append(f"{place}: nested too deeply")
        else:
            for name, below in node.value:
                _walk_entry(name, below, key, layer, problems)
        return
    try:
        layer.put(key, value_of(node))
    except InvalidYaml as exc:
        problems.append(f"{place}: {shortened(key)}: {exc}")


def _walk_entry(name: Node, below: Node, section: str, layer: Recipe, problems: list[str]) -> None:
    place = f"{layer.name}:{line_of(name)}"
    if not isinstance(name, ScalarNode):
        problems.append(f"{place}: a key must be one word")
        return
    key = f"{section}.{name.value}" if section else str(name.value)
    if key in layer.places:
        problems.append(f"{place}: {shortened(key)} is set twice (first at {layer.places[key]})")
        return
    layer.places[key] = place
    _walk(below, key, layer, problems)
