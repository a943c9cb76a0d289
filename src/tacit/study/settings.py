"""What a study file may say. Pydantic checks it at the boundary; a misspelt key is answered with the right one."""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tacit.errors import ConfigError
from tacit.report.items import PARTS
from tacit.tables.schema import Bounds, Categories, Column, Kind, Origin, Role, Schema

if TYPE_CHECKING:
    from tacit.anonymize import Loss, PrivacyModel
    from tacit.anonymize.outcome import LocalRecoding

Share = Annotated[float, Field(ge=0, lt=1)]
Delta = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StudyTable(_Table):
    """[study]"""

    name: Name
    title: str = ""


class DataTable(_Table):
    """[data]"""

    path: str
    rows: Count
    rows_origin: str = "declared"
    id: str | None = None
    missing: tuple[str, ...] | None = None
    encoding: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None


class ColumnTable(_Table):
    """[columns.NAME]"""

    role: Role
    kind: Kind = Kind.CATEGORICAL
    bounds: tuple[float, float] | None = None
    categories: tuple[str | int | float | bool, ...] | None = None
    origin: str = "declared"
    hierarchy: dict[str, Any] | None = None
    treat: Literal["drop", "pseudonymize"] | None = None
    above: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _kind_follows(cls, data: Any) -> Any:
        """A column with bounds or a threshold is numeric unless the study says otherwise."""
        if isinstance(data, dict) and "kind" not in data and ({"bounds", "above"} & data.keys()):
            return {**data, "kind": "numeric"}
        return data

    @model_validator(mode="after")
    def _belongs(self) -> "ColumnTable":
        if self.treat is not None and self.role is not Role.IDENTIFIER:
            raise ValueError('`treat` is for columns with role = "identifier"')
        if self.above is not None and self.role is not Role.LABEL:
            raise ValueError('`above` is for the column with role = "label"')
        if self.hierarchy is not None and self.role is not Role.QUASI:
            raise ValueError('`hierarchy` is for columns with role = "quasi"')
        if self.categories is not None and self.role is Role.IDENTIFIER:
            raise ValueError("an identifier has no categories")
        return self

    def column(self, name: str) -> Column:
        try:
            return self._column(name)
        except ConfigError as error:
            raise ConfigError(f"[columns.{name}]: {error}") from None

    def _column(self, name: str) -> Column:
        origin = Origin.parse(self.origin)
        bounds = None if self.bounds is None else Bounds(low=self.bounds[0], high=self.bounds[1], origin=origin)
        # A label with a threshold is numeric in the data; its categories are the names of the two classes.
        values = None if self.above is not None else self.categories
        categories = None if values is None else Categories(values=tuple(str(value) for value in values), origin=origin)
        return Column(name=name, role=self.role, kind=self.kind, bounds=bounds, categories=categories)


class MinimizeTable(_Table):
    """[anonymize] minimize: what the loss weighs, as tacit.anonymize.Loss has it."""

    aggregate: Literal["sum", "arithmetic mean", "geometric mean", "maximum", "rank"] = "arithmetic mean"
    weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    generalization_vs_suppression: Annotated[float, Field(ge=0, le=1)] = 0.5


class AnonymizeTable(_Table):
    """[anonymize]"""

    k: Annotated[int, Field(ge=2)] = 5
    require: tuple[dict[str, Any], ...] = ()
    suppression_limit: Share = 0.05
    recoding: Literal["full-domain", "local", "mondrian", "microaggregation", "cell-suppression"] = "full-domain"
    minimize: MinimizeTable | None = None
    time_limit: Annotated[float, Field(gt=0)] | None = None
    hold_back: Share = 0

    @model_validator(mode="after")
    def _readable(self) -> "AnonymizeTable":
        """Refuse a model or a weight that cannot be meant, where the study is read."""
        try:
            _ = self.models, self.loss, self.how
        except ConfigError as error:
            raise ValueError(str(error).rstrip(".")) from None
        forms = [(str(model), model.to_json()) for model in self.models]
        outside = [name for name, form in forms if form["model"] in _OUTSIDE_A_STUDY or form.get("attacker") == "journalist"]
        if outside:
            raise ValueError(
                f"{', '.join(outside)} needs a table of the population or a research subset, which a study does not have. Use "
                "`tacit anonymize` with --population or --subset"
            )
        return self

    @property
    def models(self) -> "tuple[PrivacyModel, ...]":
        """k-anonymity and every further model."""
        from tacit.anonymize import KAnonymity, model_from_json

        return (KAnonymity(self.k), *(model_from_json(form) for form in self.require))

    @property
    def loss(self) -> "Loss":
        """What the search minimizes."""
        from tacit.anonymize import Loss

        return Loss() if self.minimize is None else Loss(**self.minimize.model_dump())

    @property
    def how(self) -> "LocalRecoding":
        """The recoding: microaggregation into classes of k, cell suppression of at most the suppression limit's share of cells."""
        from tacit.anonymize import CellSuppression, Microaggregation

        if self.recoding == "microaggregation":
            return Microaggregation(k=self.k)
        return CellSuppression(limit=self.suppression_limit) if self.recoding == "cell-suppression" else self.recoding

    def check_loss(self, quasi: Sequence[str]) -> None:
        """Raise ValueError when the loss cannot be minimized for these columns, or not by this recoding."""
        loss, unknown = self.loss, [name for name in self.loss.weights if name not in quasi]
        if unknown:
            raise ValueError(f"[anonymize] minimize gives weights to columns whose role is not quasi: {', '.join(unknown)}")
        if all(loss.weights.get(name, 1.0) == 0 for name in quasi):
            raise ValueError(
                "[anonymize] minimize: weights of 0 everywhere leave nothing to minimize. Give one column a weight > 0"
            )
        if self.recoding in _WITHOUT_A_CHOICE and loss.generalization_vs_suppression != 0.5:
            raise ValueError(
                f'[anonymize] minimize: recoding = "{self.recoding}" leaves rows out only where it must, so '
                "generalization_vs_suppression would change nothing in it. Leave it at 0.5"
            )
        if self.recoding in ("mondrian", "microaggregation") and loss.aggregate in ("maximum", "rank"):
            raise ValueError(
                f'[anonymize] minimize: recoding = "{self.recoding}" saves what a column of a class costs, and no such part adds up to '
                f'the aggregate "{loss.aggregate}". Use a sum or a mean'
            )


_OUTSIDE_A_STUDY = ("k-map", "delta-presence")
_WITHOUT_A_CHOICE = ("local", "mondrian", "microaggregation")  # they leave out only what must go


class TrainTable(_Table):
    """[train]"""

    epsilon: Annotated[float, Field(gt=0)]
    delta: Delta = 1e-5
    features: tuple[str, ...] | None = None
    training_share: Annotated[float, Field(gt=0, lt=1)] = 0.8
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    batch_size: Count | None = None
    epochs: Annotated[float, Field(gt=0)] = 30
    hidden: tuple[Count, ...] = ()
    activation: Literal["relu", "tanh", "gelu", "silu", "sigmoid"] = "tanh"
    learning_rate: Annotated[float, Field(gt=0)] = 0.5
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    twin: bool = True


class EvaluateTable(_Table):
    """[evaluate]"""

    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    audit_runs: Annotated[int, Field(ge=50)] = 1000
    audit_canaries: Annotated[int, Field(ge=50)] = 1000


class ReportTable(_Table):
    """[report]: declared answers to what a run cannot know."""

    answers: dict[str, str] = {}

    @field_validator("answers")
    @classmethod
    def _known(cls, answers: dict[str, str]) -> dict[str, str]:
        for part in sorted(answers.keys() - PARTS):
            close = difflib.get_close_matches(part, PARTS, n=1)
            meant = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(sorted(PARTS))}"
            raise ValueError(f"no report item has a part named {part!r}; {meant}")
        return answers


class LedgerTable(_Table):
    """[ledger]"""

    path: str = "ledger.sqlite"
    dataset: Name | None = None
    anchor: str | None = None


class StudySettings(_Table):
    """A whole study file."""

    study: StudyTable
    data: DataTable
    columns: dict[str, ColumnTable]
    anonymize: AnonymizeTable | None = None
    train: TrainTable | None = None
    evaluate: EvaluateTable = EvaluateTable()
    report: ReportTable = ReportTable()
    ledger: LedgerTable = LedgerTable()

    @model_validator(mode="after")
    def _fits_together(self) -> "StudySettings":
        if not self.columns:
            raise ValueError("the study names no columns; give each column of the data a table [columns.NAME] with its role")
        if self.data.id is not None and self.data.id not in self.columns:
            raise ValueError(f"[data] id names {self.data.id!r}, which has no table under [columns]")
        if self.anonymize is not None:
            self._check_anonymize(self.anonymize)
        if self.train is not None:
            self._check_train(self.train)
        return self

    def _check_anonymize(self, anonymize: AnonymizeTable) -> None:
        if not self.quasi:
            raise ValueError('[anonymize] needs at least one column with role = "quasi"')
        for model in anonymize.models:
            for name in model.columns:
                if name not in self._named(*_RELEASED_AS_IS):
                    role = f'has role = "{self.columns[name].role}"' if name in self.columns else "has no table under [columns]"
                    raise ValueError(
                        f'[anonymize] require: {model} counts the values of {name!r}, which {role}; give it role = "sensitive"'
                    )
        anonymize.check_loss(self.quasi)

    def _check_train(self, train: TrainTable) -> None:
        if units := self._named(Role.UNIT):
            raise ValueError(
                f'column {units[0]!r} has role = "unit", but this version protects one row at a time: a person with several rows would be '
                'protected less than the report says. Keep one row per person and give the column role = "ignore"'
            )
        labels = self._named(Role.LABEL)
        if len(labels) != 1:
            raise ValueError(f'[train] needs exactly one column with role = "label"; there are {len(labels)}')
        label = self.columns[labels[0]]
        if label.categories is None or len(label.categories) < 2:
            raise ValueError(f'the label {labels[0]!r} needs its classes declared: categories = ["no", "yes"]')
        if label.above is not None and len(label.categories) != 2:
            raise ValueError(f"the label {labels[0]!r} is cut in two by `above`, so it needs exactly two categories")
        unknown = [name for name in train.features or () if name not in self.columns]
        if unknown:
            raise ValueError(f"[train] features names columns that have no table under [columns]: {', '.join(unknown)}")
        barred = [name for name in train.features or () if self.columns[name].role not in FEATURE_ROLES]
        if barred:
            raise ValueError(f"[train] features names columns whose role is not quasi, sensitive or feature: {', '.join(barred)}")
        undeclared = [
            name for name in self.features if self.columns[name].bounds is None and self.columns[name].categories is None
        ]
        if undeclared:
            raise ValueError(
                f"[train] uses columns without declared bounds or categories: {', '.join(undeclared)}. Write bounds = [low, high] or "
                "categories = [...] from what you know, not from the data; or name the columns to use under [train] features"
            )
        if train.batch_size is not None and train.batch_size > self.training_rows:
            raise ValueError(f"[train] batch_size is larger than the {self.training_rows} rows expected in training")

    def _named(self, *roles: Role) -> list[str]:
        return [name for name, column in self.columns.items() if column.role in roles]

    @property
    def training_rows(self) -> int:
        """The declared number of rows times the training share: public, whatever the keyed split hands out."""
        assert self.train is not None
        return max(1, round(self.data.rows * self.train.training_share))

    @property
    def features(self) -> list[str]:
        """The columns a model is trained on."""
        assert self.train is not None
        return list(self.train.features) if self.train.features is not None else self._named(*FEATURE_ROLES)

    @property
    def quasi(self) -> list[str]:
        """The quasi-identifiers, in the study's order."""
        return self._named(Role.QUASI)

    @property
    def sensitive(self) -> list[str]:
        """The columns of the anonymized table with role sensitive, and those that its privacy models name."""
        named = {name for model in self.anonymize.models for name in model.columns} if self.anonymize is not None else set()
        return [name for name, column in self.columns.items() if column.role is Role.SENSITIVE or name in named]

    @property
    def budget(self) -> str:
        """The name of the data's budget in the ledger."""
        return self.ledger.dataset or self.study.name

    @property
    def origins(self) -> dict[str, Origin]:
        """What a mechanism takes as public, in words, and where each comes from (SOUNDNESS 2)."""
        found = {"number of rows": Origin.parse(self.data.rows_origin)}
        for name in self.features if self.train is not None else ():
            column = self.columns[name]
            found[f"{'bounds' if column.bounds is not None else 'categories'} of {name}"] = Origin.parse(column.origin)
        for name in self._named(Role.LABEL) if self.train is not None else ():
            found[f"classes of {name}"] = Origin.parse(self.columns[name].origin)
        return found

    @property
    def table_schema(self) -> Schema:
        return Schema({name: column.column(name) for name, column in self.columns.items()})


_RELEASED_AS_IS = (Role.SENSITIVE, Role.FEATURE, Role.LABEL)
FEATURE_ROLES = (Role.QUASI, Role.SENSITIVE, Role.FEATURE)
