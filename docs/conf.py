"""How `make site` builds the site from docs: Sphinx, with MyST for Markdown, asking no host."""

project = "germline"
author = "The germline authors"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "germline"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
# GitHub's anchors, which the links between pages use.
myst_heading_anchors = 4
myst_links_external_new_tab = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
smartquotes = False  # -- is two hyphens: an option
