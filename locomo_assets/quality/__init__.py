"""What must hold of a data set, of a measured conversation and of a release: values in, findings
out. Decides; shows nothing and stops nothing.
"""
