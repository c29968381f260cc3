"""Compiled method of characteristics for dots that nucleate from a feed and grow: few cohorts.

Without coalescence a population balance moves along its characteristics: dots born together
stay together. The kernel follows cohorts of nuclei instead of bins of size; monomer is what was
supplied less what the cohorts hold, so that matter is conserved to rounding. Constants as in
`surrogate_sim.population.Rates`; lengths [nm], times [s], dots [µM], formula units [mM].
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from surrogate_sim._cohort_steps import (
    SMALLEST,
    bear,
    boosts,
    drop_dissolved,
    grow,
    mean_monomer,
    settle,
    sum_of,
    uptake,
    weigh,
)

Array = NDArray[np.float64]
COHORTS = 20
FINE = 16
FEED_POINTS = 49
"""Steps within an interval of the feed's table."""
_SHARE = 0.035  # largest relative change of monomer in a step while dots nucleate
_MINOR = 2e-3  # share of all matter below which a cohort does not shorten the step


@njit(cache=True, inline="always")
def supplied(time: float, times: Array, amounts: Array, place: int) -> tuple[float, int]:
    """Formula units supplied until `time` [mM]: the integral of a piecewise linear rate.

    `place` is where the interval of an earlier time begins; returns that of this one too.
    """
    last = times.shape[0] - 1
    if time <= times[0]:
        return 0.0, 0
    if time >= times[last]:
        return float(amounts[last]), last - 1
    while times[place + 1] < time:
        place += 1
    part = (time - times[place]) / (times[place + 1] - times[place])
    return float(amounts[place] + part * (amounts[place + 1] - amounts[place])), place


@njit(cache=True)
def nucleation(monomer: float, k: Array) -> tuple[float, float]:
    """Rate [µM/s] and size [nm] of nuclei at a monomer concentration [mM]."""
    if k[5] <= 0.0 or monomer <= 1.0001 * k[1]:
        return 0.0, k[7]
    ratio = math.log(monomer / k[1])
    return k[5] * math.exp(-k[6] / ratio**2), max(k[7], k[8] * k[2] / ratio)


@njit(cache=True)
def _taken_up(
    number: Array, size: Array, there: Array, there_sizes: Array, fed: float, factor: float
) -> float:
    """Take up what is there, at most as much as was fed; return the monomer left [mM]."""
    held = 0.0
    for i in range(there.shape[0]):
        held += 1e-3 * factor * there[i] * there_sizes[i] ** 3
    fits = min(1.0, 0.9999 * fed / max(held, 1e-300))
    for i in range(there.shape[0]):
        number[i], size[i] = fits * there[i], there_sizes[i]
    return fed - fits * held


@njit(cache=True, fastmath=True, error_model="numpy")
def follow(
    times: Array,
    feed_times: Array,
    feed_amounts: Array,
    bare: Array,
    capped: Array,
    switch: float,
    factor: float,
    begin: float,
    there: Array,
    there_sizes: Array,
    numbers: Array,
    sizes: Array,
) -> int:
    """Follow the cohorts; write them at `times` into `numbers` and `sizes`, shape (t, n).

    Returns the number of steps taken.

    Args:
        times: Shape (t,), rising, above zero [s].
        feed_times: Shape (f,), rising [s].
        feed_amounts: Shape (f,), supplied until then [mM].
        bare: Constants in the order of `Rates.packed`, until `switch` [s].
        capped: The same from then on.
        switch: When the surface is capped [s].
        factor: Formula units of a dot over the cube of its size [1/nm3].
        begin: Time to start from; `times` before it are left alone [s].
        there: Dots that are there already, at most n sizes [µM].
        there_sizes: Their sizes, the oldest first [nm].
        numbers: Overwritten [µM].
        sizes: Overwritten [nm].
    """
    room = numbers.shape[1]
    number, size = np.zeros(room + 1), np.ones(room + 1)
    grown, boost = np.empty(room + 1), np.ones(room + 1)
    lean, volume = np.empty(room + 1), np.empty(room + 1)
    count, now, place, steps = there.shape[0], begin, 0, 0
    fed, at = supplied(begin, feed_times, feed_amounts, 0)
    monomer = _taken_up(number, size, there, there_sizes, fed, factor)
    while place < times.shape[0] and times[place] <= begin:
        place += 1
    supply_end = feed_times[feed_times.shape[0] - 1]
    step = 1e-3 * times[0]
    if supply_end > 0.0:
        step = min(step, 1e-4 * supply_end)
    open_until = switch * (1.0 - 1e-12)
    k = bare if now < open_until else capped
    boosts(size, boost, count, k[2])
    while place < times.shape[0]:
        steps += 1
        if now >= open_until and k is bare:
            k = capped
            boosts(size, boost, count, k[2])
        ahead = times[place] - now
        last = step >= ahead * (1.0 - 1e-9)
        dt = ahead if last else step
        if now < open_until and now + dt > switch:
            dt, last = switch - now, False
        ends, ahead_at = supplied(now + dt, feed_times, feed_amounts, at)
        pull, hold = uptake(number, size, boost, lean, count, k, factor)
        middle = mean_monomer(monomer, (ends - fed) / dt, pull, hold, dt)
        grow(size, boost, lean, grown, count, k, middle, dt)
        held, largest, smallest = weigh(
            number, size, grown, volume, count, factor, _MINOR * max(ends, 1e-9)
        )
        born, seed = nucleation(middle, k)
        units = 1e-3 * factor * seed**3
        born = min(born * dt, 0.5 * max(ends - held, 0.0) / units)
        born = born if born > 1e-12 else 0.0
        left = ends - held - born * units
        change = abs(left - monomer) / max(max(left, monomer), 3.0 * k[1])
        active = born > 0.0 and born * dt > 0.0 and born > 1e-4 * sum_of(number, count)
        limit = _SHARE if active else 10.0 * _SHARE
        worst = max(change / limit, largest / (2.0 * _SHARE))
        if left < 0.0:
            worst = max(worst, 4.0)
        if worst > 2.0 and dt > 1e-9 * times[place]:
            step = dt * max(0.25, 1.0 / worst)
            continue
        settle(size, grown, boost, count, k[2])
        if smallest < SMALLEST:
            count = drop_dissolved(number, size, boost, count)
        if born > 0.0:
            count = bear(number, size, boost, count, room, born, seed, k[2])
        monomer, fed, at = max(left, 0.0), ends, ahead_at
        now += dt
        if last:
            now = times[place]
            numbers[place, :] = 0.0
            sizes[place, :] = 1.0
            for i in range(count):
                numbers[place, i], sizes[place, i] = number[i], size[i]
            place += 1
        step = max(step, dt) if last else dt
        step *= min(1.6, 1.0 / max(worst, 1e-3)) if worst > 0.7 else 1.6
        step = max(step, 1e-10 * times[min(place, times.shape[0] - 1)])
    return steps


@njit(cache=True)
def feed_table(
    mixing: float,
    conversion: float,
    energy: float,
    cold: float,
    lag: float,
    last: float,
    time: Array,
    made: Array,
) -> None:
    """Write when how much of the solute has become monomer, as a share, shape (f,) each.

    Solute enters evenly over `mixing` and converts at first order, on the clock of a rate that
    follows the liquid's temperature T - (T - T_in) e^(-t / lag); exact for an even entry within
    each of the fine steps.

    Args:
        mixing: [s].
        conversion: First-order time at the tube's temperature [s].
        energy: Activation energy over k_B T at that temperature.
        cold: (T - T_in) / T.
        lag: [s].
        last: Last time of the table [s].
        time: Overwritten [s].
        made: Overwritten, from 0 to 1.
    """
    points = time.shape[0]
    time[0], made[0] = 0.0, 0.0
    left = 0.0
    ratio = 10.0 ** (3.0 / (points - 2))
    due = last * 1e-3 / ratio
    for i in range(1, points):
        due *= ratio
        time[i] = due if i < points - 1 else last
        parts = FINE if cold > 1e-6 or time[i - 1] < mixing < time[i] else 1
        step = (time[i] - time[i - 1]) / parts
        for j in range(parts):
            middle = time[i - 1] + (j + 0.5) * step
            x = step / conversion
            if cold > 1e-6:
                chill = cold * math.exp(-middle / lag)
                x *= math.exp(-energy * chill / (1.0 - chill))
            begin, end = middle - 0.5 * step, middle + 0.5 * step
            entered = (min(end, mixing) - min(begin, mixing)) / mixing
            lost = -math.expm1(-x)
            mean = lost / x if x > 1e-9 else 1.0
            left = left * (1.0 - lost) + entered * mean
        made[i] = max(min(time[i], mixing) / mixing - left, made[i - 1])
    for i in range(points):
        made[i] /= made[points - 1]


@njit(cache=True)
def _rising(size: Array) -> NDArray[np.int64]:
    """Order of rising size; cohorts, oldest and largest first, are in the reverse of it."""
    last = size.shape[0] - 1
    for i in range(last):
        if size[i] < size[i + 1]:
            return np.argsort(size)
    order = np.empty(last + 1, np.int64)
    for i in range(last + 1):
        order[i] = last - i
    return order


@njit(cache=True)
def share_out(number: Array, size: Array, edges: Array, volume: Array) -> None:
    """Mean size of each of equal shares of volume.

    Args:
        number: Shape (t, n), dots of each size [µM].
        size: Shape (t, n) [nm].
        edges: Shape (t, c), overwritten; NaN where there are no dots [nm].
        volume: Shape (t,), overwritten with the sum of number times size cubed.
    """
    classes = edges.shape[1]
    for row in range(number.shape[0]):
        order = _rising(size[row])
        total = 0.0
        for i in order:
            total += max(number[row, i], 0.0) * size[row, i] ** 3
        volume[row] = total
        if total <= 1e-9:
            edges[row, :] = np.nan
            continue
        room, place, moment = total / classes, 0, 0.0
        for i in order:
            mass = max(number[row, i], 0.0) * size[row, i] ** 3
            while mass > 0.0 and place < classes:
                part = min(mass, room)
                moment += part * size[row, i]
                mass -= part
                room -= part
                if room <= 1e-12 * total:
                    edges[row, place] = moment * classes / total
                    room, place, moment = total / classes, place + 1, 0.0
        if place < classes:
            edges[row, place] = moment / max(total / classes - room, 1e-300)


@njit(cache=True)
def form_many(
    values: Array,
    scores: Array,
    bare: Array,
    capped: Array,
    times: Array,
    edges: Array,
    volume: Array,
) -> None:
    """Form dots of many recipes by cohorts, each for several elements of the fluid.

    Args:
        values: Shape (r, 9): units, mixing time, mixing spread, conversion time, its energy, cold,
            heating lag, tail of conversion and of heating [s], 1 / cell.
        scores: Shape (e,), standard normal scores of the elements.
        bare: Shape (r, k), constants before capping.
        capped: Shape (r, k), constants after it.
        times: Shape (r, t), rising [s].
        edges: Shape (r, e, t, c), overwritten [nm].
        volume: Shape (r, e, t), overwritten, number times size cubed [µM nm3].
    """
    nothing = np.zeros(0)
    count = times.shape[1]
    numbers, sizes = np.zeros((count, COHORTS)), np.ones((count, COHORTS))
    feed_time, made = np.empty(FEED_POINTS), np.empty(FEED_POINTS)
    for recipe in range(values.shape[0]):
        units, mixing_time, spread, conversion, energy, cold, lag, tail, factor = values[recipe]
        for element in range(scores.shape[0]):
            mixing = mixing_time * math.exp(spread * scores[element])
            warm = lag if cold > 1e-6 else 0.0
            last = 2.0 * tail * conversion + mixing + 5.0 * warm
            feed_table(mixing, conversion, energy, cold, lag, last, feed_time, made)
            made *= units
            switch = mixing + tail * conversion + 3.0 * warm
            numbers[:, :], sizes[:, :] = 0.0, 1.0
            follow(
                times[recipe],
                feed_time,
                made,
                bare[recipe],
                capped[recipe],
                switch,
                factor,
                0.0,
                nothing,
                nothing,
                numbers,
                sizes,
            )
            share_out(numbers, sizes, edges[recipe, element], volume[recipe, element])
