"""Sphinx configuration."""

import azogue

project = "Azogue"
author = "The Azogue developers"
copyright = "2026, The Azogue developers"
release = version = azogue.__version__
extensions = [
    *("sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"),
    *("myst_parser", "sphinx_gallery.gen_gallery"),
]
exclude_patterns = ["_build"]
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "abort_on_example_error": True,
    "min_reported_time": 1e6,
    "image_scrapers": ("matplotlib",),
    "remove_config_comments": True,
}
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
