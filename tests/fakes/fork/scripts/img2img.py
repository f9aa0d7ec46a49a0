import sampling  # type: ignore[import-not-found]  # found on PYTHONPATH, as in the fork

sampling.main()
