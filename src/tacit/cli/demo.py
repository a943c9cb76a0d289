"""`tacit demo`: the whole walk on real data, then the guard rails."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tacit.study.loading import Study

_RUNS = Path("runs")


def demo(
    break_: Annotated[
        str | None, typer.Option("--break", metavar="FAULT", help="Plant a fault and watch it being found: no-noise.")
    ] = None,
    eject: Annotated[
        bool, typer.Option("--eject", help="Write the study file, the data and a script of a page, and stop.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Where --eject writes.")] = Path("tacit-demo"),
) -> None:
    """Walk the whole way on a real, sensitive survey: anonymize, train, attack, audit, report. Under runs/demo."""
    from tacit.cli.console import say
    from tacit.errors import ConfigError
    from tacit.study import demo as demo_study

    if break_ is not None and eject:
        raise ConfigError("--break and --eject are two different things. Give one of them.")
    if eject:
        for path in demo_study.eject(out):
            say(f"Wrote {path}")
        say(f"Now:  cd {out}")
        say("then: tacit ledger grant ledger.sqlite redbook --epsilon 3\n      tacit run study.toml\nor:   python demo.py")
    elif break_ is None:
        _walk()
    elif break_ in demo_study.BREAKS:
        _break_noise(break_)
    else:
        raise ConfigError(f"--break knows {', '.join(demo_study.BREAKS)}; got {break_!r}.")


def _walk() -> None:
    from tacit.cli.console import bars, console
    from tacit.cli.run import refuse_contradicted, show
    from tacit.study import run_study
    from tacit.study.demo import EPSILON, NAME, prepare

    out = console()
    out.print("[bold]tacit demo[/bold]: 6,366 answers to a 1974 survey on marriage and affairs, with made-up names added.")
    study = prepare(_RUNS / NAME)
    _grant(study, EPSILON)
    with bars() as listener:
        finished = run_study(study, runs=_RUNS, listener=listener)
    refuse_contradicted(finished)
    out.print("\n[bold]Guard rails[/bold]")
    _show_refusal("A second process asks for epsilon 0.5 more", ["run", str(study.path), "--epsilon", "0.5"], expected=3)
    _show_refusal("The same training with its noise taken out", ["demo", "--break", "no-noise"], expected=1)
    show(finished)


def _break_noise(fault: str) -> None:
    """Train and audit with a source of zeros, in a folder and a ledger of their own that export nothing."""
    from tacit.cli.console import bars, console
    from tacit.cli.run import refuse_contradicted
    from tacit.noise.source import Zeros
    from tacit.study import run_study
    from tacit.study.demo import EPSILON, prepare

    name = f"demo-{fault}"
    study = prepare(_RUNS / name, name=name)
    _grant(study, EPSILON)
    console().print(f"[bold]tacit demo --break {fault}[/bold]: a source of zeros in place of noise; nothing is exported.")
    with bars() as listener:
        finished = run_study(study, runs=_RUNS, listener=listener, source=Zeros(), only=("train", "audit"), exports=False)
    refuse_contradicted(finished)


def _grant(study: "Study", epsilon: float) -> None:
    """Grant the demo's budget once: exactly the epsilon of its one model."""
    from tacit.privacy.ledger import Ledger
    from tacit.study.demo import DELTA

    with Ledger.open(study.beside(study.settings.ledger.path)) as ledger:
        if ledger.granted(study.settings.budget).epsilon == 0:
            ledger.grant(study.settings.budget, epsilon=epsilon, delta=DELTA, note="tacit demo")


def _show_refusal(what: str, arguments: list[str], *, expected: int) -> None:
    """Run tacit in a second process and show what it answers; a wrong exit code ends the demo."""
    from rich.markup import escape
    from rich.padding import Padding

    from tacit.cli.console import console
    from tacit.errors import PrivacyError

    out = console()
    command = f"tacit {' '.join(arguments)}"
    with out.status(f"{what} ..."):
        done = subprocess.run([sys.executable, "-m", "tacit", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != expected:
        answer = done.stderr.strip()[-500:]
        raise PrivacyError(f"`{command}` ended with exit code {done.returncode}, expected {expected}: {answer}")
    out.print(f"  [green]✓[/green] {what}: refused, exit code {done.returncode}")
    out.print(Padding(f"[dim]$ {command}\n{escape(done.stderr.strip())}[/dim]", (0, 0, 0, 4)))
