"""Sphinx configuration."""

import azogue

project = "Azogue"
author = "The Azogue developers"
copyright = "2026, The Azogue developers"
release = version = azogue.__version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Azogue {release}"
autodoc_typehints = "none"
default_role = "code"
_ROUTING = ("fit", "partial_fit", "transform", "inverse_transform", "score", "predict", "decision_function")
autodoc_default_options = {
    "members": True,
    "exclude-members": ",".join([*(f"set_{name}_request" for name in _ROUTING), "get_metadata_routing", "set_output"]),
}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
# words of a parameter's description that are also names in several classes, such as "columns"
suppress_warnings = ["ref.python"]
