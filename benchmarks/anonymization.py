"""What is released, and what attackers find in it: `python benchmarks/anonymization.py [part …]`.

The data folder is `AZOGUE_DATA`, else `../shared/data`. Seed 0, one run.

- `watch`: smart-watch recordings, windows of 2.56 s with half overlap, the first 70 % of each recording to fit, the
  last 30 % to judge. Random forests of 100 trees over raw values, mean, standard deviation, extremes and 20 magnitudes
  of the spectrum per channel: "fixed" learned on raw windows, "retrained" on released ones; "strict" learned on the
  first half of the released test windows of each recording, which the method was not fitted on, and is judged on the
  second. A small convolutional network retrained as well. Beside it, noise and the predicted class's mean window.
- `backwards`: the same with the first 30 % of each recording to judge: settings were chosen on windows of `watch`.
- `replace`: the same windows, one exercise sensitive: who detects it, and what is left of the others.
- `adult`: `sensitive=["sex", "race"]`, fitted on adult-train, judged on adult-test by gradient boosting retrained on
  the released training rows: counterfactual rows at STRENGTHS (1,0.5,2), and judges in the loop.
- `tables`: the two methods for tables, on five of them, halves of the rows, SEEDS of them (2): how well a retrained
  attacker tells the sensitive column, what is left of the utility column's AUC, column shapes, pair trends.
- `audit`: what `privacy.audit` finds in digits, their codes, and rows that hold nothing, with 200 known pairs.
- `chance`: how often the audit's intervals hold chance on independent rows (RUNS, 150; not run without its name).
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

import azogue as az
from census import DATA, incomes
from parts import run

LENGTH, STEP = 128, 64


# -- watch recordings --------------------------------------------------------------------------------------------------


def windows(backwards: bool = False) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Windows `x` standardised by the training ones, with activity, person, arm and recording."""
    with np.load(DATA / "sensors" / "watch.npz") as held:
        x, off, told = held["x"].astype(np.float32), held["off"], {k: held[k] for k in ("y", "subject", "side")}
    found: tuple[list, list] = ([], [])
    for at in range(len(off) - 1):
        seg = x[off[at] : off[at + 1]]
        starts = np.arange((len(seg) - LENGTH) // STEP + 1) * STEP
        cut = int((0.3 if backwards else 0.7) * len(starts))
        for number, start in enumerate(starts):
            if number != cut:  # the windows on both sides of it share no sample
                row = (seg[start : start + LENGTH], *(int(told[k][at]) for k in told), at)
                found[(number > cut) != backwards].append(row)
    parts = []
    for rows in found:
        names = ("x", "activity", "person", "arm", "recording")
        parts.append({name: np.array([row[k] for row in rows]) for k, name in enumerate(names)})
    mean, std = parts[0]["x"].mean((0, 1)), parts[0]["x"].std((0, 1))
    for part in parts:
        part["x"] = ((part["x"] - mean) / std).astype(np.float32)
    return parts[0], parts[1]


def features(x: np.ndarray) -> np.ndarray:
    spectrum = np.abs(np.fft.rfft(x, axis=1))[:, :20]
    told = x.mean(1), x.std(1), x.min(1), x.max(1), spectrum.reshape(len(x), -1)
    return np.concatenate([x.reshape(len(x), -1), *told], 1)


def forest(x: np.ndarray, y: np.ndarray) -> RandomForestClassifier:
    return RandomForestClassifier(100, random_state=0, n_jobs=2).fit(features(x), y)


def accuracy(model: RandomForestClassifier, x: np.ndarray, y: np.ndarray) -> float:
    return float((model.predict(features(x)) == y).mean())


def convolutional(x: np.ndarray, y: np.ndarray, unseen: np.ndarray, labels: np.ndarray) -> float:
    """The accuracy of three convolutions and a linear layer, 12 epochs."""
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for inputs, outputs in ((6, 32), (32, 64), (64, 64)):
            layers += [nn.Conv1d(inputs, outputs, 5, 2, 2), nn.BatchNorm1d(outputs), nn.ReLU()]
        model = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(256, int(y.max()) + 1))
        rows, classes = torch.tensor(x).transpose(1, 2), torch.tensor(y)
        optimizer = torch.optim.Adam(model.parameters(), 2e-3)
        for _ in range(12):
            for index in torch.randperm(len(rows)).split(64):
                loss = nn.functional.cross_entropy(model(rows[index]), classes[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        model.eval()
        with torch.no_grad():
            found = model(torch.tensor(unseen).transpose(1, 2)).argmax(1).numpy()
    return float((found == labels).mean())


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's, of each window with its original, all channels together."""
    a, b = (v.reshape(len(v), -1) - v.reshape(len(v), -1).mean(1, keepdims=True) for v in (a, b))
    return (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1) + 1e-12)


def halves(part: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The first and the second half of each recording's windows, one left out in between."""
    early, late = (np.zeros(len(part["x"]), bool) for _ in range(2))
    for name in np.unique(part["recording"]):
        rows = np.flatnonzero(part["recording"] == name)
        early[rows[: len(rows) // 2]] = late[rows[len(rows) // 2 + 1 :]] = True
    return early, late


def watch(backwards: bool = False) -> None:
    train, test = windows(backwards)
    raw = {name: forest(train["x"], train[name]) for name in ("activity", "person", "arm")}
    rng = np.random.default_rng(0)
    means = np.stack([train["x"][train["activity"] == k].mean(0) for k in np.unique(train["activity"])])
    begun = time.perf_counter()
    ours = az.Anonymizer(random_state=0).fit(train["x"], sensitive=train["person"], utility=train["activity"])
    print(
        f"  {len(train['x'])} windows to fit, {len(test['x'])} to judge; fitted in {time.perf_counter() - begun:.0f} s"
    )
    methods: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "raw": lambda x: x,
        "noise 0.5": lambda x: x + 0.5 * rng.normal(size=x.shape).astype(np.float32),
        "noise 1": lambda x: x + rng.normal(size=x.shape).astype(np.float32),
        "noise 2": lambda x: x + 2 * rng.normal(size=x.shape).astype(np.float32),
        "mean of the class": lambda x: means[raw["activity"].predict(features(x))],
        "Anonymizer": ours.transform,
    }
    print(f"  {'':18} activity arm   person: retrained fixed strict cnn    correlation median, mean")
    early, late = halves(test)
    for name, method in methods.items():
        seen, unseen = method(train["x"]), method(test["x"])
        told = [accuracy(forest(seen, train[k]), unseen, test[k]) for k in ("activity", "arm", "person")]
        fixed = accuracy(raw["person"], unseen, test["person"])
        strict = accuracy(forest(unseen[early], test["person"][early]), unseen[late], test["person"][late])
        network = convolutional(seen, train["person"] - 1, unseen, test["person"] - 1)
        near = correlation(test["x"], unseen)
        numbers = f"{told[0]:.3f}    {told[1]:.3f} {told[2]:17.3f}     {fixed:.3f} {strict:.3f} {network:.3f}"
        print(f"  {name:18} {numbers}  {np.median(near):.2f}, {near.mean():.2f}", flush=True)
    chance = np.bincount(test["person"]).max() / len(test["person"])
    print(f"  chance: 0.100, the most frequent person {chance:.3f}")


def backwards() -> None:
    watch(backwards=True)


def replace() -> None:
    train, test = windows()
    told = "detected: raw, released (AUC), by who learned on raw | accuracy of the others: raw, released | correlation"
    print(f"  {'exercise':10} {told}")
    for kind in np.unique(train["activity"]):
        ours = az.Anonymizer(replace=int(kind), random_state=0).fit(train["x"], sensitive=train["activity"])
        seen, unseen = ours.transform(train["x"]), ours.transform(test["x"])
        shown, there = train["activity"] == kind, test["activity"] == kind
        old = forest(train["x"], shown)
        before, unaware = (balanced_accuracy_score(there, old.predict(features(x))) for x in (test["x"], unseen))
        model = forest(seen, shown)
        after = balanced_accuracy_score(there, model.predict(features(unseen)))
        auc = roc_auc_score(there, model.predict_proba(features(unseen))[:, 1])
        left = [
            accuracy(forest(a[~shown], train["activity"][~shown]), b[~there], test["activity"][~there])
            for a, b in ((train["x"], test["x"]), (seen, unseen))
        ]
        near = np.median(correlation(test["x"][~there], unseen[~there]))
        print(
            f"  {kind:<10} {before:.3f}, {after:.3f} ({auc:.2f}), {unaware:.3f} | "
            f"{left[0]:.3f}, {left[1]:.3f} | {near:.2f}",
            flush=True,
        )


# -- Adult -------------------------------------------------------------------------------------------------------------


def boosted(
    seen: pd.DataFrame, unseen: pd.DataFrame, y: pd.Series, labels: pd.Series, without: list[str], balanced: bool
) -> float:
    """Balanced accuracy, or AUC of the second class, of gradient boosting retrained on `seen`."""
    a, b = seen.drop(columns=without), unseen.drop(columns=without)
    texts = [name for name in a if not pd.api.types.is_numeric_dtype(a[name])]
    for name in texts:
        kinds = pd.Index(a[name].astype(str).unique())
        a[name], b[name] = kinds.get_indexer(a[name].astype(str)), kinds.get_indexer(b[name].astype(str))
        b.loc[b[name] < 0, name] = len(kinds)
    places = [at for at, name in enumerate(a) if name in texts]
    weight = (1 / y.map(y.value_counts())).to_numpy() if balanced else None
    model = HistGradientBoostingClassifier(categorical_features=places, random_state=0).fit(a, y, sample_weight=weight)
    if balanced:
        return float(balanced_accuracy_score(labels, model.predict(b)))
    return float(roc_auc_score(labels == model.classes_[1], model.predict_proba(b)[:, 1]))


def adult() -> None:
    train, test = incomes()
    hours = [frame["hours-per-week"] > 40 for frame in (train, test)]
    own = ["sex", "race", "income"]

    def told(name: str, seen: pd.DataFrame, unseen: pd.DataFrame) -> None:
        numbers = [
            boosted(seen, unseen, train["sex"], test["sex"], own, True),
            boosted(seen, unseen, train["race"], test["race"], own, True),
            boosted(seen, unseen, train["race"] == "White", test["race"] == "White", own, True),
            boosted(seen, unseen, train["sex"], test["sex"], own[:2], True),
            boosted(seen, unseen, train["income"], test["income"], own, False),
            boosted(seen, unseen, *hours, [*own, "hours-per-week"], False),
        ]
        shapes, trends = az.privacy.column_shapes(train, seen), az.privacy.pair_trends(train, seen)
        print(f"  {name:18} {'  '.join(f'{v:.3f}' for v in numbers)}   {shapes:.3f} {trends:.3f}", flush=True)

    print(f"  {'':18} sex    race   white  sex knowing income, AUC of income, of hours > 40; shapes, pairs")
    told("raw", train, test)
    strengths = [float(one) for one in os.environ.get("STRENGTHS", "1,0.5,2").split(",")]
    for method, strength in [*(("counterfactual", one) for one in strengths), ("adversarial", 1.0)]:
        begun = time.perf_counter()
        ours = az.Anonymizer(
            sensitive=["sex", "race"], utility="income", method=method, strength=strength, random_state=0
        ).fit(train)
        seconds = time.perf_counter() - begun
        told(f"{method} {strength:g}", ours.transform(train), ours.transform(test))
        print(f"    fitted in {seconds:.0f} s", flush=True)


def few() -> dict[str, tuple[pd.DataFrame, str, str]]:
    """Tables with a sensitive column and one that is to be kept, as two classes."""
    folder = DATA / "tables"
    german = pd.read_csv(folder / "german.csv.gz", header=None).rename(columns=str)
    german["8"] = german["8"].map(lambda kind: "woman" if kind in ("A92", "A95") else "man")
    german["20"] = german["20"].map({1: "good", 2: "bad"})
    abalone = pd.read_csv(folder / "abalone.csv.gz", header=None).rename(columns=str)
    abalone["8"] = np.where(abalone["8"] > abalone["8"].median(), "old", "young")
    people = load_diabetes(as_frame=True, scaled=False).frame
    people["target"] = np.where(people["target"] > people["target"].median(), "more", "less")
    people["sex"] = people["sex"].map({1.0: "one", 2.0: "other"})
    adult = incomes()[0].sample(6000, random_state=0).reset_index(drop=True)
    older = adult.assign(age=np.where(adult["age"] > 40, "above 40", "to 40"))
    return {
        "german, sex": (german, "8", "20"),
        "abalone, sex": (abalone, "0", "8"),
        "diabetes, sex": (people, "sex", "target"),
        "adult 6,000, sex": (adult, "sex", "income"),
        "adult 6,000, age": (older, "age", "income"),
    }


def methods() -> None:
    print(f"  {'':18} {'':14} sensitive (raw)  utility, AUC (raw)  shapes pairs    s")
    for name, (table, sensitive, utility) in few().items():
        rows: dict[str, list[list[float]]] = {}
        for seed in range(int(os.environ.get("SEEDS", "2"))):
            order = np.random.default_rng(seed).permutation(len(table))
            a, b = (table.iloc[part].reset_index(drop=True) for part in np.array_split(order, 2))
            own = [sensitive, utility]
            for method in ("counterfactual", "adversarial"):
                begun = time.perf_counter()
                ours = az.Anonymizer(sensitive=sensitive, utility=utility, method=method, random_state=seed).fit(a)
                seen, unseen = ours.transform(a), ours.transform(b)
                told = [
                    boosted(*pair, a[label], b[label], own, label == sensitive)
                    for label in (sensitive, utility)
                    for pair in ((seen, unseen), (a, b))
                ]
                likeness = [az.privacy.column_shapes(a, seen), az.privacy.pair_trends(a, seen)]
                rows.setdefault(method, []).append([*told, *likeness, time.perf_counter() - begun])
        for method, found in rows.items():
            m = np.mean(found, axis=0)
            shown = f"{m[0]:.3f} ({m[1]:.3f})    {m[2]:.3f} ({m[3]:.3f})       {m[4]:.3f}  {m[5]:.3f} {m[6]:4.0f}"
            print(f"  {name:18} {method:14} {shown}", flush=True)


# -- the audit itself --------------------------------------------------------------------------------------------------


def audit() -> None:
    X, digit = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    narrow, wide, eight = (
        az.Autoencoder((units,), scaling="minmax", random_state=0).fit(X).encode(X) for units in (32, 128, 8)
    )
    released = {
        "the pixels": X,
        "32-d code, one layer": narrow,
        "turned by a rotation": narrow @ np.linalg.qr(rng.normal(size=(32, 32)))[0],
        "32-d code, three layers": az.Autoencoder(32, random_state=0).fit(X).encode(X),
        "128-d code": wide,
        "8-d code": eight,
        "32-d code + noise": narrow + narrow.std(0) * rng.normal(size=narrow.shape),
        "mean of the digit": np.stack([X[digit == kind].mean(0) for kind in range(10)])[digit],
        "noise": rng.normal(size=(len(X), 32)),
    }
    print(f"  {'':24} re-identified, R², of it by ridge, digit told; prototypes")
    for name, Z in released.items():
        report = az.privacy.audit(X, Z, utility={"digit": digit})
        first, back = report.attack("re-identification"), report.attack("reconstruction")
        told = f"{first.value:.3f} {back.value:.3f} {back.detail('ridge'):.3f} {report.utility[0].released:.3f}"
        print(f"  {name:24} {told} {report.fidelity.class_means}", flush=True)
    X = X[rng.permutation(len(X))]  # digits of one writer stand together
    members, others = X[:400], X[400:800]
    copies = members + 0.1 * rng.normal(size=members.shape)
    for name, made in (("copies with little noise", copies), ("other digits", X[800:1200])):
        found = az.privacy.membership(members, others, made)
        print(f"  membership, {name}: AUC {found.value:.3f} [{found.low:.3f}, {found.high:.3f}]")


def chance() -> None:
    counts: dict[str, list[int]] = {}
    for seed in range(int(os.environ.get("RUNS", "150"))):
        rng = np.random.default_rng(seed)
        X, Z, code, others = (rng.normal(size=(400, width)) for width in (8, 8, 5, 8))
        known = {"known": 100, "random_state": seed}
        found = [
            *az.privacy.reidentification(X, Z, **known),
            az.privacy.reconstruction(X, code, **known),
            *az.privacy.attribute_inference(X, code, {"label": rng.integers(0, 5, 400)}, random_state=seed),
            az.privacy.membership(X, others, Z, random_state=seed),
            *az.privacy.singling_out(X.round(1), Z.round(1), others.round(1), random_state=seed),
            az.privacy.linkability(X, Z, others, random_state=seed),
        ]
        for one in found:
            holds, leaks, tried = counts.get(f"{one.name} ({one.measure})", [0, 0, 0])
            inside = one.low <= one.control <= one.high
            counts[f"{one.name} ({one.measure})"] = [holds + inside, leaks + one.leaks, tried + 1]
    for name, (holds, leaks, tried) in counts.items():
        print(f"  {name:45} of {tried}: the control's value in the interval {holds / tried:.3f}, leaks {leaks}")


PARTS = {
    "watch": watch,
    "backwards": backwards,
    "replace": replace,
    "adult": adult,
    "tables": methods,
    "audit": audit,
    "chance": chance,
}

if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    run(PARTS, [name for name in PARTS if name != "chance"])
