from sdrest.engine.workers import WorkerInfo, with_own_names


def test_workers_of_one_name_are_numbered_in_the_order_in_which_they_came() -> None:
    came = {"attic": (3.0, 1.0), "cellar": (2.0,)}
    workers = [
        WorkerInfo(name, f"tcp://{since}", {}, since, since)
        for name, times in came.items()
        for since in times
    ]
    named = [(one.name, one.since) for one in with_own_names(workers)]
    assert named == [("attic", 1.0), ("cellar", 2.0), ("attic (2)", 3.0)]
