"""Every public parameter, when changed, changes an output, an event or a refusal: none is accepted and ignored.

Here for `tacit`, `tacit.train`, `tacit.study` and the command line; the other packages' own tests try theirs. A row names the
test that tries a parameter; what no other test tries is tried below.
"""

import inspect
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from numpy.typing import NDArray
from torch import nn

import tacit
import tacit.study
import tacit.train
from command_line import tacit as command
from contracts.mutants import missing_tests
from simple_training import plan, priced
from small_study import TEXT, write_small_study
from tacit.cli.app import app
from tacit.errors import BudgetExceeded, ConfigError, DataError, RunError, ShapeError
from tacit.models import load_model
from tacit.models.dense import DenseNetwork
from tacit.noise.source import OsSource, SeededSource, Zeros
from tacit.privacy.ledger import Ledger
from tacit.study import Study, check_study, load_study, run_study, write_study
from tacit.study.run import Run, Step
from tacit.train import (
    AutomaticClipping,
    BallsInBinsSampler,
    CanaryTwins,
    Checkpoints,
    CyclicPoissonSampler,
    Network,
    Plan,
    PoissonSampler,
    PrivateTraining,
    ShuffleSampler,
    Trainer,
    plan_for,
    train_plain,
)

_HERE = "tests/contracts/test_parameters.py::"
_GUARANTEE = "tests/privacy/test_guarantee.py::test_json_holds_every_field_and_builds_the_same_guarantee"
_LEDGER = "tests/privacy/ledger/test_ledger.py::"
_RECORD = _LEDGER + "test_a_record_twice_is_one_entry_and_with_another_content_refused"
_ON_DISK = _LEDGER + "test_a_charge_is_on_disk_when_reserve_returns"
_APART = _LEDGER + "test_budgets_of_datasets_are_apart"
_KEYS = "tests/privacy/ledger/test_keys.py::test_a_ledger_is_not_opened_with_another_key_or_without_its_own"
_ANCHOR = "tests/privacy/ledger/test_anchor.py::test_a_ledger_behind_its_anchor_is_refused_at_open_and_while_open"
_TABLE = "tests/tables/test_table.py::"
_CLASSIFIER = "tests/train/test_sklearn.py::"
_MAKE = "tests/train/test_make_private.py::test_every_parameter_changes_an_output_an_event_or_a_refusal"
_OPTIONS = "tests/train/test_make_private_options.py::"
_USERS = _OPTIONS + "test_the_rows_of_a_user_are_clipped_as_one"
_MECHANISMS = _OPTIONS + "test_every_mechanism_and_sampling_runs_to_the_end_is_charged_once_and_has_its_noise"
_COPIES = _OPTIONS + "test_the_gradients_of_a_rows_copies_are_averaged_before_clipping"
_BYTES = _OPTIONS + "test_the_byte_budget_changes_the_method_and_not_the_sums"
_ESTIMATORS = "tests/train/test_sklearn_estimators.py::"
_CHANGES = _ESTIMATORS + "test_every_parameter_changes_what_is_predicted"
_COSTS = _ESTIMATORS + "test_a_fit_costs_what_it_says_and_the_ledger_says_what_for"
_HEARD = _ESTIMATORS + "test_progress_and_activation_are_heard"
_UNUSABLE = _ESTIMATORS + "test_rows_that_cannot_be_used_are_refused_without_repeating_a_value"
_EXTRAS = _ESTIMATORS + "test_weights_and_other_extras_are_refused_with_a_reason"
_SHOWN = _ESTIMATORS + "test_it_fits_into_pipelines_takes_named_columns_and_shows_itself"
_MODES = "tests/train/test_clipping.py::"
_CLIPPED = _MODES + "test_no_gradient_is_longer_than_the_clip_norm_and_what_is_not_finite_vanishes"
_ADAPTIVE = _MODES + "test_adaptive_settings_out_of_range_are_refused"
_PROTOCOLS = "tests/train/test_plan_protocols.py::"
_BITS = _PROTOCOLS + "test_adaptive_clipping_pays_for_its_bits_with_more_noise_on_the_sum"
_CYCLES = "tests/train/test_samplers_cycles.py::"
_LINES = "tests/train/test_users.py::test_a_line_holds_rows_of_its_user_alone_each_once_and_as_many_as_allowed"
_RESUMED = "tests/train/test_resume.py::test_killed_at_a_checkpoint_it_ends_with_the_weights_of_an_uninterrupted_run"
_KEPT = "tests/train/test_resume.py::test_a_checkpoint_of_another_loop_is_refused"
_LOOP = "tests/train/test_loop.py::"
_RESUMED = "tests/train/test_resume.py::test_killed_at_a_checkpoint_it_ends_with_the_weights_of_an_uninterrupted_run"
_EXPORTED = _LOOP + "test_C18_every_trainable_tensor_changes_no_frozen_one_does_and_the_export_reloads"
_TWINS = _HERE + "test_every_parameter_of_the_twins_counts"
_CHECKPOINT = _HERE + "test_a_checkpoint_is_bound_to_its_path_and_key"
_NETWORK = _HERE + "test_every_setting_of_a_network_changes_what_is_learned_or_how_large_it_is"
_PLAN = _HERE + "test_every_field_of_a_plan_changes_it_or_is_refused"
_SOLVE = _HERE + "test_every_argument_of_a_solved_plan_changes_it"
_PROTOCOL = _HERE + "test_every_choice_of_a_protocol_changes_the_plan"
_SEARCHED = _HERE + "test_every_argument_of_a_searched_plan_changes_it"
_SAMPLER = _HERE + "test_every_field_of_a_sampler_changes_the_draw"
_PRIVATE = _HERE + "test_every_argument_of_a_private_training_counts"
_FIT = _HERE + "test_every_argument_of_a_trainer_counts"
_PLAIN = _HERE + "test_every_argument_of_a_plain_training_counts"
_STUDY = _HERE + "test_a_study_is_its_path_and_its_settings"
_RUN = _HERE + "test_every_argument_of_a_run_counts"
_INIT = "tests/cli/test_init_and_check.py::"
_BOOK = "tests/cli/test_ledger_commands.py::"
_REDUCED = "tests/train/test_reductions.py::"
_SCAN = "tests/cli/test_scan.py::"
_ANON = "tests/cli/test_anonymize.py::"
_ENV = "tests/cli/test_env.py::"
_RISK = "tests/cli/test_risk.py::"
_DEMO = "tests/end_to_end/test_demo.py::"

_HEARD_BY = {"PrivateBoostedTrees": ("on_step",), "PrivateRegressor": ("on_step", "activation")}

PARAMETERS: dict[str, dict[str, str]] = {
    "Guarantee": dict.fromkeys(("epsilon", "delta", "unit", "neighbours"), _GUARANTEE),
    "Ledger": {"store": _ON_DISK, "key": _KEYS, "ledger_id": _KEYS, "anchor": _ANCHOR},
    "Ledger.open": {"path": _ON_DISK, "key_folder": _KEYS, "anchor": _ANCHOR},
    "Ledger.grant": {
        "dataset": _APART,
        "epsilon": _LEDGER + "test_grants_add",
        "delta": _LEDGER + "test_grants_add",
        "note": _HERE + "test_the_note_of_a_grant_is_kept",
    },
    "Ledger.reserve": {
        "block": _LEDGER + "test_a_second_block_past_epsilon_or_delta_is_refused_and_leaves_no_trace",
        "dataset": _APART,
        "request_id": _LEDGER + "test_the_same_reservation_twice_is_refused_and_charged_once",
        "purpose": _BOOK + "test_show_lists_every_entry_and_never_one_number_alone",
    },
    "Ledger.check_fits": dict.fromkeys(
        ("block", "dataset"), _HERE + "test_whether_a_block_fits_depends_on_it_and_on_the_dataset"
    ),
    "Ledger.resume": {"request_id": "tests/privacy/ledger/test_reservation.py::test_resume_names_what_is_missing"},
    "Ledger.record": dict.fromkeys(("kind", "dataset", "request_id", "what", "details"), _RECORD),
    **{f"Ledger.{name}": {"dataset": _APART} for name in ("spent", "granted", "left")},
    "Ledger.not_dp": {"dataset": _LEDGER + "test_records_cost_nothing_and_not_dp_releases_are_listed"},
    "Ledger.find": {"request_id": _LEDGER + "test_find_tells_whether_to_reserve_or_to_resume"},
    "PrivateClassifier": dict.fromkeys(
        [
            "ledger",
            "budget",
            "bounds",
            "classes",
            "epsilon",
            "delta",
            "hidden",
            "activation",
            "clip_norm",
            "batch_size",
            "epochs",
            "learning_rate",
            "momentum",
            "n",
            "request_id",
            "source",
            "on_step",
        ],
        _CLASSIFIER + "test_every_parameter_changes_an_output_an_event_or_a_refusal",
    ),
    "PrivateClassifier.fit": {
        **dict.fromkeys(("X", "y"), _CLASSIFIER + "test_bad_input_is_answered_with_what_to_do"),
        "refused": _EXTRAS,
    },
    "PrivateClassifier.predict_proba": {"X": _CLASSIFIER + "test_it_fits_predicts_and_says_what_it_cost"},
    "PrivateClassifier.predict": {"X": _CLASSIFIER + "test_it_fits_predicts_and_says_what_it_cost"},
    **{
        name: {
            **dict.fromkeys(("bounds", "epsilon", "delta", "source", *own), _CHANGES),
            **dict.fromkeys(("ledger", "budget", "request_id"), _COSTS),
            **dict.fromkeys(_HEARD_BY.get(name, ()), _HEARD),
        }
        for name, own in {
            "PrivateBoostedTrees": ("classes", "rounds", "depth", "learning_rate"),
            "PrivateLinearRegression": ("target_bounds", "row_norm"),
            "PrivateLogisticRegression": ("classes", "n", "row_norm", "regularization", "weight_norm"),
            "PrivateNaiveBayes": ("classes", "bins", "smoothing"),
            "PrivateRegressor": (
                *("target_bounds", "hidden", "clip_norm", "batch_size", "epochs", "learning_rate", "momentum", "n"),
            ),
        }.items()
    },
    **{
        f"{name}.fit": {"X": _UNUSABLE, "y": _UNUSABLE, "refused": _EXTRAS}
        for name in (
            *("PrivateBoostedTrees", "PrivateLinearRegression", "PrivateLogisticRegression", "PrivateNaiveBayes"),
            "PrivateRegressor",
        )
    },
    **{
        f"{name}.{method}": {"X": _SHOWN}
        for name, methods in {
            "PrivateBoostedTrees": ("decision_function", "predict_proba", "predict"),
            "PrivateLinearRegression": ("predict",),
            "PrivateLogisticRegression": ("decision_function", "predict_proba", "predict"),
            "PrivateNaiveBayes": ("predict_proba", "predict"),
            "PrivateRegressor": ("predict",),
        }.items()
        for method in methods
    },
    "Table": dict.fromkeys(("data", "schema"), _TABLE + "test_a_table_cannot_be_made_of_data_that_do_not_fit"),
    "Table.from_arrow": dict.fromkeys(
        ("data", "schema"), _TABLE + "test_columns_come_in_the_order_of_the_schema_without_what_it_ignores_or_lacks"
    ),
    "Table.read": dict.fromkeys(
        ("source", "schema", "missing", "encoding", "delimiter"), _TABLE + "test_reading_passes_its_settings_on"
    ),
    "Table.column": {"name": _TABLE + "test_columns_and_rows_can_be_chosen"},
    "Table.select": {"names": _TABLE + "test_columns_and_rows_can_be_chosen"},
    "Table.select_roles": {"roles": _TABLE + "test_columns_and_rows_can_be_chosen"},
    "Table.drop": {"names": _TABLE + "test_columns_and_rows_can_be_chosen"},
    "Table.filter": {"keep": _TABLE + "test_columns_and_rows_can_be_chosen"},
    "load_study": {"path": _STUDY},
    "make_private": {
        **dict.fromkeys(
            [
                "model",
                "optimizer",
                "dataset",
                "epsilon",
                "delta",
                "clip_norm",
                "batch_size",
                "epochs",
                "ledger",
                "budget",
                "request_id",
                "n",
                "max_physical_batch",
                "source",
            ],
            _MAKE,
        ),
        "clipping": _OPTIONS + "test_every_mode_of_clipping_adds_what_its_formula_says",
        **dict.fromkeys(("mechanism", "sampling"), _MECHANISMS),
        "unit": _OPTIONS + "test_the_entry_protects_one_user",
        "owners": _USERS,
        "rows_per_user": _OPTIONS + "test_a_user_never_straddles_a_micro_batch_and_brings_at_most_so_many_rows",
        "augmentations": _COPIES,
        "keep_bytes": _BYTES,
        "plan": "tests/train/test_make_private_asked.py::test_a_plan_made_beforehand_trains_the_same_model_as_its_numbers",
        "checkpoints": _LOOP + "test_an_ordinary_loop_resumes_by_the_same_call",
    },
    "Average": dict.fromkeys(("model", "decay"), _LOOP + "test_the_average_is_the_weighted_mean_of_the_weights_after_each_step"),
    "Average.load_state_dict": {"state_dict": _RESUMED},
    "DPAdam": {
        **dict.fromkeys(
            ("params", "plan", "lr", "betas", "floor", "weight_decay"), _LOOP + "test_C16_dp_adam_moves_as_its_formula_says"
        ),
        "eps": "tests/train/test_dp_adam.py::test_epsilon_is_added_to_the_root_of_the_second_moment",
    },
    "DPAdam.step": {"closure": "tests/train/test_dp_adam.py::test_a_closure_is_run_with_gradients_and_its_loss_comes_back"},
    "export": dict.fromkeys(("model", "folder", "card"), _EXPORTED),
    "load_exported": dict.fromkeys(("model", "folder"), _EXPORTED),
    "load_public_weights": dict.fromkeys(
        ("model", "file", "source", "fresh"),
        _LOOP + "test_public_weights_start_a_fine_tuning_and_the_report_says_where_they_came_from",
    ),
    "fit": {
        **dict.fromkeys(("private", "losses"), _LOOP + "test_it_does_what_the_ordinary_loop_does"),
        "augment": _COPIES,
        "average": _LOOP + "test_the_average_is_the_weighted_mean_of_the_weights_after_each_step",
        "scheduler": _RESUMED,
        "on_step": _LOOP + "test_an_interruption_keeps_the_last_paid_weights_and_a_true_ledger",
        "progress": _LOOP + "test_the_bar_shows_the_reserved_epsilon_and_that_of_the_steps_so_far_and_no_loss",
        "show_loss_of_private_rows": _LOOP
        + "test_C17_a_loss_of_private_rows_is_shown_only_when_asked_for_by_name_and_stands_in_the_ledger",
    },
    "AdaptiveClipping": {
        **dict.fromkeys(("quantile", "learning_rate", "bit_noise", "least", "most"), _ADAPTIVE),
        "clip_norm": _MODES + "test_a_clip_norm_that_is_none_is_refused",
    },
    "AdaptiveClipping.noise_of_bits": {
        "batch_size": _MODES + "test_one_unit_moves_the_bits_by_a_half_and_their_noise_has_the_stated_deviation"
    },
    "AdaptiveClipping.sum_noise": dict.fromkeys(("combined", "batch_size"), _BITS),
    "AdaptiveClipping.factors": dict.fromkeys(("lengths", "clip_norm"), _CLIPPED),
    "AutomaticClipping": {"clip_norm": _CLIPPED, "gamma": _MODES + "test_other_settings_out_of_range_are_refused"},
    "AutomaticClipping.factors": {"lengths": _CLIPPED},
    "FlatClipping": {"clip_norm": _CLIPPED},
    "FlatClipping.factors": {"lengths": _CLIPPED},
    "PerLayerClipping": {"clip_norm": _MODES + "test_layers_together_are_never_longer_than_the_whole"},
    "PerLayerClipping.split": {"layers": _MODES + "test_layers_together_are_never_longer_than_the_whole"},
    "PerLayerClipping.factors": dict.fromkeys(("lengths", "layers"), _CLIPPED),
    **{
        name: dict.fromkeys(("size", "period", "source", *own), _HERE + "test_every_field_of_a_cyclic_sampler_changes_the_draws")
        for name, own in {"BallsInBinsSampler": (), "ShuffleSampler": (), "CyclicPoissonSampler": ("probability",)}.items()
    },
    "UserRows": {
        **dict.fromkeys(("owners", "rows_per_user"), _LINES),
        "users": "tests/train/test_users.py::test_a_row_with_two_owners_or_none_is_refused",
        "source": "tests/train/test_users.py::test_each_row_of_a_user_is_as_likely_as_any_other",
    },
    "UserRows.rows": {"drawn": _LINES},
    "plan_for": dict.fromkeys(
        (
            *("epsilon", "epochs", "noise_multiplier", "delta", "n", "batch_size", "clip_norm", "parameters"),
            *("checkpoint_every", "spare_steps"),
            *("mechanism", "sampling", "bands", "buffers", "tree_height", "clipping", "unit", "rows_per_user"),
        ),
        _SEARCHED,
    ),
    "run_study": dict.fromkeys(("study", "runs", "listener", "source", "only", "exports"), _RUN),
    "CanaryTwins": dict.fromkeys(("plan", "features", "labels", "source", "on_step"), _TWINS),
    "Checkpoints": dict.fromkeys(("path", "key"), _CHECKPOINT),
    "Network": dict.fromkeys(("hidden", "activation", "learning_rate", "momentum"), _NETWORK),
    "Network.parameters": dict.fromkeys(("inputs", "classes"), _NETWORK),
    "Plan": {
        **dict.fromkeys(("n", "batch_size", "clip_norm", "block", "parameters"), _PLAN),
        "sampling": _PROTOCOLS + "test_an_epsilon_holds_only_for_the_sampler_and_the_noise_that_run",
        "clipping": _BITS,
        "rows_per_user": _PROTOCOLS + "test_users_are_the_unit_when_they_are_drawn",
    },
    "Plan.solve": {
        **dict.fromkeys(
            ("epsilon", "delta", "n", "batch_size", "epochs", "clip_norm", "checkpoint_every", "spare_steps", "parameters"),
            _SOLVE,
        ),
        **dict.fromkeys(
            ("mechanism", "sampling", "bands", "buffers", "tree_height", "clipping", "unit", "rows_per_user"), _PROTOCOL
        ),
    },
    "Plan.further_steps": dict.fromkeys(
        ("first_step", "claimed"), _PROTOCOLS + "test_a_resumed_run_takes_no_more_than_its_price_holds"
    ),
    "Plan.noise_within": dict.fromkeys(
        ("epsilon", "delta"), "tests/train/test_make_private.py::test_a_budget_that_does_not_hold_the_plan_gives_no_batch"
    ),
    "Plan.noising": {"source": _PROTOCOLS + "test_one_band_is_dp_sgd_bit_for_bit_and_costs_the_same"},
    "Plan.tracker": {"source": _BITS},
    "Plan.sampler": dict.fromkeys(("source", "size"), _SAMPLER),
    "PoissonSampler": dict.fromkeys(("size", "probability", "source"), _SAMPLER),
    "PoissonSampler.restore": {"state": _CYCLES + "test_another_state_is_refused"},
    "PrivateTraining": {
        **dict.fromkeys(("model", "optimizer", "tensors", "plan", "pay", "source", "max_physical_batch"), _PRIVATE),
        "owners": _USERS,
        "augmentations": _COPIES,
        "keep_bytes": _BYTES,
        "checkpoints": _RESUMED,
    },
    "PrivateTraining.check": {
        "losses_of": "tests/train/test_pitfalls.py::test_c02_examples_coupled_through_ignore_index_are_refused",
        "reduction": _REDUCED + "test_a_weight_made_of_all_labels_leaves_no_trace_and_the_check_finds_it",
    },
    "PrivateTraining.keep": dict.fromkeys(("name", "thing"), _KEPT),
    "PrivateTraining.record": {
        "what": _LOOP + "test_C17_a_loss_of_private_rows_is_shown_only_when_asked_for_by_name_and_stands_in_the_ledger"
    },
    "PrivateTraining.restore": dict.fromkeys(("state", "claimed"), _RESUMED),
    "PrivateTraining.backward": {
        "losses": "tests/train/test_engine.py::test_a_batch_wide_loss_is_refused",
        "reduction": _REDUCED + "test_c08_a_declared_reduction_gives_the_update_of_losses_by_row",
    },
    "Trainer": dict.fromkeys(("plan", "network", "source"), _FIT),
    "Trainer.fit": dict.fromkeys(
        (
            *("features", "labels", "classes", "ledger", "budget", "request_id", "purpose", "checkpoints", "on_step"),
            *("average", "progress"),
        ),
        _FIT,
    ),
    "train_plain": dict.fromkeys(("features", "labels", "classes", "network", "epochs", "on_step"), _PLAIN),
    "Study": dict.fromkeys(("path", "settings"), _STUDY),
    "Study.beside": {"name": _STUDY},
    "Study.with_epsilon": {"epsilon": _STUDY},
    "check_study": {"study": _STUDY},
    "write_study": dict.fromkeys(
        ("data", "out", "encoding"), _HERE + "test_a_study_is_written_for_the_data_where_it_is_asked_for"
    ),
    # the command line
    "tacit": {"version": _HERE + "test_the_version_is_told"},
    "tacit demo": {
        "break_": _DEMO + "test_breaking_it_by_hand_ends_with_exit_code_1",
        "eject": _DEMO + "test_eject_writes_a_study_and_a_script_of_a_page_that_run",
        "out": _DEMO + "test_eject_writes_a_study_and_a_script_of_a_page_that_run",
    },
    "tacit init": {
        "data": _INIT + "test_init_of_a_missing_table",
        "out": _INIT + "test_init_as_json",
        "encoding": _HERE + "test_a_study_is_written_for_the_data_where_it_is_asked_for",
        "json": _INIT + "test_init_as_json",
    },
    "tacit scan": {
        "data": _SCAN + "test_what_cannot_be_scanned_ends_in_one_message_and_an_exit_code",
        "names": _SCAN + "test_names_of_a_file_are_looked_for",
        "encoding": _SCAN + "test_another_encoding_is_read",
        **dict.fromkeys(("hipaa", "separation", "json"), _SCAN + "test_json_holds_the_findings_and_the_reports_asked_for"),
    },
    "tacit risk": {
        **dict.fromkeys(("data", "quasi"), _RISK + "test_one_clear_message_for_what_cannot_be_measured"),
        "after": _RISK + "test_the_view_fits_80_columns_and_has_before_beside_after",
        "hierarchy": _RISK + "test_a_hierarchy_file_says_what_labels_stand_for",
        **dict.fromkeys(("sensitive", "target"), _RISK + "test_the_view_fits_80_columns_and_has_before_beside_after"),
        "control": _RISK + "test_without_a_control_no_residual_risk_is_claimed",
        "attacks": _RISK + "test_the_attacks_are_tried_as_often_as_asked",
        "threshold": _RISK + "test_the_threshold_counts",
        **dict.fromkeys(("population", "population_size"), _RISK + "test_a_population_adds_its_risks"),
        "encoding": _RISK + "test_another_encoding_is_read",
        "json": _RISK + "test_json_holds_the_findings_and_none_may_leave",
    },
    "tacit anonymize": {
        **dict.fromkeys(
            (
                "k",
                "require",
                "hierarchy",
                "sensitive",
                "keep",
                "suppression_limit",
                "recoding",
                "aggregate",
                "weight",
                "generalization_vs_suppression",
                "subset",
                "population",
            ),
            _ANON + "test_every_option_changes_what_comes_out",
        ),
        **dict.fromkeys(("data", "quasi"), _ANON + "test_bad_input_ends_in_one_clear_error_and_nothing_is_written"),
        "memory_limit": "tests/cli/test_anonymize_file.py::test_the_limit_holds_for_all_that_is_read",
        "out": _ANON + "test_parquet_is_written_where_the_name_says_so",
        "time_limit": _ANON + "test_a_time_limit_ends_a_search_with_the_best_found_and_says_so",
        "encoding": _ANON + "test_the_encoding_of_text_files_is_used",
        "json": _ANON + "test_json_is_the_manifest_that_is_written",
        **dict.fromkeys(
            ("ledger", "dataset"),
            "tests/cli/test_anonymize_ledger.py::test_a_release_is_in_the_ledger_as_not_dp_and_the_screen_says_which_entry",
        ),
        "anchor": "tests/cli/test_anonymize_ledger.py::test_the_anchor_follows_the_entry_and_refuses_a_ledger_that_lacks_it",
    },
    "tacit env create": {
        "name": _ENV + "test_an_environment_that_is_not_known_is_refused_with_those_that_are",
        "json": _ENV + "test_it_is_made_from_its_pins_alone_then_used_as_it_is",
    },
    "tacit env list": {"json": _ENV + "test_the_list_says_what_is_there"},
    "tacit check": dict.fromkeys(("study", "json"), _HERE + "test_check_answers_for_the_study_it_is_given"),
    "tacit run": {
        "study": "tests/cli/test_bad_input.py::test_a_missing_study_file",
        "epsilon": "tests/study/test_walk.py::test_a_changed_epsilon_is_refused_when_the_budget_is_spent_and_nothing_is_lost",
        "runs": _HERE + "test_a_run_goes_where_it_is_told",
        "json": _INIT + "test_run_as_json",
    },
    "tacit ledger grant": {
        "path": _BOOK + "test_grant_says_what_may_be_spent_in_all",
        "dataset": _BOOK + "test_grant_says_what_may_be_spent_in_all",
        "epsilon": _BOOK + "test_grant_says_what_may_be_spent_in_all",
        "delta": _BOOK + "test_grants_out_of_range_are_refused",
        "note": _BOOK + "test_show_lists_every_entry_and_never_one_number_alone",
        "anchor": _BOOK + "test_an_anchor_in_a_second_place_follows_every_grant",
        "json": _BOOK + "test_grant_says_what_may_be_spent_in_all",
    },
    "tacit ledger show": {
        "path": _BOOK + "test_a_ledger_that_is_not_there_is_not_made",
        "json": _BOOK + "test_show_lists_every_entry_and_never_one_number_alone",
    },
    "tacit ledger verify": {
        "path": _BOOK + "test_a_ledger_that_is_not_there_is_not_made",
        "anchor": _BOOK + "test_verify_notices_a_rollback_only_with_an_anchor",
        "json": _BOOK + "test_verify_recomputes_the_price_and_finds_a_false_one",
    },
    "tacit ledger export": {
        "path": _BOOK + "test_a_ledger_that_is_not_there_is_not_made",
        "out": _BOOK + "test_export_writes_the_whole_book",
    },
}


def _python() -> Iterator[tuple[str, list[str]]]:
    """Yield every public function and method with its parameters."""
    things = {name: getattr(package, name) for package in (tacit, tacit.train, tacit.study) for name in package.__all__}
    for name, thing in things.items():
        if inspect.isfunction(thing) or (inspect.isclass(thing) and not issubclass(thing, Exception)):
            yield name, list(inspect.signature(thing).parameters)
        for method, member in vars(thing).items() if inspect.isclass(thing) else ():
            plain: Any = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            if inspect.isfunction(plain) and not method.startswith("_"):
                yield f"{name}.{method}", [one for one in inspect.signature(plain).parameters if one not in ("self", "cls")]


def _commands(one: Any, name: str) -> Iterator[tuple[str, list[str]]]:
    yield name, [str(parameter.name) for parameter in one.params]
    for word, inner in getattr(one, "commands", {}).items():
        yield from _commands(inner, f"{name} {word}")


def test_every_public_parameter_and_option_stands_in_the_table() -> None:
    found = {name: set(those) for name, those in [*_python(), *_commands(typer.main.get_command(app), "tacit")] if those}
    assert {name: set(those) for name, those in PARAMETERS.items()} == found


def test_every_test_that_the_table_names_exists() -> None:
    assert missing_tests({test for those in PARAMETERS.values() for test in those.values()}) == []


# What no other test tries.


def rows(n: int = 60, seed: int = 3) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    features = generator.uniform(-1, 1, size=(n, 2))
    return features, (features[:, 0] > 0).astype(np.int64)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "l.sqlite") as one:
        one.grant("people", epsilon=500, delta=1e-3)
        one.grant("others", epsilon=500, delta=1e-3)
        yield one


A_PLAN = priced(60, 20, steps=4, every=2, spare=2)


class Fits:
    """Fits trainers with requests of their own; returns the network's arrays."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.number = ledger, 0

    def __call__(self, *, plan: Plan = A_PLAN, network: Network | None = None, seed: int = 1, **more: Any) -> list[Any]:
        return _arrays(self.network(plan=plan, network=network, seed=seed, **more))

    def network(self, *, plan: Plan = A_PLAN, network: Network | None = None, seed: int = 1, **more: Any) -> DenseNetwork:
        torch.manual_seed(1)
        self.number += 1
        features, labels = rows()
        settings: dict[str, Any] = {"features": features, "labels": labels, "classes": ["no", "yes"], "ledger": self.ledger}
        settings |= {"budget": "people", "request_id": f"fit-{self.number}"} | more
        return Trainer(plan=plan, network=network or Network(), source=SeededSource(seed)).fit(**settings)


def _arrays(network: DenseNetwork) -> list[Any]:
    return [array.tolist() for array in (*network.weights, *network.biases)]


@pytest.fixture
def fits(ledger: Ledger) -> Fits:
    return Fits(ledger)


def test_the_note_of_a_grant_is_kept(ledger: Ledger) -> None:
    assert ledger.grant("people", epsilon=1, delta=0, note="board").content["note"] == "board"


def test_whether_a_block_fits_depends_on_it_and_on_the_dataset(ledger: Ledger) -> None:
    before = ledger.head()
    ledger.check_fits(A_PLAN.block, dataset="people")
    with pytest.raises(BudgetExceeded):
        ledger.check_fits(A_PLAN.block, dataset="nobody")
    dear = replace(A_PLAN.block, guarantee=replace(A_PLAN.block.guarantee, epsilon=501.0))
    with pytest.raises(BudgetExceeded):
        ledger.check_fits(dear, dataset="people")
    assert ledger.head() == before, "asking costs nothing"


def test_every_setting_of_a_network_changes_what_is_learned_or_how_large_it_is(fits: Fits) -> None:
    base = Network(hidden=(3,))
    learned = fits(network=base)
    assert fits(network=base) == learned
    for name, value in {"hidden": (4,), "activation": "relu", "learning_rate": 0.1, "momentum": 0.2}.items():
        assert fits(network=replace(base, **{name: value})) != learned, name  # type: ignore[arg-type]
    assert (base.parameters(2, 2), base.parameters(5, 2), base.parameters(2, 4)) == (17, 26, 25)
    assert replace(base, hidden=(3, 3)).parameters(2, 2) == 29


def test_every_argument_of_a_trainer_counts(fits: Fits, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learned, (features, labels) = fits(), rows()
    assert fits() == learned
    assert fits(plan=priced(60, 20, steps=5, every=2, spare=2)) != learned
    assert fits(network=Network(learning_rate=0.1)) != learned
    assert fits(seed=2) != learned
    assert fits(features=-features) != learned
    assert fits(labels=1 - labels) != learned
    assert fits.network(classes=["never", "always"]).classes == ("never", "always")
    spent = fits.ledger.spent("others")
    fits(budget="others", request_id="mine")
    assert fits.ledger.spent("others") != spent
    mine = fits.ledger.find("mine")
    assert mine is not None
    fits(purpose="a look", request_id="theirs")
    theirs = fits.ledger.find("theirs")
    assert theirs is not None
    assert theirs.content["purpose"].startswith("a look")
    assert mine.content["purpose"].startswith("train")
    with Ledger.open(tmp_path / "empty.sqlite") as empty, pytest.raises(BudgetExceeded):
        fits(ledger=empty)
    kept = Checkpoints(path=tmp_path / "c", key=bytes(32))
    fits(checkpoints=kept)
    assert kept.path.exists()
    heard: list[tuple[int, int]] = []
    fits(on_step=lambda step, steps: heard.append((step, steps)))
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert fits(average=0.9) != learned
    capsys.readouterr()
    assert fits(progress=True) == learned
    assert "4/4" in capsys.readouterr().err


def test_a_checkpoint_is_bound_to_its_path_and_key(fits: Fits, tmp_path: Path) -> None:
    kept = Checkpoints(path=tmp_path / "c", key=bytes(32))
    fits(checkpoints=kept, request_id="one")
    assert fits(checkpoints=kept, request_id="one", seed=9) == fits(checkpoints=kept, request_id="one", seed=8), (
        "all steps had run"
    )
    with pytest.raises(RunError, match="another run or key"):
        fits(checkpoints=replace(kept, key=bytes(31) + b"1"), request_id="one")
    fits(checkpoints=replace(kept, path=tmp_path / "d"), request_id="two")
    assert (tmp_path / "d").exists()


def test_every_argument_of_a_plain_training_counts() -> None:
    features, labels = rows()
    noisy = np.where(np.arange(60) % 7 == 0, 1 - labels, labels)
    settings: dict[str, Any] = {"features": features, "labels": noisy, "classes": ["no", "yes"], "network": Network()}

    def learned(**more: Any) -> list[Any]:
        torch.manual_seed(1)
        return _arrays(train_plain(**(settings | more)))

    base, heard = learned(), list[int]()
    assert learned() == base
    for name, value in {"features": -features, "labels": labels, "network": Network(hidden=(2,)), "epochs": 1}.items():
        assert learned(**{name: value}) != base, name
    assert train_plain(**(settings | {"classes": ["a", "b"]})).classes == ("a", "b")
    learned(on_step=lambda step, _: heard.append(step))
    assert heard


def test_every_field_of_a_plan_changes_it_or_is_refused(ledger: Ledger) -> None:
    for name, value in {"n": 61, "batch_size": 21}.items():
        with pytest.raises(ConfigError, match="only for the sampler that runs"):
            replace(A_PLAN, **{name: value})  # type: ignore[arg-type]
    assert replace(A_PLAN, n=120, batch_size=40).sampler(SeededSource(1)).size == 120
    with pytest.raises(ConfigError, match="priced for 5"):
        Fits(ledger)(plan=replace(A_PLAN, parameters=5))
    louder = plan(60, 20, steps=4, noise=2.0).block
    assert replace(A_PLAN, block=louder).mechanism.noise_multiplier == 2.0
    assert replace(A_PLAN, clip_norm=0.5).summary()["clip_norm"] == 0.5  # its effect on a model: Plan.solve's, and a study's


def test_every_argument_of_a_solved_plan_changes_it() -> None:
    base: dict[str, Any] = {
        "epsilon": 1.0,
        "delta": 1e-6,
        "n": 100,
        "batch_size": 50,
        "epochs": 2,
        "clip_norm": 1.0,
        "parameters": 1,
    }
    solved = Plan.solve(**base)
    assert Plan.solve(**base) == solved
    changes: dict[str, Any] = {"epsilon": 2.0, "delta": 1e-5, "n": 120, "batch_size": 40, "epochs": 3, "clip_norm": 0.5}
    changes |= {"checkpoint_every": 2, "spare_steps": 5, "parameters": 10**15}
    for name, value in changes.items():
        assert Plan.solve(**(base | {name: value})) != solved, name


def test_every_choice_of_a_protocol_changes_the_plan() -> None:
    """Each pair of choices gives two plans; what none of the pairs holds is a choice that nothing hangs on."""
    base: dict[str, Any] = {
        "epsilon": 4.0,
        "delta": 1e-6,
        "n": 100,
        "batch_size": 25,
        "epochs": 2,
        "clip_norm": 1.0,
        "parameters": 1,
    }
    users = {"unit": "user_id", "rows_per_user": 2}
    pairs: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"sampling": "shuffle"}, {"sampling": "balls-in-bins"}),
        ({"sampling": "shuffle"}, {"sampling": "shuffle", "mechanism": "tree"}),
        ({"mechanism": "banded", "sampling": "shuffle", "bands": 2}, {"mechanism": "banded", "sampling": "shuffle", "bands": 3}),
        ({"mechanism": "blt", "buffers": 1}, {"mechanism": "blt", "buffers": 2}),
        ({"mechanism": "tree", "tree_height": 1}, {"mechanism": "tree", "tree_height": 2}),
        ({}, {"clipping": AutomaticClipping(clip_norm=1.0)}),
        (users, {**users, "rows_per_user": 3}),
        (users, {**users, "unit": "household"}),
    ]
    for one, other in pairs:
        assert Plan.solve(**base, **one) != Plan.solve(**base, **other), (one, other)
        assert Plan.solve(**base, **one) == plan_for(**base, **one)


def test_every_argument_of_a_searched_plan_changes_it() -> None:
    """What chooses the protocol is passed on as to Plan.solve, above; here a price that is asked for, without amplification."""
    base: dict[str, Any] = {"delta": 1e-6, "n": 100, "batch_size": 25, "clip_norm": 1.0, "parameters": 1, "sampling": "shuffle"}
    asked: dict[str, Any] = {"epochs": 2, "noise_multiplier": 3.0}
    priced_plan = plan_for(**base, **asked)
    assert plan_for(**base, **asked) == priced_plan
    changes: dict[str, Any] = {"delta": 1e-5, "n": 120, "batch_size": 50, "clip_norm": 0.5, "parameters": 10**15}
    changes |= {"epochs": 3, "noise_multiplier": 4.0, "checkpoint_every": 2, "spare_steps": 5, "sampling": "balls-in-bins"}
    for name, value in changes.items():
        assert plan_for(**(base | asked | {name: value})) != priced_plan, name
    assert plan_for(**base, epsilon=4.0, epochs=2) != plan_for(**base, epsilon=3.0, epochs=2)
    for name in ("mechanism", "sampling"):
        with pytest.raises(ConfigError, match=f"unknown {name}"):
            plan_for(**(base | asked | {name: "other"}))
    for name in ("bands", "buffers", "tree_height"):
        with pytest.raises(ConfigError, match=f"{name} = 2 is for"):
            plan_for(**(base | asked | {name: 2}))
    assert plan_for(**base, **asked, clipping=AutomaticClipping(clip_norm=1.0)) != priced_plan
    assert plan_for(**base, **asked, unit="user_id", rows_per_user=2).guarantee.unit == "user_id"


def test_every_field_of_a_cyclic_sampler_changes_the_draws() -> None:
    def draws(kind: Any, **more: Any) -> list[Any]:
        settings: dict[str, Any] = {"size": 60, "period": 3, "source": SeededSource(1)} | more
        if kind is CyclicPoissonSampler:
            settings.setdefault("probability", 0.5)
        sampler = kind(**settings)
        return [sampler.draw().tolist() for _ in range(4)]

    for kind in (ShuffleSampler, BallsInBinsSampler, CyclicPoissonSampler):
        base = draws(kind)
        assert draws(kind) == base
        for name, value in {"size": 50, "period": 4, "source": SeededSource(2)}.items():
            assert draws(kind, **{name: value}) != base, (kind, name)
    assert draws(CyclicPoissonSampler, probability=0.9) != draws(CyclicPoissonSampler)


def test_every_field_of_a_sampler_changes_the_draw() -> None:
    def draw(**more: Any) -> list[int]:
        settings: dict[str, Any] = {"size": 200, "probability": 0.3, "source": SeededSource(1)} | more
        return [int(one) for one in PoissonSampler(**settings).draw()]

    base = draw()
    assert draw() == base
    assert draw(size=100) == [one for one in base if one < 100] != base
    assert len(draw(probability=0.6)) > len(base)
    assert draw(source=SeededSource(2)) != base
    drawn = A_PLAN.sampler(SeededSource(1)).draw()
    assert len(A_PLAN.sampler(SeededSource(1), size=9).draw()) < len(drawn)
    assert A_PLAN.sampler(SeededSource(2)).draw().tolist() != drawn.tolist()


def test_every_argument_of_a_private_training_counts(ledger: Ledger) -> None:
    features, labels = rows()
    tensors = (torch.from_numpy(features).float(), torch.from_numpy(labels))
    paid: list[str] = []

    def trained(**more: Any) -> tuple[list[Any], int, set[int]]:
        torch.manual_seed(1)
        model = more.pop("model", None) or nn.Sequential(nn.Linear(2, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=more.pop("rate", 0.5))
        a_plan = more.pop("plan", A_PLAN)

        def pay() -> Any:
            paid.append(f"p{len(paid)}")
            return ledger.reserve(a_plan.block, dataset="people", request_id=paid[-1], purpose="test")

        settings: dict[str, Any] = {"pay": pay, "source": SeededSource(1)} | more
        private = PrivateTraining(model, optimizer, settings.pop("tensors", tensors), a_plan, **settings)
        sizes, steps = set(), 0
        for x, y in private.batches():
            sizes.add(len(x))
            private.backward(nn.functional.cross_entropy(private.model(x), y, reduction="none"))
            optimizer.step()
            steps += 1
        return [value.tolist() for value in private.finish().state_dict().values()], steps, sizes

    base, steps, sizes = trained()
    assert trained()[0] == base
    assert steps == 4
    assert trained(model=nn.Sequential(nn.Linear(2, 2), nn.Tanh()))[0] != base
    assert trained(rate=0.1)[0] != base
    assert trained(tensors=(-tensors[0], tensors[1]))[0] != base
    assert trained(plan=plan(60, 20, steps=4, noise=1.0, clip_norm=0.1))[0] != base
    assert trained(source=SeededSource(2))[0] != base
    assert trained(max_physical_batch=8)[2] == {8} != sizes
    with pytest.raises(ZeroDivisionError):
        trained(pay=lambda: 1 // 0)
    assert len(paid) == len(set(paid)) > 5


def test_every_parameter_of_the_twins_counts() -> None:
    features, labels = rows(20)
    heard: list[int] = []
    base: dict[str, Any] = {"plan": plan(20, 10, steps=3, noise=1.0), "features": features, "labels": labels}

    def seen(**more: Any) -> Any:
        return CanaryTwins(**({**base, "source": SeededSource(1)} | more))(np.ones((3, 2), dtype=bool)).tolist()

    score = seen()
    assert seen() == score
    assert seen(plan=plan(20, 10, steps=4, noise=1.0)) != score
    assert seen(source=SeededSource(2)) != score
    assert seen(features=np.hstack([features, features])) != score, "a longer vector is released"
    for wrong in ({"features": features[:5]}, {"features": labels}, {"labels": labels[:5]}, {"labels": labels + 1}):
        with pytest.raises(ShapeError, match="0 or 1"):
            seen(**wrong)
    seen(on_step=lambda step, _: heard.append(step))
    assert heard == [1, 2, 3]


class Counting:
    """Hears a run and counts what it hears."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def step_starts(self, step: Step) -> None: ...

    def step_moves(self, step: Step, done: int, total: int) -> None: ...

    def step_ends(self, step: Step, record: Any, *, reused: bool) -> None:
        self.ended.append(step.name)


def test_every_argument_of_a_run_counts(tmp_path: Path) -> None:
    study = load_study(write_small_study(tmp_path))
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.grant("people", epsilon=8, delta=1e-3)

    def run(**more: Any) -> Run:
        settings: dict[str, Any] = {"study": study, "runs": tmp_path / "a", "listener": Counting(), "only": ("train",)}
        return run_study(**(settings | {"source": SeededSource(1)} | more))

    def model(one: Run) -> list[Any]:
        return _arrays(load_model(one.folder / "train/model")[0])

    listener = Counting()
    first = run(listener=listener)
    assert listener.ended == ["train"]
    assert not (tmp_path / "a/small/scan").exists(), "only the named steps run"
    assert set(run(only=("scan", "train")).records) == {"scan", "train"}
    assert model(run(runs=tmp_path / "b", study=study.with_epsilon(1.0))) != model(first)
    assert (tmp_path / "b/small/train").is_dir()
    _, card = load_model(run(runs=tmp_path / "c", source=None, study=study.with_epsilon(0.5)).folder / "train/model")
    assert card["randomness"] == {"source": OsSource.name, "private": True}, "the operating system's by default"
    assert not (run(runs=tmp_path / "d", source=Zeros(), exports=False).folder / "train/model").exists()


def test_a_study_is_its_path_and_its_settings(tmp_path: Path) -> None:
    study = load_study(write_small_study(tmp_path))
    other = load_study(write_small_study(tmp_path / "other", TEXT.replace("k = 4", "k = 9")))
    assert study.beside("people.csv") == tmp_path / "people.csv"
    assert study.beside("other/people.csv") == Study(path=other.path, settings=study.settings).beside("people.csv")
    assert check_study(study) != check_study(Study(path=study.path, settings=other.settings))
    assert [one.epsilon for one in check_study(study.with_epsilon(0.25))] == [None, 0.25, None, None]
    with pytest.raises(ConfigError, match="must be > 0"):
        study.with_epsilon(0)
    with pytest.raises(ConfigError, match=r"no study file .*nothing\.toml"):
        load_study(tmp_path / "nothing.toml")


def test_a_study_is_written_for_the_data_where_it_is_asked_for(tmp_path: Path) -> None:
    write_small_study(tmp_path)
    (tmp_path / "pets.csv").write_text("pet,age\ncat,3\ndog,5\n")
    write_study(tmp_path / "people.csv", tmp_path / "one.toml")
    write_study(tmp_path / "pets.csv", tmp_path / "two.toml")
    assert "[columns.score]" in (tmp_path / "one.toml").read_text()
    assert "[columns.pet]" in (tmp_path / "two.toml").read_text()
    (tmp_path / "latin.csv").write_bytes("größe,age\n3,3\n4,5\n".encode("latin-1"))
    with pytest.raises(DataError, match="encoding"):
        write_study(tmp_path / "latin.csv", tmp_path / "three.toml")
    write_study(tmp_path / "latin.csv", tmp_path / "three.toml", encoding="latin-1")
    assert "größe" in (tmp_path / "three.toml").read_text(encoding="utf-8")
    assert command("init", "latin.csv", "--out", "four.toml", folder=tmp_path).code == 1
    assert command("init", "latin.csv", "--out", "four.toml", "--encoding", "latin-1", folder=tmp_path).code == 0


def test_the_version_is_told(tmp_path: Path) -> None:
    assert command("--version", folder=tmp_path).out == f"tacit {tacit.__version__}\n"


def test_check_answers_for_the_study_it_is_given(tmp_path: Path) -> None:
    write_small_study(tmp_path)
    (tmp_path / "other.toml").write_text(TEXT.replace("k = 4", "k = 9"))
    assert "a 4-anonymous table" in command("check", folder=tmp_path).out
    other = command("check", "other.toml", folder=tmp_path).out
    assert "a 9-anonymous table" in other
    assert command("check", "other.toml", "--json", folder=tmp_path).out.startswith("[")


def test_a_run_goes_where_it_is_told(tmp_path: Path) -> None:
    text = TEXT[: TEXT.index("[anonymize]")] + TEXT[TEXT.index("[ledger]") :]
    write_small_study(tmp_path, text)
    assert command("run", "--runs", "elsewhere", folder=tmp_path).code == 0
    assert (tmp_path / "elsewhere/small/report/release.html").is_file()
    assert not (tmp_path / "runs").exists()
