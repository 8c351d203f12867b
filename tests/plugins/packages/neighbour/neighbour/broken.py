"""A criterion whose module cannot be imported."""

raise ImportError("libluck.so.3: cannot open shared object file")
