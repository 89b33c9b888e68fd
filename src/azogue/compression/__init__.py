"""Learned lossless compression: values ↔ bytes, every bit of them, the same on every machine.

`frame.write` takes a value apart into arrays and byte strings (`values`, `leaves`), codes each in the way that is
shortest (`packing`) and puts them behind a header. Pictures and tables are coded by adaptive mixtures of histograms
(`mixing`) and an entropy coder (`ans`), all in whole numbers; an autoencoder's code (`network`) joins in where it pays.
"""
