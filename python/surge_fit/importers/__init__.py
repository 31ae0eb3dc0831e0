"""Importers: from the places runs are kept to the validated columns of a sweep.

`aliases` says which columns exist, `files`, `arrays` and `frames` make a frame of cells, `headers` finds the
columns, `cells` turns cells into numbers and `table` puts the four together. No importer knows the
`Sweep`: it hands over columns, and `surge_fit.sweep` makes the value.
"""
