"""The loop: order, shards, early stopping, what happens when a run goes wrong."""

import logging

import numpy as np
import pytest
import torch

import azogue as az
from azogue.optimizers import SGD, Adam, Constant, Cosine, RMSprop, as_schedule
from azogue.recipe import Batch, Rng
from azogue.session import open_session
from azogue.training.data import Rows, batches, hold_out, order, together
from azogue.training.state import start


def test_order_is_a_permutation_at_two_levels():
    sequence = order(1000, Rng(0, epoch=1), group=64, buffer=4)
    assert sorted(sequence.tolist()) == list(range(1000))
    first = sequence[:232] // 64  # four groups, one of which may be the short last one
    assert len(set(first.tolist())) == 4, "a buffer holds rows of its own groups alone"
    assert torch.equal(sequence, order(1000, Rng(0, epoch=1), group=64, buffer=4))
    assert not torch.equal(sequence, order(1000, Rng(0, epoch=2), group=64, buffer=4))
    assert sequence.tolist() != list(range(1000))


def test_every_row_is_seen_once_an_epoch_and_the_last_batch_is_kept():
    data = Rows(Batch(torch.arange(103.0)[:, None]))
    seen = list(batches([data], 25, [Rng(0)]))
    assert [batch.x.shape for batch in seen] == [(1, rows, 1) for rows in (25, 25, 25, 25, 3)]
    assert sorted(torch.cat([batch.x for batch in seen], 1).flatten().tolist()) == list(range(103))


def test_hold_out_is_seeded_and_disjoint():
    data = Rows(Batch(torch.arange(50.0)[:, None]))
    train, held = hold_out(data, 0.2, 3)
    assert len(held) == 10
    assert not set(train.all().x.flatten().tolist()) & set(held.all().x.flatten().tolist())
    assert torch.equal(held.index, hold_out(data, 0.2, 3)[1].index)
    assert hold_out(data, 0.01, 3)[1] is None


def session(rows, **parameters):
    ae = az.Autoencoder(3, precision="float64", random_state=0, validation_fraction=0.0, **parameters)
    return open_session(ae, rows, None, 0)


def test_gradients_over_virtual_shards_add_up(rows):
    from dataclasses import replace

    whole, parts = session(rows, batch_size=200), session(rows, batch_size=200)
    parts.recipe = replace(parts.recipe, shards=4)
    for one in (whole, parts):
        state = start(one.network, one.recipe)
        values = one.backend.step([state], together([one.data.all()]))["autoencoder"]
        one.loss = values[0].item()
    assert whole.loss == pytest.approx(parts.loss, rel=1e-12)
    for (name, p), q in zip(whole.network.named_parameters(), parts.network.parameters(), strict=True):
        assert torch.allclose(p.grad, q.grad, rtol=1e-9, atol=1e-14), name


def test_schedules():
    assert as_schedule(0.1)(0.3) == 0.1
    assert as_schedule(0.1)(1.0) == pytest.approx(0.0, abs=1e-12)
    assert as_schedule(0.1)(0.75) == pytest.approx(0.05)
    assert Constant(0.2)(0.9) == 0.2
    assert Cosine(1.0, warmup=0.1)(0.05) == pytest.approx(0.505)
    assert Cosine(1.0, warmup=0.1, final=0.2)(1.0) == pytest.approx(0.2)
    for wrong in (0, -1.0, "fast", True, float("nan")):
        with pytest.raises(ValueError, match="learning_rate"):
            as_schedule(wrong)
    with pytest.raises(ValueError, match="below 1"):
        Cosine(1.0, warmup=0.6, hold=0.5)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", SGD(momentum=0.5), RMSprop(), Adam(clip=0.1)])
def test_every_optimizer_learns(rows, optimizer):
    ae = az.Autoencoder(3, optimizer=optimizer, learning_rate=0.01, epochs=15, random_state=0).fit(rows)
    assert ae.history_[-1]["loss"] < 0.8 * ae.history_[0]["loss"]


def test_clipping_bounds_the_step(rows):
    one = session(rows, optimizer=SGD(clip=1e-3, momentum=0.0), learning_rate=Constant(1.0))
    before = one.network.state_dict()["encoder.steps.0.weight"].clone()
    state = start(one.network, one.recipe)
    one.backend.step([state], together([one.data.all()]))
    moved = (one.network.state_dict()["encoder.steps.0.weight"] - before).norm().item()
    assert 0 < moved <= 1e-3


def test_weight_decay_shrinks_matrices_alone(rows):
    decayed = az.Autoencoder(3, weight_decay=5.0, epochs=30, random_state=0).fit(rows)
    plain = az.Autoencoder(3, epochs=30, random_state=0).fit(rows)
    norm = [sum(p.square().sum() for p in m.network_.parameters() if p.ndim > 1) for m in (decayed, plain)]
    assert norm[0] < 0.8 * norm[1]


def test_early_stopping_restores_the_best_weights(rows):
    ae = az.Autoencoder(3, epochs=60, patience=3, learning_rate=Constant(0.05), random_state=0).fit(rows)
    losses = [record["val_loss"] for record in ae.history_]
    assert ae.stopped_ == "early stopping"
    assert len(losses) - 1 - int(np.argmin(losses)) == 3
    one = open_session(ae, rows, None, 0)
    one.network.load_state_dict(ae.network_.state_dict())
    again = one.backend.evaluate([start(one.network, one.recipe)], [one.validation])[0]
    assert again == pytest.approx(min(losses), rel=1e-6)


def test_validation_data_takes_the_place_of_held_out_rows(rows):
    ae = az.Autoencoder(3, epochs=3, random_state=0).fit(rows[:150], validation_data=rows[150:])
    assert all("val_loss" in record for record in ae.history_)
    none = az.Autoencoder(3, epochs=3, validation_fraction=0.0, random_state=0).fit(rows)
    assert all("val_loss" not in record for record in none.history_)


def test_history_callbacks_and_metrics(rows):
    seen = []

    def stop(record):
        seen.append(record)
        return record["epoch"] == 4

    ae = az.SparseAutoencoder(4, epochs=9, callbacks=(stop,), metrics=("mse", "binary_accuracy"), random_state=0)
    ae.fit(rows)
    assert len(ae.history_) == len(seen) == 4
    assert ae.stopped_ == "callback"
    wanted = {"epoch", "loss", "val_loss", "reconstruction", "sparsity", "mse", "val_mse", "seconds", "learning_rate"}
    assert wanted <= set(ae.history_[0])
    first = ae.history_[0]
    assert first["loss"] == pytest.approx(first["reconstruction"] + 0.1 * first["sparsity"], rel=1e-5)
    with pytest.raises(ValueError, match="unknown"):
        az.Autoencoder(2, metrics="auc").fit(rows)


def test_a_loss_that_turns_nan_stops_and_keeps_what_was_finite(rows):
    class Explodes(az.objectives.Term):
        name = "explodes"

        def __call__(self, step):
            bad = step.rng is not None and step.rng.epoch >= 2
            return step.code.z.sum() * (float("nan") if bad else 0.0)

    with pytest.warns(az.TrainingWarning, match="explodes turned NaN or infinite in epoch 3"):
        ae = az.Autoencoder(3, epochs=9, objective=1.0 * Explodes(), random_state=0).fit(rows)
    assert len(ae.history_) == 2
    assert np.isfinite(ae.errors(rows)).all()


def test_nan_in_the_first_epoch_is_an_error(rows):
    with pytest.raises(FloatingPointError, match="epoch 1.*lower learning_rate"):
        az.Autoencoder(3, epochs=3, learning_rate=Constant(1e30), optimizer="sgd", random_state=0).fit(rows)


def test_keyboard_interrupt_returns_the_model(rows):
    def interrupt(record):
        if record["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.warns(az.TrainingWarning, match="interrupted in epoch"):
        ae = az.Autoencoder(3, epochs=9, callbacks=(interrupt,), random_state=0).fit(rows)
    assert ae.encode(rows).shape == (200, 3)
    assert ae.stopped_ == "interrupted"


def test_partial_fit_goes_on(rows):
    ae = az.Autoencoder(3, random_state=0)
    for _ in range(30):
        ae.partial_fit(rows)
    assert [record["epoch"] for record in ae.history_] == list(range(1, 31))
    assert ae.history_[-1]["loss"] < 0.5 * ae.history_[0]["loss"]
    fitted = az.Autoencoder(3, epochs=5, random_state=0).fit(rows)
    before = fitted.errors(rows).mean()
    for _ in range(20):
        fitted.partial_fit(rows)
    assert fitted.errors(rows).mean() < before


def test_random_state_as_scikit_learn_takes_it(rows):
    legacy = [az.Autoencoder(2, epochs=1, random_state=np.random.RandomState(3)).fit(rows).recipe_.seed for _ in "ab"]
    modern = [az.Autoencoder(2, epochs=1, random_state=np.random.default_rng(3)).fit(rows).recipe_.seed for _ in "ab"]
    assert legacy[0] == legacy[1]
    assert modern[0] == modern[1]
    free = {az.Autoencoder(2, epochs=1).fit(rows).recipe_.seed for _ in range(3)}
    assert len(free) == 3
    with pytest.raises(ValueError, match="random_state"):
        az.Autoencoder(2, random_state="x").fit(rows)


def test_scikit_learn_callbacks(rows):
    pytest.importorskip("sklearn.callback")

    class Recorder:
        def __init__(self):
            self.begun, self.ended, self.torn = [], [], 0

        def setup(self, estimator, context): ...

        def teardown(self, estimator, context):
            self.torn += 1

        def on_fit_task_begin(self, estimator, context):
            self.begun.append(context.task_name)

        def on_fit_task_end(self, estimator, context, *, metadata=None):
            self.ended.append(metadata)
            return metadata is not None and metadata["epoch"] == 3

    recorder = Recorder()
    ae = az.Autoencoder(2, epochs=9, random_state=0)
    ae.set_callbacks(recorder)
    ae.fit(rows)
    assert len(ae.history_) == 3
    assert recorder.begun == ["fit", "epoch", "epoch", "epoch"]
    assert recorder.ended[0]["epoch"] == 1
    assert recorder.torn == 1


def test_logging_is_a_library_s(rows, caplog):
    with caplog.at_level(logging.DEBUG, logger="azogue"):
        az.Autoencoder(2, epochs=1, random_state=0).fit(rows)
    assert "trained 1 epochs with dense" in caplog.text
    assert not logging.getLogger("azogue").handlers


@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
def test_precisions_learn_alike(rows, precision):
    ae = az.Autoencoder(3, precision=precision, epochs=30, random_state=0).fit(rows)
    assert ae.evaluate(rows)["r2"] > 0.8


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": 2.5}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": "huge"}, "batch_size"),
        ({"patience": 0}, "patience"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"weight_decay": -1}, "weight_decay"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"optimizer": "lion"}, "optimizer"),
        ({"precision": "int8"}, "precision"),
        ({"objective": "hinge"}, "objective"),
        ({"corruption": 0.3}, "corruption"),
        ({"code": "sparse"}, "code"),
        ({"modality": "smell"}, "modality"),
        ({"scaling": "log"}, "scaling"),
    ],
)
def test_senseless_parameters_are_named(rows, parameters, name):
    with pytest.raises((ValueError, TypeError), match=name):
        az.Autoencoder(2, **{"epochs": 1, **parameters}).fit(rows)


def test_nothing_is_drawn_at_inference(rows):
    from azogue.training.autograd import forward

    one = session(rows, corruption=az.corruptions.Zeros(0.5))
    step = forward(one.network, one.data.all(), one.recipe.corruption, None)
    assert torch.equal(step.seen, step.x)
    state = start(one.network, one.recipe)
    assert one.backend.evaluate([state], [one.data.all()]) == one.backend.evaluate([state], [one.data.all()])


def test_deterministic_asks_torch_and_gives_the_setting_back(rows):
    seen = []

    def look(record):
        seen.append(torch.are_deterministic_algorithms_enabled())

    az.Autoencoder(2, epochs=1, deterministic=True, callbacks=(look,), random_state=0).fit(rows)
    assert seen == [True]
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("rate", [1e30, 3e3])
def test_a_run_that_diverges_never_returns_a_model_of_nan(rows, rate):
    wild = {"optimizer": SGD(momentum=0.0), "learning_rate": Constant(rate), "batch_size": 200}
    ae = az.Autoencoder(2, **wild, epochs=40, validation_fraction=0.0, random_state=0)
    if rate > 1e20:
        with pytest.raises(FloatingPointError, match="epoch 1"):
            ae.fit(rows)
        return
    with pytest.warns(az.TrainingWarning, match="last finite weights"):
        ae.fit(rows)
    assert np.isfinite(ae.reconstruct(rows)).all()


def test_parameters_of_the_wrong_kind_are_named(rows):
    for parameters, name in (
        ({"corruption": lambda x, rng: (x, x)}, "corruption"),
        ({"corruption": az.corruptions.Gaussian}, "corruption"),
        ({"random_state": 2**64}, "random_state"),
        ({"device": "cuda:7"}, "device"),
        ({"resume": True}, "checkpoint"),
        ({"metrics": (lambda *a: 0.0, lambda *a: 1.0)}, "metrics"),
    ):
        with pytest.raises((ValueError, TypeError), match=name):
            az.Autoencoder(2, epochs=1, **parameters).fit(rows)


def test_scikit_learn_hears_the_end_however_it_comes(rows):
    pytest.importorskip("sklearn.callback")
    ended = []

    class Listener:
        def setup(self, estimator, context): ...

        def teardown(self, estimator, context): ...

        def on_fit_task_begin(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context):
            ended.append(context.task_name)

    ae = az.Autoencoder(2, epochs=9, callbacks=lambda record: record["epoch"] == 2, random_state=0)
    ae.set_callbacks(Listener())
    ae.fit(rows)
    assert ended == ["epoch", "epoch", "fit"]


def test_unfitted_says_so(rows):
    from sklearn.exceptions import NotFittedError

    for call in (lambda a: a.encode(rows), lambda a: a.interpolate(rows[:1], rows[:1]), lambda a: a.decode(rows)):
        with pytest.raises(NotFittedError):
            call(az.Autoencoder(2))


def test_a_network_spec_can_be_used_again(rows):
    net = az.Input() + az.Dense(3) + az.Output("sigmoid")
    first = az.Autoencoder(net, epochs=1, random_state=0).fit(rows)
    again = az.Autoencoder(first.network_spec_, epochs=1, random_state=0).fit(rows)
    assert np.array_equal(first.encode(rows), again.encode(rows))


def test_k_as_numpy_counts_it(rows):
    codes = az.KSparseAutoencoder(6, k=np.int64(2), epochs=1, random_state=0).fit_transform(rows)
    assert (codes != 0).sum(1).max() == 2
