"""Every charge stands in a table with the test that fails without it, and every charge comes before what it pays for."""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import grant, tacit
from contracts.mutants import SOURCE, Call, calls, copy_source, missing_tests, plant, run_tests
from simple_training import priced
from tacit.privacy.ledger import Ledger, store
from tacit.privacy.ledger.turn import Turn
from tacit.train.trainer import Checkpoints, Network, Trainer

WALK = "tests/study/test_walk.py::test_the_ledger_has_one_entry_for_every_access_and_every_release"
TRAINER = "tests/train/test_trainer.py::"
LEDGER = "tests/privacy/ledger/test_ledger.py::"
ANCHOR = "tests/privacy/ledger/test_anchor.py::"
STEPS = "tests/privacy/ledger/test_reservation.py::"

ON_DISK = LEDGER + "test_a_charge_is_on_disk_when_reserve_returns"
CLAIMED = STEPS + "test_every_step_is_claimed_on_disk_before_it_runs"
CUSTODIAN = "tests/train/local/test_custodian.py::"
PAID_RELEASES = "tests/train/linear/test_releases.py::"
CHARGED = "tests/train/test_make_private.py::test_the_plan_is_charged_before_the_first_batch_and_not_before"
REPLAYED = "tests/contracts/test_charges.py::test_every_replayed_step_is_claimed_before_it_is_released"
EVERY_STEP = "tests/contracts/test_charges.py::test_every_step_of_a_training_is_claimed_before_it_is_released"
SHOWN_LOSS = (
    "tests/train/test_loop.py::test_C17_a_loss_of_private_rows_is_shown_only_when_asked_for_by_name_and_stands_in_the_ledger"
)

ANCHORED = ANCHOR + "test_every_row_is_anchored_before_its_caller_may_rely_on_it"
SPENT = "tests/anonymize/private/test_spending.py::test_nothing_is_released_that_was_not_paid_for"
ENTRY = "tests/anonymize/test_ledger_entry.py::test_the_entry_says_what_was_released_and_costs_nothing"
ENTRY_FIRST = "tests/cli/test_anonymize_ledger.py::test_what_fails_after_the_entry_leaves_it_and_no_file"
FILE_ENTRY_FIRST = "tests/cli/test_anonymize_file.py::test_what_fails_after_the_entry_leaves_it_and_no_file"
SAFE_K = "tests/anonymize/private/test_safe_k.py::"
NOISED_VALUES = "tests/anonymize/perturb/test_private_noise.py::"
PAID_FIRST = TRAINER + "test_the_block_is_paid_for_before_a_row_is_read"

FREE = '__import__("tacit.privacy.ledger", fromlist=["x"]).Reservation(None, {0}.block, (0, {0}.block.paid_steps), lambda e, b: (0, 0))'
"""A reservation of all steps that nobody paid for."""


@dataclass(frozen=True)
class Charge:
    """A call that charges or claims, what stands in its place when it is removed, and the test that fails then."""

    file: str
    place: str
    called: str
    number: int
    instead: str
    test: str

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.file, self.place, self.called, self.number


_L, _R, _S = "privacy/ledger/ledger.py", "privacy/ledger/reservation.py", "privacy/ledger/store.py"
_F, _P, _Y = "privacy/ledger/founding.py", "train/torch/private.py", "train/paying.py"

CHARGES = (
    Charge("study/steps/scan.py", "_work", "run.charge", 1, "None", WALK),
    Charge("study/steps/anonymize.py", "_work", "run.charge", 1, "None", WALK),
    Charge("study/steps/twin.py", "_work", "run.charge", 1, "None", WALK),
    Charge("study/steps/evaluate.py", "_work", "run.charge", 1, "None", WALK),
    Charge("study/steps/attack.py", "_work", "run.charge", 1, "None", WALK),
    Charge("privacy/gaussian_steps.py", "GaussianSteps.__enter__", "self.ledger.reserve", 1, FREE.format("self"), SPENT),
    Charge("privacy/gaussian_steps.py", "GaussianSteps.spend", "reservation.count_step", 1, "None", SPENT),
    Charge("anonymize/private/spending.py", "Spending.noisy", "self.spend", 1, "None", SPENT),
    Charge("anonymize/private/spending.py", "Spending.choice", "self.spend", 1, "None", SPENT),
    Charge(
        "train/releases.py",
        "Releases.release",
        "self.spend",
        1,
        "None",
        PAID_RELEASES + "test_nothing_is_released_that_was_not_paid_for",
    ),
    Charge(
        "anonymize/private/safe_k.py",
        "safe_k_anonymize",
        "ledger.reserve",
        1,
        FREE.format("type('Paid', (), {'block': block})"),
        SAFE_K + "test_it_is_paid_for_before_a_coin_is_tossed",
    ),
    Charge(
        "anonymize/private/safe_k.py",
        "safe_k_anonymize",
        "reservation.count_step",
        1,
        "None",
        SAFE_K + "test_the_one_paid_step_is_counted_before_a_coin_is_tossed",
    ),
    Charge("anonymize/ledger_entry.py", "record_release", "ledger.record", 1, "None", ENTRY),
    Charge("cli/anonymize.py", "_deliver", "book.record", 1, "None", ENTRY_FIRST),
    Charge("cli/anonymize_file.py", "release_file", "book.record", 1, "None", FILE_ENTRY_FIRST),
    Charge("study/run.py", "Run.charge", "self.ledger.record", 1, "None", WALK),
    Charge(
        "anonymize/perturb/private_noise.py",
        "add_private_noise",
        "ledger.reserve",
        1,
        FREE.format("type('Paid', (), {'block': block})"),
        NOISED_VALUES + "test_it_is_charged_before_a_value_is_read_or_noise_is_drawn",
    ),
    Charge(
        "anonymize/perturb/private_noise.py",
        "add_private_noise",
        "reservation.count_step",
        1,
        "None",
        NOISED_VALUES + "test_the_one_paid_step_is_counted_before_a_value_is_read",
    ),
    Charge(_Y, "Payment.reserve", "self.ledger.reserve", 1, FREE.format("plan"), CHARGED),
    Charge(_Y, "Payment.resume", "self.reserve", 1, FREE.format("plan"), EVERY_STEP),
    Charge(_Y, "Payment.resume", "self.ledger.resume", 1, FREE.format("plan"), REPLAYED),
    Charge(_Y, "Payment.record", "self.ledger.record", 1, "None", SHOWN_LOSS),
    Charge(_P, "PrivateTraining._next", "reservation.count_step", 1, "None", EVERY_STEP),
    Charge(
        _P,
        "PrivateTraining._paid",
        "self._pay",
        1,
        FREE.format("self.plan"),
        "tests/contracts/test_parameters.py::test_every_argument_of_a_private_training_counts",
    ),
    Charge(_P, "PrivateTraining._paid", "self._pay.reserve", 1, FREE.format("self.plan"), PAID_FIRST),
    Charge(_P, "PrivateTraining._paid", "self._pay.resume", 1, FREE.format("self.plan"), EVERY_STEP),
    Charge(_P, "PrivateTraining.record", "self._payment().record", 1, "None", SHOWN_LOSS),
    Charge("train/torch/loop.py", "fit", "private.record", 1, "None", SHOWN_LOSS),
    Charge(
        "train/sklearn/regressor.py",
        "PrivateRegressor._trained.pay",
        "ledger.reserve",
        1,
        FREE.format("plan"),
        "tests/train/test_sklearn_estimators.py::test_a_fit_costs_what_it_says_and_the_ledger_says_what_for[PrivateRegressor]",
    ),
    Charge(
        "train/local/custodian.py",
        "paid_reports",
        "ledger.reserve",
        1,
        FREE.format("type('Paid', (), {'block': block})"),
        CUSTODIAN + "test_the_charge_is_on_disk_before_the_first_report_and_covers_every_row",
    ),
    Charge(
        "train/local/custodian.py",
        "paid_reports",
        "reservation.count_step",
        1,
        "None",
        CUSTODIAN + "test_the_one_paid_step_is_counted_before_the_block_is_entered",
    ),
    Charge(
        _L,
        "Ledger.grant",
        "self._write",
        1,
        "self._entry(self._store.last(), chain.GRANT, dataset, None, body, (more_epsilon, more_delta, 0, 0))",
        LEDGER + "test_grants_add",
    ),
    Charge(_L, "Ledger.reserve", "self._write", 1, "charge(self._store.last(), self._newest(dataset)[8:12])", ON_DISK),
    Charge(
        _L,
        "Ledger.resume",
        "self._claim",
        1,
        "(0, block.paid_steps)",
        STEPS + "test_a_resumed_run_starts_after_every_step_claimed_before_it",
    ),
    Charge(
        _L,
        "Ledger.record",
        "self._write",
        1,
        "self._entry(self._store.last(), kind, dataset, request_id, body, (0, 0, 0, 0))",
        LEDGER + "test_records_cost_nothing_and_not_dp_releases_are_listed",
    ),
    Charge(
        _L,
        "Ledger.record",
        "self._anchored",
        1,
        "taken",
        ANCHOR + "test_a_record_repeated_after_its_anchor_failed_is_anchored_then",
    ),
    Charge(_L, "Ledger._claim", "self._write", 1, "claim(self._store.last(), self._newest(entry.dataset)[8:12])", CLAIMED),
    Charge(_L, "Ledger._write", "store.append", 1, "draft(own, own[8:12])", ON_DISK),
    Charge(_L, "Ledger._write", "self._written", 1, "entry", ANCHORED),
    Charge(
        _L,
        "Ledger._write",
        "store.append",
        2,
        "draft(last, newest[8:12] if newest else (0, 0, 0, 0))",
        LEDGER + "test_budgets_of_datasets_are_apart",
    ),
    Charge(_L, "Ledger._write", "self._written", 2, "entry", ANCHORED),
    Charge(_L, "Ledger._written", "self._anchored", 1, "entry", ANCHORED),
    Charge(_L, "Ledger._anchored", "self._anchor.advance", 1, "None", ANCHORED),
    Charge("privacy/ledger/anchor.py", "Anchor.advance", "durable.replace", 1, "None", ANCHORED),
    Charge(_R, "Reservation.count_step", "self._next_window", 1, "True", CLAIMED),
    Charge(
        _R,
        "Reservation.checkpoint",
        "self._next_window",
        1,
        "None",
        STEPS + "test_a_checkpoint_claims_the_following_window_and_only_once",
    ),
    Charge(_R, "Reservation._next_window", "self._claim", 1, "(self._position, self.block.paid_steps)", CLAIMED),
    Charge(_S, "Store.append", "self._connection.execute", 1, "None", ON_DISK),
    Charge(_S, "Store.__exit__", "connection.execute", 1, "None", ON_DISK),
    Charge(_F, "_write_first_row", "connection.execute", 1, "None", ON_DISK),
    Charge(_F, "_write_first_row", "connection.execute", 2, "None", ON_DISK),
)

_CHARGING = {"charge", "reserve", "resume", "_resume", "record", "count_step", "spend", "pay", "_pay"}
_BOOKKEEPING = {"_claim", "_next_window", "_write", "_written", "_anchored", "advance"}  # names of the ledger's own


def charges(source: Path) -> list[Call]:
    """Return every call below `source` that charges, claims steps, or puts a charge on disk or into the anchor."""
    return [call for call in calls(source) if _is_charge(call, (source / call.file).read_text(encoding="utf-8"))]


def _is_charge(call: Call, text: str) -> bool:
    name = call.called.rpartition(".")[2]
    if name in _CHARGING or call.called in ("store.append", "reservation.checkpoint"):
        return True
    if not call.file.startswith("privacy/"):
        return False
    written = text[call.first : call.last]
    if name in _BOOKKEEPING or call.called == "durable.replace":
        return True
    return name == "execute" and ("_INSERT" in written or "INSERT INTO" in written or "COMMIT" in written)


def test_every_charge_in_the_source_stands_in_the_table() -> None:
    """A new charge needs a row, and with it a test that fails when the charge is removed."""
    assert sorted(call.key for call in charges(SOURCE)) == sorted(charge.key for charge in CHARGES)


def test_every_test_that_a_charge_names_exists() -> None:
    assert missing_tests([charge.test for charge in CHARGES]) == []
    assert missing_tests([WALK + "_or_so", "tests/none.py::test_x"]) == [WALK + "_or_so", "tests/none.py::test_x"]


def test_the_search_for_charges_finds_a_planted_one(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "cards.py").write_text("def card(run):\n    é = run.charge('x', 'y', 'z'); run.charged()\n")
    assert [call.key for call in charges(tmp_path)] == [("report/cards.py", "card", "run.charge", 1)]


@pytest.mark.slow
def test_the_named_tests_pass_on_an_unchanged_copy(tmp_path: Path) -> None:
    copy_source(tmp_path)
    outcome = run_tests(tmp_path, *sorted({charge.test for charge in CHARGES}))
    assert outcome.code == 0, outcome.text


@pytest.mark.slow
@pytest.mark.parametrize("charge", CHARGES, ids=lambda charge: "-".join(map(str, charge.key)))
def test_without_a_charge_its_test_fails(charge: Charge, tmp_path: Path) -> None:
    copy = copy_source(tmp_path)
    (call,) = (call for call in charges(copy) if call.key == charge.key)
    text = (copy / call.file).read_text(encoding="utf-8")
    (copy / call.file).write_text(text[: call.first] + charge.instead + text[call.last :], encoding="utf-8")
    plant(copy, call.file, ())  # still Python
    outcome = run_tests(tmp_path, charge.test)
    assert outcome.code == 1, outcome.text


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return every file's bytes and the moment it was written, so that the same words written again show too."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.mark.parametrize("step", ["scan", "anonymize", "train", "twin", "evaluate", "attack"])
def test_a_step_whose_charge_is_refused_leaves_nothing(again: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process holds the ledger, so the charge fails; whatever the step writes or keeps before it would be seen."""
    if step == "train":  # its block is used up; another epsilon needs a block of its own, which the budget holds
        study = (again / "study.toml").read_text()
        (again / "study.toml").write_text(study.replace("epsilon = 2.0", "epsilon = 1.0"))
        grant(again)
    else:
        shutil.rmtree(again / "runs/small" / step)
    before = contents(again / "runs")
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.05)
    other = Turn(again / "ledger.sqlite.lock")
    other.take(0)
    try:
        answer = tacit("run", folder=again)
    finally:
        other.close()
    assert answer.code == 1, answer.error
    assert "nothing was charged or released" in answer.error
    assert contents(again / "runs") == before
    if step == "scan":
        assert tacit("run", folder=again).code == 0, "with the ledger free again, the same command goes on"


class Killed(BaseException):
    """Stands for the death of the process."""


def claimed_at_each_step(folder: Path, *, stop: int | None = None) -> list[int]:
    """Train by a plan of 6 steps and 4 spare, a checkpoint every 2; return what a fresh reader sees claimed at each step."""
    claimed: list[int] = []
    generator = np.random.default_rng(3)
    features, labels = generator.uniform(-1, 1, size=(40, 2)), generator.integers(0, 2, size=40)

    def look(step: int, _steps: int) -> None:
        with Ledger.open(folder / "l.sqlite") as fresh:
            claimed.append(max(entry.claimed or 0 for entry in fresh.entries()))
        if step == stop:
            raise Killed

    with Ledger.open(folder / "l.sqlite") as ledger, contextlib.suppress(Killed):
        if ledger.granted("people").epsilon == 0:
            ledger.grant("people", epsilon=100, delta=1e-5)
        trainer = Trainer(plan=priced(40, 20, steps=6, every=2, spare=4), network=Network())
        kept = Checkpoints(path=folder / "c", key=bytes(32))
        named: dict[str, Any] = {"ledger": ledger, "budget": "people", "request_id": "one"}
        trainer.fit(features, labels, ["no", "yes"], checkpoints=kept, on_step=look, **named)
    return claimed


def test_every_step_of_a_training_is_claimed_before_it_is_released(tmp_path: Path) -> None:
    assert claimed_at_each_step(tmp_path) == [2, 2, 4, 4, 6, 6]


def test_every_replayed_step_is_claimed_before_it_is_released(tmp_path: Path) -> None:
    assert claimed_at_each_step(tmp_path, stop=3) == [2, 2, 4]
    assert claimed_at_each_step(tmp_path) == [6, 6, 8, 8], "steps 3 to 6, in windows that no other run has"
