"""Sources: the places runs are kept, one module each.

A source module looks like this, and nothing in it is imported before a location is its own::

    def recognises(location: str) -> bool:
        '''Whether the location is one of this source: by its scheme, or by the files in a folder.'''

    def read(location: str) -> Table:
        '''Return the runs at a location; raise `SweepError` where they cannot be read.'''

`recognises` is cheap, imports no framework and opens no connection; `read` imports the framework when it is
called, and names the extra to install where it is missing. A `Table` (see `base`) has a column for everything
the source knows, under the source's own headers (``config.lr``, ``summary.val/loss``, ``state``): the one
reading of headers, cells, rows, status words and histories in `surge_fit.sweep.table` serves all sources, so
a source neither renames nor converts. `base.frame_of_records` makes the frame of dicts, nested or not. What a
source leaves out it says in ``Table.decisions``; what it knows better than any header, such as the direction
of a study, in ``Table.maximize`` and ``Table.columns``.

`opening` lists the source modules in the order in which they are asked.
"""
