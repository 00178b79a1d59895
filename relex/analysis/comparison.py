"""Is one model better than another on the same rows, or was it luck? Two tests that use the pairing of the rows."""

from relex.analysis.judged import Difference
from relex.analysis.resampling import Resampled, interval


def difference(a: float, b: float, resampled_a: Resampled, resampled_b: Resampled) -> Difference:
    """B minus A, with the paired bootstrap's interval and p-value.

    The p-value is two-sided: twice the share of resamples on the rarer side of 0, where no difference counts on both.
    One resample is added to either side, so that it is never 0 (Davison and Hinkley 1997); with 1,000 resamples 0.002
    is the smallest.

    Args:
        a: A's score on the file itself.
        b: B's.
        resampled_a: A's score on each resample.
        resampled_b: B's on the same resamples, so under the same seed.
    """
    gains = resampled_b - resampled_a
    rarer = int(min((gains <= 0).sum(), (gains >= 0).sum()))
    return Difference(b - a, interval(gains), min(1.0, 2 * (rarer + 1) / (len(gains) + 1)))


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact p-value of McNemar's test (1947): a two-sided sign test on the rows that one model alone gets right.

    1 where there is no such row. Counted in whole numbers, so it holds for any number of rows.
    """
    rows = only_a + only_b
    ways = total = 1
    for chosen in range(min(only_a, only_b)):
        ways = ways * (rows - chosen) // (chosen + 1)
        total += ways
    return min(1.0, total / 2 ** (rows - 1)) if rows else 1.0
