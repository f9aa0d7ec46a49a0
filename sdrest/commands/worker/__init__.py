"""`sdrest worker`: run the jobs of a server on another machine."""
