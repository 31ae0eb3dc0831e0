"""Sources: the places runs are kept, one module each.

A tracker's module looks like this::

    NAME = "Name of the tracker"

    def is_run_folder(folder: Path, entries: Collection[str]) -> bool:
        '''Whether a folder with these entries is that of one run.'''

    def read(request: Request) -> Tracked:
        '''Return the runs at the places of a request; raise `SweepError` where they cannot be read.'''

A tracker that keeps its runs in a database has ``holds_database(tables)`` in place of ``is_run_folder``.
`trackers` lists the modules, walks a folder once and asks each of them; none is imported before a location
may be a tracker's. Files are opened for reading alone, nothing is unpickled or executed, and no framework is
imported but wandb for its public API.

A `TrackedRun` (see `tracked`) has all that the tracker knows, under the tracker's own names: settings, last
values, and histories, which are reduced to the peak of a learning rate and the last value of everything else
(`history`). A `Table` (see `base`) is what every source hands over: the one reading of headers, cells, rows
and status words in `surge_fit.sweep.table` serves all sources, so a source neither renames nor converts. What
a source leaves out it says in its notes; what it knows better than any header, such as the direction of a
study, it states.

`opening` tells trackers' places from files, and applies conditions (`where`) to whatever was read.
"""
