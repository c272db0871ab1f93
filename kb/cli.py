"""The command line. With --json standard output holds one JSON value and everything else goes to standard error; exit 0 ok, 1 no, 2 usage."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from indexer.errors import IndexerError
from kb.console import say
from kb.errors import KbError

_COMMANDS = {
    "serve": "kb.commands.serve:serve",
    "worker": "kb.commands.serve:worker",
    "index": "kb.commands.index:index",
    "lint": "kb.commands.index:lint",
    "search": "kb.commands.search:search",
    "eval": "kb.commands.evaluate:eval_",
    "site": "kb.commands.sites:site",
    "tickets": "kb.commands.tickets:tickets",
    "db": "kb.commands.database:db",
    "person": "kb.commands.person:person",
    "user": "kb.commands.accounts:user",
}
"""Where each command stands."""


class _Commands(click.Group):
    """Loads a command's module when that command is used: a search in a new process would spend half its time on libraries that it does not need."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click calls it so
        """Return the names in the order in which `--help` lists them."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """Return a command, None for a name that is none."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Zhida 知答: a knowledge base in which every question without an answer becomes a ticket."""


def main() -> None:
    """Run the command line; a known error is one line and exit 1."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Abort:
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)
    except (KbError, IndexerError) as error:
        say(f"kb: {error}")
        sys.exit(1)
    except OSError as error:
        say(f"kb: {error.filename or 'the disk'}: {error.strerror}; check KB_DATA, its rights and its space")
        sys.exit(1)


if __name__ == "__main__":
    main()
