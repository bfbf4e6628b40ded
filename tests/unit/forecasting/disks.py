"""Services that keep a copy of what they serve on a disk, which is a store in memory."""

from cripto.forecasting import PredictionService
from cripto.forecasting.last_good import KeptReleases, LastGood
from cripto.registry import ReleaseRegistry
from cripto.registry.mirror import Mirror
from cripto.storage import ObjectStore
from tests.unit.forecasting.toys import DAILY, House

__all__ = ["kept", "mirror", "service"]


def mirror(house: House, local: ObjectStore) -> Mirror:
    """The releases of a house, read through a copy in ``local``."""
    return Mirror(house.registry, house.store, local)


def kept(house: House, local: ObjectStore, through: Mirror | None = None) -> LastGood:
    """What was kept in ``local`` of a house."""
    releases = KeptReleases(through or mirror(house, local), ReleaseRegistry(local))
    return LastGood(local, DAILY, releases=releases)


def service(house: House, local: ObjectStore) -> PredictionService:
    """Another service of a house, with a disk."""
    through = mirror(house, local)
    return PredictionService(
        through,
        house.lake,
        clock=house.clock,
        interval="1d",
        quotes=("USDT", "USD"),
        last_good=kept(house, local, through),
        listings=house.book,
    )
