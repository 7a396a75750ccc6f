"""More than one release back: has accuracy gone down over a series of releases?"""
