"""The statistical model, what runs mean under a law: defined once and interpreted by PyMC and by NumPy.

`observations` sorts the runs by the likelihood that they enter, `spec` puts them together with law and priors
as one value, `definition` says what is drawn from what, `in_pymc` makes a PyMC model of it, and `in_numpy`
computes what follows from given draws.
"""
