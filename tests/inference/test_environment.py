"""What is kept of the machine that scored: each part is what the libraries themselves say."""

import platform
from importlib.metadata import version

import pytest
import torch

from relex.inference import environment
from relex.inference.environment import describe_environment

CPU = torch.device("cpu")


def test_the_libraries_and_the_type_are_named():
    said = describe_environment(CPU, torch.bfloat16)
    assert said["dtype"] == "bfloat16"
    assert {name: said[name] for name in environment.PACKAGES} == {name: version(name) for name in environment.PACKAGES}
    assert said["onednn"] in torch.__config__.show()
    assert "cuda" not in said


@pytest.mark.parametrize(
    ("facts", "name"),
    [("processor\t: 0\nmodel name\t: Some CPU @ 2.10GHz\nflags\t: avx\n", "Some CPU @ 2.10GHz"), ("", None)],
)
def test_a_cpu_has_its_name_and_the_instructions_that_torch_uses(tmp_path, monkeypatch, facts, name):
    path = tmp_path / "cpuinfo"
    path.write_text(facts, "utf-8")
    monkeypatch.setattr(environment, "CPU_FACTS", path)
    expected = f"{name or platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"
    assert describe_environment(CPU, torch.float32)["device"] == expected
    path.unlink()
    assert describe_environment(CPU, torch.float32)["device"].startswith(platform.machine())
