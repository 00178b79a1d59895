"""Freed memory is used again while a training runs, and returned to the kernel after it."""

import subprocess
import sys

from tests.processes import environment

MEASURE = """
import resource
import torch
from relex.training.allocator import keep_freed_memory

def new_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(16 * 2**20)  # 64 MB, above all thresholds that glibc adapts to
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident_megabytes():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * resource.getpagesize() / 2**20

new_pages()
by_default = new_pages()
with keep_freed_memory():
    new_pages()
    inside, held = new_pages(), resident_megabytes()
print(by_default, inside, held - resident_megabytes())
"""


def test_pages_are_kept_inside_and_given_back_after():
    """In a process of its own, whose allocator no other test has touched."""
    run = subprocess.run([sys.executable, "-c", MEASURE], env=environment(), capture_output=True, text=True, check=True)
    by_default, inside, returned = map(float, run.stdout.split())
    assert inside < by_default / 10
    assert returned > 50
