"""The stop on what rows give away: a code that is turned back, and a table from which a column is harder to tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from azogue.applications import Anonymizer
from azogue.autoencoder import Autoencoder
from azogue.cli.stops.shared import Stop, picture
from azogue.plots import plot_images
from azogue.privacy import PrivacyReport, audit

#: Pairs of a digit and its code that the attacker holds, and units of the code.
KNOWN, UNITS = 200, 32


def anonymise(folder: Path) -> Stop:
    """Anonymise: a code that 200 known pairs turn back, and patients whose sex is harder to tell."""
    recovered, drawn = _codes(folder)
    table = _patients()
    before = audit(table, table.drop_columns(["sex"]), sensitive="sex", utility="progression")
    model = Anonymizer(sensitive="sex", random_state=0).fit(table)
    after = model.audit(table, utility="progression")
    told = [round(found.attack("attribute: sex").value, 3) for found in (after, before)]
    use = after.utility[0]
    return {
        "use": "5 anonymise",
        "data": "diabetes, 11 columns",
        "measure": "sex told, balanced accuracy",
        "ours": told[0],
        "peer": "column left out",
        "theirs": told[1],
        "more": [
            {
                "data": f"digits, 64 → {UNITS}",
                "measure": "turned back, R²",
                "ours": round(recovered, 3),
                "peer": "their mean",
                "theirs": 0.0,
            }
        ],
        "text": f"A code looks like noise, but is pseudonymised data: who knows {KNOWN} digits and their codes "
        f"recovers others with R² {recovered:.2f} by ridge regression, without the decoder. Below, patients: "
        "leaving their sex out of a table does not hide it, for other columns tell it; a network that says how likely "
        "each cell is moves every row to where it would be if its sex were another patient's, so that it is harder to "
        "tell. That is all it hides: released rows are found by who knows the originals. How the disease went on is "
        f"told from original rows with R² {use.original:.2f}, from released ones with {use.released:.2f}.",
        "table": _both(before, after),
        "images": [
            (f"Unseen digits, and what {KNOWN} known pairs recover from their codes", drawn),
            ("What attackers find in the released patients", picture(after.plot(), folder, "attacks.png")),
        ],
    }


def _codes(folder: Path) -> tuple[float, str]:
    """How much of unseen digits a ridge regression on known pairs recovers from their codes, and a picture of it."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import Ridge

    X = load_digits().data
    codes = Autoencoder((UNITS,), scaling="minmax", random_state=0).fit(X).encode(X)
    found = audit(X, codes, known=KNOWN).attack("reconstruction").detail("ridge")
    order = np.random.default_rng(0).permutation(len(X))
    known, others = order[:KNOWN], order[KNOWN : KNOWN + 12]
    back = Ridge(0.1).fit(codes[known], X[known]).predict(codes[others])
    shown = np.stack([X[others], back.clip(0, 16)]) / 16
    return found, picture(plot_images(shown, (8, 8)), folder, "recovered.png")


def _patients() -> pa.Table:
    """The diabetes table in its own units."""
    from sklearn.datasets import load_diabetes

    raw = load_diabetes(scaled=False)
    columns = dict(zip(map(str, raw.feature_names), raw.data.T, strict=True))
    columns["sex"] = [f"sex {value:.0f}" for value in columns["sex"]]
    return pa.table({**columns, "progression": raw.target})


def _both(before: PrivacyReport, after: PrivacyReport) -> dict[str, object]:
    """Attacks on the table without the column, and on the released one, beside the control."""
    earlier = {(one.name, one.measure): one for one in before.attacks}
    pairs = [(earlier[key], one) for one in after.attacks if (key := (one.name, one.measure)) in earlier]
    rows = [
        [
            f"{one.name} ({one.measure})",
            *(f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]" for found in (then, one)),
            f"{one.control:.2f}",
        ]
        for then, one in pairs
    ]
    return {"columns": ["attack", "column left out", "released by Anonymizer", "control"], "rows": rows}
