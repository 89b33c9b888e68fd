"""
Encrypt: small containers that keep every bit
=============================================

A cipher learns to compress and leaves secrecy to age (X25519, ChaCha20-Poly1305). What people do today is a general
compressor, and then age: of rows as they are, its container is as large as they are.
"""

import bz2
import lzma
import zlib

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

import azogue as az

pictures = load_digits().images.astype("uint8")
key = az.Cipher.generate_key()
cipher = az.Cipher(key=key)
container = cipher.encrypt(pictures)
again = cipher.decrypt(container)
print("every bit is back:", bool((again == pictures).all()), again.dtype, again.shape)

# %%
# Without the key, nothing comes back but an error.
try:
    az.Cipher(key=az.Cipher.generate_key()).decrypt(container)
except az.CipherError as error:
    print(error)

# %%
# Bytes of 1,797 pictures; the container of age adds 200 bytes or so to what the others make.
raw = pictures.tobytes()
figures = {
    "as they are": len(raw),
    "zlib": len(zlib.compress(raw, 9)),
    "bzip2": len(bz2.compress(raw, 9)),
    "lzma": len(lzma.compress(raw, preset=9)),
    "Cipher": len(container),
}
figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
bars = axis.barh(list(figures), figures.values(), color=["C0"] * 4 + ["C1"])
axis.bar_label(bars, [f"{size:,}" for size in figures.values()], padding=3)
axis.set(xlabel="bytes", xlim=(0, 1.18 * len(raw)))
axis.invert_yaxis()
plt.show()

# %%
# :doc:`../cryptography` has frames, texts, several recipients and passphrases, and why a code is no cipher.
