"""The charts of the page, as Vega-Lite specifications that take their data by name."""
