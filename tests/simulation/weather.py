"""How bad a simulated API is: each kind of fault with its probability, how late, how laggy, what it gives back.

It must never know what a client does about it. Everything is drawn from a seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

NOT_SENT = ("refused", "connect-timeout")
UNHEARD = ("reset-before", "timeout-before", "500-before", "502-before", "503-before", "504-before", "408-before")
HEARD = ("reset-after", "timeout-after", "500-after", "502-after", "503-after", "504-after", "408-after")
LATE = ("reset-late", "timeout-late", "502-late", "503-late", "504-late")
TOLD_TO_WAIT = ("429-seconds", "429-date", "429-none")
HALF_SAID = ("201-empty", "201-cut", "201-garbage", "201-no-id")
POST_FAULTS = NOT_SENT + UNHEARD + HEARD + LATE + TOLD_TO_WAIT + HALF_SAID
"""What may become of a POST; before, after, late: whether and when it takes effect all the same."""
STOPPING = ("401", "redirect-before", "redirect-after")
"""What ends a life of the job; rare, since nothing else happens in it afterwards."""
GET_FAULTS = (
    *NOT_SENT,
    "reset-before",
    "timeout-before",
    "500-before",
    "502-before",
    "503-before",
    "504-before",
    *TOLD_TO_WAIT,
    "cut-list",
    "token-forgotten",
)
"""What may become of a GET."""
OUTAGES = ("refused", "connect-timeout", "reset-before", "timeout-before", "502-before", "503-before", "504-late")


@dataclass(frozen=True, slots=True)
class Outage:
    """Everything ends the same way from one second to another."""

    from_s: float
    to_s: float
    kind: str


@dataclass(frozen=True, slots=True)
class Echo:
    """What of a body an answer and a list give back.

    `omitted` fields never come back. `blanks`: what is absent comes back as null or as its empty value, or what is
    empty does not come back. `joined`: the two forms of an expectation are both there. `lifted`: turns come back beside
    the object that they were sent in, or inside it.
    """

    omitted: frozenset[str] = frozenset()
    blanks: str = "as sent"
    joined: bool = False
    lifted: str = "as sent"
    extras: bool = True


@dataclass(frozen=True, slots=True)
class Weather:
    """All there is to know of a simulated API.

    `late_s` is L: how long a request may take effect after its connection is gone. `lag_s` is E: how long a list may
    not show what exists. `skew_s`: how far the server's clock is ahead of the client's.
    """

    post: Mapping[str, float] = field(default_factory=dict)
    get: Mapping[str, float] = field(default_factory=dict)
    late_s: float = 20.0
    lag_s: float = 5.0
    outages: tuple[Outage, ...] = ()
    latency_s: tuple[float, float] = (0.02, 0.3)
    timeout_s: float = 30.0
    page_most: int = 100
    paging: str = "offset"
    flapping: bool = False
    skew_s: float = 0.0
    stamped: str = "commit"
    coarse_time: bool = False
    echo: Echo = Echo()
    lookalikes: float = 0.0
    """How many of the rows exist already, made by others before the job."""
    crowd: int = 0
    """How many other resources are there before the job."""
    bustle_s: float = 0.0
    """Every so many seconds somebody else makes something of their own; 0: nobody does."""
    deletion: float = 0.0
    """The chance that, once in a job, somebody deletes the newest of theirs between two pages of a list."""
    deletions: int = 1
    """How often that may happen in a job."""
    intruder: float = 0.0
    """The chance of each row that somebody else makes the same during the job: this breaks an assumption (A4)."""

    @property
    def settles_in_s(self) -> float:
        """After so long, what was ever to happen has happened and is shown."""
        return self.late_s + self.lag_s

    def calm(self) -> "Weather":
        """The same API when nothing goes wrong any more."""
        return replace(self, post={}, get={}, outages=())


def draw_weather(random: Random, *, stormy: float | None = None) -> Weather:
    """An API from a seed."""
    rate = random.choice((0.0, 0.03, 0.1, 0.2, 0.35, 0.6)) if stormy is None else stormy
    post = _share(random, POST_FAULTS, rate)
    if random.random() < 0.15:
        post[random.choice(STOPPING)] = 0.01
    late_s = random.choice((0.0, 1.0, 5.0, 20.0, 25.0))
    return Weather(
        post=post,
        get=_share(random, GET_FAULTS, rate * random.choice((0.0, 0.5, 1.0))),
        late_s=late_s,
        lag_s=random.choice((0.0, 0.5, 3.0, 10.0)),
        outages=_draw_outages(random),
        latency_s=random.choice(((0.01, 0.05), (0.02, 0.3), (0.1, 4.0))),
        page_most=random.choice((3, 7, 20, 100, 100)),
        paging=random.choice(("offset", "offset", "key")),
        flapping=random.random() < 0.3,
        skew_s=random.choice((0.0, 0.0, -700.0, 3.0, 4000.0)),
        stamped=random.choice(("commit", "arrival")),
        coarse_time=random.random() < 0.3,
        lookalikes=random.choice((0.0, 0.0, 0.3, 1.0)),
        crowd=random.choice((0, 0, 5, 40)),
        bustle_s=random.choice((0.0, 0.0, 3.0, 20.0)),
        deletion=random.choice((0.0, 0.0, 0.1, 0.5)),
    )


def draw_echo(random: Random, fields: tuple[str, ...]) -> Echo:
    """What an API gives back; `fields` may be left out."""
    return Echo(
        omitted=frozenset(name for name in fields if random.random() < 0.15),
        blanks=random.choice(("as sent", "null", "empty", "dropped")),
        joined=random.random() < 0.5,
        lifted=random.choice(("as sent", "out", "in", "both")),
        extras=random.random() < 0.7,
    )


def _share(random: Random, kinds: tuple[str, ...], rate: float) -> dict[str, float]:
    """A rate, shared among some of the kinds."""
    if rate == 0.0:
        return {}
    weights = {kind: random.random() ** 3 for kind in kinds if random.random() < 0.6}
    whole = sum(weights.values()) or 1.0
    return {kind: rate * weight / whole for kind, weight in weights.items()}


def _draw_outages(random: Random) -> tuple[Outage, ...]:
    outages = []
    since_s = 0.0
    for _ in range(random.choice((0, 0, 0, 1, 1, 3))):
        from_s = since_s + random.uniform(0.0, 60.0)
        since_s = from_s + random.uniform(10.0, 90.0)
        outages.append(Outage(from_s, since_s, random.choice(OUTAGES)))
    return tuple(outages)
