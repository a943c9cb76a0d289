"""The argument and options of `tacit anonymize`, as its help shows them."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Argument(help="A CSV, Parquet or Arrow file; it is only read.")]
Out = Annotated[
    Path, typer.Option(help="Where the release goes: a new .csv or .parquet. OUT.manifest.json is written beside it.")
]
Quasi = Annotated[list[str], typer.Option(help="A quasi-identifier; repeat the option for each column.")]
K = Annotated[int | None, typer.Option("--k", help="Short for --require k-anonymity:k=K.")]
Require = Annotated[
    list[str] | None,
    typer.Option(help="A privacy model: NAME:KEY=VALUE,..., as distinct-l-diversity:column=disease,l=3; or its JSON form."),
]
Hierarchies = Annotated[
    list[str] | None,
    typer.Option(
        "--hierarchy", help="COLUMN=FILE: a .csv, one row per value from raw to coarsest, or a .json. Automatic without."
    ),
]
Sensitive = Annotated[
    list[str] | None, typer.Option(help="A sensitive column, released as it is. Those that models name are added.")
]
Keep = Annotated[list[str] | None, typer.Option(help="A further column to release as it is; others are left out.")]
SuppressionLimit = Annotated[float, typer.Option(help="Largest share of rows that may be left out.")]
Recoding = Annotated[
    str,
    typer.Option(
        help="full-domain is proved optimal; local, mondrian, microaggregation[:k=K] and cell-suppression:limit=SHARE lose less."
    ),
]
Aggregate = Annotated[str, typer.Option(help="Of the columns' losses: sum, arithmetic mean, geometric mean, maximum or rank.")]
Weight = Annotated[list[str] | None, typer.Option(help="COLUMN=NUMBER: how much losing a column counts; 1 for those not named.")]
Slider = Annotated[float, typer.Option(help="Below 0.5 leaving rows out costs less, above it generalizing does.")]
Subset = Annotated[str | None, typer.Option(help="A true/false column: only its true rows are released (delta-presence).")]
Population = Annotated[Path | None, typer.Option(help="A table of the people the rows were drawn from (k-map).")]
TimeLimit = Annotated[float | None, typer.Option(help="Seconds after which the best found is taken.")]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        help="For a Parquet or CSV file too large for memory: what the database that reads it may take, as 4GB. Parquet out, full-domain."
    ),
]
LedgerFile = Annotated[
    Path | None,
    typer.Option("--ledger", help="The ledger in which the release is recorded, before it is written; made when absent."),
]
Dataset = Annotated[str | None, typer.Option(help="The data's name in the ledger.")]
Anchor = Annotated[Path | None, typer.Option(help="A second place for the ledger's signed head.")]
Encoding = Annotated[str | None, typer.Option(help="Encoding of text files, when it is not UTF-8.")]
Json = Annotated[bool, typer.Option("--json", help="Print the manifest, and the figures for the custodian, as JSON.")]
