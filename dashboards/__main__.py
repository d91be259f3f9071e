"""Write the boards into the chart; what is no longer made goes away."""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.board import Board
from dashboards.fleet import FLEET
from dashboards.money import MONEY
from dashboards.provider import PROVIDER
from dashboards.route import ROUTE

BOARDS = (FLEET, ROUTE, PROVIDER, MONEY)
FOLDER = Path(__file__).resolve().parents[1] / "helm" / "fairlead" / "dashboards"


def written(board: Board) -> str:
    """Write a board as Grafana imports it."""
    return JSONEncoder(sort_keys=True, indent=1).encode(board.build().build()) + "\n"


def main() -> None:
    """Make the folder hold exactly the boards."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.iterdir():
        path.unlink()
    for board in BOARDS:
        (FOLDER / f"{board.uid}.json").write_text(written(board))


if __name__ == "__main__":
    main()
