"""Ten kinds of garments as plane shapes with random proportions.

A garment is a list of shapes to draw in order, with x to the right and y down; the renderer chooses place
and size. All proportions were chosen by eye. Their ranges overlap, so that no single length reveals the
kind.
"""

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

Point = tuple[float, float]

FABRIC, TRIM, SHADE, LIGHT, INSIDE = "fabric", "trim", "shade", "light", "inside"


class Shape(NamedTuple):
    """An area (width 0), a line (width above 0), or a disc of this diameter around a single point."""

    points: Sequence[Point]
    tone: str = FABRIC
    width: float = 0.0


Garment = list[Shape]


def _mirror(points: Sequence[Point]) -> list[Point]:
    return [(-x, y) for x, y in points]


def _symmetric(*right: Point) -> list[Point]:
    """Close the right half of an outline, given from top to bottom, with its mirror image."""
    return [*right, *reversed(_mirror(right))]


def _both(points: Sequence[Point], tone: str = FABRIC, width: float = 0.0) -> Garment:
    """Return a shape on the right and its mirror image on the left."""
    return [Shape(points, tone, width), Shape(_mirror(points), tone, width)]


def _smooth(points: Sequence[Point]) -> list[Point]:
    """Round the corners of a closed outline: Chaikin's corner cutting, three times."""
    for _ in range(3):
        pairs = zip(points, [*points[1:], points[0]], strict=True)
        points = [
            (ax + t * (bx - ax), ay + t * (by - ay)) for (ax, ay), (bx, by) in pairs for t in (0.25, 0.75)
        ]
    return list(points)


def _arc(centre: Point, rx: float, ry: float, start: float = 0, end: float = 360) -> list[Point]:
    """Return points of an ellipse from `start` to `end` degrees, 0 at the right, 90 below."""
    angles = (math.radians(start + (end - start) * step / 24) for step in range(25))
    return [(centre[0] + rx * math.cos(a), centre[1] + ry * math.sin(a)) for a in angles]


def _sleeves(rng: Random, shoulder: Point, armpit: Point, length: float, *, cuffs: bool = False) -> Garment:
    """Return two sleeves that hang at a random angle."""
    is_long = length > 0.3
    angle = math.radians(rng.uniform(14, 50) if is_long else rng.uniform(32, 65))
    down, across = (math.sin(angle), math.cos(angle)), (-math.cos(angle), math.sin(angle))
    width = rng.uniform(0.085, 0.11) if is_long else rng.uniform(0.12, 0.15)

    def at(along: float, over: float) -> Point:
        return (
            shoulder[0] + along * down[0] + over * width * across[0],
            shoulder[1] + along * down[1] + over * width * across[1],
        )

    sleeves = _both([shoulder, at(length, 0), at(length, 1), armpit])
    if cuffs:
        sleeves += _both([at(length, 0), at(length, 1), at(length - 0.05, 1), at(length - 0.05, 0)], SHADE)
    return sleeves


def _neck(rng: Random, width: float, top: float, *, min_depth: float = 0.05) -> Garment:
    """Return a round or pointed neck, through which the inside shows."""
    depth = rng.uniform(min_depth, min_depth + 0.05)
    if rng.random() < 0.3:
        outline = [(width, top), (0.0, top + 1.6 * depth), (-width, top)]
    else:
        outline = _arc((0, top), width, depth, 0, 180)
    return [Shape(outline, INSIDE), Shape(outline, SHADE, 0.018)]


class _Torso(NamedTuple):
    """Half the width of the neck, and the right half's corners."""

    neck: float
    shoulder: Point
    armpit: Point
    hem: Point
    top: float = -0.38

    def outline(self, waist: float = 1.0) -> list[Point]:
        middle = (self.armpit[1] + self.hem[1]) / 2
        return _symmetric(
            (self.neck, self.top),
            self.shoulder,
            self.armpit,
            ((self.armpit[0] + self.hem[0]) / 2 * waist, middle),
            self.hem,
            (self.hem[0] * 0.5, self.hem[1] + 0.012),
        )


def _torso(rng: Random, hem: float) -> _Torso:
    width = rng.uniform(0.17, 0.23)
    return _Torso(
        neck=rng.uniform(0.07, 0.1),
        shoulder=(width + rng.uniform(0.0, 0.02), rng.uniform(-0.35, -0.32)),
        armpit=(width, rng.uniform(-0.2, -0.16)),
        hem=(width * rng.uniform(0.95, 1.15), hem),
    )


def t_shirt(rng: Random) -> Garment:
    """Return a T-shirt: short sleeves, a round or pointed neck, sometimes a print."""
    torso = _torso(rng, rng.uniform(0.24, 0.38))
    garment = _sleeves(rng, torso.shoulder, torso.armpit, rng.uniform(0.13, 0.22))
    garment += [Shape(torso.outline()), *_neck(rng, torso.neck, torso.top)]
    if rng.random() < 0.3:
        size = rng.uniform(0.04, 0.09)
        garment.append(Shape(_smooth(_arc((0, -0.1), size, size * rng.uniform(0.6, 1.2))), TRIM))
    return garment


def longsleeve(rng: Random) -> Garment:
    """Return a longsleeve: a round or pointed neck, sometimes ribbed cuffs and hem."""
    torso = _torso(rng, rng.uniform(0.22, 0.36))
    has_ribs = rng.random() < 0.5
    garment = _sleeves(rng, torso.shoulder, torso.armpit, rng.uniform(0.4, 0.54), cuffs=has_ribs)
    garment += [Shape(torso.outline()), *_neck(rng, torso.neck, torso.top, min_depth=0.03)]
    if has_ribs:
        x, y = torso.hem
        garment.append(Shape(_symmetric((x, y - 0.04), (x, y)), SHADE))
    return garment


def shirt(rng: Random) -> Garment:
    """Return a shirt: a collar, a row of buttons, mostly long sleeves, sometimes a breast pocket."""
    torso = _torso(rng, rng.uniform(0.26, 0.4))
    length = rng.uniform(0.4, 0.52) if rng.random() < 0.7 else rng.uniform(0.13, 0.22)
    garment = _sleeves(rng, torso.shoulder, torso.armpit, length, cuffs=length > 0.3)
    garment.append(Shape(torso.outline(rng.uniform(0.9, 1.0))))
    top, hem = torso.top + 0.07, torso.hem[1]
    garment += [Shape([(x, top), (x, hem)], SHADE, 0.008) for x in (-0.025, 0.025)]
    count = rng.randint(5, 7)
    for number in range(count):
        centre = (0.0, top + 0.03 + (hem - top - 0.06) * number / (count - 1))
        garment += [Shape([centre], SHADE, 0.034), Shape([centre], LIGHT, 0.024)]
    collar = [(torso.neck, torso.top - 0.02), (0.0, top), (0.06, top + 0.05), (torso.neck + 0.06, top - 0.03)]
    garment.append(Shape(_arc((0, torso.top), torso.neck, 0.05, 0, 180), INSIDE))
    garment += [*_both(collar, TRIM), *_both([*collar, collar[0]], SHADE, 0.01)]
    if rng.random() < 0.5:
        x, y, side = 0.07, -0.13, 0.08
        garment.append(
            Shape([(x, y), (x, y + side), (x + side, y + side), (x + side, y), (x, y)], SHADE, 0.01)
        )
    return garment


def outwear(rng: Random) -> Garment:
    """Return a coat or jacket: open over a lining or zipped, with lapels or a hood, and pockets."""
    torso = _torso(rng, rng.uniform(0.24, 0.46))
    garment: Garment = []
    has_hood = rng.random() < 0.4
    if has_hood:
        garment.append(Shape(_smooth(_symmetric((0.05, -0.5), (0.15, -0.47), (0.16, -0.33), (0.05, -0.3)))))
        garment.append(Shape(_arc((0, -0.38), 0.085, 0.07), INSIDE))
    sleeves = _sleeves(rng, torso.shoulder, torso.armpit, rng.uniform(0.42, 0.52), cuffs=rng.random() < 0.5)
    garment += [*sleeves, Shape(torso.outline(1.05))]
    hem = torso.hem[1] + 0.012
    if rng.random() < 0.5:
        gap = rng.uniform(0.03, 0.09)
        front = [(torso.neck, torso.top), (gap * 0.6, -0.1), (gap, hem)]
        garment += [Shape(_symmetric(*front), INSIDE), *_both(front, SHADE, 0.012)]
    else:
        zipper = [(0, torso.top + 0.03), (0, hem)]
        garment += [Shape(zipper, SHADE, 0.04), Shape(zipper, LIGHT, 0.016)]
    if not has_hood:
        lapel = [(torso.neck, torso.top - 0.02), (torso.neck + 0.06, -0.28), (0.1, -0.18), (0.02, -0.08)]
        garment += [*_both(lapel, TRIM), *_both([*lapel, lapel[0]], SHADE, 0.01)]
    y = rng.uniform(0.0, 0.06)
    return garment + _both([(0.08, 0.08 + y), (0.16, 0.08 + y - 0.03)], SHADE, 0.022)


def dress(rng: Random) -> Garment:
    """Return a dress: a fitted top with straps or short sleeves, and a long skirt."""
    bust, waist = rng.uniform(0.12, 0.16), rng.uniform(0.085, 0.12)
    hem, waist_y = rng.uniform(0.2, 0.36), rng.uniform(-0.14, -0.04)
    neck, top = rng.uniform(0.05, 0.08), -0.46
    length = rng.uniform(0.36, 0.49)
    garment: Garment = []
    if rng.random() < 0.4:
        reach = rng.uniform(0.08, 0.14)
        garment += _sleeves(rng, (bust, top + 0.04), (bust, top + 0.16), reach)
        outline = [(neck, top), (bust, top + 0.04), (bust, top + 0.16)]
    else:
        outline = [(neck, top), (neck + 0.035, top), (neck + 0.045, top + 0.1), (bust, top + 0.18)]
    outline += [(waist, waist_y), (waist + (hem - waist) * 0.65, (waist_y + length) / 2), (hem, length)]
    garment += [
        Shape(_symmetric(*outline, (hem * 0.5, length + 0.02))),
        *_neck(rng, neck, top, min_depth=0.07),
    ]
    if rng.random() < 0.6:
        garment.append(Shape(_symmetric((waist, waist_y - 0.015), (waist + 0.005, waist_y + 0.02)), TRIM))
    return garment + _folds(rng, waist, waist_y, hem, length)


def _folds(rng: Random, top: float, top_y: float, hem: float, hem_y: float) -> Garment:
    """Return lines that fan out from waist to hem, as in hanging cloth."""
    places = [(2 * (number + 1) / 5 - 1) + rng.uniform(-0.1, 0.1) for number in range(4)]
    start = top_y + 0.06
    return [Shape([(place * top, start), (place * hem * 0.95, hem_y)], SHADE, 0.007) for place in places]


def skirt(rng: Random) -> Garment:
    """Return a short or long skirt, with a waistband."""
    waist, hem = rng.uniform(0.12, 0.19), rng.uniform(0.2, 0.4)
    length = rng.uniform(0.36, 0.75)
    top, bottom = -length / 2, length / 2
    hip = (waist + (hem - waist) * rng.uniform(0.45, 0.7), top + length * 0.4)
    outline = _symmetric((waist, top), hip, (hem, bottom), (hem * 0.5, bottom + 0.02))
    band = Shape(_symmetric((waist, top - 0.03), (waist + 0.006, top + 0.02)), rng.choice((SHADE, TRIM)))
    return [Shape(outline), *_folds(rng, waist, top, hem, bottom), band]


def _trousers(rng: Random, leg: float) -> Garment:
    """Return a waistband and two legs that reach `leg` below the crotch."""
    waist, hip = rng.uniform(0.13, 0.18), rng.uniform(0.17, 0.22)
    rise = rng.uniform(0.18, 0.24)
    top = -(rise + leg) / 2
    crotch, bottom = top + rise, top + rise + leg
    spread = rng.uniform(0.0, 0.25) * leg
    cuff = rng.uniform(0.08, 0.13) if leg > 0.35 else rng.uniform(0.14, 0.18)
    inner = 0.015 + spread
    side = [(waist, top), (hip, crotch - 0.05), (inner + cuff, bottom), (inner, bottom)]
    garment = [Shape(_symmetric(*side, (0.0, crotch)))]
    garment += _both([(inner, bottom - 0.02), (inner + cuff, bottom - 0.02)], SHADE, 0.01)
    garment += [Shape([(0, top), (0, crotch)], SHADE, 0.012)]
    garment += _both([(waist * 0.55, top + 0.03), (waist + 0.01, top + 0.09)], SHADE, 0.012)
    return [*garment, Shape(_symmetric((waist, top - 0.025), (waist + 0.004, top + 0.015)), SHADE)]


def pants(rng: Random) -> Garment:
    """Return trousers with long legs."""
    return _trousers(rng, rng.uniform(0.5, 0.68))


def shorts(rng: Random) -> Garment:
    """Return trousers with short legs."""
    return _trousers(rng, rng.uniform(0.1, 0.26))


def shoes(rng: Random) -> Garment:
    """Return one shoe or a pair, seen from the side: sneaker, boot or court shoe."""
    kind = rng.choice((_sneaker, _boot, _court_shoe))(rng)
    if rng.random() < 0.5:
        return kind
    dx, dy = rng.uniform(-0.06, 0.06), rng.uniform(0.26, 0.34)
    return [
        Shape([(x + sign * dx, y + sign * dy / 2) for x, y in points], tone, width)
        for sign in (-1, 1)
        for points, tone, width in kind
    ]


def _sneaker(rng: Random) -> Garment:
    ankle = rng.uniform(-0.16, -0.1)
    upper = [(-0.4, ankle), (-0.2, ankle + 0.02), (0.05, -0.02), (0.34, 0.02), (0.43, 0.12), (-0.42, 0.12)]
    sole = [(-0.43, 0.1), (0.44, 0.1), (0.43, 0.17), (-0.42, 0.17)]
    garment = [
        Shape(_smooth(upper)),
        Shape(_smooth(sole), LIGHT),
        Shape([(-0.42, 0.1), (0.43, 0.1)], SHADE, 0.012),
    ]
    for number in range(4):
        x, y = -0.16 + 0.065 * number, ankle + 0.05 + 0.03 * number
        garment.append(Shape([(x, y), (x + 0.06, y - 0.03)], LIGHT, 0.018))
    return [*garment, Shape(_arc((-0.3, ankle + 0.02), 0.09, 0.025), INSIDE)]


def _boot(rng: Random) -> Garment:
    shaft = rng.uniform(-0.38, -0.24)
    instep = [(-0.08, -0.04), (0.08, 0.0), (0.26, 0.04), (0.34, 0.09), (0.36, 0.16)]
    upper = [(-0.36, shaft), (-0.1, shaft), *instep, (-0.36, 0.16)]
    sole = [(-0.37, 0.15), (0.36, 0.15), (0.36, 0.19), (-0.12, 0.19), (-0.14, 0.23), (-0.37, 0.23)]
    opening = Shape(_arc((-0.23, shaft + 0.01), 0.12, 0.025), INSIDE)
    return [Shape(upper), Shape(sole, SHADE), opening]


def _court_shoe(rng: Random) -> Garment:
    heel = rng.uniform(0.14, 0.24)
    edge = [(-0.33, -0.2), (-0.22, -0.02), (-0.02, 0.05), (0.14, 0.03)]
    toe = [(0.3, 0.1), (0.4, 0.17), (0.4, 0.21), (0.14, 0.21)]
    upper = [*edge, *toe, (-0.1, 0.12), (-0.3, 0.06), (-0.36, -0.1)]
    spike = [(-0.35, -0.02), (-0.2, 0.08), (-0.27, heel), (-0.33, heel)]
    rim = [(-0.31, -0.17), *edge[1:3], (0.12, 0.05)]
    return [Shape(spike, SHADE), Shape(_smooth(upper)), Shape(rim, INSIDE, 0.03)]


def hat(rng: Random) -> Garment:
    """Return a brimmed hat, a cap or a woollen hat."""
    return rng.choice((_brimmed_hat, _cap, _woollen_hat))(rng)


def _brimmed_hat(rng: Random) -> Garment:
    brim, crown, height = rng.uniform(0.38, 0.47), rng.uniform(0.2, 0.26), rng.uniform(0.24, 0.36)
    side = [(crown * 0.5, 0.1 - height), (crown * 0.95, 0.12 - height), (crown, 0.1)]
    band = _symmetric((crown * 0.99, 0.03), (crown, 0.11))
    return [
        Shape(_arc((0, 0.12), brim, rng.uniform(0.08, 0.13))),
        Shape(_symmetric(*side)),
        Shape(band, TRIM),
    ]


def _cap(rng: Random) -> Garment:
    dome = _arc((-0.06, 0.1), 0.28, rng.uniform(0.24, 0.32), 180, 360)
    visor = _smooth([(0.1, 0.04), (0.3, 0.04), (0.46, 0.14), (0.42, 0.17), (0.2, 0.12), (0.05, 0.12)])
    seams = [Shape(_arc((-0.06, 0.1), rx, 0.26, 185, 270), SHADE, 0.01) for rx in (0.12, -0.12)]
    return [Shape(dome), Shape(visor, rng.choice((TRIM, SHADE))), *seams, Shape([(-0.06, -0.17)], TRIM, 0.05)]


def _woollen_hat(rng: Random) -> Garment:
    width, height = rng.uniform(0.24, 0.3), rng.uniform(0.34, 0.44)
    ribs = [Shape([(width * k / 4, 0.1), (width * k / 4, 0.22)], LIGHT, 0.008) for k in range(-3, 4)]
    cuff = Shape(_symmetric((width + 0.01, 0.09), (width + 0.01, 0.23)), SHADE)
    garment = [Shape(_arc((0, 0.12), width, height, 180, 360)), cuff, *ribs]
    if rng.random() < 0.6:
        garment.append(Shape([(0.0, 0.12 - height)], TRIM, rng.uniform(0.12, 0.18)))
    return garment


GARMENTS: dict[str, Callable[[Random], Garment]] = {
    "dress": dress,
    "hat": hat,
    "longsleeve": longsleeve,
    "outwear": outwear,
    "pants": pants,
    "shirt": shirt,
    "shoes": shoes,
    "shorts": shorts,
    "skirt": skirt,
    "t-shirt": t_shirt,
}
