"""The studio: a page on this machine to train, look at and try models. Extra `studio`; `azogue studio` starts it.

`security` decides who is answered, `state` holds what each tab has, `uses` runs the verbs of the command line,
`exploring` reads the fitted model, `routes` puts these on the wire, and `pages/` is the page itself.
"""

from __future__ import annotations
