"""The compiled step: its moves are those of the back end derived by hand, its formulas those of torch."""

import copy
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone

import azogue as az
from azogue import formulas, objectives
from azogue.activations import FORMULAS, activate
from azogue.recipe import Batch
from azogue.session import open_session
from azogue.training import native
from azogue.training.backends import WORTH_LOADING
from azogue.training.data import together
from azogue.training.dense import Dense
from test_dense import CASES, HOLES, MIXED, NUMBERS, deep, near, sessions

kernels = pytest.importorskip("azogue.compiled.activations", reason="compiled steps need numba")

#: Cases of the other back end that compiled steps take on.
TAKEN = [
    *(name for name in CASES if name.startswith(("activation", "output", "corruption"))),
    *("tied", "one layer", "wide layers", "holes", "mixed", "mixed, tied, denoising", "fractions", "weight decay"),
    *("objective mse", "objective mae", "objective huber", "sgd", "rmsprop", "clipped"),
]


def moved(backend, states, batches):
    """What each step told, after moving states by each batch."""
    told = []
    backend.open([])
    try:
        for number, batch in enumerate(batches):
            for state in states:
                state.step, state.progress = number, number / 7
            (values,) = backend.step(states, batch)["autoencoder"]
            told.append(values.clone())
    finally:
        backend.close(states)
    return told


@pytest.mark.parametrize("case", TAKEN)
def test_steps_move_as_those_derived_by_hand(case):
    one, (state, other) = sessions(case)
    assert native.supports(one.network, one.recipe)
    whole = one.data.all()
    batches = [together([whole.take(slice(0, 60))]), together([whole.take(slice(7, 40))])] * 2
    for found, expected in zip(moved(native.Native(), [state], batches), moved(Dense(), [other], batches), strict=True):
        near(found, expected, "loss")
    for (name, p), q in zip(state.network.named_parameters(), other.network.parameters(), strict=True):
        near(p.data, q.data, name)
    (ours,), (theirs,) = state.players.values(), other.players.values()
    assert ours.count == theirs.count == len(batches)
    for slot, values in ours.memory.items():
        for name, value in values.items():
            near(value, theirs.memory[slot][name], f"{slot} of {name}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FORMULAS)
def test_activations_and_their_derivatives(name, dtype):
    grid = np.concatenate([np.linspace(-25, 25, 4001), np.linspace(-1e-3, 1e-3, 101), [-200.0, 200.0]]).astype(dtype)
    x = torch.tensor(grid, dtype=torch.float64, requires_grad=True)
    y = activate(name, x)
    y.sum().backward()
    out, slopes = np.empty_like(grid), grid.copy()
    kernels.activate(FORMULAS[name].number, slopes, out, len(grid))
    allowed = {"rtol": 1e-6, "atol": 4e-7} if dtype is np.float32 else {"rtol": 1e-11, "atol": 1e-14}
    np.testing.assert_allclose(out, y.detach().numpy(), **allowed)
    np.testing.assert_allclose(slopes, x.grad.numpy(), **allowed)


def test_every_activation_has_a_number_of_its_own():
    numbers = [formula.number for formula in FORMULAS.values()]
    assert sorted(numbers) == list(range(1, 1 + len(FORMULAS)))
    assert formulas.LINEAR == 0


@pytest.mark.parametrize("name", FORMULAS)
def test_what_is_not_a_number_stays_so(name):
    x, y = np.full(3, np.nan, np.float32), np.zeros(3, np.float32)
    kernels.activate(FORMULAS[name].number, x, y, 3)
    assert np.isnan(y).all()


def test_members_have_the_bits_that_they_have_alone():
    one, (first, other) = sessions("mixed")
    second = copy.deepcopy(first)
    for parameter in second.network.parameters():
        parameter.data.mul_(1.5)
    alone = [copy.deepcopy(first), copy.deepcopy(second)]
    whole = one.data.all()
    told = moved(native.Native(), [first, second], [together([whole, whole])] * 3)
    for number, (state, twin) in enumerate(zip(alone, [first, second], strict=True)):
        single = moved(native.Native(), [state], [together([whole])] * 3)
        assert [one.item() for one in single] == [both[number].item() for both in told]
        for p, q in zip(state.network.parameters(), twin.network.parameters(), strict=True):
            assert torch.equal(p, q)
    assert not torch.equal(next(first.network.parameters()), next(other.network.parameters()))


def test_a_whole_training_ends_alike():
    own = {"epochs": 6, "batch_size": 16, "random_state": 3, "precision": "float64"}
    compiled = az.DenoisingAutoencoder(deep(), engine="native", **own).fit(MIXED)
    plain = az.DenoisingAutoencoder(deep(), engine="torch", **own).fit(MIXED)
    assert compiled.recipe_.engine == "native"
    assert plain.recipe_.engine == "torch"
    for one, another in zip(compiled.history_, plain.history_, strict=True):
        assert one["loss"] == pytest.approx(another["loss"], rel=1e-9)
        assert one["val_loss"] == pytest.approx(another["val_loss"], rel=1e-9)
    assert compiled.errors(MIXED) == pytest.approx(plain.errors(MIXED), rel=1e-6)


def test_float32_ends_near_torch():
    own = {"epochs": 30, "batch_size": 16, "random_state": 3}
    compiled, plain = (az.Autoencoder(3, engine=engine, **own).fit(NUMBERS) for engine in ("native", "torch"))
    assert compiled.score(NUMBERS) == pytest.approx(plain.score(NUMBERS), rel=1e-3)
    again = az.Autoencoder(3, engine="native", **own).fit(NUMBERS)
    assert np.array_equal(again.encode(NUMBERS), compiled.encode(NUMBERS))


def test_populations_and_single_networks_end_in_the_same_bits():
    members = [az.Autoencoder(3, epochs=4, random_state=seed, engine="native") for seed in range(3)]
    az.fit_together(members, HOLES)
    alone = az.Autoencoder(3, epochs=4, random_state=1, engine="native").fit(HOLES)
    assert np.array_equal(members[1].encode(HOLES), alone.encode(HOLES))


def test_a_run_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path):
    own = {"random_state": 0, "engine": "native", "epochs": 6}
    whole = az.Autoencoder(3, **own).fit(NUMBERS)
    path = tmp_path / "run.ckpt"

    def fail(record):
        if record["epoch"] == 4:
            raise OSError("the plug was pulled")

    with pytest.raises(OSError, match="plug"):
        az.Autoencoder(3, checkpoint=path, callbacks=[fail], **own).fit(NUMBERS)
    resumed = az.Autoencoder(3, checkpoint=path, resume=True, **own).fit(NUMBERS)
    assert [record["loss"] for record in resumed.history_] == [record["loss"] for record in whole.history_]
    assert np.array_equal(resumed.encode(NUMBERS), whole.encode(NUMBERS))


def test_what_has_no_compiled_formula_is_left_to_torch():
    class Steeper(objectives.MSE):
        def distance(self, error):
            return super().distance(error) ** 2

        def slope(self, error):
            return 2 * super().distance(error) * super().slope(error)

        def gradient(self, step, scale):
            return super().gradient(step, scale)

    for other in (
        az.VariationalAutoencoder(3),
        az.SparseAutoencoder(3),
        az.Autoencoder(deep(dropout=0.2)),
        az.Autoencoder(deep(norm="layer")),
        az.Autoencoder(deep(norm="batch")),
        az.Autoencoder(az.Input() + az.Dense(5) + az.BatchNorm() + az.Dense(3) + az.Output()),
        az.Autoencoder(3, objective=Steeper()),
        az.Autoencoder(3, objective="rmse"),
        az.Autoencoder((4000, 2000), batch_size=60),
    ):
        session = open_session(clone(other).set_params(epochs=100_000), NUMBERS, None, 0)
        assert session.recipe.engine == "torch", other
        session = open_session(clone(other).set_params(engine="native"), NUMBERS, None, 0)
        assert (session.recipe.engine, session.backend.name) == ("torch", "dense"), other


def test_auto_compiles_where_loading_pays(monkeypatch):
    steps = 60  # with rows of 60 and batches of 1
    long = az.Autoencoder(3, batch_size=1, epochs=-(-WORTH_LOADING // steps))
    short = az.Autoencoder(3, batch_size=1, epochs=WORTH_LOADING // steps - 1)
    assert open_session(long, NUMBERS, None, 0).recipe.engine == "native"
    assert open_session(short, NUMBERS, None, 0).recipe.engine == "torch"
    monkeypatch.setattr(native, "installed", lambda: False)
    assert open_session(long, NUMBERS, None, 0).recipe.engine == "torch"
    with pytest.raises(ImportError, match=r"azogue\[speed\]"):
        open_session(clone(long).set_params(engine="native"), NUMBERS, None, 0)
    with pytest.raises(ValueError, match="'auto', 'native' or 'torch', got 'gpu'"):
        open_session(clone(long).set_params(engine="gpu"), NUMBERS, None, 0)


def test_a_model_goes_on_where_nothing_compiles(tmp_path, monkeypatch):
    az.Autoencoder(3, epochs=2, engine="native", random_state=0).fit(NUMBERS).save(tmp_path / "m.azogue")
    monkeypatch.setattr(native, "installed", lambda: False)
    monkeypatch.setitem(sys.modules, "azogue.compiled.steps", None)
    loaded = az.load(tmp_path / "m.azogue")
    assert loaded.recipe_.engine == "native"
    before = loaded.score(NUMBERS)
    for _ in range(20):
        loaded.partial_fit(NUMBERS)
    assert loaded.score(NUMBERS) > before


def test_other_libraries_get_their_threads_back():
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return {part["num_threads"] for part in threadpool_info() if part["user_api"] == "blas"}

    seen = []
    with threadpool_limits(2, user_api="blas"):
        az.Autoencoder(3, epochs=1, engine="native", callbacks=[lambda _: seen.append(threads())]).fit(NUMBERS)
        assert seen == [{1}], "products take one thread"
        assert threads() == {2}
        with pytest.raises(ZeroDivisionError):
            az.Autoencoder(3, epochs=1, engine="native", callbacks=[lambda _: 1 / 0]).fit(NUMBERS)
        assert threads() == {2}


def test_a_plan_is_made_by_steps_that_nobody_opened():
    plan = az.Autoencoder(3, epochs=2, engine="native").plan(NUMBERS)
    assert plan.backend == "native"
    assert plan.seconds > 0


def test_torch_gets_its_threads_back():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        az.Autoencoder(3, epochs=1, engine="native").fit(NUMBERS)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_run_that_goes_astray_is_told(recwarn):
    with pytest.raises(FloatingPointError, match="NaN or infinite in epoch 1"):
        az.Autoencoder(3, epochs=2, engine="native", learning_rate=1e30, optimizer="sgd").fit(NUMBERS)


def test_masked_rows_without_any_cell_cost_nothing():
    one, (state, other) = sessions("holes")
    x = one.data.all().x[:8].clone()
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[3] = False
    batch = together([Batch(x, mask)])
    found, expected = moved(native.Native(), [state], [batch]), moved(Dense(), [other], [batch])
    near(found[0], expected[0], "loss")
