"""The config of my_flights, as the solution of lab 3 leaves it."""

import dataclasses

from flights.config import Config as FlightsConfig


@dataclasses.dataclass(frozen=True)
class Config(FlightsConfig):
    """What a run of my_flights reads, trains and demands; all that is not here is as in flights."""

    pipeline_name: str = "my-flights"
    train_epochs: int = 15
