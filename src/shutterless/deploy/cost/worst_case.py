"""What a deployment can cost at most, if somebody sends requests without a pause for a month."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shutterless.deploy.cost.estimate import ANSWER_BYTES, estimate_cost
from shutterless.deploy.cost.prices import Prices
from shutterless.deploy.cost.workload import MONTH_S, Workload
from shutterless.deploy.options import Options
from shutterless.deploy.template.rest_api import PREDICT, ROUTES, api_resources, public_rate

# How many calls of an account's functions can run at once (new accounts start with 10), and how many requests
# per second one instance takes: https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
ACCOUNT_CONCURRENCY = 1_000
MAX_INSTANCE_RATE = 10
# The page with its headers; the largest answer that needs no model.
PAGE_BYTES = 28_000
# Seconds that the function takes for such an answer.
PAGE_S = 0.005


@dataclass(frozen=True)
class Flood:
    """Requests of one kind, sent for a month as fast as they are accepted.

    Attributes:
        requests: Their number in the month.
        seconds: How long the function runs for each; 0 if API Gateway answers without it.
        is_open: Whether anyone can send them, without a key or signature.
        answer_bytes: The size of an answer.
    """

    requests: float
    seconds: float
    is_open: bool
    answer_bytes: int = ANSWER_BYTES

    def usd(self, workload: Workload, prices: Prices) -> float:
        """Return what they cost, without fixed costs and metrics."""
        flood = replace(
            workload,
            requests=round(self.requests),
            duration_ms=self.seconds * 1000,
            provisioned=0,
            cold_share=0.0,
        )
        items = {item.name: item.usd for item in estimate_cost(flood, prices).items if item.per_request}
        if not self.seconds:
            items = {name: items[name] for name in ("API Gateway requests", "Data out")}
        more_gb = self.requests * (self.answer_bytes - ANSWER_BYTES) / 1e9
        return sum(items.values()) + more_gb * prices.price("data_out_gb")


def describe_worst_case(
    options: Options, workload: Workload, prices: Prices, account_concurrency: int = ACCOUNT_CONCURRENCY
) -> list[str]:
    """Return what requests without a pause would cost in a month, and what limits that, as lines of text.

    Args:
        options: How it is deployed.
        workload: The memory, the architecture and the front that it runs on.
        prices: The prices of its region.
        account_concurrency: How many calls the account can run at once, without a reservation.

    Raises:
        ShutterlessError: A price is not in the table.
    """
    concurrency = options.reserved_concurrency or account_concurrency
    is_rest = workload.front == "rest"
    floods = list(_list_api_floods(options, concurrency)) if is_rest else [_url_flood(options, concurrency)]
    caller = "callers with a signature" if options.auth == "iam" else "callers with a key"
    parts = []
    for is_open, who in ((True, "anyone"), (False, caller)):
        if kinds := [flood for flood in floods if flood.is_open == is_open]:
            usd = sum(flood.usd(workload, prices) for flood in kinds)
            parts.append(f"${usd:,.0f} from {who} ({_describe(kinds)})")
    instance = MONTH_S * workload.gb * prices.price("lambda_gb_second", workload.architecture)
    limit = f"--reserved-concurrency N: N × ${instance:,.2f} a month for the function's time"
    if options.reserved_concurrency:
        usd = concurrency * instance
        limit = f"--reserved-concurrency {concurrency}: ${usd:,.0f} a month for the function's time"
    approximate = "AWS enforces --rate and --quota only approximately. " if is_rest else ""
    return [
        f"Worst case, if requests come without a pause for a month: {', '.join(parts)}",
        f"{approximate}The only hard limit is {limit}",
    ]


def _list_api_floods(options: Options, concurrency: int) -> Iterator[Flood]:
    """Yield what API Gateway accepts, method by method."""
    for name, resource in api_resources("", options).items():
        if resource["Type"] != "AWS::ApiGateway::Method":
            continue
        method = resource["Properties"]
        is_open = method["AuthorizationType"] == "NONE" and not method["ApiKeyRequired"]
        is_predict = name.startswith(ROUTES[PREDICT][1])
        requests = (options.rate if is_predict else public_rate(options)) * MONTH_S
        if method["HttpMethod"] == "OPTIONS":
            yield Flood(requests, 0.0, is_open)
        elif is_predict:
            quota = options.quota if options.auth == "api-key" else 0
            yield _call_flood(options, min(requests, quota or requests), concurrency, is_open)
        else:
            size = PAGE_BYTES if method["HttpMethod"] == "GET" else ANSWER_BYTES
            yield Flood(requests, PAGE_S, is_open, size)


def _url_flood(options: Options, concurrency: int) -> Flood:
    """Return what a function URL accepts: all that Lambda does."""
    requests = concurrency * MAX_INSTANCE_RATE * MONTH_S
    return _call_flood(options, requests, concurrency, options.auth == "none")


def _call_flood(options: Options, requests: float, concurrency: int, is_open: bool) -> Flood:
    """Return calls that run until the timeout, or as long as the concurrency lets so many of them run."""
    return Flood(requests, min(options.timeout, concurrency * MONTH_S / requests), is_open)


def _describe(floods: list[Flood]) -> str:
    requests = sum(flood.requests for flood in floods)
    seconds = max(flood.seconds for flood in floods)
    rate = requests / MONTH_S
    text = f"{rate:,.0f} requests per second" if rate > 1 else f"{requests:,.0f} requests"
    return f"{text} of up to {seconds:.2g} s" if seconds > PAGE_S else text
