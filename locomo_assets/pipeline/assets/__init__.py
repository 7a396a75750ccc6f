"""The asset graph, one module per asset or per group of assets that one step makes."""
