"""What can be wrong with a data set, as an error for people.

Here: the one error of this room. Where it is raised: `reading` and `rows`.
"""

from locomo_assets.errors import LocomoError


class DatasetError(LocomoError):
    """The data set cannot be used as it is; the text names the file, the place and the way out."""
