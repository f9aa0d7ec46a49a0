"""A fuzzer of all routes: bad requests of every shape against a real server."""
