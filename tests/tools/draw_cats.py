"""Draws the cats of the catgif lab: small animated GIFs, the same bytes every time.

pip install pillow && python tests/tools/draw_cats.py labs/catgif/starter/static
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = 200
FRAMES = 8
FRAME_MS = 110
BACKGROUND = (245, 240, 228)


def face(
    draw: ImageDraw.ImageDraw,
    fur: str,
    dark: str,
    *,
    blink: bool,
    dx: float = 0,
    dy: float = 0,
) -> None:
    """A cat's head with ears, eyes, nose, mouth and whiskers, moved by (dx, dy)."""

    def at(*points: float) -> list[float]:
        return [
            value + (dx if index % 2 == 0 else dy) for index, value in enumerate(points)
        ]

    for ear in ((62, 78, 70, 30, 100, 62), (138, 78, 130, 30, 100, 62)):
        draw.polygon(at(*ear), fill=fur, outline=dark)
    draw.polygon(at(70, 68, 74, 44, 88, 62), fill="#f2a7a7")
    draw.polygon(at(130, 68, 126, 44, 112, 62), fill="#f2a7a7")
    draw.ellipse(at(55, 52, 145, 132), fill=fur, outline=dark, width=2)
    for x in (82, 118):
        if blink:
            draw.arc(at(x - 10, 80, x + 10, 96), 20, 160, fill=dark, width=3)
        else:
            draw.ellipse(at(x - 9, 76, x + 9, 98), fill="#d9ef8b", outline=dark)
            draw.ellipse(at(x - 3, 78, x + 3, 96), fill="black")
    draw.polygon(at(95, 102, 105, 102, 100, 108), fill="#e58a8a", outline=dark)
    draw.arc(at(88, 104, 100, 118), 10, 170, fill=dark, width=2)
    draw.arc(at(100, 104, 112, 118), 10, 170, fill=dark, width=2)
    for side in (-1, 1):
        for lift in (-6, 0, 6):
            draw.line(
                at(100 + side * 16, 108 + lift / 3, 100 + side * 58, 104 + lift * 2),
                fill=dark,
                width=1,
            )


def blinking(step: int) -> Image.Image:
    """A grey cat that blinks and wags its tail."""
    image = Image.new("RGB", (SIZE, SIZE), BACKGROUND)
    draw = ImageDraw.Draw(image)
    swing = 22 * math.sin(2 * math.pi * step / FRAMES)
    draw.line(
        [(150, 180), (172, 150), (168 + swing, 110)],
        fill="#8a8f98",
        width=10,
        joint="curve",
    )
    draw.ellipse((58, 112, 152, 196), fill="#8a8f98", outline="#4a4e55", width=2)
    face(draw, "#9aa0aa", "#4a4e55", blink=step in (5, 6))
    return image


def jumping(step: int) -> Image.Image:
    """An orange cat that jumps."""
    image = Image.new("RGB", (SIZE, SIZE), BACKGROUND)
    draw = ImageDraw.Draw(image)
    height = 36 * abs(math.sin(math.pi * step / FRAMES))
    draw.ellipse((66 + height / 3, 186, 134 - height / 3, 196), fill="#d8d0be")
    draw.ellipse(
        (64, 116 - height + 20, 136, 186 - height + 4),
        fill="#e8984a",
        outline="#8f5418",
        width=2,
    )
    for paw in (76, 112):
        draw.ellipse(
            (paw, 172 - height, paw + 16, 190 - height),
            fill="#f0b070",
            outline="#8f5418",
        )
    face(draw, "#f0a85c", "#8f5418", blink=False, dy=20 - height)
    return image


def peeking(step: int) -> Image.Image:
    """A black cat that looks out of a shipping container."""
    image = Image.new("RGB", (SIZE, SIZE), BACKGROUND)
    draw = ImageDraw.Draw(image)
    rise = 44 * (1 - math.cos(2 * math.pi * step / FRAMES)) / 2
    face(draw, "#3b3b42", "#15151a", blink=step == 4, dy=62 - rise)
    draw.rectangle((24, 126, 176, 194), fill="#2f7fc1", outline="#1b4f7a", width=3)
    for rib in range(36, 176, 14):
        draw.line((rib, 130, rib, 190), fill="#1b4f7a", width=3)
    return image


def main() -> None:
    """Writes the three GIFs into the folder that is named."""
    target = Path(sys.argv[1])
    for name, draw in (
        ("blinking", blinking),
        ("jumping", jumping),
        ("peeking", peeking),
    ):
        frames = [
            draw(step).convert("P", palette=Image.Palette.ADAPTIVE, colors=32)
            for step in range(FRAMES)
        ]
        frames[0].save(
            target / f"{name}.gif",
            save_all=True,
            append_images=frames[1:],
            duration=FRAME_MS,
            loop=0,
        )


if __name__ == "__main__":
    main()
