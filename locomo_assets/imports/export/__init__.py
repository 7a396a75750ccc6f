"""Export: releases as a directory of plain files that others can check, and that import reads."""
