"""Scrapes of /metrics."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.support.web import Served

SIZE = {"height": 256, "width": 256}


TEXT = "text-to-image"


class Page:
    """The result of a scrape."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families = {family.name: family for family in families}
        self.series = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self.series[name, frozenset(labels.items())]


async def scrape(site: Served) -> Page:
    async with site.client.get("/metrics") as response:
        assert response.status == 200
        return Page(read_text(await response.text()))
