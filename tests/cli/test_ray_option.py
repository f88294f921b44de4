"""The flag --ray before whatever follows. In: command lines. Out: what each means."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from tellapart.cli.ray_option import RayCommand, ray_option, with_address


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("--ray pets", "--ray local pets"),
        ("pets --ray", "pets --ray local"),
        ("--ray --json pets", "--ray local --json pets"),
        ("--ray auto pets", "--ray auto pets"),
        ("--ray head:6379 pets", "--ray head:6379 pets"),
        ("--ray ray://head:10001 pets", "--ray ray://head:10001 pets"),
        ("--ray s3://pets/shards", "--ray local s3://pets/shards"),
        ("--ray=head:6379 pets", "--ray=head:6379 pets"),
        ("-- --ray pets", "-- --ray pets"),
        ("pets", "pets"),
    ],
)
def test_an_address_is_taken_and_an_argument_is_not(given: str, read: str) -> None:
    assert with_address(given.split()) == read.split()


def test_a_command_hears_of_both() -> None:
    @click.command(cls=RayCommand)
    @click.argument("place")
    @ray_option("Where.")
    def command(place: str, ray: str | None) -> None:
        click.echo(f"{place} {ray}")

    run = CliRunner().invoke
    assert run(command, ["--ray", "pets"]).output == "pets local\n"
    assert run(command, ["--ray", "auto", "pets"]).output == "pets auto\n"
    assert run(command, ["pets"]).output == "pets None\n"
