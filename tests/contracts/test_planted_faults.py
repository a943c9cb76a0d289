"""Each rule that makes a claim sound has faults that break it, and a test that notices each.

A fault is planted in a copy of the source, and the test named with it is run against that copy: it must fail. A fault whose
test passes is a hole in the suite, not in the source.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.mutants import SOURCE, copy_source, missing_tests, plant, run_tests

RULES = {
    1: "rows of the original table",
    2: "origin of public values",
    3: "neighbours and unit",
    4: "three kinds of entry",
    5: "a plan is a block",
    6: "charge, then release",
    7: "rollback",
    8: "two editions of a report",
    9: "completeness is enforced",
    10: "which axis is the example",
    11: "the loss",
    12: "coupling",
    13: "samplers",
    14: "non-finite examples",
    15: "vector noise",
    16: "checkpoints are secrets",
    18: "audits",
    22: "anonymization",
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is planted where, and the test that fails then. edits -- pairs (text that occurs once, text in its place)."""

    rule: int
    what: str
    file: str
    edits: tuple[tuple[str, str], ...]
    test: str


def fault(rule: int, what: str, file: str, old: str, new: str, test: str, *more: tuple[str, str]) -> Fault:
    return Fault(rule=rule, what=what, file=file, edits=((old, new), *more), test=f"tests/{test}")


ROWS = "study/test_rows.py::"
WALK = "study/test_walk.py::"
EDITION = "study/test_release_edition.py::"
BAD = "cli/test_bad_input.py::"
ENGINE = "train/test_engine.py::"
AROUND = "train/test_ways_around.py::"
INSIDE = AROUND + "test_what_happens_inside_a_model_is_exact_or_refused"
LOOP = AROUND + "test_what_happens_in_the_loop_is_exact_or_refused"
AXES = "train/test_axes.py::"
KINDS = "train/test_layer_kinds.py::"
OPTIONS = "train/test_make_private_options.py::"
PROTOCOLS = "train/test_plan_protocols.py::"
CLIPPING = "train/test_clipping.py::"
CYCLES = "train/test_samplers_cycles.py::"
USERS = "train/test_users.py::"
PARTICIPATION = "privacy/test_participation.py::"
CORRELATED = "privacy/mechanisms/test_correlated.py::"
LOCAL = "privacy/local/"
REPORTS = "privacy/ledger/test_local_reports.py::"
TRAINER = "train/test_trainer.py::"
TWINS = "train/test_twins.py::"
GRID = "noise/test_grid.py::"
GAUSSIAN = "privacy/mechanisms/test_gaussian.py::"
PRICING = "privacy/test_pricing.py::"
LEDGER = "privacy/ledger/test_ledger.py::"
STEPS = "privacy/ledger/test_reservation.py::"
VERIFY = "privacy/ledger/test_verify.py::"
ANCHOR = "privacy/ledger/test_anchor.py::"
CANARY = "evaluate/test_canary.py::"
ONE_RUN = "evaluate/test_one_run.py::"
RELEASE = "anonymize/test_release.py::"
CHECKED = "anonymize/verify/test_check.py::"
CHECKPOINTED = "self.checkpoint()\n\n    def backward(self, losses: Tensor, *, reduction: Reduction | None = None) -> None:\n"
TOKENS = "anonymize/pseudonymize/test_tokens.py::"

ONE_PERSON = ROWS + "test_one_persons_answers_change_that_persons_row_and_no_other"
CLIPPED_SUM = OPTIONS + "test_every_mode_of_clipping_adds_what_its_formula_says[default]"
RATE = "train/test_samplers.py::test_each_row_is_drawn_at_the_stated_rate_and_batch_sizes_vary_as_poisson_sampling_does"
UPDATE = ENGINE + "test_the_update_divides_by_the_expected_batch_whatever_was_drawn"
NOT_FINITE = ENGINE + "test_a_row_that_is_not_finite_contributes_exactly_nothing"
SEALED = TRAINER + "test_a_checkpoint_is_encrypted_for_its_owner_and_bound_to_its_run"
ENTRIES = WALK + "test_the_ledger_has_one_entry_for_every_access_and_every_release"
REFUSED_STEP = "contracts/test_charges.py::test_a_step_whose_charge_is_refused_leaves_nothing"
PROMISES = "cli/test_init_and_check.py::test_check_says_what_each_promise_is_about_and_reads_no_data"

FAULTS = (
    # 1
    fault(
        1,
        "train on groups of rows made alike, as a k-anonymized table has them",
        "study/rows.py",
        "features=encoding_of(run.study).encode(table),",
        "features=encoding_of(run.study).encode(table).reshape(-1, 5, 8).mean(axis=1).repeat(5, axis=0),",
        ROWS + "test_training_sees_the_original_rows_through_the_declared_bounds_and_categories",
    ),
    fault(
        1,
        "leave out rows whose quasi-identifiers are rare among all rows",
        "study/rows.py",
        'training=in_training(ids, key=run.key("split.key").secret, fraction=settings.train.training_share),',
        'training=in_training(ids, key=run.key("split.key").secret, fraction=settings.train.training_share)\n'
        '        & (lambda ages: np.array([ages.count(age) >= 4 for age in ages]))(table.column("age").to_pylist()),',
        ONE_PERSON,
    ),
    fault(
        1,
        "scale the features by their mean and deviation",
        "study/rows.py",
        "features=encoding_of(run.study).encode(table),",
        "features=(lambda x: (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9))(encoding_of(run.study).encode(table)),",
        ONE_PERSON,
    ),
    fault(
        1,
        "promise something to persons for the anonymized table",
        "study/check.py",
        'about="the table; no bound for the original person"',
        'about="every person in it"',
        PROMISES,
    ),
    # 2
    fault(
        2,
        "write the smallest and largest value as bounds",
        "study/init.py",
        'yield "# bounds = [LOW, HIGH]"',
        'yield f"bounds = [{one.minimum}, {one.maximum}]"',
        "cli/test_init_and_check.py::test_init_writes_what_it_saw_as_comments_and_never_as_values",
    ),
    fault(
        2,
        "take the bounds from the data's minimum and maximum",
        "tables/encoding.py",
        "missing = pc.is_null(values).to_numpy()",
        "missing = pc.is_null(values).to_numpy()\n"
        "    seen = _numbers(values, bounds)\n"
        "    bounds = Bounds(low=float(seen.min()), high=float(seen.max()) + 1e-9, origin=bounds.origin)",
        "tables/test_encoding.py::test_reading_and_encoding_together_look_at_one_row_at_a_time",
    ),
    fault(
        2,
        "take the classes from the data",
        "tables/label.py",
        "found = pc.index_in(values, value_set=pa.array(self.classes, pa.string()))",
        "found = pc.index_in(values, value_set=pc.unique(values))",
        "tables/test_label.py::test_labels_are_places_among_the_declared_classes",
    ),
    fault(
        2,
        "accept a feature without declared bounds",
        "tables/encoding.py",
        "if getattr(column, lacking) is None:",
        "if False:",
        "tables/test_encoding.py::test_a_feature_without_declared_bounds_or_categories_is_refused_with_what_to_write",
    ),
    fault(
        2,
        "take the number of rows from the data",
        "study/run.py",
        "if table.n_rows != settings.data.rows:",
        "if False:",
        BAD + "test_another_number_of_rows_than_declared",
    ),
    # 3
    fault(
        3,
        "draw rows with twice the probability that is accounted",
        "train/samplers.py",
        "math.ldexp(self.probability, 64)",
        "math.ldexp(min(0.999, 2 * self.probability), 64)",
        RATE,
    ),
    fault(
        3,
        "draw rows where a unit column is declared",
        "study/settings.py",
        "if units := self._named(Role.UNIT):",
        "if units := []:",
        BAD + "test_a_unit_column_is_refused_until_units_are_trained",
    ),
    fault(
        3,
        "account a larger n than the sampler draws from",
        "train/plan.py",
        "size=self.n if size is None else size, probability=self.probability",
        "size=self.n if size is None else size, probability=min(1.0, 1.5 * self.probability)",
        TWINS + "test_without_noise_a_twin_counts_how_often_its_canary_was_drawn",
    ),
    fault(
        3,
        "accept a block priced for another sampling rate",
        "train/plan.py",
        "event.probability == self.batch_size / self.n",
        "event.probability > 0",
        TRAINER + "test_a_plan_refuses_a_block_priced_for_another_sampler",
    ),
    fault(
        3,
        "promise users what rows are drawn for",
        "train/plan.py",
        'if promise.unit != "row" or promise.neighbours is not Neighbours.ZERO_OUT:',
        "if False:",
        TRAINER + "test_a_plan_for_users_is_refused_while_rows_are_drawn",
    ),
    fault(
        3,
        "bring one row more of a user than was declared",
        "train/users.py",
        "self.users, self.rows_per_user = users, rows_per_user",
        "self.users, self.rows_per_user = users, rows_per_user + 1",
        USERS + "test_a_line_holds_rows_of_its_user_alone_each_once_and_as_many_as_allowed",
    ),
    fault(
        3,
        "clip the rows of a user one by one",
        "train/torch/engine.py",
        "        self._keep, self._rows = keep, keep.unsqueeze(1) if rows is None else rows & keep.unsqueeze(1)",
        "        real = keep.unsqueeze(1) if rows is None else rows & keep.unsqueeze(1)\n"
        "        self._keep, self._rows = real.flatten(), real.reshape(-1, 1)",
        OPTIONS + "test_the_rows_of_a_user_are_clipped_as_one",
    ),
    fault(
        12,
        "look for moved buffers after the backward pass alone",
        "train/torch/engine.py",
        "        refuse_moved(self._model, self._state)\n        refuse_foreign(losses, self._names)\n        self._probe(losses)",
        "        refuse_foreign(losses, self._names)\n        self._probe(losses)",
        "train/test_soundness_edges.py::test_a_buffer_that_is_put_back_in_the_backward_pass_is_seen",
    ),
    fault(
        3,
        "let a user's rows lie in two micro-batches",
        "train/torch/private.py",
        "        rows = torch.cat([lines, padding]).repeat_interleave(self.augmentations, dim=1)\n",
        "        rows = torch.cat([lines, padding]).repeat_interleave(self.augmentations, dim=1).roll(1, 0).T.reshape(self._units, -1)\n",
        OPTIONS + "test_a_user_never_straddles_a_micro_batch_and_brings_at_most_so_many_rows",
    ),
    fault(
        3,
        "make lies of local reports one word too rare",
        "privacy/local/words.py",
        "return math.ceil(ALL_WORDS / (ratio + others))",
        "return math.floor(ALL_WORDS / (ratio + others))",
        LOCAL + "test_randomized_response.py::test_no_report_is_more_than_e_epsilon_likelier_from_one_person_than_from_another",
    ),
    fault(
        3,
        "spend all of epsilon on each of the two bits that differ",
        "privacy/local/unary.py",
        "else exp_below(self.epsilon / 2)",
        "else exp_below(self.epsilon)",
        LOCAL + "test_unary.py::test_no_report_is_more_than_e_epsilon_likelier_from_one_person_than_from_another",
    ),
    fault(
        3,
        "leave the error of drawn caps unpaid",
        "privacy/local/priv_unit.py",
        "(cap_probability(dimension, height) - drawn_error(dimension, height))",
        "(cap_probability(dimension, height) * 1.01)",
        LOCAL + "test_priv_unit.py::test_no_report_is_more_than_e_epsilon_likelier_from_one_vector_than_from_another",
    ),
    fault(
        3,
        "reserve local reports that may be made twice",
        "privacy/block.py",
        "isinstance(self.event, LocalRandomized) and (self.steps, self.spare_steps) != (1, 0)",
        "False",
        REPORTS + "test_reports_are_one_step_and_no_spare",
    ),
    fault(
        3,
        "take local reports' promise for the central one",
        "privacy/ledger/audit.py",
        "meant = Neighbours.REPLACE_ONE if isinstance(block.event, LocalRandomized) else Neighbours.ZERO_OUT",
        "meant = block.guarantee.neighbours",
        REPORTS + "test_verify_sees_a_price_or_a_promise_that_the_event_does_not_have",
    ),
    # 4
    fault(
        4,
        "record the twin as if nothing left",
        "study/steps/twin.py",
        'run.charge("twin", "not-dp"',
        'run.charge("twin", "read-only"',
        ENTRIES,
    ),
    fault(
        4,
        "show the total without the list of releases",
        "cli/ledger_view.py",
        "spent over the dp entries, and {releases} no epsilon.",
        "spent over the dp entries.",
        "cli/test_ledger_commands.py::test_show_lists_every_entry_and_never_one_number_alone",
    ),
    fault(
        4,
        "leave the releases without epsilon out of the report",
        "study/steps/report.py",
        'entries if entry.kind == "not-dp"',
        'entries if entry.kind == "none"',
        EDITION + "test_every_edition_lists_what_was_charged_and_what_has_no_epsilon",
    ),
    fault(
        4,
        "let a dp release be recorded without an event",
        "privacy/ledger/ledger.py",
        "if kind not in (chain.NOT_DP, chain.READ_ONLY):",
        "if False:",
        LEDGER + "test_what_has_an_epsilon_cannot_be_recorded_without_one",
    ),
    # 5
    fault(
        5,
        "do not price the spare steps",
        "privacy/pricing.py",
        "steps=free.paid_steps, delta=delta, draws=draws",
        "steps=free.steps, delta=delta, draws=draws",
        PRICING + "test_a_block_costs_the_pld_price_of_planned_and_spare_steps",
    ),
    fault(
        5,
        "choose the noise without the spare steps",
        "train/plan.py",
        "steps=steps + spare_steps, draws=draws",
        "steps=steps, draws=draws",
        "train/test_make_private.py::test_the_plan_is_charged_before_the_first_batch_and_not_before",
    ),
    fault(
        5,
        "let the blocks' epsilons pass the grant",
        "privacy/ledger/ledger.py",
        "if spent_epsilon > granted_epsilon or",
        "if",
        LEDGER + "test_a_second_block_past_epsilon_or_delta_is_refused_and_leaves_no_trace",
    ),
    fault(
        5,
        "let the blocks' deltas pass the grant",
        "privacy/ledger/ledger.py",
        "or spent_delta > granted_delta:",
        "or False:",
        LEDGER + "test_a_second_block_past_epsilon_or_delta_is_refused_and_leaves_no_trace",
    ),
    fault(
        5,
        "resume where the killed run stopped instead of after what it claimed",
        "privacy/ledger/ledger.py",
        "window = (start, min(start + block.checkpoint_every, block.paid_steps))",
        "window = (max(0, start - 1), min(start + block.checkpoint_every, block.paid_steps))",
        STEPS + "test_a_resumed_run_starts_after_every_step_claimed_before_it",
    ),
    fault(
        5,
        "run the step after the last one paid",
        "train/torch/private.py",
        "if self.step >= self._until or reservation.steps_left <= 0:",
        "if self.step > self._until or reservation.steps_left <= 0:",
        TRAINER + "test_a_killed_training_resumes_from_its_checkpoint_and_pays_for_the_replay_from_the_spare",
    ),
    fault(
        5,
        "continue another plan's block",
        "train/paying.py",
        'block_from_json(entry.content["block"]) != plan.block',
        "False",
        TRAINER + "test_another_plan_or_budget_may_not_continue_a_block",
    ),
    fault(
        5,
        "continue a block that another budget paid for",
        "train/paying.py",
        "or entry.dataset != self.budget",
        "or False",
        TRAINER + "test_another_plan_or_budget_may_not_continue_a_block",
    ),
    fault(
        5,
        "charge less than the steps cost",
        "train/plan.py",
        "if not cost <= promise.epsilon * (1 + 1e-9):",
        "if False:",
        TRAINER + "test_a_block_that_claims_less_than_it_costs_is_refused",
    ),
    fault(
        5,
        "do not price what a kill releases twice",
        "privacy/participation.py",
        "squared += replays * squared_window(",
        "squared += 0 * squared_window(",
        PARTICIPATION + "test_a_killed_and_resumed_run_moves_no_further_than_is_priced",
    ),
    fault(
        5,
        "do not price the turns that a kill repeats",
        "privacy/participation.py",
        " + replays * participations(steps=length, period=period)",
        "",
        PARTICIPATION + "test_cyclic_poisson_costs_as_many_sampled_releases_as_turns",
    ),
    fault(
        5,
        "let two runs of steps that share noise go on side by side",
        "privacy/ledger/reservation.py",
        "if self.block.in_order and start < end and start != self._end:",
        "if False:",
        STEPS + "test_of_two_runs_of_steps_that_share_noise_the_one_that_was_left_behind_ends",
    ),
    fault(
        5,
        "go on with noise that remembers from any step",
        "train/plan.py",
        "if self.block.in_order and (claimed - first_step > self.block.spare_steps or first_step % self.block.checkpoint_every):",
        "if False:",
        PROTOCOLS + "test_a_resumed_run_takes_no_more_than_its_price_holds",
    ),
    fault(
        5,
        "accept a delta of one over n",
        "train/plan.py",
        "if n > 1 and not delta < 1 / n:",
        "if False:",
        PROTOCOLS + "test_what_has_no_theorem_or_no_sense_is_refused_with_a_remedy",
    ),
    fault(
        5,
        "let the bits of adaptive clipping go for nothing",
        "train/clipping.py",
        "left = combined**-2 - bits**-2",
        "left = combined**-2",
        PROTOCOLS + "test_adaptive_clipping_pays_for_its_bits_with_more_noise_on_the_sum",
    ),
    # 6: every charge has its own test in test_charges.py; here the order
    fault(
        6,
        "write down what was found before it is charged",
        "study/steps/scan.py",
        '    run.charge("scan", "read-only", "the columns were searched for personal data")\n',
        "    (run.folder / 'scan.json').write_text(str(identify_columns(run.table.data)))\n"
        '    run.charge("scan", "read-only", "the columns were searched for personal data")\n',
        REFUSED_STEP + "[scan]",
    ),
    fault(
        6,
        "train the first batch before it is paid for",
        "train/torch/private.py",
        "            reservations: list[Reservation] = []  # of the first process\n",
        "            yield tuple(tensor[: self._units] for tensor in self._tensors)\n            reservations: list[Reservation] = []\n",
        "train/test_make_private.py::test_a_budget_that_does_not_hold_the_plan_gives_no_batch",
    ),
    fault(
        6,
        "count a step after its rows are drawn and released",
        "train/torch/private.py",
        "        reservation.count_step()\n",
        "",
        "contracts/test_charges.py::test_every_step_of_a_training_is_claimed_before_it_is_released",
        (
            "                " + CHECKPOINTED,
            "                first(lambda: reservations[0].count_step())\n                " + CHECKPOINTED,
        ),
    ),
    fault(
        6,
        "show less on the screen than was spent",
        "cli/summary.py",
        "{upper(book['epsilon'])} of",
        "{book['epsilon'] - 0.005:.3f} of",
        WALK + "test_the_epsilon_on_screen_is_that_of_the_ledger_in_a_fresh_process",
    ),
    fault(
        6,
        "report a step that this ledger has no entry for",
        "study/runner.py",
        "if step.charges and not run.paid_for(step.name):",
        "if False:",
        WALK + "test_finished_steps_are_reused_only_with_the_ledger_that_paid_for_them",
    ),
    # 7
    fault(
        7,
        "show a total from a ledger that does not verify",
        "cli/summary.py",
        "if done.returncode != 0:",
        "if False:",
        "study/test_screen.py::test_a_ledger_that_does_not_verify_ends_the_run_with_its_problem",
    ),
    fault(
        7,
        "do not compare the head with the chain",
        "privacy/ledger/verification.py",
        "if audit.hashes.get(head.count) != bytes.fromhex(head.hash):",
        "if False:",
        ANCHOR + "test_database_and_local_head_restored_together_are_caught_by_the_report_alone",
    ),
    fault(
        7,
        "do not check who signed the head",
        "privacy/ledger/verification.py",
        "if not head.signed_by_its_key() or head.public_key != audit.public_key:",
        "if False:",
        ANCHOR + "test_heads_of_another_ledger_or_signed_by_another_key_are_problems",
    ),
    fault(
        7,
        "leave the head out of the model",
        "study/steps/train.py",
        '"ledger_head": run.ledger.head().to_json(),',
        "",
        WALK + "test_reports_and_models_carry_the_anchor_and_verify_with_it",
    ),
    fault(
        7,
        "leave the head out of the report",
        "report/editions.py",
        "        head=statement.head,\n",
        "",
        WALK + "test_reports_and_models_carry_the_anchor_and_verify_with_it",
    ),
    fault(
        7,
        "say protected without an anchor",
        "privacy/ledger/verification.py",
        "return self.anchored > 0",
        "return self.anchored >= 0",
        ANCHOR + "test_without_an_anchor_verify_says_it_is_not_protected",
    ),
    # 8
    fault(
        8,
        "let exact findings into the release edition",
        "report/editions.py",
        "return finding.kind in RELEASE_KINDS and finding.basis in allowed",
        "return finding.kind in RELEASE_KINDS",
        EDITION + "test_one_private_row_changes_no_byte_of_the_release_edition",
        ("    allowed = (Basis.PUBLIC, Basis.DP) if claims else (Basis.PUBLIC,)\n", ""),
    ),
    fault(
        8,
        "call the facts of the anonymized table public",
        "anonymize/manifest.py",
        'Finding(kind="anonymization", name=name, value=value, unit=unit, basis=Basis.EXACT, **more)',
        'Finding(kind="anonymization", name=name, value=value, unit=unit, basis=Basis.PUBLIC, **more)',
        EDITION + "test_only_findings_that_were_decided_on_leave",
    ),
    fault(
        8,
        "let details that nobody listed leave",
        "report/editions.py",
        "for key, value in finding.details.items() if key in RELEASE_KINDS[finding.kind]",
        "for key, value in finding.details.items()",
        "report/test_editions.py::test_details_that_nobody_listed_stay_behind",
    ),
    fault(
        8,
        "let a noiseless run's figures leave as dp",
        "report/editions.py",
        "return statement.randomness.private and not is_contradicted(statement)",
        "return True",
        "report/test_editions.py::test_without_a_standing_claim_nothing_computed_from_private_rows_leaves",
    ),
    fault(
        8,
        "write the hour into the release edition",
        "report/editions.py",
        "created=statement.created[:10]",
        "created=statement.created",
        "report/test_editions.py::test_running_times_input_hashes_and_the_hour_stay_behind",
    ),
    # 9
    fault(
        9,
        "take the guard off",
        "train/torch/guards.py",
        "if gradient is None or expected():",
        "if True:",
        INSIDE + "[operations without torch functions]",
    ),
    fault(
        9,
        "take the guard off parameters outside the model",
        "train/torch/guards.py",
        "if gradient is None or expected():",
        "if True:",
        LOOP + "[a regularizer in the loss]",
    ),
    fault(
        9,
        "do not look whether the model changed",
        "train/torch/engine.py",
        "        self._refuse_changed()\n",
        "",
        LOOP + "[a forward hook added later]",
    ),
    fault(
        9,
        "leave the biases out of the norm",
        "train/torch/clipping.py",
        "total = torch.stack(list(squared.values())).sum(dim=0)",
        'total = torch.stack([one for name, one in squared.items() if "bias" not in name] or list(squared.values())).sum(dim=0)',
        CLIPPED_SUM,
    ),
    fault(
        9,
        "take the norm of a reused parameter from one of its uses",
        "train/torch/tape.py",
        "found = {name: pool(records, self.units, self.budget) for name, records in self.records.items()}",
        "found = {name: records[0] for name, records in self.records.items()}",
        KINDS + "test_a_kind_of_layer_used_twice_agrees_in_float64",
    ),
    fault(
        9,
        "let the model run twice on one batch",
        "train/torch/engine.py",
        "        if self._tape is not None:\n            raise",
        "        if False:\n            raise",
        LOOP + "[the model twice]",
    ),
    # 10
    fault(
        10,
        "take the first axis when two could be the example",
        "train/torch/axes.py",
        "if len(found) == 1 and all(seen):",
        "if found and all(seen):",
        AXES + "test_what_could_be_read_in_two_ways_is_refused",
    ),
    fault(
        10,
        "take an axis that one example does not follow",
        "train/torch/axes.py",
        "if all(bool((place == j).all()) for j, place in enumerate(places)) else []",
        "if all(bool((place == j).any()) for j, place in enumerate(places)) else []",
        AXES + "test_what_mixes_examples_is_refused",
    ),
    fault(
        10,
        "read a flattened batch the other way round",
        "train/torch/axes.py",
        'if self.kind == "minor":',
        'if self.kind == "major":',
        AXES + "test_examples_come_first_whichever_way_they_were_flattened",
    ),
    # 11
    fault(
        11,
        "divide the update by the number drawn",
        "train/torch/engine.py",
        "self._releaser.release(self.clip_norm, self._plan.batch_size)",
        "self._releaser.release(self.clip_norm, max(1, self._drawn))",
        UPDATE,
        (
            "        self._forget()\n        self._weights.gather()",
            "        self._forget()\n        self._drawn = int(keep.sum())\n        self._weights.gather()",
        ),
    ),
    fault(
        11,
        "accept a scalar loss",
        "train/torch/engine.py",
        "if losses.shape != (self._tape.rows,):",
        "if losses.ndim and losses.shape != (self._tape.rows,):",
        ENGINE + "test_a_batch_wide_loss_is_refused",
    ),
    fault(
        11,
        "count the padding as examples",
        "train/torch/private.py",
        "self._engine.start(keep, rows >= 0)",
        "self._engine.start(keep | True, rows >= -1)",
        CLIPPED_SUM,
    ),
    fault(
        11,
        "add up the copies of an augmented row",
        "train/torch/engine.py",
        ".sum().div(self._averaged)",
        ".sum()",
        OPTIONS + "test_the_gradients_of_a_rows_copies_are_averaged_before_clipping",
    ),
    # 12
    fault(
        12,
        "let one example's loss depend on another's output",
        "train/torch/coupling.py",
        "if _moved(plain, found, ~chosen, exact=exact):",
        "if False:",
        AROUND + "test_pairing_rows_half_a_batch_apart_is_found_within_a_few_batches",
    ),
    fault(
        12,
        "let a buffer carry what it saw",
        "train/torch/guards.py",
        "if now.get(name) != before.get(name):",
        "if False:",
        AROUND + "test_a_buffer_that_changes_only_in_training_is_refused",
    ),
    fault(
        12,
        "let the trace overlook a buffer that moves",
        "train/torch/trace.py",
        "    if changed:\n",
        "    if False:\n",
        AROUND + "test_a_buffer_that_changes_at_every_call_is_refused_by_name_before_anything_is_paid",
    ),
    # 13
    fault(
        13,
        "truncate a draw that is larger than the micro-batch",
        "train/torch/private.py",
        "own = torch.from_numpy(self._processes.share(drawn))",
        "own = torch.from_numpy(self._processes.share(drawn))[: self._units]",
        ENGINE + "test_a_large_draw_takes_further_micro_batches_and_steps_once",
    ),
    fault(
        13,
        "draw a fixed number of rows",
        "train/samplers.py",
        "return np.flatnonzero(self.source.uniform_words(self.size) < threshold).astype(np.int64)",
        "return np.sort(np.argsort(self.source.uniform_words(self.size))[: round(self.size * self.probability)])",
        RATE,
    ),
    fault(
        13,
        "leave out a step whose draw is empty",
        "train/torch/private.py",
        "range(0, max(1, fullest), self._units)]",
        "range(0, fullest, self._units)]",
        ENGINE + "test_an_empty_draw_still_releases_noise",
    ),
    fault(
        13,
        "draw from every group in every step",
        "train/cycles.py",
        "np.flatnonzero(self._group == self._step % self.period)",
        "np.flatnonzero(self._group >= 0)",
        CYCLES + "test_no_unit_takes_part_twice_within_a_period",
    ),
    fault(
        13,
        "toss no coins in the group whose turn it is",
        "train/cycles.py",
        "return members[PoissonSampler(size=len(members), probability=self.probability, source=self.source).draw()]",
        "return members",
        CYCLES + "test_a_member_is_drawn_at_the_stated_rate_when_it_is_its_turn",
    ),
    fault(
        13,
        "split the units anew when a run is resumed",
        "train/cycles.py",
        "self._group, self._step = group.astype(np.int64), int(step[0])",
        "self._group, self._step = self._split(), int(step[0])",
        CYCLES + "test_a_restored_sampler_keeps_its_split_and_its_place",
    ),
    fault(
        13,
        "run another sampler than the one that was priced",
        "train/plan.py",
        "        if not right:\n",
        "        if False:\n",
        PROTOCOLS + "test_an_epsilon_holds_only_for_the_sampler_and_the_noise_that_run",
    ),
    # 14
    fault(
        14,
        "give a non-finite example a weight of zero",
        "train/torch/records.py",
        "return torch.where(self.kept[place].view(-1, *[1] * (rows.ndim - 1)), part, 0.0)",
        "return part * self.kept[place].view(-1, *[1] * (rows.ndim - 1))",
        NOT_FINITE,
    ),
    fault(
        14,
        "take the activation of a non-finite example as it is",
        "train/torch/records.py",
        "part = rows[place].to(wide(rows))",
        "part = rows[place].to(wide(rows))\n        return part",
        NOT_FINITE,
    ),
    fault(
        14,
        "let non-finite examples through",
        "train/torch/clipping.py",
        "kept = keep & torch.isfinite(total)",
        "kept = keep",
        NOT_FINITE,
    ),
    # 15
    fault(
        15,
        "add float noise to the sum",
        "train/torch/release.py",
        'piece.write_values(staging[: stop - start], divisor=batch_size, by="torch")',
        "noisy = staging[: stop - start] * piece.step + clip_norm * self._noising.source.normal(stop - start)\n"
        "                staging[: stop - start] = noisy / batch_size",
        ENGINE + "test_the_update_lies_on_the_grid",
    ),
    fault(
        15,
        "round float noise off the grid",
        "train/torch/release.py",
        'piece.write_values(staging[: stop - start], divisor=batch_size, by="torch")',
        "noisy = staging[: stop - start] * piece.step + clip_norm * self._noising.source.normal(stop - start)\n"
        "                staging[: stop - start] = np.round(noisy, 6) / batch_size",
        ENGINE + "test_the_update_lies_on_the_grid",
    ),
    fault(
        15,
        "draw every piece of a release from the start of its stream",
        "noise/normal.py",
        "self._have(-(-min(size, count) // 2))\n",
        "self._have(-(-min(size, count) // 2))\n        self._stream = Keystream(bytearray(self._stream._key))\n",
        "train/test_release.py::test_no_noise_is_used_for_two_pieces",
    ),
    fault(
        15,
        "draw every chunk of a vector from the start of its stream",
        "noise/normal.py",
        "self._stream.fill(words)\n",
        "Keystream(bytearray(self._stream._key)).fill(words)\n",
        "noise/test_normal.py::test_pieces_of_one_release_share_no_words",
    ),
    fault(
        15,
        "read a released stream again under the key that was overwritten",
        "noise/keystream.py",
        "        self._encryptor = None\n",
        "        self._encryptor = Cipher(algorithms.AES256(self._key), modes.GCM(_NONCE)).encryptor()\n",
        "noise/test_keystream.py::test_nothing_is_read_after_the_key_is_overwritten",
    ),
    fault(
        15,
        "keep the words of a release in memory",
        "noise/normal.py",
        "        self._words.fill(0)\n        self._radius.fill(0)\n        self._stream.erase()\n",
        "        self._stream.erase()\n",
        "noise/test_normal.py::test_what_a_release_was_made_from_is_zero_afterwards",
    ),
    fault(
        15,
        "round each piece of the sum on a grid of its own",
        "train/torch/release.py",
        "GridVector.from_sum(staged, clip_norm, dimension=self.dimension, ",
        "GridVector.from_sum(staged, clip_norm, ",
        "train/test_release.py::test_every_piece_of_a_large_sum_lies_on_the_grid_of_the_whole",
    ),
    fault(
        15,
        "add 4,096 contributions at once in float32",
        "noise/sensitivity.py",
        "BLOCK, GROUP = 64, 8",
        "BLOCK, GROUP = 4096, 8",
        "noise/test_sensitivity.py::test_blocks_and_groups_in_float32_leave_room_for_norms",
    ),
    fault(
        15,
        "add noise that is not rounded",
        "noise/grid.py",
        "part = noisy[piece]\n            library.round(part, out=part)\n",
        "part = noisy[piece]\n",
        GRID + "test_noise_is_rounded_to_the_grid_whoever_drew_it",
    ),
    fault(
        15,
        "do not round the sum",
        "noise/grid.py",
        "library.round(part, out=part)\n                part += 0.0\n",
        "part += 0.0\n",
        GRID + "test_a_sum_is_rounded_to_the_nearest_multiple",
    ),
    fault(
        15,
        "clip to the whole norm, without the margin",
        "train/clipping.py",
        "return _factors(lengths, clip_target(self.clip_norm))",
        "return _factors(lengths, self.clip_norm)",
        CLIPPED_SUM,
    ),
    fault(
        15,
        "clip the twins to the whole norm, without the margin",
        "train/torch/twins.py",
        "drawn[self.plan.sampler(self.source, size=present.size).draw()] = clip_target(self.plan.clip_norm)",
        "drawn[self.plan.sampler(self.source, size=present.size).draw()] = self.plan.clip_norm",
        "train/test_canary_length.py::test_a_canary_has_the_length_that_a_clipped_record_has",
    ),
    fault(
        15,
        "make the grid one step coarser",
        "noise/grid.py",
        "exponent -= 1\n",
        "exponent -= 1\n    exponent += 1\n",
        GRID + "test_the_step_is_the_largest_power_of_two_that_leaves_rounding_its_share",
    ),
    fault(
        15,
        "release on a grid that is too coarse",
        "privacy/mechanisms/gaussian.py",
        "if total.step > grid_step(total.clip_norm, d):",
        "if False:",
        GAUSSIAN + "test_a_grid_too_coarse_for_the_sensitivity_proof_is_refused",
    ),
    fault(
        15,
        "forget the clip norm in the noise's scale",
        "privacy/mechanisms/gaussian.py",
        "spread = self.noise_multiplier * total.clip_norm / total.step",
        "spread = self.noise_multiplier / total.step",
        GAUSSIAN + "test_the_noise_has_the_stated_scale_in_clip_norms",
    ),
    fault(
        15,
        "do not charge the missing tail to delta",
        "privacy/pricing.py",
        "missing = steps * missing_mass(draws)",
        "missing = 0.0",
        PRICING + "test_the_missing_tail_of_the_noise_is_taken_from_delta",
    ),
    fault(
        15,
        "count the gradients left whole without centring them",
        "train/clipping.py",
        "np.array([whole - len(lengths) / 2])",
        "np.array([float(whole)])",
        CLIPPING + "test_the_share_is_centred_and_divided_by_the_expected_batch_whatever_was_drawn",
        (" / self._batch_size + 0.5\n", " / self._batch_size\n"),
    ),
    fault(
        15,
        "clip every layer to the whole clip norm",
        "train/clipping.py",
        "share = self.clip_norm / math.sqrt(len(layers))",
        "return dict.fromkeys(layers, self.clip_norm)\n        share = 0.0",
        CLIPPING + "test_layers_together_are_never_longer_than_the_whole",
    ),
    fault(
        15,
        "forget the clip norm in the scale of correlated noise",
        "privacy/mechanisms/correlated.py",
        "noise *= self._gaussian.noise_multiplier * total.clip_norm / total.step",
        "noise *= self._gaussian.noise_multiplier / total.step",
        CORRELATED + "test_a_release_is_the_sum_and_the_rounded_noise_of_its_step",
    ),
    fault(
        15,
        "change the clip norm under noise that remembers",
        "privacy/mechanisms/correlated.py",
        "if self._grid not in (None, grid):",
        "if False:",
        CORRELATED + "test_a_run_keeps_its_grid_and_clip_norm",
    ),
    fault(
        15,
        "go on with amplified noise after a loss as if nothing was lost",
        "privacy/mechanisms/correlated.py",
        "if not state or (lost_steps and self._begin_anew):",
        "if not state:",
        CORRELATED + "test_an_amplified_run_begins_anew_after_a_loss_and_another_goes_on",
    ),
    # 16
    fault(
        16,
        "write the checkpoint in plain",
        "train/torch/checkpoint.py",
        "sealed(packed(state), key, request_id)",
        "packed(state)",
        SEALED,
        ("opened(path.read_bytes(), key, request_id)", "path.read_bytes()"),
    ),
    fault(
        16,
        "let others read the checkpoint",
        "train/torch/checkpoint.py",
        "durable.replace(path, sealed(packed(state), key, request_id))",
        "path.write_bytes(sealed(packed(state), key, request_id))",
        SEALED,
    ),
    fault(
        16,
        "do not bind the checkpoint to its run",
        "train/sealing.py",
        'info = b"tacit checkpoint " + name.encode()',
        'info = b"tacit checkpoint "',
        "train/test_checkpoint.py::test_a_checkpoint_of_another_request_is_not_continued",
    ),
    fault(
        16,
        "let others into the folder of secrets",
        "study/run.py",
        "os.chmod(folder, 0o700)",
        "os.chmod(folder, 0o755)",
        WALK + "test_secrets_are_for_their_owner_alone",
    ),
    fault(
        16,
        "do not say that intermediate models are visible",
        "study/steps/report.py",
        "intermediate_models_visible=True",
        "intermediate_models_visible=False",
        EDITION + "test_every_edition_lists_what_was_charged_and_what_has_no_epsilon",
    ),
    # 18
    fault(
        18,
        "choose the threshold on the scores it is used on",
        "evaluate/canary.py",
        "    scores = twin_scores(train_fn, present)[:, 0]\n",
        "    scores = twin_scores(train_fn, present)[:, 0]\n    cut = float(np.median(scores)) if threshold is None else cut\n",
        CANARY + "test_the_threshold_is_half_of_the_expected_draws_and_fixed_by_the_plan",
    ),
    fault(
        18,
        "contradict a claim at the confidence that is only shown",
        "evaluate/canary.py",
        "return self.acted > self.guarantee.epsilon",
        "return self.shown > self.guarantee.epsilon",
        CANARY + "test_the_acted_bound_follows_the_counts_not_the_verdict_of_a_lower_confidence",
    ),
    fault(
        18,
        "ignore the confidence",
        "evaluate/bounds.py",
        "side = 1 - (1 - confidence_level(confidence)) / 2",
        "side = 0.975",
        CANARY + "test_the_acted_bound_follows_the_counts_not_the_verdict_of_a_lower_confidence",
    ),
    fault(
        18,
        "act on an audit at 95%",
        "evaluate/canary.py",
        "if confidence < ACTED_ON:",
        "if confidence < 0.95:",
        CANARY + "test_an_audit_cannot_be_acted_on_below_one_in_a_million",
    ),
    fault(
        18,
        "act on the one-run audit whatever its delta term",
        "evaluate/bounds.py",
        "slack = 2 * canaries * delta * _alpha(guesses, correct, q) if delta else 0.0",
        "slack = 0.0",
        "evaluate/test_one_run_delta.py::test_at_delta_1e5_not_even_a_thousand_right_guesses_contradict",
        ("if not delta or not highest:", "if True:"),
    ),
    fault(
        18,
        "take the canaries' coins from what is not random",
        "evaluate/one_run.py",
        "if abs(int(heads.sum()) - count / 2) > far:",
        "if False:",
        ONE_RUN + "test_unfair_coins_are_refused",
    ),
    fault(
        18,
        "audit another source than the one that trained",
        "study/steps/audit.py",
        "            source=run.source,\n",
        "            source=__import__('tacit.noise', fromlist=['x']).OsSource.from_os(),\n",
        "study/test_audit_step.py::test_an_audit_contradicts_exactly_when_the_noise_is_missing",
    ),
    fault(
        18,
        "train the twins with another noise than the plan's",
        "train/torch/twins.py",
        "noisy = self.plan.mechanism.release(GridVector.from_sum(total.ravel(), self.plan.clip_norm), self.source)",
        "from tacit.privacy.mechanisms.gaussian import Gaussian\n"
        "        louder = Gaussian(noise_multiplier=1.25 * self.plan.mechanism.noise_multiplier)\n"
        "        noisy = louder.release(GridVector.from_sum(total.ravel(), self.plan.clip_norm), self.source)",
        TWINS + "test_with_noise_a_canary_coordinate_has_the_plans_deviation",
    ),
    fault(
        18,
        "end well although an audit contradicts the claim",
        "cli/run.py",
        'if finding.kind == "audit" and finding.details.get("contradicts") is True:',
        "if False:",
        "study/test_audit_step.py::test_the_command_ends_with_exit_code_1_when_an_audit_contradicts",
    ),
    # 22
    fault(
        22,
        "let the check import the search",
        "anonymize/verify/check.py",
        "from tacit.errors import PrivacyError\n",
        "from tacit.anonymize import search  # noqa: F401\nfrom tacit.errors import PrivacyError\n",
        CHECKED + "test_the_check_imports_neither_search_nor_hierarchies",
    ),
    fault(
        22,
        "accept classes one row short",
        "anonymize/verify/sizes.py",
        "size < k for size",
        "size < k - 1 for size",
        CHECKED + "test_a_class_one_row_short_is_caught",
    ),
    fault(
        22,
        "release what the check refused",
        "anonymize/release.py",
        "    verification.require()\n",
        "",
        RELEASE + "test_what_the_independent_check_cannot_confirm_is_not_released",
    ),
    fault(
        22,
        "call k-anonymity differential privacy",
        "anonymize/manifest.py",
        '"a syntactic property of this table; not differential privacy"',
        '"differential privacy"',
        RELEASE + "test_the_record_is_never_called_differential_privacy",
    ),
    fault(
        22,
        "hash without the key",
        "anonymize/pseudonymize/tokens.py",
        "prefix, secret = scope_prefix(scope), self.key.secret",
        "prefix, secret = scope_prefix(scope), bytes(32)",
        TOKENS + "test_another_key_or_scope_gives_unlinkable_tokens",
    ),
    fault(
        22,
        "make tokens of a column with few values",
        "anonymize/pseudonymize/tokens.py",
        "forced = check_entropy(named, scope, force=force)",
        "forced = None",
        TOKENS + "test_a_column_of_few_values_is_refused_with_the_remedy",
    ),
    fault(
        22,
        "encrypt domains that can be enumerated",
        "anonymize/pseudonymize/ff1.py",
        "    check_domain(radix, numerals.shape[1])\n",
        "",
        "anonymize/pseudonymize/test_ff1.py::test_a_domain_below_a_million_is_refused_and_one_of_a_million_is_not",
    ),
    fault(
        22,
        "write the look-up file in clear",
        "anonymize/pseudonymize/look_up.py",
        'AESGCM(key.derive("look-up file")).encrypt(nonce, plain, _head(key))',
        "plain + bytes(16)",
        "anonymize/pseudonymize/test_look_up.py::test_the_file_is_the_owners_alone_and_shows_no_value_and_no_token",
    ),
    fault(
        22,
        "call perturbation differential privacy",
        "anonymize/perturb/perturbed.py",
        'claim = "perturbed values; not differential privacy"',
        'claim = "differential privacy"',
        "anonymize/perturb/test_effect.py::test_none_of_these_is_called_differential_privacy_and_none_changes_its_input",
    ),
    fault(
        22,
        "compare a class with the released rows alone",
        "anonymize/privacy_models/distances.py",
        "return p, histogram.totals / histogram.totals.sum()",
        "return p, np.bincount(histogram.values, histogram.counts, len(histogram.totals)) / histogram.counts.sum()",
        "anonymize/privacy_models/test_by_definition.py::test_a_model_says_what_its_definition_says",
    ),
    fault(
        22,
        "count sets of one item less",
        "anonymize/sets/generalize.py",
        "range(1, require.m + 1)",
        "range(1, require.m)",
        "anonymize/sets/test_km_anonymity.py::test_anonymized_sets_hold_by_counting_and_every_item_became_one_node_above_it",
    ),
    fault(
        22,
        "let a direct identifier through as a feature",
        "study/steps/scan.py",
        "        _refuse_slipping(column, roles.get(column.column))\n",
        "",
        BAD + "test_a_direct_identifier_given_as_an_ordinary_column",
    ),
    fault(
        13,
        "split a pair of normal values between processes",
        "train/torch/processes/group.py",
        "2 * -(-dimension // (2 * self.count))",
        "-(-dimension // self.count)",
        "train/test_processes.py::test_no_pair_of_normal_values_is_split_between_processes",
    ),
    fault(
        5,
        "let a payer take a plan that claims less than it costs",
        "train/torch/private.py",
        "            first(self.plan.refuse_underpriced)\n",
        "",
        "train/test_before_paying.py::test_a_plan_that_claims_less_than_it_costs_is_refused_whoever_pays",
    ),
    fault(
        3,
        "one row moves two cells",
        "anonymize/private/marginals.py",
        "        counts = np.bincount(flat, minlength=self.cells(attributes)).astype(np.float64)\n",
        "        counts = np.bincount(flat, minlength=self.cells(attributes)).astype(np.float64)\n        counts = counts + np.roll(counts, 1)\n",
        "anonymize/private/test_histograms.py::test_zeroing_a_row_moves_one_cell_of_each_histogram_by_one",
    ),
    fault(
        3,
        "joint sensitivity halved b",
        "anonymize/private/histograms.py",
        "return math.sqrt(histograms) * (1 + 2.0**-50)",
        "return math.sqrt(histograms) / 2",
        "anonymize/private/test_histograms.py::test_zeroing_a_row_moves_one_cell_of_each_histogram_by_one",
    ),
    fault(
        3,
        "marginal sensitivity halved",
        "anonymize/private/mst.py",
        "values, deviation = spending.noisy(counts.ravel(), sensitivity=1.0,",
        "values, deviation = spending.noisy(counts.ravel(), sensitivity=0.5,",
        "anonymize/private/test_methods.py::test_zeroing_a_row_moves_nothing_further_than_was_paid_for",
    ),
    fault(
        6,
        "unpaid selection",
        "anonymize/private/spending.py",
        "        self.spend(steps, values=0)\n        event = GaussianEvent",
        "        event = GaussianEvent",
        "anonymize/private/test_spending.py::test_nothing_is_released_that_was_not_paid_for",
    ),
    fault(
        6,
        "unpaid measurement",
        "anonymize/private/spending.py",
        "        self.spend(steps, values=counts.size)\n        clip_norm",
        "        clip_norm",
        "anonymize/private/test_spending.py::test_nothing_is_released_that_was_not_paid_for",
    ),
    fault(
        22,
        "exact max c",
        "anonymize/private/spending.py",
        "return Exponential.costing(event).choose(scores, sensitivity=sensitivity, source=self.source)",
        "return int(np.argmax(scores))",
        "anonymize/private/test_spending.py::test_a_choice_is_that_of_the_mechanism_its_steps_buy",
    ),
    fault(
        5,
        "noise by steps not root",
        "anonymize/private/spending.py",
        "self._priced.noise_multiplier / math.sqrt(steps)",
        "self._priced.noise_multiplier / steps",
        "anonymize/private/test_spending.py::test_noise_has_the_deviation_that_its_steps_buy",
    ),
    fault(
        22,
        "EM twice the rate",
        "privacy/mechanisms/exponential.py",
        "rate = self.epsilon / (2 * REACH) * _MARGIN",
        "rate = self.epsilon / REACH * _MARGIN",
        "privacy/mechanisms/test_exponential.py::test_the_weights_themselves_keep_the_range",
    ),
    fault(
        5,
        "EM zCDP price as gdp",
        "privacy/mechanisms/exponential.py",
        "mu = -2 * NormalDist().inv_cdf(1 / (1 + math.exp(self.epsilon / 2)))",
        "mu = self.epsilon / 2",
        "privacy/mechanisms/test_exponential.py::test_no_pair_of_laws_of_this_range_is_easier_to_tell_apart_than_the_gaussian_it_is_priced_as",
    ),
    fault(
        22,
        "k one less",
        "anonymize/private/class_size.py",
        "    return t + 1",
        "    return max(t, 1)",
        "anonymize/private/test_class_size.py::test_it_is_the_theorems_smallest_k_in_exact_fractions",
    ),
    fault(
        22,
        "no sampling",
        "anonymize/private/safe_k.py",
        "sampled = data.filter(pa.array(chance.uniform_words(data.num_rows) < np.uint64(words)))",
        "sampled = data",
        "anonymize/private/test_safe_k.py::test_rows_are_sampled_at_the_stated_rate",
    ),
    fault(
        5,
        "eps-delta below its delta",
        "privacy/accounting.py",
        "    if delta >= event.delta:\n        return event.epsilon",
        "    if True:\n        return event.epsilon",
        "privacy/test_epsilon_delta.py::test_its_epsilon_holds_at_its_delta_and_above_and_at_none_below",
    ),
    fault(
        22,
        "call a search that was stopped optimal",
        "anonymize/search/levels.py",
        "optimal=ended",
        "optimal=True",
        "anonymize/test_search.py::test_t3_a_search_stopped_by_its_time_limit_is_not_called_optimal_and_states_a_gap_that_holds",
    ),
    fault(
        22,
        "keep classes that no longer hold once they have one label",
        "anonymize/local/parts.py",
        "keep[kept] = held[inside]",
        "keep[kept] = True",
        "anonymize/test_local_recoding.py::test_classes_that_got_equal_labels_are_one_and_are_asked_again",
    ),
    fault(
        22,
        "let a class tell that somebody is absent",
        "anonymize/verify/population.py",
        "if released or not inside",
        "if released",
        "anonymize/verify/test_population.py::test_a_class_of_people_with_nobody_of_the_subset_fails_a_lower_bound",
    ),
    fault(
        22,
        "release a row twice",
        "anonymize/verify/recoding.py",
        "again = rows - len(np.unique(origins))",
        "again = 0",
        "anonymize/verify/test_local.py::test_origins_must_be_rows_and_different_ones",
    ),
    fault(
        12,
        "let the loop edit the model's output before the loss",
        "train/torch/engine.py",
        "        self.refuse_edited()\n",
        "",
        "train/test_soundness_edges.py::test_an_output_that_is_edited_before_the_loss_is_refused",
    ),
    fault(
        15,
        "form the next sum in memory that a caller holds",
        "train/torch/release.py",
        "one.give().detach()",
        "one.take().detach()",
        "train/test_release.py::test_a_gradient_that_is_kept_never_shows_a_later_sum",
    ),
    fault(
        6,
        "write the release, then record it",
        "cli/anonymize.py",
        '    if book is not None:\n        told["ledger"] = book.record(result)\n    write_release(result.table, out, told, manifest)\n',
        '    write_release(result.table, out, told, manifest)\n    if book is not None:\n        told["ledger"] = book.record(result)\n',
        "cli/test_anonymize_ledger.py::test_what_fails_after_the_entry_leaves_it_and_no_file",
    ),
    fault(
        8,
        "send a hierarchy's labels with the manifest",
        "anonymize/manifest.py",
        'if "rows" in form else dict(form)',
        'if "nothing" in form else dict(form)',
        "anonymize/test_manifest.py::test_a_list_of_values_travels_as_its_hash_alone",
    ),
    fault(
        12,
        "take a reduction that no check has tried",
        "train/torch/private.py",
        "            refuse_untried(reduction, self._tried)\n",
        "",
        "train/test_reductions.py::test_a_reduction_that_was_tried_is_taken_and_the_other_is_not",
    ),
    fault(
        5,
        "begin a training's batches twice",
        "train/torch/private.py",
        "            self._begun = True\n",
        "",
        "train/test_resume.py::test_batches_are_begun_once",
    ),
    fault(
        12,
        "overlook an output that was edited before the loss",
        "train/torch/outputs.py",
        "return self._counter._version != self._version",
        "return False",
        "train/test_soundness_edges.py::test_an_output_that_is_edited_before_the_loss_is_refused",
    ),
    fault(
        4,
        "keep a large file's release out of the ledger",
        "anonymize/scale/release.py",
        "                record_release(result, ledger=ledger, budget=budget)\n",
        "                pass\n",
        "anonymize/scale/test_ledger.py::test_the_entry_is_that_of_the_manifest",
    ),
    fault(
        6,
        "name a large file's release, then record it",
        "anonymize/scale/release.py",
        "            if ledger is not None and budget is not None:\n"
        "                record_release(result, ledger=ledger, budget=budget)\n",
        "        if ledger is not None and budget is not None:\n"
        "            record_release(result, ledger=ledger, budget=budget)\n",
        "anonymize/scale/test_ledger.py::test_the_entry_stands_before_the_file_has_its_name",
    ),
    fault(
        22,
        "microaggregate fewer rows than a class has",
        "anonymize/local/microaggregation.py",
        "if tuples.rows < how.k:",
        "if tuples.rows < 0:",
        "anonymize/test_local_recoding.py::test_microaggregation_says_what_it_cannot_do",
    ),
    fault(
        8,
        "tell by the manifest whether a search ended in time",
        "anonymize/release.py",
        "describe_settings(request, metric, how, time_limit)",
        "describe_settings(request, metric, how, None)",
        "anonymize/test_manifest.py::test_a_search_with_a_time_limit_does_not_tell_whether_it_ended",
    ),
    fault(
        12,
        "count a form whose probe failed as probed",
        "train/torch/engine.py",
        "self._probed.discard(key)",
        "pass",
        "train/test_attach.py::test_a_form_that_failed_its_probe_is_refused_at_every_attempt",
    ),
    fault(
        9,
        "leave hooks and guards behind when an attach is refused",
        "train/torch/private.py",
        "            self._detach()\n            raise",
        "            raise",
        "train/test_attach.py::test_a_refused_attach_leaves_an_ordinary_model",
    ),
    fault(
        6,
        "drop a paid update when a check is run before the step",
        "train/torch/engine.py",
        "one.grad = update",
        "pass",
        "train/test_attach.py::test_a_check_before_the_optimizers_step_keeps_the_update",
    ),
    fault(
        22,
        "verify profitability of a file without its domains",
        "anonymize/scale/check.py",
        "if asked else None",
        "if False else None",
        "anonymize/scale/test_check.py::test_what_values_cover_is_taken_from_the_file_for_profitability",
    ),
    fault(
        22,
        "let a written file have other types",
        "anonymize/scale/check.py",
        ", *_type_problems(file, promise)]",
        "]",
        "anonymize/scale/test_check.py::test_values_of_another_type_are_told_before_they_are_compared",
    ),
    fault(
        22,
        "count two zeros in a file as two values",
        "anonymize/scale/expressions.py",
        "(column == 0).ifelse(ibis.literal(0.0, column.type()), column)",
        "column",
        "anonymize/scale/test_types.py::test_two_zeros_are_one_value_in_memory_and_in_a_file",
    ),
    fault(
        22,
        "forget the time zones of a file",
        "anonymize/scale/source.py",
        "if any(test(one) for test in _FOREIGN)",
        "if False",
        "anonymize/scale/test_types.py::test_a_day_is_that_of_the_columns_own_time_zone",
    ),
)


def test_every_rule_of_this_stage_has_at_least_two_planted_faults() -> None:
    planted = Counter(one.rule for one in FAULTS)
    assert set(planted) == set(RULES)
    assert min(planted.values()) >= 2, planted
    assert len({(one.rule, one.what) for one in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("one", FAULTS, ids=lambda one: f"{one.rule} {one.what}")
def test_a_fault_is_planted_in_text_that_is_there_once(one: Fault) -> None:
    """So that no fault of the table is lost when the source changes."""
    text = (SOURCE / one.file).read_text(encoding="utf-8")
    for old, new in one.edits:
        assert text.count(old) == 1, f"{text.count(old)} times in {one.file}: {old}"
        assert old != new
        text = text.replace(old, new)


def test_every_named_test_exists() -> None:
    assert missing_tests([one.test for one in FAULTS]) == []


@pytest.mark.slow
def test_the_named_tests_pass_on_an_unchanged_copy(tmp_path: Path) -> None:
    copy_source(tmp_path)
    outcome = run_tests(tmp_path, *sorted({one.test for one in FAULTS}))
    assert outcome.code == 0, outcome.text


@pytest.mark.slow
@pytest.mark.parametrize("one", FAULTS, ids=lambda one: f"{one.rule} {one.what}")
def test_a_planted_fault_is_noticed(one: Fault, tmp_path: Path) -> None:
    plant(copy_source(tmp_path), one.file, one.edits)
    outcome = run_tests(tmp_path, one.test)
    assert outcome.code == 1, outcome.text
