"""One reading of a table: whatever the source, its headers, cells and rows become the columns of a sweep.

`shapes` turns wide tables and histories into a row per run, `headers` says what a header may mean and
`matching` which header is which column, `numerals` reads numbers as people write them and `cells` a column of
them, `statuses`, `batch` and `metric` settle how runs ended, what a batch is and which way is better.
`reading` puts them together. Every choice is a `Decision`, every doubt a question, and all questions are
asked at once.
"""
