"""Estimate how many requests find no idle instance and start cold."""

import math

# Idle instances lived 5 to 7 minutes in https://mikhail.io/serverless/coldstarts/aws/intervals/ (2021) and 10
# in an earlier measurement. AWS promises nothing, so the shortest of these is assumed: it never estimates
# too few cold starts.
IDLE_LIFETIME_S = 300
# Instances that get a smaller share of the requests than this are left out.
MIN_SHARE = 1e-9


def estimate_cold_share(rate: float, duration_s: float, lifetime_s: float = IDLE_LIFETIME_S) -> float:
    """Return the share of requests, 0 to 1, that find no idle instance.

    Requests arrive at random (a Poisson process), and each goes to the first instance that is idle. The
    share of requests that find the first k instances busy is Erlang's loss formula,
    B(k) = aB(k - 1) / (k + aB(k - 1)) with a = rate × duration, so the instance k is used at the rate
    r = rate × (B(k - 1) - B(k)). A request finds it gone if the one before came longer than its idle
    lifetime ago, which has the probability exp(-r × lifetime). With few requests all go to the first
    instance, and the share is exp(-rate × lifetime).

    Args:
        rate: Requests per second.
        duration_s: Seconds that a request takes.
        lifetime_s: Seconds until Lambda stops an idle instance.
    """
    busy = rate * duration_s
    share, overflow, instance = 0.0, 1.0, 1
    while overflow > MIN_SHARE:
        rest = busy * overflow / (instance + busy * overflow)
        share += (overflow - rest) * math.exp(-rate * (overflow - rest) * lifetime_s)
        overflow, instance = rest, instance + 1
    return share
