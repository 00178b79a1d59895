"""docs/reference is complete: each test lists what the code has and its page lacks, or the other way round."""

import ast
import re

import pytest

from cli.exit_codes import ExitCode
from relex.label_examples import ENTITY_TYPE_EXAMPLES, RELATION_EXAMPLES
from relex.settings import PREFIX, Settings
from relex.training.recipe.reader import shipped_names
from relex.tuning.section import KEYS, METHODS, RANGE
from tests.docs.reference import PAGES, REFERENCE, ROOT, block_names, commands, recipe_keys, refreshed

KEBAB = re.compile(r"[a-z]+(-[a-z]+)*")


def page(name):
    return (REFERENCE / f"{name}.md").read_text("utf-8")


def first_cells(name, section=""):
    """The code words in the first column of a page's tables, of the whole page or below one heading."""
    text = page(name)
    if section:
        text = re.split(r"^#+ ", text.partition(f"\n{section}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return {
        word for cell in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE) for word in re.findall(r"`([^`]+)`", cell)
    }


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_generated_parts_are_what_the_code_says(path):
    text = path.read_text("utf-8")
    assert text == refreshed(text), "run `make reference`"


def test_every_command_has_a_section_with_its_options():
    names = [name for name, _ in commands()]
    blocks = block_names(page("commands"))
    listed = [name for block in blocks if block.startswith("commands ") for name in block[9:].split(", ")]
    assert sorted(listed) == sorted(names)
    assert sorted(block.removeprefix("command ") for block in blocks if block.startswith("command ")) == sorted(names)
    headings = re.findall(r"^### relex (.+)\n\n<!-- command (.+) -->", page("commands"), re.MULTILINE)
    assert [heading for heading, _ in headings] == [block for _, block in headings]
    assert len(headings) == len(names)


def test_every_command_and_option_says_what_it_does():
    unexplained = [name for name, command in commands() if not command.short_help]
    unexplained += [
        f"{name} {option.opts[0]}"
        for name, command in commands()
        for option in command.params
        if option.param_type_name == "option" and not option.help
    ]
    assert not unexplained


def test_every_setting_and_recipe_key_has_a_meaning():
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.__dataclass_fields__}
    keys = {key for key, _, _ in recipe_keys()} | {f"tuning.{key}" for key in KEYS} | set(RANGE)
    missing = (settings - first_cells("settings")) | (keys - first_cells("recipes"))
    missing |= {method for method in METHODS if f"`{method}`" not in page("recipes")}
    lines = (page("settings") + page("recipes")).splitlines()
    assert not sorted(missing)
    assert not [line for line in lines if line.startswith("| `") and line.endswith("|  |")]


def test_the_page_has_each_shipped_recipe_and_no_other():
    assert first_cells("recipes", "## Shipped recipes") == set(shipped_names())


def test_every_exit_code_is_explained():
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", page("exit-codes"), re.MULTILINE)}
    assert codes == {0, *ExitCode}


def test_every_row_problem_has_a_row():
    assert first_cells("errors", "## Row problems") == row_problem_codes()


def test_every_row_error_has_a_row():
    assert first_cells("errors", "## Rows that cannot be scored") == row_error_codes()


def test_every_label_has_a_meaning_and_an_example():
    assert first_cells("labels", "## Relations") == set(RELATION_EXAMPLES)
    assert first_cells("labels", "## Entity types") == set(ENTITY_TYPE_EXAMPLES)


def row_problem_codes():
    """Collect the codes of problems: `BadCell(CODE, ...)`, `Broken(CODE, _)`, `RowProblem(_, _, _, CODE)`, pairs."""
    codes = set()
    for path in (ROOT / "relex" / "files").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = {"BadCell": 0, "Broken": 0, "RowProblem": 3}.get(node.func.id)
                codes.add(constant(node.args[place]) if place is not None and len(node.args) > place else None)
            elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and (code := constant(node.elts[0])):
                codes.add(code if "-" in code else None)
    return codes - {None}


def constant(node):
    text = node.value if isinstance(node, ast.Constant) else None
    return text if isinstance(text, str) and KEBAB.fullmatch(text) else None


def row_error_codes():
    """Collect the codes: constants beside `RowError`, and those that SQL writes."""
    values = (ROOT / "relex" / "domain" / "examples.py").read_text("utf-8")
    queries = "\n".join(path.read_text("utf-8") for path in (ROOT / "relex" / "db").glob("*.py"))
    return {
        *re.findall(r'^[A-Z_]+ = "([a-z-]+)"$', values, re.MULTILINE),
        *re.findall(r"INSERT INTO row_errors [^;]+?, '([a-z-]+)',", queries),
    }
