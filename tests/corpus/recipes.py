"""Bad recipes by name, and the line that `relex train --config NAME.yaml` must print.

`tests/badinput/test_recipes.py` reads this.
"""

import os
from itertools import pairwise

from relex.training.recipe.reader import shipped_names
from tests.corpus.bad import Bad

GOOD = "backbone: {name: some/encoder}\ndata: {train: data/train_data.csv, valid: data/valid_data.csv}\n"
"""Two lines to stand before a bad one, which is line 3."""
DATA = GOOD.splitlines()[1]
KNOWN = f"give a path, or one of {', '.join(shipped_names())}"
TOO_MANY = "more than 10,000 values, aliases followed; write the recipe without aliases"
NOT_PLAIN = "is not a plain value; write a number, a word or a text in quotes"
TOO_DEEP = "nested too deeply; a recipe holds sections and their settings"
NO_TEXT = ": cannot be read as UTF-8 text: 'utf-8' codec can't decode byte"
QUOTE = "is a value to be put in quotes?"
STORE = "holds a character that cannot be stored; leave it out"


def bomb(open_, close, first, entry):
    """Aliases of aliases: nine to the power of nine values in ten lines."""
    names = "abcdefghij"
    lines = [f"a: &a {open_}{', '.join(first(number) for number in range(9))}{close}"]
    for before, name in pairwise(names):
        lines.append(f"{name}: &{name} {open_}{', '.join(entry(number, before) for number in range(9))}{close}")
    return "\n".join(lines)


def line(text, says, place="3"):
    """A recipe that is good but for one line, and what is said of it."""
    return GOOD + text, f":{place}: {says}"


TABLE = {
    "bomb_of_lists": (bomb("[", "]", str, lambda _, name: f"*{name}"), f": {TOO_MANY}"),
    "bomb_of_sections": (bomb("{", "}", lambda n: f"k{n}: 1", lambda n, name: f"k{n}: *{name}"), f": {TOO_MANY}"),
    "an_alias_of_itself": (GOOD + "loss: &x {y: *x}", f": {TOO_MANY}"),
    "an_alias_of_nothing": line("name: *nowhere", f"not YAML: found undefined alias 'nowhere'; {QUOTE}"),
    "a_call": line("name: !!python/object/apply:os.mkdir [pwned]", f"python/object/apply:os.mkdir {NOT_PLAIN}"),
    "an_object": line(
        "loss: !!python/object:relex.errors.RelexError {name: focal}",
        f"python/object:relex.errors.RelexError {NOT_PLAIN}",
    ),
    "a_name_of_python": line("name: !!python/name:os.system", f"python/name:os.system {NOT_PLAIN}"),
    "a_key_of_python": line("!!python/name:os.system '': 1", f"python/name:os.system {NOT_PLAIN}"),
    "a_tag_of_ones_own": line("name: !mine x", f"!mine {NOT_PLAIN}"),
    "bytes": line("name: !!binary aGVsbG8=", f"binary {NOT_PLAIN}"),
    "a_date": line("name: 2026-11-24", f"timestamp {NOT_PLAIN}"),
    "a_set": line("name: !!set {a, b}", f"set {NOT_PLAIN}"),
    "merged_keys": line("train: {<<: {epochs: 1}}", f"merge {NOT_PLAIN}"),
    "twice": line("train: {epochs: 1, epochs: 2}", "train.epochs is set twice (first at twice.yaml:3)"),
    "twice_on_top": line("name: a\nname: b", "name is set twice (first at twice_on_top.yaml:3)", "4"),
    "twice_by_dots": line(
        "train.epochs: 1\ntrain: {epochs: 2}", "train.epochs is set twice (first at twice_by_dots.yaml:3)", "4"
    ),
    "a_number_as_section": line("train: 3", "train should hold settings of its own, not 3"),
    "a_list_as_section": line("loss: [1]", "loss should hold settings of its own, not [1]"),
    "a_section_as_name": line("name: {a: b}", "name should be a valid string, not {'a': 'b'}"),
    "a_word_as_number": line("train: {epochs: many}", "train.epochs should be a valid integer, not 'many'"),
    "a_text_as_number": line("train: {epochs: '3'}", "train.epochs should be a valid integer, not '3'"),
    "a_number_of_5000_digits": line(
        "train: {epochs: " + "9" * 5_000 + "}", f"train.epochs: not a plain value: '{'9' * 40}...'"
    ),
    "no_number": line("dropout: .nan", "dropout should be a finite number, not nan"),
    "endless": line("loss: {gamma: .inf}", "loss.gamma should be a finite number, not inf"),
    "half_a_number": line("train: {seed: 0x_}", "train.seed: not a plain value: '0x_'"),
    "unknown": line("train: {shceduler: linear}", "unknown key train.shceduler (did you mean train.scheduler?)"),
    "no_key": line("'': 3", "unknown key ''"),
    "a_list_as_key": line("? [a]\n: 1", "a key must be one word"),
    "colours": line('"\\e[31mpooling": mean', "unknown key ·[31mpooling (did you mean pooling?)"),
    "far_aprat": line("input: {on_overflow: split}", "input.on_overflow: 'split' is none of truncate, reject"),
    "nul": line('name: "a\\0b"', f"name: 'a·b' {STORE}"),
    "nul_in_a_list": line('tuning: {space: {pooling: ["a\\0"]}}', f"tuning.space.pooling: '['a\\x00']' {STORE}"),
    "half_a_pair": ('backbone: {name: "a\\ud800b"}\n' + DATA, f":1: backbone.name: 'a·b' {STORE}"),
    "files_in_a_list": (
        "backbone: {name: x}\ndata: {train: [a], valid: data/valid_data.csv}",
        ":2: data.train should be the name of a file, not ['a']",
    ),
    "no_such_file": (
        "backbone: {name: x}\ndata: {train: gone.csv, valid: data/valid_data.csv}",
        ":2: data.train: there is no file gone.csv here; `--set data.train=FILE` names another",
    ),
    "a_folder_as_file": (
        "backbone: {name: x}\ndata: {train: data, valid: data/valid_data.csv}",
        ":2: data.train: there is no file data here; `--set data.train=FILE` names another",
    ),
    "a_base_of_itself": ("base: a_base_of_itself.yaml", ":1: base a_base_of_itself.yaml is a circular reference"),
    "no_such_base": line("base: bsae", f"no recipe 'bsae' (did you mean base?): {KNOWN}"),
    "a_base_too_long": line("base: " + "x" * 5_000, f"no recipe '{'x' * 40}...': {KNOWN}"),
    "a_list_as_base": line("base: [base]", f"no recipe '['base']' (did you mean base?): {KNOWN}"),
    "a_folder_as_base": line("base: data", f"no recipe 'data': {KNOWN}"),
    "brackets": ("a: " + "[" * 3_000, f": {TOO_DEEP}"),
    "sections_in_sections": ("a: " + "{b: " * 2_000 + "1" + "}" * 2_000, f": {TOO_DEEP}"),
    "ten_levels": line("a: " + "{b: " * 10 + "1" + "}" * 10, "nested too deeply"),
    "a_list": ("- a\n- b", ":1: a recipe holds lines of `key: value`"),
    "a_word": ("just text", ":1: a recipe holds lines of `key: value`"),
    "two_recipes": line("---\nname: x", f"not YAML: but found another document; {QUOTE}"),
    "a_tab": ("backbone:\n\tname: x", f":2: not YAML: found character '\\t' that cannot start any token; {QUOTE}"),
    "a_nul_byte": (
        "name: a\0b",
        f": not YAML: unacceptable character #x0000: special characters are not allowed; {QUOTE}",
    ),
    "empty": ("", ": backbone is missing"),
    "nothing_but_comments": ("# later\n", ": data is missing"),
    "a_book": ("# 조지\n" * 60_000, ": more than 262,144 characters; is this a recipe?"),
    "cp949": (
        "name: 이름".encode("cp949"),
        f"{NO_TEXT} 0xc0 in position 6: invalid start byte; save it as UTF-8",
    ),
    "weights": (
        bytes(range(256)) * 100,
        f"{NO_TEXT} 0x80 in position 128: invalid start byte; save it as UTF-8",
    ),
}


WRITTEN = tuple(Bad(name, content, f"{name}.yaml{says}") for name, (content, says) in TABLE.items())
"""Problems are reported together: the line is one of those behind `error: `."""

NAMED = (
    Bad("folder.yaml", os.mkdir, f"no recipe 'folder.yaml': {KNOWN}"),
    Bad("device.yaml", lambda path: path.symlink_to("/dev/zero"), f"no recipe 'device.yaml': {KNOWN}"),
)
"""A recipe that is not a file."""

SET = {
    "train.epochs=[1": f"train.epochs: '[1': not YAML: expected ',' or ']', but got '<stream end>'; {QUOTE}",
    "train.epochs=!!python/name:os.system": (
        f"train.epochs: '!!python/name:os.system': python/name:os.system {NOT_PLAIN}"
    ),
    "train.epochs=" + "[" * 3_000: f"train.epochs: '{'[' * 40}...': {TOO_DEEP}",
    "train.epochs=": "train.epochs should be a valid integer, not nothing",
    "train=3": "train should hold settings of its own, not 3",
    "base=base": "unknown key base",
    "=3": "unknown key ''",
    "x" * 50_000 + "=1": f"unknown key {'x' * 40}...",
}
"""Bad `--set`, and what is said of it."""
