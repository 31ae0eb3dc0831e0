"""Sources: from the places runs are kept to the validated columns of a sweep.

`files`, `arrays` and `frames` make a frame of cells, `headers` finds the columns of `surge_fit.sweep.schema`,
`cells` turns cells into numbers and `table` puts the four together. No source knows the `Sweep`: it hands
over columns, and `surge_fit.sweep` makes the value.
"""
