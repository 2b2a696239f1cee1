"""The learning curve as a picture: loss and accuracy, epoch by epoch, and where the training was resumed."""

from dataclasses import dataclass

WIDTH, HEIGHT = 800, 600
LEFT, RIGHT = 80, 760  # of both panels, in dots
PANELS = {"loss": (50, 270), "accuracy": (330, 550)}  # top and bottom
INK, LIGHT, COLORS, MARK = (
    "#333333",
    "#dddddd",
    {"loss": "#b3541e", "accuracy": "#1f6f8b"},
    "#777777",
)


@dataclass
class Line:
    points: list  # of (x, y), in dots
    color: str
    width: int = 1


@dataclass
class Text:
    x: float
    y: float  # of the middle
    words: str
    anchor: str = "middle"  # or start, end


def shapes(history, resumed):
    """Lines and texts of the whole picture; SVG and PNG are two ways to draw them."""
    last = max(history[-1][0], 1)
    series = {
        "loss": [(epoch, loss) for epoch, loss, _ in history],
        "accuracy": [(epoch, accuracy) for epoch, _, accuracy in history],
    }
    for name, (top, bottom) in PANELS.items():
        values = [value for _, value in series[name] if value == value]
        low, high = 0.0, max(values, default=1.0) or 1.0
        if name == "accuracy":
            low, high = min([0.9, *values]), 1.0

        def place(epoch, value, low=low, high=high, top=top, bottom=bottom):
            return LEFT + (RIGHT - LEFT) * epoch / last, bottom - (bottom - top) * (
                value - low
            ) / (high - low)

        for part in range(5):
            value = low + (high - low) * part / 4
            _, y = place(0, value)
            yield Line([(LEFT, y), (RIGHT, y)], LIGHT)
            yield Text(LEFT - 8, y, f"{value:.3g}", "end")
        for position in resumed:
            x, _ = place(position, low)
            yield Line([(x, top), (x, bottom)], MARK)
            yield Text(x, top - 9, "resumed")
        for epoch in range(0, last + 1, -(-last // 10)):
            yield Text(place(epoch, low)[0], bottom + 14, str(epoch))
        points = [
            place(epoch, value) for epoch, value in series[name] if value == value
        ]
        yield Line(points, COLORS[name], 3)
        yield Text(LEFT, top - 28, name, "start")
    yield Text((LEFT + RIGHT) / 2, HEIGHT - 16, "epochs")


def svg(drawn):
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Learning curve" '
        'font-family="sans-serif" font-size="14">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for shape in drawn:
        if isinstance(shape, Line):
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{shape.color}" stroke-width="{shape.width}"/>'
            )
        else:
            parts.append(
                f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor="{shape.anchor}" dominant-baseline="middle" '
                f'fill="{INK}">{shape.words}</text>'
            )
    return "\n".join([*parts, "</svg>", ""])


def png(drawn, path):
    from PIL import Image, ImageDraw, ImageFont

    scale = 2  # drawn larger and made smaller: smooth lines
    picture = Image.new("RGB", (WIDTH * scale, HEIGHT * scale), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(14 * scale)
    for shape in drawn:
        if isinstance(shape, Line):
            pen.line(
                [(x * scale, y * scale) for x, y in shape.points],
                shape.color,
                shape.width * scale,
                joint="curve",
            )
        else:
            anchor = {"start": "lm", "middle": "mm", "end": "rm"}[shape.anchor]
            pen.text((shape.x * scale, shape.y * scale), shape.words, INK, font, anchor)
    picture.resize((WIDTH, HEIGHT), Image.LANCZOS).save(path)


def draw(history, resumed, folder):
    """Writes learning_curve.svg and learning_curve.png into the folder, and returns their paths."""
    if not history:
        return []
    drawn = list(shapes(history, resumed))
    paths = [folder / "learning_curve.svg", folder / "learning_curve.png"]
    paths[0].write_text(svg(drawn))
    png(drawn, paths[1])
    return paths
