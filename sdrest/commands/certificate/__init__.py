"""The server's certificate: made, read, judged and renewed."""
