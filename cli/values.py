"""Option values that several commands take: an error budget, a priority, an age."""

import re
from datetime import timedelta
from typing import Any

import click

from relex.domain.jobs import MaxFailed
from relex.errors import InvalidInput
from relex.hints import jobs as hints

PRIORITY = click.IntRange(-100, 100)
MINUTES = {"m": 1, "h": 60, "d": 1440, "w": 10080}


class Budget(click.ParamType[MaxFailed]):
    """`1%` or `10`."""

    name = "budget"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> MaxFailed:
        """Read it, or say what is wrong."""
        try:
            return MaxFailed.parse(value)
        except InvalidInput as fault:
            self.fail(str(fault), param, ctx)


class Age(click.ParamType[timedelta]):
    """`30d`, `12h`, `2w`, `90m`."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it, or say what is wrong."""
        found = re.fullmatch(r"(\d{1,4})([mhdw])", value, re.ASCII)
        if found is None:
            self.fail(f"'{value}' is not an age: write up to four digits and m, h, d or w, {hints.age()}", param, ctx)
        return timedelta(minutes=int(found[1]) * MINUTES[found[2]])


BUDGET, AGE = Budget(), Age()
