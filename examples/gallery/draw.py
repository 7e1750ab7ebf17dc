"""Draw the gallery: twelve pictures and a short film. Run it again after a change: python examples/gallery/draw.py

Everything is computed: no fonts, no photographs, no clock. The same Pillow and PyAV give the same files.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path

import av
from PIL import Image, ImageDraw

BLACK, WHITE = (22, 22, 26), (250, 250, 250)
RED, YELLOW, BLUE, ORANGE = (196, 30, 34), (252, 208, 24), (24, 84, 190), (240, 132, 20)
GREEN, PURPLE, PINK, BROWN = (58, 160, 62), (122, 52, 160), (244, 140, 178), (120, 76, 40)
GREY, SKY = (128, 132, 138), (150, 204, 246)
Colour = tuple[int, int, int]


def between(one: Colour, other: Colour, share: float) -> Colour:
    """Mix two colours."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def brighter(colour: Colour) -> Colour:
    """Light up a colour."""
    red, green, blue = (min(255, part + 60) for part in colour)
    return red, green, blue


class Scene:
    """A picture on a canvas twice as large as the result, so that edges are smooth."""

    def __init__(self, width: int, height: int, ground: Colour, seed: int) -> None:
        self.size = (width, height)
        self.image = Image.new("RGB", (2 * width, 2 * height), ground)
        self.pen = ImageDraw.Draw(self.image)
        self.chance = random.Random(seed)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        self.pen.rectangle((2 * left, 2 * top, 2 * right, 2 * bottom), colour)

    def disc(self, x: float, y: float, wide: float, high: float, colour: Colour) -> None:
        self.pen.ellipse((2 * (x - wide), 2 * (y - high), 2 * (x + wide), 2 * (y + high)), colour)

    def shape(self, colour: Colour, *points: tuple[float, float]) -> None:
        self.pen.polygon([(2 * x, 2 * y) for x, y in points], colour)

    def line(self, colour: Colour, thick: float, *points: tuple[float, float]) -> None:
        self.pen.line([(2 * x, 2 * y) for x, y in points], colour, round(2 * thick), joint="curve")

    def scatter(self, count: int, top: float, bottom: float) -> list[tuple[float, float]]:
        width = self.size[0]
        return [(self.chance.uniform(0, width), self.chance.uniform(top, bottom)) for _ in range(count)]

    def finished(self) -> Image.Image:
        return self.image.resize(self.size, Image.Resampling.LANCZOS)


def barn() -> Scene:
    s = Scene(480, 320, (206, 220, 236), 1)
    s.box(0, 220, 480, 320, WHITE)
    s.box(150, 120, 330, 250, RED)
    s.shape((140, 20, 24), (135, 125), (240, 55), (345, 125))
    s.box(212, 170, 268, 250, WHITE)
    s.line(RED, 4, (212, 170), (268, 250))
    s.line(RED, 4, (268, 170), (212, 250))
    for x, y in s.scatter(90, 0, 320):
        s.disc(x, y, 2, 2, WHITE)
    return s


def meadow() -> Scene:
    s = Scene(560, 360, SKY, 2)
    s.disc(140, 330, 320, 190, (84, 184, 76))
    s.disc(460, 350, 300, 190, GREEN)
    for x, y in ((110, 250), (210, 290), (330, 240), (430, 285), (290, 325)):
        s.line(BLACK, 4, (x - 12, y + 8), (x - 12, y + 26))
        s.line(BLACK, 4, (x + 12, y + 8), (x + 12, y + 26))
        for step in range(-2, 3):
            s.disc(x + 9 * step, y - abs(step), 13, 13, WHITE)
        s.disc(x + 30, y - 6, 9, 7, BLACK)
    return s


def boat() -> Scene:
    s = Scene(480, 360, (196, 228, 250), 3)
    s.box(0, 150, 480, 360, BLUE)
    for x, y in s.scatter(40, 165, 350):
        s.line((88, 146, 232), 2, (x, y), (x + 14, y - 3), (x + 28, y))
    s.shape(YELLOW, (150, 215), (340, 215), (300, 265), (185, 265))
    s.line(BROWN, 6, (240, 215), (240, 70))
    s.shape(WHITE, (248, 75), (248, 200), (325, 200))
    s.shape(YELLOW, (232, 95), (232, 200), (175, 200))
    return s


def cat() -> Scene:
    s = Scene(400, 400, ORANGE, 4)
    for row in range(10):
        for column in range(-1, 5):
            left = column * 100 + (row % 2) * 50
            s.box(left + 2, row * 40 + 2, left + 98, row * 40 + 38, (246, 148, 38))
    s.box(0, 330, 400, 400, (190, 96, 20))
    s.disc(200, 270, 70, 80, BLACK)
    s.disc(200, 170, 52, 46, BLACK)
    s.shape(BLACK, (152, 155), (158, 95), (192, 132))
    s.shape(BLACK, (248, 155), (242, 95), (208, 132))
    for x in (180, 220):
        s.disc(x, 166, 9, 11, (150, 210, 60))
        s.disc(x, 166, 3, 10, BLACK)
    s.line(BLACK, 14, (265, 320), (310, 310), (320, 260), (300, 225))
    return s


def tulips() -> Scene:
    s = Scene(480, 320, (214, 236, 250), 5)
    s.box(0, 120, 480, 320, (70, 140, 60))
    for row in range(7):
        y, size = 130 + row * row * 4.5 + row * 4, 4 + row * 2.2
        for column in range(int(480 / size / 1.9) + 2):
            x = column * size * 1.9 + (row % 2) * size
            s.disc(x, y, size * 0.75, size, PURPLE if row % 2 else PINK)
    return s


def market() -> Scene:
    s = Scene(520, 340, (236, 226, 204), 6)
    for stripe in range(13):
        s.shape(
            RED if stripe % 2 else WHITE, *[(40 * stripe + dx, y) for dx, y in ((0, 30), (40, 30), (40, 95), (0, 95))]
        )
        s.disc(40 * stripe + 20, 95, 20, 12, RED if stripe % 2 else WHITE)
    for crate, colour in enumerate((ORANGE, GREEN, YELLOW, (150, 20, 60))):
        left = 20 + crate * 124
        for x in range(4):
            for y in range(3):
                s.disc(left + 18 + x * 26, 205 + y * 22, 15, 15, colour)
                s.disc(left + 14 + x * 26, 200 + y * 22, 4, 4, brighter(colour))
        s.box(left, 255, left + 112, 310, BROWN)
        s.box(left + 4, 270, left + 108, 276, (150, 100, 56))
    return s


def night() -> Scene:
    s = Scene(600, 340, (16, 22, 60), 7)
    for x, y in s.scatter(110, 0, 210):
        s.disc(x, y, 1.3, 1.3, WHITE)
    s.disc(470, 80, 38, 38, (244, 240, 214))
    s.disc(454, 72, 34, 34, (16, 22, 60))
    for ridge, colour in ((210, (36, 44, 92)), (250, (24, 30, 66)), (290, (10, 12, 30))):
        points = [(x, ridge + 34 * math.sin(x / 61 + ridge) * math.cos(x / 37)) for x in range(0, 601, 10)]
        s.shape(colour, *points, (600, 340), (0, 340))
    return s


def tram() -> Scene:
    s = Scene(560, 320, (232, 220, 200), 8)
    for house, colour in enumerate(((214, 190, 150), (190, 160, 140), (220, 204, 176), (176, 150, 130))):
        s.box(house * 140, 30 + 18 * (house % 2), house * 140 + 138, 230, colour)
        for window in range(6):
            x, y = house * 140 + 24 + 42 * (window % 3), 62 + 48 * (window // 3)
            s.box(x, y, x + 20, y + 30, (110, 130, 150))
    s.box(0, 230, 560, 320, (110, 110, 114))
    s.box(90, 150, 470, 265, (18, 130, 120))
    s.box(90, 205, 470, 222, WHITE)
    for window in range(6):
        s.box(108 + window * 60, 162, 152 + window * 60, 198, (206, 232, 240))
    for x in (160, 400):
        s.disc(x, 266, 16, 16, BLACK)
    s.line(BLACK, 3, (0, 283), (560, 283))
    s.line(BLACK, 3, (280, 150), (310, 110), (240, 110), (280, 150))
    return s


def lighthouse() -> Scene:
    s = Scene(320, 480, (250, 196, 150), 9)
    s.disc(160, 330, 260, 60, (248, 150, 120))
    s.box(0, 340, 320, 480, (40, 70, 120))
    s.disc(160, 420, 120, 60, GREY)
    for band in range(6):
        top, left = 130 + band * 42, 126 - band * 4
        points = ((left, top), (320 - left, top), (324 - left, top + 42), (left - 4, top + 42))
        s.shape(RED if band % 2 else WHITE, *points)
    s.box(130, 96, 190, 130, YELLOW)
    s.shape(BLACK, (122, 98), (160, 62), (198, 98))
    s.shape((255, 236, 150), (130, 105), (130, 122), (0, 150), (0, 90))
    return s


def forest() -> Scene:
    s = Scene(480, 360, (232, 200, 150), 10)
    s.box(0, 300, 480, 360, (150, 90, 40))
    for x, y in s.scatter(16, 296, 312):
        height = s.chance.uniform(130, 240)
        s.line(BROWN, 7, (x, y), (x, y - height * 0.6))
        leaves = s.chance.choice((ORANGE, (206, 74, 24), YELLOW, (180, 40, 30)))
        for _ in range(16):
            dx, dy = s.chance.gauss(0, 22), s.chance.gauss(0, 26)
            s.disc(x + dx, y - height * 0.72 + dy, 13, 13, leaves)
    return s


def penguins() -> Scene:
    s = Scene(520, 340, (170, 214, 240), 11)
    s.shape((226, 242, 252), (0, 210), (120, 130), (220, 200), (360, 110), (520, 205), (520, 340), (0, 340))
    for x, size in ((120, 1.0), (220, 1.2), (310, 0.9), (400, 1.1)):
        y = 280
        s.disc(x, y - 45 * size, 26 * size, 48 * size, BLACK)
        s.disc(x, y - 38 * size, 17 * size, 38 * size, WHITE)
        s.disc(x, y - 92 * size, 18 * size, 17 * size, BLACK)
        s.shape(ORANGE, (x - 5, y - 90 * size), (x + 5, y - 90 * size), (x, y - 78 * size))
        s.disc(x - 10, y + 4, 9, 4, ORANGE)
        s.disc(x + 10, y + 4, 9, 4, ORANGE)
    return s


def tea() -> Scene:
    s = Scene(400, 320, (88, 58, 42), 12)
    s.disc(200, 285, 170, 22, (70, 44, 32))
    s.disc(200, 262, 130, 20, (236, 240, 236))
    s.shape((60, 150, 110), (110, 150), (290, 150), (262, 260), (138, 260))
    s.disc(200, 150, 90, 20, (80, 176, 132))
    s.disc(200, 152, 78, 14, (190, 120, 40))
    for x in (170, 200, 230):
        s.line((150, 128, 116), 4, *[(x + 8 * math.sin(y / 12), y) for y in range(40, 124, 6)])
    return s


PICTURES: dict[str, Callable[[], Scene]] = {
    "barn.jpg": barn,
    "meadow.png": meadow,
    "boat.png": boat,
    "cat.jpg": cat,
    "tulips.jpg": tulips,
    "market.png": market,
    "night.jpg": night,
    "tram.png": tram,
    "lighthouse.png": lighthouse,
    "forest.jpg": forest,
    "penguins.png": penguins,
    "tea.jpg": tea,
}


def sunrise(moment: float) -> Image.Image:
    """The film at a moment between 0 and 1."""
    s = Scene(320, 240, between((60, 40, 90), (250, 190, 140), moment), 13)
    s.disc(160, 190 - 110 * moment, 36, 36, YELLOW)
    s.box(0, 150, 320, 240, (20, round(50 + 60 * moment), round(130 + 70 * moment)))
    for wave in range(7):
        x = (wave * 53 + 80 * moment) % 360 - 40
        s.line((90, 150, 230), 2, (x, 168 + wave * 9), (x + 30, 168 + wave * 9))
    return s.finished()


def film(path: Path, seconds: float = 2.5, rate: int = 16) -> None:
    with av.open(str(path), "w", options={"movflags": "faststart"}) as output:
        track = output.add_stream("libx264", rate=rate, options={"crf": "28", "preset": "slow", "threads": "1"})
        track.width, track.height, track.pix_fmt = 320, 240, "yuv420p"
        count = round(seconds * rate)
        for number in range(count):
            output.mux(track.encode(av.VideoFrame.from_image(sunrise(number / (count - 1)))))
        output.mux(track.encode())


def main(folder: Path = Path(__file__).parent) -> None:
    """Write `pictures/` and `video/` into a folder."""
    for name in ("pictures", "video"):
        (folder / name).mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        image = draw().finished()
        if name.endswith(".jpg"):
            image.save(folder / "pictures" / name, quality=82, optimize=True)
        else:
            image.quantize(64, dither=Image.Dither.NONE).save(folder / "pictures" / name, optimize=True)
    film(folder / "video" / "sunrise.mp4")


if __name__ == "__main__":
    main()
