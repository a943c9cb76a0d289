"""Other training libraries, each imported in one file and only on use."""
