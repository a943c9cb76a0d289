"""`tacit run`: a study on the user's own data, from table to report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tacit.study.run import Run


def run(
    study: Annotated[Path, typer.Argument(help="The study file, for example study.toml.")] = Path("study.toml"),
    epsilon: Annotated[float | None, typer.Option(help="Epsilon of this release, instead of the one in the study file.")] = None,
    runs: Annotated[Path, typer.Option(help="Folder that holds a folder per study.")] = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="Print the records as JSON.")] = False,
) -> None:
    """Run a study: anonymize, train, attack, audit and report, as its file says. Finished steps are reused."""
    from tacit.cli.console import Silent, bars
    from tacit.study import load_study, run_study

    loaded = load_study(study)
    if epsilon is not None:
        loaded = loaded.with_epsilon(epsilon)
    if json:
        finished = run_study(loaded, runs=runs, listener=Silent())
        _print_json(finished)
    else:
        with bars() as listener:
            finished = run_study(loaded, runs=runs, listener=listener)
        show(finished)
    refuse_contradicted(finished)


def show(finished: "Run") -> None:
    """Print what a run found: a table for 80 columns, then where the reports are."""
    from tacit.cli.console import console
    from tacit.cli.summary import summary

    out = console()
    out.print()
    out.print(summary(finished))
    report = finished.folder / "report"
    if report.is_dir():
        out.print(f"Report   {report / 'custodian.html'}   everything; not for release", soft_wrap=True)
        out.print(f"         {report / 'release.html'}   what may leave", soft_wrap=True)


def refuse_contradicted(finished: "Run") -> None:
    """Raise ClaimContradicted when an audit of this run contradicts what was promised."""
    from tacit.errors import ClaimContradicted
    from tacit.report.writing import lower, upper

    for record in finished.records.values():
        for finding in record.findings:
            if finding.kind == "audit" and finding.details.get("contradicts") is True:
                found, claimed = lower(float(finding.value or 0)), upper(finding.details["proved"])
                raise ClaimContradicted(
                    f"the audit proves epsilon >= {found} at confidence {finding.confidence!r}, and the claim is epsilon <= {claimed}. The "
                    "claim is false: what ran is not what was accounted. Release nothing of this run, and look at the source of "
                    "randomness, the sampler and the clipping."
                )


def _print_json(finished: "Run") -> None:
    import json

    from tacit.privacy.ledger import export

    settings = finished.study.settings
    budget = export(finished.study.beside(settings.ledger.path))["datasets"].get(settings.budget, {})
    records = {
        name: {"seconds": record.seconds, "key": record.key, "findings": [finding.to_json() for finding in record.findings]}
        for name, record in finished.records.items()
    }
    told = {"study": settings.study.name, "folder": str(finished.folder), **budget, "records": records}
    typer.echo(json.dumps(told, indent=2))
