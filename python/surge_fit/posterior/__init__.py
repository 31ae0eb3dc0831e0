"""A fitted model as one immutable value: `fitting` makes it, `value` holds it, `updating` adds runs to it."""
