"""HTTP: requests become jobs, jobs become JSON."""
