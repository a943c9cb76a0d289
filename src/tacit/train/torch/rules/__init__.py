"""One file per operation: how it runs forward, what its backward pass keeps, and where its examples lie."""
