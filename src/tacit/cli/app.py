"""The command `tacit`: one file a verb; whatever is heavy is imported inside the verb."""

import errno
import os
import sys
from typing import Annotated

import typer

import tacit
from tacit.cli import anonymize, check, demo, env, init, ledger, risk, run, scan
from tacit.errors import TacitError

app = typer.Typer(
    name="tacit",
    help="Learn from data about people without exposing anyone: anonymize, train privately, attack, audit, report.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
)
app.command("demo")(demo.demo)
app.command("init")(init.init)
app.command("scan")(scan.scan)
app.command("risk")(risk.risk)
app.command("anonymize")(anonymize.anonymize)
app.command("check")(check.check)
app.command("run")(run.run)
app.add_typer(ledger.app, name="ledger")
app.add_typer(env.app, name="env")

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tacit {tacit.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Exit codes: 0 done, 1 failed, 2 wrong usage, 3 over budget."""


def main() -> None:
    """Run the command line; every expected failure ends in one message and an exit code, without a traceback."""
    code: str | int | None = 0
    try:
        app()
    except SystemExit as end:  # Typer's answer: its own usage errors are printed already
        code = end.code
    except TacitError as error:
        _fail(f"{type(error).__name__}: {error}", error.exit_code)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except OSError as error:
        if error.errno in _FULL:
            _fail(f"the disk is full or a limit on file size was reached ({error.filename or 'unnamed file'}). {_KEPT}", 1)
        _fail(
            f"{error.strerror or error}: {error.filename or ''}. Nothing was written. Correct the path or its permissions and try again.",
            1,
        )
    if code in _TERMINATED:
        _fail("Terminated. Finished steps are kept, nothing half-written stays.", code)
    if code == _INTERRUPTED:
        _fail(
            "Interrupted. Finished steps are kept, nothing half-written stays; run the same command again to resume.",
            _INTERRUPTED,
        )
    sys.exit(code)


_INTERRUPTED = 130
_TERMINATED = (143, 129)  # SIGTERM, SIGHUP
_KEPT = "Nothing half-written was kept and finished steps are unharmed. Free some space or fix the path, then run the same command again."


def _fail(message: str, code: int) -> None:
    sys.stderr.write(message.rstrip() + "\n")
    sys.stderr.flush()
    sys.stdout.flush()
    if code == _INTERRUPTED:  # threads of numerical libraries must not hold an interrupted command back
        os._exit(code)
    sys.exit(code)
