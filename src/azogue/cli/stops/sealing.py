"""The stop on secrets: a code that is no cipher, read without its key, and a container that is one."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np

from azogue.applications import Cipher, NeuralCipher
from azogue.cli.stops.shared import Stop, picture
from azogue.plots import plot_images

#: Digits whose owner's network learned from them; the rest is what it encrypts.
OWN = 1200


def encrypt(folder: Path) -> Stop:
    """Encrypt: codes that are read without the key, and a container that keeps every bit and a secret."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pictures = digits.images.astype(np.uint8)
    cipher = Cipher(key=Cipher.generate_key())
    container = cipher.encrypt(pictures)
    whole = bool((cipher.decrypt(container) == pictures).all())
    audit = NeuralCipher(scheme="code", random_state=0).fit(digits.data[:OWN]).audit(digits.data[OWN:])
    stream = NeuralCipher(scheme="chaotic", random_state=0).fit(digits.data[:OWN]).audit(digits.data[OWN:])
    read, secret = audit.attacks["known_plaintext"], audit.control["known_plaintext"]
    noise = np.frombuffer(container, np.uint8)[-64 * 12 :].reshape(1, 12, 64) / 255
    shown = np.concatenate([pictures[:12].reshape(1, 12, 64) / 16, noise])
    return {
        "use": "6 encrypt",
        "data": "digits, 115,008 bytes",
        "measure": "bytes encrypted, all of them back" if whole else "bytes encrypted, but lost some",
        "ours": len(container),
        "peer": "lzma, not encrypted",
        "theirs": len(lzma.compress(pictures.tobytes(), preset=9)),
        "more": [
            {
                "data": "digits as codes",
                "measure": "read without the key, R²",
                "ours": round(read.value, 3),
                "peer": "age container",
                "theirs": round(secret, 3),
            }
        ],
        "text": "A code with the decoder as its key looks like noise: entropy "
        f"{audit.scores['entropy']:.1f} bits of 8. It is no cipher. With {read.needs} the others are read, R² "
        f"{read.value:.2f}; XOR with a key stream of the logistic map falls to "
        f"{stream.attacks['keystream'].needs.split(';')[0]} (R² {stream.attacks['keystream'].value:.2f}). "
        "Confidentiality comes from age alone (X25519, ChaCha20-Poly1305): the same attack on its container finds "
        f"R² {secret:.2f}. What is learned of the pictures makes it small.",
        "images": [
            ("Digits, and bytes of their container", picture(plot_images(shown, (8, 8)), folder, "container.png"))
        ],
    }
