"""What a command prints: people are told on standard error, programs get one JSON value on standard output."""

from __future__ import annotations

import json

import click

as_json_option = click.option("--json", "as_json_", is_flag=True, help="Print one JSON value on standard output.")


def say(text: str) -> None:
    """Tell a person something without disturbing standard output."""
    click.echo(text, err=True)


def print_json(value: object) -> None:
    """Print one JSON value."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))
