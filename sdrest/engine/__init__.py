"""The scripts: how they are started, watched and ended."""
