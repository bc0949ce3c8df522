"""One file per provider wire form; rows in `registry`."""
