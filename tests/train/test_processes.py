"""Several processes train one model: the same sums, the same noise, the same charge as one; and what one refuses, all refuse."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.grid import GridVector, grid_step
from tacit.noise.sensitivity import BLOCK, FLOAT32, FLOAT64, GROUP, sum_sensitivity
from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger
from tacit.train.torch.processes import Alone, processes_here
from tacit.train.torch.processes.group import Group
from train import processes_worker as worker

pytestmark = pytest.mark.xdist_group("processes")
_ROOT = Path(__file__).parents[2]
_TOGETHER = ("poisson", "pieces", "rare", "users", "adaptive", "sharded", "noise", "noise_cut", "copied", "banded", "refusals")
Pair = Callable[[str], list[Any]]


def launched(folder: Path, names: tuple[str, ...]) -> list[int]:
    """Run scenarios in two processes that find one another through a file; return their exit codes."""
    (folder / "meeting").unlink(missing_ok=True)
    command = [sys.executable, worker.__file__]
    quiet = os.environ | {"OMP_NUM_THREADS": "1"}
    running = [subprocess.Popen([*command, str(rank), "2", str(folder), *names], env=quiet) for rank in range(2)]
    return [one.wait(timeout=300) for one in running]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """What two processes saw in a scenario, by rank."""
    folder = tmp_path_factory.mktemp("pair")
    assert launched(folder, _TOGETHER) == [0, 0]
    return lambda name: [torch.load(folder / f"{name}.{rank}.pt", weights_only=False) for rank in range(2)]


def alone(scenario: Callable[[Path, int], Any], folder: Path) -> Any:
    return scenario(folder, 0)


def differences(one: list[dict[str, Tensor]], other: list[dict[str, Tensor]]) -> float:
    assert len(one) == len(other) > 3
    return max(float((mine[name] - theirs[name]).abs().max()) for mine, theirs in zip(one, other, strict=True) for name in mine)


@pytest.mark.parametrize("name", ["poisson", "pieces", "rare", "sharded"])
def test_two_processes_train_the_model_that_one_trains(name: str, pair: Pair, tmp_path: Path) -> None:
    """Same draws, no noise: weights after every step. What is left is float32 sums in another order; Adam begins with signs.

    Planted fault: `share` that gives every process all lines moves the weights by 2e-2 and more.
    """
    first, second = pair(name)
    single = alone(getattr(worker, name), tmp_path / "single")
    assert first["steps"] == second["steps"] == single["steps"] == first["planned"]
    assert differences(first["weights"], single["weights"]) <= 2e-5
    assert differences(first["weights"], second["weights"]) == 0, "bit for bit"


@pytest.mark.parametrize("name", ["poisson", "pieces", "rare", "sharded"])
def test_every_drawn_unit_is_on_exactly_one_process(name: str, pair: Pair, tmp_path: Path) -> None:
    first, second = pair(name)
    single = alone(getattr(worker, name), tmp_path / "single")
    for mine, theirs, drawn in zip(first["batches"], second["batches"], single["batches"], strict=True):
        assert len(mine) == len(theirs), "loops stay in step: as many micro-batches in each process"
        own, others = [row for one in mine for row in one], [row for one in theirs for row in one]
        assert sorted(own + others) == sorted(row for one in drawn for row in one)
        assert 0 <= len(own) - len(others) <= 1


def test_a_process_without_units_steps_all_the_same(pair: Pair) -> None:
    """Pitfall C6: batches of one expected unit leave the second process with nothing in most of its steps."""
    _, second = pair("rare")
    empty = [step for step in second["batches"] if not any(step)]
    assert len(empty) > 10
    assert second["steps"] == second["planned"] == len(second["batches"])


def test_all_rows_of_a_user_are_on_one_process(pair: Pair) -> None:
    for mine, theirs in zip(*(one["batches"] for one in pair("users")), strict=True):
        owners = [{(row - 1) % 16 for one in step for row in one} for step in (mine, theirs)]
        assert owners[0].isdisjoint(owners[1])


def test_the_ledger_is_charged_once(pair: Pair) -> None:
    first, second = pair("poisson")
    assert first["paid"] == ["one"]
    assert first["spent"] == pytest.approx(first["price"], abs=1e-8)
    assert "spent" not in second, "the second process has no ledger at all"


def test_weights_under_fully_shard_stay_in_pieces_between_steps(pair: Pair) -> None:
    assert [one["local"]["0.weight"] for one in pair("sharded")] == [(4, 3), (4, 3)]


def parts(updates: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates that the first process draws the noise of, and those of the second."""
    cut = -(-updates.shape[1] // 2)
    return updates[:, :cut].flatten(), updates[:, cut:].flatten()


@pytest.mark.parametrize("scenario", ["noise", "noise_cut"], ids=["whole", "fully_shard"])
def test_total_noise_is_that_of_one_process(scenario: str, pair: Pair, tmp_path: Path) -> None:
    """Pitfall C10. 201,000 draws, 100,500 for each part: within 1 % (1.5 %) unless by chance below 1e-8 (1e-10, chi-square tails).

    Planted faults, each beyond the bound: noise from the first process alone (one part has none), sqrt(1/2) of it in each.
    """
    first, second = pair(scenario)
    assert torch.equal(first["updates"], second["updates"])
    for updates, scale in (
        (first["updates"], first["scale"]),
        *((one["updates"], one["scale"]) for one in [alone(worker.noise, tmp_path / "single")]),
    ):
        assert updates.numel() == 201_000
        assert float(updates.square().mean().sqrt()) == pytest.approx(scale, rel=0.01)
        for part in parts(updates):
            assert float(part.square().mean().sqrt()) == pytest.approx(scale, rel=0.015)
            assert float(part.square().mean().sqrt() * math.sqrt(0.5)) != pytest.approx(scale, rel=0.015)


def correlation(updates: Tensor) -> float:
    return float(torch.corrcoef(torch.stack(parts(updates)))[0, 1])


def test_the_processes_streams_are_independent_and_a_copied_one_is_seen(pair: Pair) -> None:
    """100,500 pairs: |r| > 0.016 by chance with probability below 5e-7 (r sqrt(n) is normal: 5.07 deviations)."""
    assert math.erfc(0.016 * math.sqrt(100_500) / math.sqrt(2)) < 5e-7
    assert abs(correlation(pair("noise")[0]["updates"])) <= 0.016
    assert correlation(pair("copied")[0]["updates"]) > 0.99, "the planted fault: one stream in both"


def test_the_clip_norm_that_adapts_is_one_for_all(pair: Pair) -> None:
    first, second = pair("adaptive")
    assert first["norms"] == second["norms"]
    assert len(set(first["norms"])) > 3


def test_correlated_noise_is_kept_and_restored_part_by_part(pair: Pair) -> None:
    first, second = pair("banded")
    assert first["state"]["process 1 of 2.noise.past"].shape[1] == 26, "half of 50 values, made even: no pair of draws is split"
    assert not np.array_equal(first["state"]["process 0 of 2.noise.past"], first["state"]["process 1 of 2.noise.past"])
    assert first["state"].keys() == first["again"].keys()
    assert all(np.array_equal(first["state"][name], first["again"][name]) for name in first["state"])
    assert second["state"] == {}, "only the first process writes a checkpoint"
    assert "resume with as many processes" in first["refused"]


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        ("budget", "BudgetExceeded", "epsilon 0.5 left"),
        ("unpaid", "ConfigError", "Ledger.open"),
        ("plan", "ConfigError", "differ in the plan"),
        ("rows", "ConfigError", "differ in the data set"),
        ("model", "ConfigError", "differ in the"),
        ("seed", "PrivacyError", "SeededSource(seed + rank)"),
        ("wrapped", "UnsupportedModel", "Pass the model itself"),
        ("loss", "ShapeError", "one per example"),
        ("kept", "ConfigError", "differ in whether checkpoints are kept"),
    ],
)
def test_what_one_process_refuses_all_refuse(what: str, error: str, says: str, pair: Pair) -> None:
    for one in pair("refusals"):
        assert one[what].startswith(f"{error}: ")
        assert says in one[what]


def test_a_refused_training_is_not_charged(pair: Pair) -> None:
    first, _ = pair("refusals")
    assert first["zeros"] == "nothing was refused"
    assert first["paid"] == "zeros loss", "the loss was wrong in the first batch, after the charge; nothing else was"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["killed", "first_killed"])
def test_a_killed_process_stops_the_others_and_the_ledger_stays_true(name: str, tmp_path: Path) -> None:
    codes = launched(tmp_path, (name,))
    victim = 1 if name == "killed" else 0
    assert codes[victim] == -9
    survivor = torch.load(tmp_path / f"{name}.{1 - victim}.pt", weights_only=False)
    assert survivor["refused"].startswith("RunError: another process of this training is gone")
    assert survivor["steps"] == 2
    with Ledger.open(tmp_path / name / "ledger.sqlite", key_folder=tmp_path / name / "keys") as ledger:
        assert ledger.spent("people").epsilon == pytest.approx(2.0, abs=0.01)
        assert max(one.claimed or 0 for one in ledger.entries()) >= 3, "the third step was counted before its units were drawn"


@pytest.mark.slow
def test_an_average_of_weights_in_pieces_is_that_of_whole_ones(tmp_path: Path) -> None:
    """Attaching and `check` make the weights whole: an average begun then would hold tensors whose memory the next step gives back."""
    single = alone(worker.averaged, tmp_path / "single")
    for name in ("averaged", "averaged_checked"):
        assert launched(tmp_path, (name,)) == [0, 0]
        first, second = (torch.load(tmp_path / f"{name}.{rank}.pt", weights_only=False) for rank in range(2))
        assert first["steps"] == second["steps"] == single["steps"] > 3
        for weight, value in single["weights"].items():
            assert torch.equal(first["weights"][weight], second["weights"][weight])
            torch.testing.assert_close(first["weights"][weight], value, rtol=0, atol=2e-5)


@pytest.mark.slow
def test_killed_together_they_resume_to_the_weights_of_an_uninterrupted_run(tmp_path: Path) -> None:
    """Both processes are killed at a checkpoint, which the first wrote for both: draws, noise with its memory, dropout and Adam go on.

    With "sharded" weights and moments are in pieces, which one file holds whole. Planted faults, each seen: the first process's generator
    given to both; the noise's memory of the first in both; a fresh optimizer in the second; the first process's pieces given to both.
    """
    assert launched(tmp_path, ("whole_banded", "whole_plain", "whole_sharded")) == [0, 0]
    for kind, step in (("banded", 3), ("plain", 6), ("sharded", 6)):
        assert launched(tmp_path, (f"cut_{kind}",)) == [-9, -9]
        assert (tmp_path / f"cut_{kind}" / "checkpoint.0").stat().st_mode & 0o777 == 0o600
        assert launched(tmp_path, (f"resumed_{kind}",)) == [0, 0]
        for rank in range(2):
            whole, again = (
                torch.load(tmp_path / f"{name}_{kind}.{rank}.pt", weights_only=False) for name in ("whole", "resumed")
            )
            assert (again["begun"], again["steps"]) == (step, whole["planned"])
            assert all(torch.equal(whole["weights"][name], value) for name, value in again["weights"].items())
            assert again["spent"] == whole["spent"]


@pytest.mark.slow
def test_killed_together_between_checkpoints_they_replay_from_the_spare(tmp_path: Path) -> None:
    assert launched(tmp_path, ("cut_between",)) == [-9, -9]
    assert not (tmp_path / "cut_between" / "checkpoint.none").exists(), "the first process writes alone"
    assert launched(tmp_path, ("resumed_between",)) == [0, 0]
    first, second = (torch.load(tmp_path / f"resumed_between.{rank}.pt", weights_only=False) for rank in range(2))
    assert (first["begun"], first["steps"]) == (second["begun"], second["steps"]) == (3, 8)
    assert all(torch.equal(first["weights"][name], value) for name, value in second["weights"].items())
    epsilon, claimed = first["spent"]
    assert epsilon == pytest.approx(first["price"], abs=1e-8), "one charge for both runs"
    assert claimed >= 6 + 5, "all steps up to the next checkpoint count as spent"


@pytest.mark.slow
def test_the_example_runs_under_torchrun(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for more in ([], ["--fsdp"]):
        done = subprocess.run(
            [*command, str(_ROOT / "examples" / "ddp.py"), *more],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        (line,) = [one for one in done.stdout.splitlines() if "of 2000 new rows right" in one]
        assert float(line.partition("%")[0]) > 80, "the larger class is 50 %"


def test_torchrun_without_a_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(processes_here(), Alone)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="init_process_group"):
        processes_here()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert isinstance(processes_here(), Alone)


def test_parts_of_a_vector_lie_on_the_grid_of_the_whole() -> None:
    total = np.random.default_rng(1).normal(size=1000)
    whole = GridVector.from_sum(total, 1.0)
    parts = [GridVector.from_sum(one, 1.0, dimension=1000) for one in np.split(total, 4)]
    assert [one.step for one in parts] == [whole.step] * 4
    assert whole.step < grid_step(1.0, 250), "a part by itself would have had a coarser grid"
    assert np.array_equal(np.concatenate([one.units for one in parts]), whole.units)
    with pytest.raises(PrivacyError, match="not finite"):
        GridVector.from_sum(np.array([np.nan]), 1.0, dimension=2)


def test_the_sensitivity_proof_counts_the_additions_over_processes() -> None:
    """gamma_(q+p-1) is linear in p where it is small: each further process costs 2^-53 of all lengths, in both neighbours."""
    common: dict[str, Any] = {
        "clip_norm": 1.0,
        "dimension": 100,
        "contributions": 10**6,
        "block": BLOCK,
        "group": GROUP,
        "roundoff": FLOAT32,
    }
    one, many = (sum_sensitivity(**common, processes=count).float_error for count in (1, 1001))
    lengths = 10**6 * (1 - 2.0**-9)
    assert many - one == pytest.approx(2 * 1000 * FLOAT64 * lengths, rel=1e-3)
    with pytest.raises(PrivacyError, match="float64"):
        sum_sensitivity(**common, processes=10**8)
    with pytest.raises(ConfigError, match="processes"):
        sum_sensitivity(**common, processes=0)


@pytest.mark.parametrize("dimension", [1, 2, 49, 50, 51, 1001])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_no_pair_of_normal_values_is_split_between_processes(dimension: int, count: int) -> None:
    """Values come in pairs; delta pays for the missing tails of ceil(d / 2) of them. Odd parts would use more: 26 of 25 for (50, 2)."""
    group = object.__new__(Group)
    group.count = count
    part = group._part(dimension)
    used = [min(part, max(0, dimension - rank * part)) for rank in range(count)]
    assert sum(used) == dimension
    assert sum(-(-own // 2) for own in used) == -(-dimension // 2)


def test_a_checkpoint_of_several_processes_is_refused_by_one() -> None:
    with pytest.raises(ConfigError, match="as many processes as it was made with"):
        Alone().own_state({"process 0 of 2.step": np.array([3])})


def test_sources_of_one_seed_agree_word_for_word_and_others_do_not() -> None:
    """What `begin` compares."""
    one, same, other = (SeededSource(seed).uniform_words(4) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
