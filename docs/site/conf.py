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
smartquotes = False  # an option begins with two hyphens
toc_object_entries_show_parents = "hide"
primary_domain = "py"
highlight_language = "none"
python_use_unqualified_type_names = True

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["hafta.css"]
#: furo's own dark colours, which the style of Debian 12 lost when it was made.
DARK = {
    "color-problematic": "#ee5151",
    "color-foreground-primary": "#e3e5e8",
    "color-foreground-secondary": "#a7abb5",
    "color-foreground-muted": "#8b8f9a",
    "color-foreground-border": "#666666",
    "color-background-primary": "#131416",
    "color-background-secondary": "#1a1c1e",
    "color-background-hover": "#1e2124",
    "color-background-hover--transparent": "#1e212400",
    "color-background-border": "#303335",
    "color-background-item": "#444444",
    "color-brand-primary": "#6ea8ff",
    "color-brand-content": "#7fb2ff",
    "color-highlight-on-target": "#333300",
    "color-highlighted-background": "#083563",
    "color-guilabel-background": "#08356380",
    "color-guilabel-border": "#13395f80",
    "color-link-underline": "#3a4a63",
}
html_theme_options = {"sidebar_hide_name": False, "dark_css_variables": DARK}
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None  # the same tree gives the same site
templates_path: list[str] = []
