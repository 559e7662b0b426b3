"""How Sphinx builds the site, from the tree that `tree.py` has put together. See README.md."""

from __future__ import annotations

import os

project = "HAFTA"
author = "The HAFTA authors"
copyright = "the HAFTA authors"  # noqa: A001  Sphinx's name for it
release = version = os.environ["HAFTA_SITE_VERSION"]
html_title = f"HAFTA {version}"

extensions = ["myst_parser"]
myst_heading_anchors = 4  # links to headings are those that a forge makes
myst_enable_extensions = ["deflist"]
exclude_patterns: list[str] = []
nitpicky = True  # a name that leads nowhere is a warning, and a warning ends the build
primary_domain = "py"
highlight_language = "none"
add_module_names = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["hafta.css"]
html_theme_options = {"sidebar_hide_name": False, "top_of_page_button": None}
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None  # the same tree gives the same site
templates_path: list[str] = []
