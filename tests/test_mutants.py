"""Faults put into the code on purpose: the checks named beside each must notice it.

Each mutant copies the package, changes one place, and runs tests against the copy; they must fail. The faults are those
that live on in other libraries. Tests run in processes of their own, forked where that is possible from one that has
imported what is heavy, but neither Azogue nor pytest's plugins.
"""

import multiprocessing
import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]


class Mutant(NamedTuple):
    fault: str
    file: str
    old: str
    new: str
    tests: str


CONTRACT = "tests/test_contract.py::test_autoencoder"
MUTANTS = [
    Mutant(
        "KL clamped to nothing",
        "objectives/divergences.py",
        "share = share * (scale / rows)",
        "share = share * (scale / rows) * (value > 100.0)",
        f"{CONTRACT}[VariationalAutoencoder-check_hyper_parameters]",
    ),
    Mutant(
        "KL clamped to nothing, where autograd differentiates it",
        "objectives/divergences.py",
        "total: Tensor = units.sum(1)",
        "total: Tensor = (units - 100.0).clamp(min=0.0).sum(1)",
        "tests/test_dense.py::test_gradients_are_autograd_s[variational]",
    ),
    Mutant(
        "a KL that averages over the code",
        "objectives/divergences.py",
        "total: Tensor = units.sum(1)",
        "total: Tensor = units.mean(1)",
        "tests/test_divergences.py::test_kl_is_the_closed_form_divided_by_the_columns",
    ),
    Mutant(
        "a sparsity that is clamped to nothing",
        "objectives/penalties.py",
        "return target * (target / mean).log()",
        "return 0 * target * (target / mean).log()",
        "tests/test_objectives.py::test_sparsity",
    ),
    Mutant(
        "sampling left on at inference",
        "codes/base.py",
        "return Code(mean, stats)\n        return Code(mean + self.noise",
        "import os\n            rng = Rng(int.from_bytes(os.urandom(4), 'big'))\n        return Code(mean + self.noise",
        "tests/test_codes.py::test_nothing_is_drawn_at_inference_and_gradients_pass",
    ),
    Mutant(
        "a variance that is not learned",
        "objectives/reconstruction.py",
        "found.parameters.append((own, PACE * each",
        "found.parameters.append((own, 0 * each",
        f"{CONTRACT}[VariationalAutoencoder-check_gradients]",
    ),
    Mutant(
        "an adversary that trains the encoder against itself",
        "objectives/divergences.py",
        "softplus(judge(step.code.z.detach()))",
        "softplus(judge(step.code.z))",
        "tests/test_divergences.py::test_judge_and_adversary_are_the_cross_entropies",
    ),
    Mutant(
        "an adversary's verdict that stops training",
        "training/autograd.py",
        ".objective.judged",
        ".objective",
        "tests/test_variants.py::test_held_out_rows_judge_by_what_compares_between_epochs",
    ),
    Mutant(
        "batch statistics inside the Jacobian",
        "norms.py",
        "scale = self.weight / (variance + self.eps).sqrt()",
        "return lambda row: self(row, rng)",
        "tests/test_contraction.py::test_batch_statistics_are_constants_of_what_is_differentiated",
    ),
    Mutant(
        "contrastive divergence that follows its own chain",
        "objectives/energies.py",
        "return free_energy(model, step.x) - free_energy(model, v)",
        "return free_energy(model, step.x)",
        "tests/test_pretraining.py::test_the_gradient_is_contrastive_divergence",
    ),
    Mutant(
        "pretraining that is thrown away",
        "pretraining.py",
        "(target[: len(value)] if value.ndim else target).copy_(value)",
        "pass",
        "tests/test_pretraining.py::test_what_the_layers_learned_is_in_the_network",
    ),
    Mutant(
        "global reseed",
        "session.py",
        "    _check_parameters(estimator)\n",
        "    _check_parameters(estimator)\n    torch.manual_seed(seed)\n",
        f"{CONTRACT}[Autoencoder-check_quiet]",
    ),
    Mutant(
        "a print while training",
        "training/loop.py",
        "    begun = time.perf_counter()\n",
        "    begun = time.perf_counter()\n    print(state.epoch)\n",
        f"{CONTRACT}[Autoencoder-check_quiet]",
    ),
    Mutant(
        "drop_last with few rows",
        "training/data.py",
        "if chunk:",
        "if count == size:",
        f"{CONTRACT}[Autoencoder-check_few_rows]",
    ),
    Mutant(
        "a hyper-parameter that is ignored",
        "variants/regularized.py",
        "Sparsity(self.rho, self.distance)",
        "Sparsity(0.05, self.distance)",
        f"{CONTRACT}[SparseAutoencoder-check_hyper_parameters]",
    ),
    Mutant(
        "a decoder that reads a detached code",
        "network.py",
        "raw = self.decoder(code.z, rng, kept)",
        "raw = self.decoder(code.z.detach(), rng, kept)",
        "tests/test_dense.py::test_gradients_are_autograd_s[one layer]",
    ),
    Mutant(
        "a code from which no derivative goes back",
        "training/dense.py",
        'by["z"] = by["z"] + back if "z" in by else back',
        'by["z"] = by["z"] if "z" in by else back * 0',
        f"{CONTRACT}[Autoencoder-check_gradients]",
    ),
    Mutant(
        "corruption left on at inference",
        "training/autograd.py",
        "if corruption is not None and draws is not None:",
        "if corruption is not None and (draws := draws or Rng(len(batch))):",
        "tests/test_training.py::test_nothing_is_drawn_at_inference",
    ),
    Mutant(
        "held-out rows judged whole behind skip connections",
        "training/state.py",
        "return corruption if needed else None",
        "return None",
        "tests/test_showing.py",
    ),
    Mutant(
        "dropout left on at inference",
        "modules.py",
        "if rng is None or self.rate == 0.0:\n            return x\n",
        "rng = rng or Rng(int(torch.randint(9**9, (1,))))\n        if self.rate == 0.0:\n            return x\n",
        "tests/test_build.py::test_dropout_draws_from_the_step_alone",
    ),
    Mutant(
        "gradient of the sum in place of the Jacobian",
        "objectives/penalties.py",
        "torch.eye(units, dtype=h.dtype, device=h.device)",
        "torch.ones(1, units, dtype=h.dtype, device=h.device)",
        "tests/test_objectives.py::test_contraction_of_a_deep_encoder_is_the_finite_difference",
    ),
    Mutant(
        "a contraction whose slopes stand still for its gradient",
        "objectives/contraction.py",
        "            self.delta = by_slope\n",
        "",
        "tests/test_contraction.py::test_its_gradient_by_hand_is_the_finite_difference",
    ),
    Mutant(
        "signs that are the same in each step",
        "training/dense.py",
        "draws = any(term.draws for _, term in self._terms)",
        "draws = False",
        "tests/test_dense.py::test_gradients_are_autograd_s[contractive, estimated]",
    ),
    Mutant(
        "one weight a slot in place of a column",
        "heads.py",
        "return -(self._each(x) * self._each(raw).log_softmax(-1)).sum(-1)",
        "return -(self._each(x) * self._each(raw).log_softmax(-1)).mean(-1)",
        "tests/test_objectives.py::test_each_head_has_its_own_loss_and_a_category_counts_once",
    ),
    Mutant(
        "a correntropy that depends on the batch",
        "objectives/distances.py",
        "return -width * torch.expm1(-error.square() / width)",
        "return -width * torch.expm1(-error.square() / width) * len(error)",
        "tests/test_objectives.py::test_distances",
    ),
    Mutant(
        "blocks that are not padded",
        "inference.py",
        "x = like.new_zeros(size, ",
        "x = like.new_zeros(len(part), ",
        "tests/test_autoencoder.py::test_any_batching_gives_the_same_bits",
    ),
    Mutant(
        "noise that never advances",
        "recipe.py",
        '"<5q", self.seed, self.epoch, self.step',
        '"<5q", self.seed, 0, 0',
        "tests/test_axes.py::test_drawn_from_the_counters_alone",
    ),
    Mutant(
        "early stopping that forgets the best weights",
        "training/loop.py",
        "if state.kept is not None:\n            state.load_weights(state.kept)",
        "if state.kept is not None:\n            pass",
        "tests/test_training.py::test_early_stopping_restores_the_best_weights",
    ),
    Mutant(
        "optimiser left out of the checkpoint",
        "training/state.py",
        "for slot, values in player.memory.items():\n                tensors |=",
        "for slot, values in ():\n                tensors |=",
        "tests/test_checkpoint.py::test_resumed_in_the_same_process",
    ),
    Mutant(
        "missing cells that count in the loss",
        "objectives/reconstruction.py",
        "    mask = observed(step)\n    if mask is None:",
        "    mask = None\n    if mask is None:",
        "tests/test_objectives.py::test_mask_and_weights_are_of_columns",
    ),
    Mutant(
        "a tied layer whose share of the gradient is lost",
        "training/layerwise.py",
        "first=first, adds=self.tied",
        "first=first, adds=False",
        "tests/test_dense.py::test_gradients_are_autograd_s[tied]",
    ),
    Mutant(
        "a corruption that never advances",
        "training/dense.py",
        "Rng(s.recipe.seed, epoch=s.epoch, step=s.step)",
        "Rng(s.recipe.seed)",
        "tests/test_dense.py::test_gradients_are_autograd_s[corruption zeros]",
    ),
    Mutant(
        "weight decay on biases",
        "training/flat.py",
        "for name in first.decayed:",
        "for name in first.parameters:",
        "tests/test_dense.py::test_gradients_are_autograd_s[weight decay]",
    ),
    Mutant(
        "batch statistics that stand still for a derivative",
        "norms.py",
        "part.addcmul_(self.kept, along, value=-self.share)",
        "pass",
        "tests/test_dense.py::test_gradients_are_autograd_s[batch norm, silu]",
    ),
    Mutant(
        "a row's spread that stands still for a derivative",
        "norms.py",
        "delta.addcmul_(self.kept, total, value=-self.share)",
        "pass",
        "tests/test_dense.py::test_gradients_are_autograd_s[layer norm, silu]",
    ),
    Mutant(
        "rows that fill up the lanes in batch statistics",
        "norms.py",
        "(part[:, :, :rows] for part in (x, kept, y))",
        "(x, kept, y)",
        "tests/test_norms.py::test_the_formula_and_its_derivatives[batch-True-19]",
    ),
    Mutant(
        "batch normalisation that does not know of training",
        "training/dense.py",
        "return part is not None and bool(part.differs)",
        "return False",
        "tests/test_dense.py::test_gradients_are_autograd_s[batch norm, silu]",
    ),
    Mutant(
        "running statistics that nobody keeps",
        "training/flat.py",
        "state.named()[name].data = stack[member]",
        "pass",
        "tests/test_norms.py::test_a_resumed_run_has_the_statistics_of_a_whole_one",
    ),
    Mutant(
        "a derivative that outlives its formula",
        "recipe.py",
        "all(own <= place for place in at.values())",
        "True",
        "tests/test_dense.py::test_a_changed_formula_is_left_to_autograd",
    ),
    Mutant(
        "p-values that forget the row itself",
        "applications/thresholds.py",
        "(1.0 + above) / (1.0 + len(calibration))",
        "above / len(calibration)",
        "tests/test_detector.py::test_p_values_are_valid",
    ),
    Mutant(
        "calibration rows that were trained on",
        "applications/anomaly.py",
        "self._train(member, packed, kept, size, rng)\n        if",
        "self._train(member, packed, np.arange(len(packed)), size, rng)\n        if",
        "tests/test_detector.py::test_calibration_rows_are_seen_by_no_member",
    ),
    Mutant(
        "a hidden cell that the network still sees",
        "populations.py",
        "x = piece.x.index_fill(1, slots, 0.0)",
        "x = piece.x",
        "tests/test_populations.py::test_rows_packed_once_serve_many",
    ),
    Mutant(
        "members that differ by their companions",
        "populations.py",
        "if any(weights.ndim == 2 and 1 in weights.shape for weights in session.network.parameters()):",
        "if False:",
        "tests/test_populations.py::test_layers_of_one_unit_have_the_bits_that_they_have_alone",
    ),
    Mutant(
        "a row's gradient that is not clipped",
        "training/private.py",
        ".clamp(max=1.0)",
        "* 0.0 + 1.0",
        "tests/test_private.py::test_one_row_moves_the_sum_by_at_most_the_clip",
    ),
    Mutant(
        "biases that do not count in the norm",
        "training/private.py",
        "(_dots(one.a, other.a) + shared)",
        "_dots(one.a, other.a)",
        "tests/test_private.py::test_clipped_sums_are_those_of_one_row_after_the_other[dense]",
    ),
    Mutant(
        "noise on the mean in place of the sum",
        "training/private.py",
        "scale = privacy.noise_multiplier * privacy.clip",
        "scale = privacy.noise_multiplier * privacy.clip / privacy.batch_size",
        "tests/test_private.py::test_noise_is_sigma_times_clip_on_the_sum_and_the_sum_is_divided_by_the_expected_batch",
    ),
    Mutant(
        "noise that forgets the clip",
        "training/private.py",
        "scale = privacy.noise_multiplier * privacy.clip",
        "scale = privacy.noise_multiplier",
        "tests/test_private.py::test_noise_is_sigma_times_clip_on_the_sum_and_the_sum_is_divided_by_the_expected_batch",
    ),
    Mutant(
        "noise that is drawn once",
        "training/private.py",
        'self._secret.normal("noise", state.epoch, state.step, count)',
        'self._secret.normal("noise", 0, 0, count)',
        "tests/test_private.py::test_the_noise_of_every_step_is_its_own",
    ),
    Mutant(
        "batches that are shuffled in place of drawn",
        "training/private.py",
        "< size / len(rows)",
        ".argsort().argsort() < size",
        "tests/test_private.py::test_every_row_is_drawn_by_itself",
    ),
    Mutant(
        "an account of too few steps",
        "private.py",
        "epochs * -(-rows // batch_size)",
        "-(-rows // batch_size)",
        "tests/test_private.py::test_guarantee",
    ),
    Mutant(
        "a private model that keeps its rows' errors",
        "autoencoder.py",
        "if session.recipe.privacy is None:\n            self._calibrate",
        "if True:\n            self._calibrate",
        "tests/test_private.py::test_fit_keeps_a_guarantee_and_nothing_else_of_the_rows",
    ),
    Mutant(
        "a file that holds the seed of private noise",
        "persistence.py",
        'if private and name == "random_state"',
        'if False and name == "random_state"',
        "tests/test_private.py::test_fit_keeps_a_guarantee_and_nothing_else_of_the_rows",
    ),
]


HEAVY = ["torch", "sklearn.utils.estimator_checks", "scipy.stats", "pandas", "pyarrow.parquet", "narwhals", "opacus"]


def judge(tests: str, source: str, out: str) -> None:
    """Run tests against the package in `source`; the exit status is pytest's."""
    with open(out, "wb", buffering=0) as told:
        os.dup2(told.fileno(), 1)
        os.dup2(told.fileno(), 2)
    os.chdir(ROOT)
    os.environ["PYTHONPATH"] = source  # of the processes that tests start
    sys.path.insert(0, source)
    code = pytest.main(["-q", "-x", tests, "-p", "no:randomly", "-p", "no:xdist"])
    import azogue

    sys.exit(code if azogue.__file__.startswith(source) else 9)


@pytest.fixture(scope="module")
def processes():
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(HEAVY)
    return context


@pytest.mark.mutants
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.fault)
def test_mutant_is_caught(mutant, tmp_path, processes):
    # compiled files come along: those of unchanged ones hold
    shutil.copytree(ROOT / "src", tmp_path / "src")
    path = tmp_path / "src" / "azogue" / mutant.file
    text = path.read_text()
    assert text.count(mutant.old) == 1, f"{mutant.file} no longer has the place to break: {mutant.old!r}"
    path.write_text(text.replace(mutant.old, mutant.new))
    out = tmp_path / "out.txt"
    child = processes.Process(target=judge, args=(mutant.tests, str(tmp_path / "src"), str(out)))
    child.start()
    child.join()
    told = out.read_text(errors="replace") if out.exists() else ""
    assert child.exitcode == 1, f"{mutant.tests} did not notice ({child.exitcode}):\n{told[-1500:]}"
    assert "1 failed" in told, told[-1500:]
